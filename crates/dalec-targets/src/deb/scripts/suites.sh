# Suites beside that of the distribution, in the archive that its own packages come from. Read before install.sh.

suites_list=/etc/apt/sources.list.d/dalec-suites.list

# use_suites SUITE...: has apt know them where that archive has them, until forget_suites. An archive may have left them
# behind when they were closed, which is no reason to build nothing; $missing says which.
use_suites() {
    for suite; do
        base=${suite%-*}
        found=
        # Repositories of the spec may have a suite of that name, too.
        for archive in $(apt-get update --print-uris | sed -n "s,^'\\([^']*\\)/dists/$base/InRelease'.*,\\1,p"); do
            ! has_suite "$archive" "$suite" || { found=$archive && break; }
        done
        if [ -n "$found" ]; then
            key=$(entries | grep -F -e "$found " -e "$found/ " | sed -n 's,.*[Ss]igned-[Bb]y[:=] *\(/[^] ]*\).*,\1,p' | head -n 1)
            # It is closed, so its index ages without getting old.
            echo "deb [check-valid-until=no${key:+ signed-by=$key}] $found $suite main" >>"$suites_list"
        else
            missing="$missing $suite"
        fi
    done
    [ -z "$missing" ] || echo "dalec: the archive of the distribution's packages has no$missing" >&2
}

# entries: prints what apt knows, each repository on a line.
entries() {
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        case "$file" in
        *.sources) awk 'BEGIN { RS = "" } { gsub(/\n/, " "); print $0 " " }' "$file" ;;
        *) [ ! -e "$file" ] || cat "$file" ;;
        esac
    done
}

# has_suite ARCHIVE SUITE: whether it is there.
has_suite() {
    /usr/lib/apt/apt-helper download-file "$1/dists/$2/InRelease" "$work/InRelease" >/dev/null 2>&1
}

# forget_suites: leaves no trace of them.
forget_suites() {
    rm -f "$suites_list"
}
