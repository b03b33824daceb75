# Makes symbolic links with owners in another root file system: symlinks-from-outside.sh [TARGET PATH USER GROUP]...
#
# The root file system is at /run/dalec/root; it need hold nothing that can be run.
set -eu
umask 022
root=/run/dalec/root

fail() {
    echo "dalec: error: $*" >&2
    exit 1
}

# id_of FILE NAME: the number of a user or group, which may be a number already.
id_of() {
    case "$2" in
    *[!0-9]*) ;;
    *)
        echo "$2"
        return
        ;;
    esac
    found=
    [ "$2" != root ] || found=0
    while IFS=: read -r name _ number rest; do
        [ "$name" != "$2" ] || found=$number
    done <"$root/etc/$1"
    [ -n "$found" ] || fail "there is no \"$2\" in /etc/$1 of the container"
    echo "$found"
}

while [ $# -ge 4 ]; do
    user=$(id_of passwd "$3")
    group=$(id_of group "$4")
    parent=$(dirname -- "$root/$2")
    mkdir -p -- "$parent"
    # A link on the way would lead out of the container.
    case "$(cd -P -- "$parent" && pwd)/" in
    "$root"/*) ;;
    *) fail "the link $2 would be in a directory that is a link itself" ;;
    esac
    ln -s -T -- "$1" "$root/$2"
    chown -h -- "$user:$group" "$root/$2"
    shift 4
done
