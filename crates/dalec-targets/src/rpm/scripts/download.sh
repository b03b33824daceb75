# Puts packages into a directory without what they need, with dnf. Read before install.sh.

# Prints what is known to meet a relation, one a line: NAME|REPOSITORY|NAME-EPOCH:VERSION-RELEASE.ARCHITECTURE
meeting() {
    dnf repoquery $options --quiet --arch="$architecture,noarch" "$@" \
        --queryformat '%{name}|%{repoid}|%{name}-%{epoch}:%{version}-%{release}.%{arch}\n' </dev/null | sed '/^$/d' | sort -u
}

# Prints such a line for the newest package that meets all constraints on a name, of that name if there is one.
choose() {
    rm -f "$work/found"
    while IFS="$tab" read -r mark relation; do
        if [ "${relation%% *}" != "$1" ]; then
            continue
        fi
        meeting --whatprovides "$relation" >"$work/meeting"
        if [ -e "$work/found" ]; then
            comm -12 "$work/found" "$work/meeting" >"$work/both"
            mv "$work/both" "$work/found"
        else
            mv "$work/meeting" "$work/found"
        fi
    done <"$wanted"
    chosen=$1
    if ! grep -q "^$1|" "$work/found"; then
        chosen=$(head -n 1 "$work/found" | cut -d '|' -f 1)
    fi
    sed -n "s/^$chosen|.*|//p" "$work/found" >"$work/versions"
    case "$(grep -c . "$work/versions")" in
    0) ;;
    1) grep "^$chosen|" "$work/found" ;;
    *) meeting --latest-limit=1 $(cat "$work/versions") | head -n 1 ;;
    esac
}

# Whether the repository $1 says of itself that its packages need no signature.
is_open() {
    cat /etc/yum.repos.d/*.repo | sed -n "/^\\[$1\\]/,/^\\[/s/^ *\\(pkg_\\)*gpgcheck *= *//p" | grep -qix 'no\|false\|off\|0'
}

# Whether a package is signed by a key that the distribution or the spec has; dnf only looks before it installs.
is_signed() {
    rpmkeys --define '_pkgverify_level all' --checksig "$1" >&2
}

# Downloads what one line of choose names.
fetch() {
    repository=${2#*|} package=${2##*|}
    repository=${repository%%|*}
    rm -rf "$work/new"
    mkdir -p "$work/new"
    dnf download $options --destdir "$work/new" "$package" </dev/null || return
    for file in "$work/new"/*.rpm; do
        if ! is_open "$repository" && ! is_signed "$file"; then
            why="no key that is known has signed ${file##*/}"
            return 1
        fi
        mv "$file" "$1/"
    done
}

# download DIR: every wanted package goes to DIR; $work/explained says what cannot be had.
download() {
    for key in /etc/pki/rpm-gpg/*; do
        # Not all that lies there is a key.
        rpm --import "$key" 2>/dev/null || true
    done
    : >"$work/explained"
    cut -f 2 "$wanted" | cut -d ' ' -f 1 | sort -u >"$work/names"
    while read -r name; do
        why="nothing provides it"
        choice=$(choose "$name")
        if [ -n "$choice" ]; then
            why=
            fetch "$1" "$choice" && continue
        fi
        while IFS="$tab" read -r mark relation; do
            if [ "${relation%% *}" = "$name" ]; then
                echo "${mark}dependency \"$relation\" cannot be downloaded${why:+: $why}" >>"$work/explained"
            fi
        done <"$wanted"
    done <"$work/names"
    [ ! -s "$work/explained" ]
}
