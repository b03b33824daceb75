# apply MARK TITLE PATCH SOURCE ARGUMENT...: applies one patch with these arguments of patch.
apply() {
    mark=$1 title=$2 file=/work/sources/$3 source=$4
    shift 4
    if [ ! -f "$file" ]; then
        echo "${mark}there is no patch \"$title\"" >&2
        exit 1
    fi
    if ! patch -s -f --no-backup-if-mismatch "$@" <"$file"; then
        echo "${mark}patch \"$title\" does not apply to source \"$source\"" >&2
        exit 1
    fi
}

