# Makes symbolic links with owners: symlinks.sh [TARGET PATH USER GROUP]...
set -eu
umask 022

while [ $# -ge 4 ]; do
    mkdir -p -- "$(dirname -- "$2")"
    ln -s -T -- "$1" "$2"
    chown -h -- "$3:$4" "$2"
    shift 4
done
