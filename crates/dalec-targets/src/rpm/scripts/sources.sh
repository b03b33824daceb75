# Makes the sources of a source package: sources.sh EPOCH [KIND NAME FILE]...
#
#   EPOCH  time of every file
#   KIND   tree or file
#   FILE   what NAME becomes
#
# Sources are in /work/src; the result goes to /work/out/SOURCES.
set -eu
umask 022
export LC_ALL=C.UTF-8 TZ=UTC
epoch=$1
shift
mkdir /work/out/SOURCES
cd /work/src
while [ $# -ge 3 ]; do
    to="/work/out/SOURCES/$3"
    if [ "$1" = tree ]; then
        tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" --format=gnu \
            -I 'gzip -n' -cf "$to" "./$2"
    else
        cp "./$2" "$to"
    fi
    shift 3
done
