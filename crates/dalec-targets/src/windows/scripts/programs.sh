# Builds programs for Windows: programs.sh
#
# Sources are at /work/sources. What the spec has to say is at /work/scripts: `patches` applies patches, `build.sh` is the
# build steps, `programs` calls put. The programs go to /work/out.
set -eu
umask 022
export LC_ALL=C.UTF-8 TZ=UTC

newline='
'

# put MARK KEY MODE DIR NAME FILE...: copies to DIR under NAME; several files go into DIR/NAME. Links are followed:
# Windows knows no such thing.
put() {
    if [ ! -e "$6" ]; then
        echo "$1artifact \"$2\": no such file in the build directory" >&2
        exit 1
    fi
    mark=$1 key=$2 mode=$3 dir="/work/out$4" name=$5
    shift 5
    if [ $# -gt 1 ]; then
        dir="$dir/$name" name=
    fi
    mkdir -p "$dir"
    for file; do
        to="$dir/${name:-${file##*/}}"
        if [ -e "$to" ]; then
            echo "${mark}artifact \"$key\": another one is called \"${to#/work/out/}\", too" >&2
            exit 1
        fi
        cp -RLp -T -- "$file" "$to"
        if [ -n "$(find "$to" -path "*$newline*" -print -quit)" ]; then
            echo "${mark}artifact \"$key\": a name has a line break in it, which Windows does not allow" >&2
            exit 1
        fi
        [ -z "$mode" ] || chmod "$mode" "$to"
    done
}

mkdir -p /build /work/sources
cp -a /work/sources/. /build/
cd /build
. /work/scripts/patches
/work/scripts/build.sh
. /work/scripts/programs
cd /
# What a cache holds that is mounted there must stay.
if ! grep -q " /build[ /]" /proc/self/mountinfo; then
    rm -rf /build
fi
