# Puts packages into a directory without what they need. Read before install.sh.

# Prints the relations on a name, separated by commas.
relations() {
    all=
    while IFS="$tab" read -r mark relation; do
        if [ "${relation%% *}" = "$1" ]; then
            all="${all:+$all, }$relation"
        fi
    done <"$wanted"
    echo "$all"
}

# Prints NAME=VERSION of what apt would take for a name with all of its constraints where nothing is installed: a package
# of that name, or else the one that comes last, after what it needs. An older version is only known to be there.
choose() {
    : >"$work/nothing"
    if apt-get --simulate -o "Dir::State::status=$work/nothing" satisfy "$(relations "$1")" >"$work/would" 2>"$work/why"; then
        sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*$/\1=\2/p' "$work/would" >"$work/choices"
        grep "^$1=" "$work/choices" | head -n 1 | grep . || tail -n 1 "$work/choices"
        return
    fi
    older "$1"
}

# Prints NAME=VERSION of the newest known version that meets all constraints on a name.
older() {
    apt-cache madison "$1" | cut -d '|' -f 2 | tr -d ' ' | while read -r version; do
        if fits "$1" "$version"; then
            echo "$1=$version"
            break
        fi
    done
}

# Says in FILE that a name cannot be had.
explain_download() {
    why=$(sed -n 's/^.* but /but /p' "$work/why" | head -n 1)
    while IFS="$tab" read -r mark relation; do
        if [ "${relation%% *}" = "$1" ]; then
            echo "${mark}dependency \"$relation\" cannot be downloaded${why:+, $why}"
        fi
    done <"$wanted"
}

# download DIR: every wanted package goes to DIR; $work/explained says what cannot be had.
download() {
    : >"$work/explained"
    # What fits reads it.
    cut -f 2 "$wanted" >"$work/bound"
    cut -f 2 "$wanted" | cut -d ' ' -f 1 | sort -u >"$work/names"
    while read -r name; do
        choice=$(choose "$name" </dev/null)
        if [ -z "$choice" ] || ! (cd "$1" && apt-get download "$choice" </dev/null); then
            explain_download "$name" >>"$work/explained"
        fi
    done <"$work/names"
    [ ! -s "$work/explained" ]
}
