# Builds source and binary packages: build.sh NAME EPOCH [ARCHITECTURE GNU]
#
#   EPOCH         time of the packages, and of whatever in them would be newer
#   ARCHITECTURE  what the packages are for, where that is not what runs here; read after cross.sh then
#   GNU           its system's name for GCC
#
# Sources and spec file are at /work/top; packages go to /work/out. When and where a package was built shows nowhere.
set -eu
umask 022
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH="$2"
# The times of sources are in the source package.
mkdir /work/build
cp -r --reflink=auto /work/top/. /work/build/
find /work/build -mindepth 1 -exec touch --no-create --date="@$2" {} +
# Everybody may read what comes out of a source package.
chmod 0644 "/work/build/SPECS/$1/$1.spec"
name=$1 target=${3:-} gnu=${4:-}
set --
if [ -n "$gnu" ]; then
    use_compiler "$gnu"
    # The machine's own may know no programs but its own; where there is no other, programs keep their symbols.
    set -- --target "$target-linux" --define '__strip /bin/true'
    for program in strip objdump objcopy nm; do
        if command -v "$gnu-$program" >/dev/null; then
            set -- "$@" --define "__$program $gnu-$program"
        fi
    done
fi
rpmbuild -ba "$@" \
    --define '_topdir /work/build' \
    --define '_rpmdir /work/out/RPMS' \
    --define '_srcrpmdir /work/out/SRPMS' \
    --define '_buildhost dalec' \
    --define 'use_source_date_epoch_as_buildtime 1' \
    --define 'clamp_mtime_to_source_date_epoch 1' \
    --define 'build_mtime_policy clamp_to_source_date_epoch' \
    --define 'source_date_epoch_from_changelog 0' \
    "/work/build/SPECS/$name/$name.spec"
if [ -n "$gnu" ]; then
    check_packages /work/out/RPMS "$target"
fi
