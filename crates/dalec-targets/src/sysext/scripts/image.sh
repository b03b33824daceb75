# Makes the image of a system extension: image.sh NAME IMAGE RELEASE EPOCH
#
#   NAME     name of the spec; files of ours are called after it
#   IMAGE    name of the image, without .raw
#   RELEASE  text of its release file
#   EPOCH    time of every file
#
# Packages are below /work/dependencies and /work/packages; files of the latter win. The image goes to /work/out.
set -eu
umask 022
export LC_ALL=C.UTF-8
name=$1 image=$2 release=$3 epoch=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree="$work/tree"
etc="$tree/usr/share/$name/etc"

# unpack FILE DIR: unpacks a package of whichever kind, without running anything of it.
unpack() {
    case "$1" in
    *.deb)
        dpkg-deb --fsys-tarfile "$1" >"$work/content"
        tar --extract --preserve-permissions --no-same-owner --file "$work/content" --directory "$2"
        ;;
    *.rpm)
        rpm2cpio "$1" >"$work/content"
        (cd "$2" && cpio --extract --make-directories --no-absolute-filenames --no-preserve-owner --quiet <"$work/content")
        ;;
    esac
}

# take FROM TO: adds one directory to another.
take() {
    mkdir -p "$2"
    cp -a "$1/." "$2/"
}

# Adds what is in the directory $1 to the extension, where an extension has it.
add() {
    for path in "$1"/* "$1"/.[!.]*; do
        if [ -h "$path" ] || [ ! -d "$path" ]; then
            continue
        fi
        case "${path##*/}" in
        usr | opt) take "$path" "$tree/${path##*/}" ;;
        bin | sbin | lib | lib64) take "$path" "$tree/usr/${path##*/}" ;;
        etc)
            rm -rf "$path/systemd"
            take "$path" "$etc"
            ;;
        *) echo "left out of the extension: /${path##*/}" >&2 ;;
        esac
    done
}

mkdir "$tree"
find /work/dependencies /work/packages \( -name '*.deb' -o -name '*.rpm' \) -type f >"$work/packages"
for from in /work/dependencies /work/packages; do
    grep "^$from/" "$work/packages" | sort >"$work/some" || true
    while read -r package; do
        mkdir "$work/one"
        unpack "$package" "$work/one" </dev/null
        add "$work/one"
        rm -rf "$work/one"
    done <"$work/some"
done
rm -f "$work/content"
if [ -e "$tree/usr/lib/os-release" ] || [ -h "$tree/usr/lib/os-release" ]; then
    echo "dalec: error: a package brings /usr/lib/os-release, and systemd takes no extension with it" >&2
    exit 1
fi

# It must be called after the file that the image is in.
mkdir -p "$tree/usr/lib/extension-release.d"
printf '%s' "$release" >"$tree/usr/lib/extension-release.d/extension-release.$name"
if [ "$image" != "$name" ]; then
    ln -sf "extension-release.$name" "$tree/usr/lib/extension-release.d/extension-release.$image"
fi

# An extension changes nothing in /etc: what belongs there is copied when it is attached.
for path in "$etc"/* "$etc"/.[!.]*; do
    if [ ! -e "$path" ] && [ ! -h "$path" ]; then
        continue
    fi
    item=${path##*/}
    case "$item" in
    *[!A-Za-z0-9@_.,:+~-]*)
        echo "dalec: error: a system extension cannot bring \"/etc/$item\"" >&2
        exit 1
        ;;
    esac
    mkdir -p "$tree/usr/lib/tmpfiles.d"
    echo "C+ /etc/$item - - - - /usr/share/$name/etc/$item" >>"$tree/usr/lib/tmpfiles.d/10-$name.conf"
done

# Nobody enables services in an extension: they run while it is attached.
units="$tree/usr/lib/systemd/system"
for path in "$units"/*.service; do
    unit=${path##*/}
    case "$unit" in
    *@* | '*.service') continue ;;
    esac
    mkdir -p "$units/multi-user.target.d"
    printf '[Unit]\nUpholds=%s\n' "$unit" >"$units/multi-user.target.d/10-$name-${unit%.service}.conf"
done

# The same content is the same file system, by name too.
hash=$(cd "$tree" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
uuid=$(echo "$hash" | sed 's/^\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)\(.\{12\}\).*/\1-\2-8\3-8\4-\5/')
mkfs.erofs --quiet --all-root -x-1 -zlz4hc "-T$epoch" "-U$uuid" "/work/out/$image.raw" "$tree"
