# Building for another processor than the machine's.

# use_compiler GNU: makes the compiler for GNU, a system's name for GCC, the one that build tools find; programs that run
# during the build are still compiled by the machine's own.
use_compiler() {
    if command -v "$1-gcc" >/dev/null; then
        export CC="$1-gcc" CXX="$1-g++" HOST_CC=gcc HOST_CXX=g++
    fi
}

# refuse FILE FOR: says that FILE in a package for FOR is a program for the machine. No build tool minds.
refuse() {
    echo "dalec: error: $1 is a program for the machine that builds, but the package is for $2; what compiles it has to" \
        "heed CC, GOARCH or CARGO_BUILD_TARGET, or to run on such a machine" >&2
    return 1
}

# machine FILE: prints what tells the processors of programs apart.
machine() {
    od -An -v -tx1 -j4 -N16 "$1" | tr -d ' \n' | sed 's/^\(....\).*\(....\)$/\1\2/'
}

# check_tree DIR FOR: fails if a program in DIR, which becomes a package, is for the machine.
check_tree() {
    elf=$(printf '\177ELF') own=$(machine /bin/sh)
    grep -rlaF "$elf" "$1" >/work/programs || return 0
    while read -r file; do
        if [ "$(head -c 4 "$file")" = "$elf" ] && [ "$(machine "$file")" = "$own" ]; then
            refuse "${file#"$1"}" "$2" || return
        fi
    done </work/programs
}

# check_packages DIR FOR: as check_tree, for RPM packages, which say what their files are; those of rpm 6 do not.
check_packages() {
    case $(uname -m) in
    x86_64) own=x86-64 ;;
    aarch64) own='ARM aarch64' ;;
    *) return 0 ;;
    esac
    find "$1" -name '*.rpm' >/work/packages
    while read -r package; do
        check_package "$package" "$2" || return
    done </work/packages
}

# check_package FILE FOR: as check_packages.
check_package() {
    rpm -qp --queryformat '[%{FILENAMES}: %{FILECLASS}\n]' "$1" >/work/files
    if [ -s /work/files ] && ! grep -q ': .' /work/files; then
        mkdir /work/unpacked
        rpm2archive --nocompression - <"$1" | tar -xf - -C /work/unpacked
        check_tree /work/unpacked "$2" || return
        rm -rf /work/unpacked
        return
    fi
    while read -r file; do
        case "$file" in
        *": ELF "*", $own,"*) refuse "${file%%: ELF *}" "$2" || return ;;
        esac
    done </work/files
}
