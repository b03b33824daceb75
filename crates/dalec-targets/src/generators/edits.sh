
# Edits go.mod of Go programs, with what follows from it: go.sum, go.work and vendor. Calls of `edit` come behind this,
# then one of `finish`.
#
# The source, with the patches of the spec, is at /work/b; /work/a gets what is edited as it was. The differences go to
# /work/patch/edits.patch.
export GOMODCACHE=/work/cache TZ=UTC LC_ALL=C
need diff diffutils 'write a patch'
: >/work/patch/edits.patch
: >/work/changed
mkdir -p /work/a

# edit MARK PATH ARGUMENT...: edits go.mod in the directory PATH with these arguments of `go mod edit`.
edit() {
    mark=$1 path=$2
    shift 2
    if [ ! -f "/work/b/$path/go.mod" ]; then
        echo "there is no $path/go.mod to edit" >&2
        return
    fi
    cd "/work/b/$path"
    workspace=
    case $(go env GOWORK) in
    /work/b/*) workspace=$(dirname "$(go env GOWORK)") ;;
    esac
    for name in go.mod go.sum vendor; do keep "/$path/$name"; done
    if [ -n "$workspace" ]; then
        for name in go.work go.work.sum vendor; do keep "${workspace#/work/b}/$name"; done
    fi
    if ! { go mod edit "$@" && go mod tidy && follow; }; then
        echo "${mark}cannot edit $path/go.mod" >&2
        exit 1
    fi
}

# keep NAME: notes what NAME was before, unless that was done.
keep() {
    name=$(echo "$1" | sed 's,^//*,,')
    if ! grep -qxF -e "$name" /work/changed; then
        echo "$name" >>/work/changed
        mkdir -p "$(dirname "/work/a/$name")"
        if [ -e "/work/b/$name" ]; then cp -a "/work/b/$name" "/work/a/$name"; fi
    fi
}

# follow: lets the workspace of the module in this directory follow it, and the copies of dependencies that there are.
follow() {
    module=$PWD vendored=
    if [ -n "$workspace" ]; then
        cd "$workspace"
        # What it wants of go is at least what its modules want. Versions before 1.21 do not mind.
        case $(go help work use) in
        *'With no arguments'*) go work use || return ;;
        esac
        if [ -d vendor ] && go help work vendor >/dev/null 2>&1; then
            go work vendor || return
            vendored=$PWD
        fi
        cd "$module"
    fi
    if [ -d vendor ] && [ "$vendored" != "$module" ]; then
        GOWORK=off go mod vendor
    fi
}

# finish: writes the patch.
finish() {
    cd /work
    sort changed >names
    while read -r name; do
        difference "$name"
    done <names
}

# difference NAME: adds what is different at NAME to the patch.
difference() {
    for side in a b; do
        # Patches tell times, and the beginning of time means that there is no such file.
        if [ -e "$side/$1" ]; then find "$side/$1" -exec touch -h -d @315619200 {} +; fi
    done
    if [ ! -e "a/$1" ] && [ ! -e "b/$1" ]; then
        return
    fi
    diff -Naur "a/$1" "b/$1" >>patch/edits.patch || [ $? = 1 ]
    # Which says nothing about empty files that are new, or gone.
    empty b a "$1" new
    empty a b "$1" deleted
}

# empty SIDE OTHER NAME WORD: adds the empty files below NAME that SIDE has and OTHER has not.
empty() {
    if [ ! -e "$1/$3" ]; then
        return
    fi
    find "$1/$3" -type f -empty | sort | while read -r file; do
        file=${file#*/}
        if [ ! -e "$2/$file" ]; then
            printf 'diff --git "a/%s" "b/%s"\n%s file mode 100644\n' "$file" "$file" "$4" >>patch/edits.patch
        fi
    done
}
