# Builds the binary packages of a source package: binary-package.sh DIR ORIG STEM EPOCH WORK
#
#   WORK  directory to build in; programs may record it
#
# The source package is at /work/in; packages go to /work/out, what else is to be told about them to /work/meta.
set -eu
umask 022
export LC_ALL=C.UTF-8 TZ=UTC
dir=$1 orig=$2 stem=$3 work=$5
# What dpkg-buildpackage sets. The number of processors changes no package: xz cuts its blocks by size.
export SOURCE_DATE_EPOCH="$4" DEB_BUILD_OPTIONS="parallel=$(nproc)" DEB_RULES_REQUIRES_ROOT=binary-targets
eval "$(dpkg-architecture -s)"

# These two unpack as dpkg-source does, without its start.
mkdir -p "$work/$dir"
cd "$work/$dir"
tar -xf "/work/in/$orig" --strip-components=1
tar -xf "/work/in/$stem.debian.tar.xz"
if [ -e debian/patches/series ]; then
    dpkg-source --before-build .
fi

debian/rules binary
mv ../*.deb /work/out/
mv debian/files /work/meta/
cd /
# What a cache holds that is mounted there must stay.
if ! grep -qF " $work/" /proc/self/mountinfo; then
    rm -rf "$work"
fi
