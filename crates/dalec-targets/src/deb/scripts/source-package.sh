# Makes a source package: source-package.sh DIR ORIG STEM EPOCH [MARK FROM FILE TITLE]... -- [SOURCE]...
#
#   DIR     directory that the package unpacks to, NAME-VERSION
#   ORIG    name of the archive of sources
#   STEM    start of the other file names, NAME_VERSION-REVISION
#   EPOCH   time of every file
#   FROM    a patch, kept as debian/dalec/patches/FILE
#   SOURCE  a source that patches change
#
# Sources are at /work/orig/DIR/, the packaging files at /work/debian; the result goes to /work/out.
set -eu
umask 022
export LC_ALL=C.UTF-8 TZ=UTC
dir=$1 orig=$2 stem=$3 epoch=$4
shift 4
out=/work/out
tree="/work/package/$dir"

archive() {
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" --format=gnu "$@"
}

mkdir -p "/work/orig/$dir" "$tree"
cp -a /work/debian "$tree/debian"
archive -I 'gzip -n' -cf "$out/$orig" -C /work/orig "$dir"

while [ "$1" != -- ]; do
    if [ ! -f "$2" ]; then
        echo "$1there is no patch \"$4\"" >&2
        exit 1
    fi
    cp "$2" "$tree/debian/dalec/patches/$3"
    chmod 0644 "$tree/debian/dalec/patches/$3"
    shift 4
done
shift

# The spec's patches may strip path components and count from inside a source; dpkg-source wants one that does
# neither. Git compares the trees because it knows about modes. It is told to treat every file as
# text, and, outside of any repository, it asks no .gitattributes.
if [ $# -gt 0 ]; then
    mkdir /work/diff /work/diff/a /work/diff/b
    cd /work/diff
    for source; do
        cp -a "/work/orig/$dir/$source" a/
        cp -a "/work/orig/$dir/$source" b/
    done
    (cd b && DEBIAN_DIR="$tree/debian" "$tree/debian/dalec/patch.sh")
    export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_CEILING_DIRECTORIES=/work
    git -c core.quotePath=false diff --no-index --no-prefix --no-renames --no-ext-diff --no-textconv --no-color --full-index --text \
        a b >/work/changes || [ $? = 1 ]
    if [ -s /work/changes ]; then
        mkdir "$tree/debian/patches"
        {
            echo 'Description: the patches of the spec, in one'
            echo ' The originals are in debian/dalec/patches.'
            echo 'Forwarded: not-needed'
            echo
            cat /work/changes
        } >"$tree/debian/patches/dalec-changes.patch"
        echo dalec-changes.patch >"$tree/debian/patches/series"
    fi
fi

archive -I 'xz -T1' -cf "$out/$stem.debian.tar.xz" -C "$tree" debian
# Both archives are ready, so dpkg-source need not unpack one to make the other.
cd "$out"
dpkg-source --format='3.0 (custom)' --target-format='3.0 (quilt)' -b "$tree" "$orig" "$stem.debian.tar.xz"
