dalec_installed=
dalec_pip() {
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore \
        python3 -m pip install --quiet --no-index --find-links="$PIP_CACHE_DIR" "$@"
}

# dalec_pip_required MARK DIRECTORY FILE: installs what the requirements in FILE ask for into DIRECTORY/site-packages.
dalec_pip_required() {
    dalec_step="${1}installing Python packages"
    dalec_pip --target="$PWD/$2/site-packages" --requirement="$PWD/$2/$3"
    export PYTHONPATH="$PWD/$2/site-packages${PYTHONPATH:+:$PYTHONPATH}"
    dalec_installed="$dalec_installed $(realpath "$2/$3")
"
}

# dalec_pip_others DIRECTORY...: does the same for all other requirements and projects, where what they need was downloaded.
# What is in the DIRECTORIES and what npm has installed is others' own.
dalec_pip_others() {
    dalec_step='dalec: error: Python packages'
    dalec_list=$(mktemp)
    for dalec_directory; do
        shift
        set -- "$@" -o -path "./$dalec_directory"
    done
    find . \( -name site-packages -o -name node_modules "$@" \) -prune -o -type f \
        \( -name 'requirements*.txt' -o -name pyproject.toml -o -name setup.py \) -print | sort >"$dalec_list"
    while IFS= read -r dalec_file; do
        case $dalec_installed in
        *" $(realpath "$dalec_file")
"*) continue ;;
        esac
        dalec_directory="$PWD/$(dirname "$dalec_file")"
        case $dalec_file in
        *.txt) set -- --requirement="$dalec_file" ;;
        *) set -- "$dalec_directory" ;;
        esac
        if ! dalec_pip --target="$dalec_directory/site-packages" "$@" </dev/null >/dev/null 2>&1; then
            echo "$dalec_file needs what was not downloaded; it is left alone" >&2
        elif [ -d "$dalec_directory/site-packages" ]; then
            export PYTHONPATH="$dalec_directory/site-packages${PYTHONPATH:+:$PYTHONPATH}"
        fi
    done <"$dalec_list"
    rm -f "$dalec_list"
}
