# Purges what the packages need no more, with the purged packages' own scripts: purge.sh [NAME...]
#
# Runs in the root file system of the container. What these scripts may use themselves (essential packages and
# dpkg) is left for clean.sh, which removes it from outside.
set -eu
umask 022
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C.UTF-8

all=$(query /)
essential=$(printf '%s\n' "$all" | awk -F '\t' '$3 == "yes" { print $2 }')
stays=$(printf '%s\n' "$all" | closure $(roots "$@") $essential dpkg)
purge=$(without "$(printf '%s\n' "$all" | cut -f 1)" "$stays")
[ -n "$purge" ] || exit 0

# A script that fails does no harm: clean.sh removes its package without asking it.
if ! dpkg "$(force)" --purge $purge; then
    echo "dalec: not every package could clean up after itself" >&2
fi
