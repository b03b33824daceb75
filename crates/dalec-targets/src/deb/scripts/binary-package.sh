# Builds the binary packages of a source package: binary-package.sh DIR ORIG STEM EPOCH WORK [ARCHITECTURE GNU]
#
#   WORK          directory to build in; programs may record it
#   ARCHITECTURE  what the packages are for, where that is not what runs here; read after cross.sh and
#                 libraries.sh then
#   GNU           its system's name for GCC
#
# The source package is at /work/in; packages go to /work/out, what else is to be told about them to /work/meta.
set -eu
umask 022
export LC_ALL=C.UTF-8 TZ=UTC
dir=$1 orig=$2 stem=$3 work=$5 architecture=${6:-} gnu=${7:-}
# What dpkg-buildpackage sets. The number of processors changes no package: xz cuts its blocks by size.
export SOURCE_DATE_EPOCH="$4" DEB_BUILD_OPTIONS="parallel=$(nproc)" DEB_RULES_REQUIRES_ROOT=binary-targets
if [ -n "$gnu" ]; then
    use_compiler "$gnu"
    export DEB_BUILD_OPTIONS="$DEB_BUILD_OPTIONS nocheck" DEB_BUILD_PROFILES='cross nocheck'
fi
eval "$(dpkg-architecture ${architecture:+"-a$architecture"} -s)"

# These two unpack as dpkg-source does, without its start.
mkdir -p "$work/$dir"
cd "$work/$dir"
tar -xf "/work/in/$orig" --strip-components=1
tar -xf "/work/in/$stem.debian.tar.xz"
if [ -e debian/patches/series ]; then
    dpkg-source --before-build .
fi

if [ -n "$gnu" ]; then
    name_libraries "$architecture" "$gnu"
fi
status=0
debian/rules binary || status=$?
if [ -n "$gnu" ]; then
    # Tools for the other processor fail with words of their own on programs for this one.
    for package in debian/*/; do
        check_tree "${package%/}" "$architecture"
    done
fi
[ "$status" = 0 ] || exit "$status"
# Debian's debhelper gives debug symbols the suffix of packages, Ubuntu's one of their own.
for file in ../*.deb ../*.ddeb; do
    [ ! -e "$file" ] || mv "$file" /work/out/
done
mv debian/files /work/meta/
cd /
rm -rf "$work"
