# Takes the traces of an installation out of a root file system, of a worker those of the spec's repositories alone.
# Read after install.sh.
#
# What was there before at /run/dalec/before is the business of whoever made it. Caches are mounted and stay outside.
traces() {
    for path; do
        if [ ! -e "/run/dalec/before/$path" ] && [ ! -h "/run/dalec/before/$path" ]; then
            rm -rf "${root:?}/$path"
        fi
    done
}

# What the keys of the spec's repositories were for is over, whoever took them in: a package manager does so, too.
if [ -n "$refresh" ]; then
    trusted | comm -13 "$work/trusted" - >"$work/imported"
    while read -r key; do
        rpm --root "${root:-/}" --erase "$key"
    done <"$work/imported"
fi
if [ -n "$root" ]; then
    for log in dnf.log dnf.librepo.log dnf.rpm.log dnf5.log hawkey.log tdnf.log; do
        traces "var/log/$log"
    done
    traces run/dnf
    if [ ! -e "$root/usr/bin/dnf" ] && [ ! -h "$root/usr/bin/dnf" ]; then
        traces var/lib/dnf usr/lib/sysimage/libdnf5
        rmdir "$root/etc/dnf/vars" "$root/etc/dnf" 2>/dev/null || true
    fi
    if [ ! -e "$root/usr/bin/tdnf" ]; then
        traces var/lib/tdnf
    fi
    database=$(rpm --eval '%{_dbpath}')
    rm -f "$root$database"/.rpm.lock "$root$database"/__db.*
    # The time of the build must not show: files that packages brought keep the time that they have there.
    find "$root" -xdev -newer "$work/wanted" -print0 |
        xargs -0 -r touch --no-create --no-dereference --date=@315619200
fi
