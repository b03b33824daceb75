# Makes a root file system a minimal container: clean.sh [--keep-docs] [NAME...]
#
# Runs in the worker. Removes every package that the built ones do not need, dpkg and the shell among them, so no
# package's script can run any more; then what belongs to no program, and every trace of the run itself.
set -eu
umask 022
export LC_ALL=C.UTF-8

root=/run/dalec/root
database=$root/var/lib/dpkg

keep_docs=
if [ "${1-}" = --keep-docs ]; then
    keep_docs=1
    shift
fi
said=$(mktemp)
owned=$(mktemp)
work=$(mktemp)

fail() {
    echo "dalec: error: $*" >&2
    exit 1
}

# Files of the base image of the spec are its author's business.
in_base() {
    [ -e "$base/$1" ] || [ -h "$base/$1" ]
}

remove() {
    for path in "$@"; do
        in_base "$path" || rm -rf "${root:?}/$path"
    done
}

all=$(query "$root")
stays=$(printf '%s\n' "$all" | closure $(roots "$@"))
purge=$(without "$(printf '%s\n' "$all" | cut -f 1)" "$stays")

# ld.so.conf may go with its package; which directories hold libraries is still asked below.
cat "$root/etc/ld.so.conf" >"$root/.ld.so.conf" 2>/dev/null || rm -f "$root/.ld.so.conf"

if [ -n "$purge" ]; then
    # Nobody is told about what goes: whoever would listen could not be run. Without these two files dpkg would
    # take the database for an old one and tell everybody.
    mv "$database/triggers" "$database/triggers.kept"
    mkdir "$database/triggers"
    : >"$database/triggers/File"
    : >"$database/triggers/Unincorp"
    for package in $purge; do
        for script in prerm postrm; do
            rm -f "$database/info/$package.$script" "$database/info/${package%:*}.$script"
        done
    done
    # What it says about every essential package is only worth reading when something went wrong.
    if ! dpkg --root="$root" --log=/dev/null "$(force)" --purge $purge >"$said" 2>&1; then
        cat "$said" >&2
        fail "not every package could be removed"
    fi
    rm -rf "$database/triggers"
    mv "$database/triggers.kept" "$database/triggers"
    for file in "$database/triggers"/*; do
        [ -s "$file" ] || continue
        # Lines are `package[/mode]`, in the list of paths with the path before it.
        awk -v stays="$(echo $stays)" '
            BEGIN { count = split(stays, list, " "); for (i = 1; i <= count; i++) { sub(/:.*/, "", list[i]); kept[list[i]] = 1 } }
            { package = $NF; sub(/[\/:].*/, "", package) }
            package in kept' "$file" >"$file.new"
        mv "$file.new" "$file"
        [ -s "$file" ] || rm "$file"
    done
fi

# Without their scripts, removed packages leave links behind that lead nowhere.
for link in "$root"/etc/alternatives/*; do
    [ -h "$link" ] || continue
    target=$root$(readlink "$link")
    [ -e "$target" ] || [ -h "$target" ] || rm "$link"
done
find "$root/usr" "$root/bin" "$root/sbin" -xdev -type l -lname '/etc/alternatives/*' | while read -r link; do
    target=$root$(readlink "$link")
    [ -h "$target" ] || [ -e "$target" ] || rm "$link"
done
for group in "$database"/alternatives/*; do
    [ -h "$root/etc/alternatives/${group##*/}" ] || rm -f "$group"
done
find "$root"/etc/rc[0-6S].d -xtype l -delete 2>/dev/null || true

remove etc/apt usr/lib/apt var/cache/apt var/cache/debconf var/lib/apt var/lib/pam
for directory in bash-completion bug debconf lintian locale; do
    remove "usr/share/$directory"
done
if [ ! -e "$root/usr/lib/systemd/systemd" ] && [ ! -e "$root/lib/systemd/systemd" ]; then
    remove etc/systemd var/lib/systemd
fi
if [ -z "$keep_docs" ]; then
    remove usr/share/doc usr/share/man usr/share/info
fi
has() {
    printf '%s\n' "$stays" | grep -qx "$1\(:.*\)\?"
}
if ! has dpkg; then
    remove etc/dpkg var/lib/dpkg/available
fi
if ! has apt; then
    remove usr/sbin/policy-rc.d
    for file in "$root/etc/passwd" "$root/etc/shadow"; do
        in_base etc/apt || [ ! -f "$file" ] || sed -i '/^_apt:/d' "$file"
    done
fi

if [ -e "$root/.ld.so.conf" ]; then
    if [ -e "$root/etc/ld.so.cache" ]; then
        ldconfig -r "$root" -X -f /.ld.so.conf
    fi
    rm "$root/.ld.so.conf"
fi

problems=$(dpkg --root="$root" --audit)
[ -z "$problems" ] || fail "the package database is not in order: $problems"
installed=$(query "$root" | cut -f 1)
missing=$(without "$stays" "$installed")
[ -z "$missing" ] || fail "lost on the way: $(echo $missing)"

remove var/cache/ldconfig
rm -rf "$database"/*-old "$database"/lock* "$database/triggers/Lock" "$database"/cmethopt
# To the machine all packages in a root for another architecture are foreign; to that root they are not.
own=$(dpkg --print-architecture)
if [ -e "$database/arch" ] && ! grep -qxF "Architecture: $own" "$database/status"; then
    rm "$database/arch"
fi
rm -f "$root"/etc/passwd- "$root"/etc/group- "$root"/etc/shadow- "$root"/etc/gshadow- "$root"/etc/.pwd.lock
for directory in tmp var/tmp run var/log; do
    if [ -d "$root/$directory" ] && [ ! -h "$root/$directory" ]; then
        find "$root/$directory" -xdev -mindepth 1 -delete
    fi
done

# The time of the build must not show: files that packages brought keep the time that they have there, and
# compiled code of scripting languages relies on it; everything else gets one constant.
cat "$database"/info/*.list | sort -u >"$owned"
(
    cd "$root"
    find . -xdev ! -type d | sed 's/^\.//' | sort | comm -23 - "$owned" | sed 's/^/./'
    find . -xdev -type d
) >"$work"
cd "$root"
xargs -d '\n' touch --no-create --no-dereference --date=@315619200 <"$work"
