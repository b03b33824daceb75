# Installs packages with apt: install.sh [OPTION]... -- PACKAGE...
#
#   --upgrade             upgrade what is installed first
#   --recommends          install recommended packages too
#   --keep-docs           unpack documentation even where the image leaves it out
#   --new-lists           look at all repositories anew, for some may change any time
#   --of-other ARCHITECTURE
#                         packages of this architecture are installed, too
#   --for ARCHITECTURE    packages are of this architecture and not of the machine's
#   --into DIR            install into the empty root file system at DIR, whose programs do not run here
#   --suite NAME          packages may come from this suite of the distribution's archive, too
#   --directory DIR       install every .deb file at the top of DIR, but for debug symbols
#   --meta NAME VERSION ARCHITECTURE DEPENDS
#                         install a package made on the spot that depends on DEPENDS
#   --download DIR        install nothing: put what is wanted into DIR, without what that needs
#   --wanted MARK TEXT    a dependency, to be named when it turns out not to be installable
#   --account MARK DATABASE NAME
#                         a user or group, to be named when a package cannot be set up and it is not there
#
# A package is a name.
set -eu
umask 022
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

stamp=/var/lib/apt/dalec-lists
ca=/run/secrets/dalec.ca-bundle
policy=/usr/sbin/policy-rc.d
work=$(mktemp -d)
made_policy=

finish() {
    [ -z "$made_policy" ] || rm -f "$policy"
    forget_suites
    rm -rf "$work"
}
trap finish EXIT

# One file instead of a tail of -o options at every call. It is read before the image's own settings,
# none of which touch these.
export APT_CONFIG="$work/apt.conf"
cat >"$APT_CONFIG" <<CONF
APT::Sandbox::User "root";
APT::Get::Assume-Yes "true";
APT::Install-Recommends "false";
APT::Keep-Downloaded-Packages "true";
APT::Color "0";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Update::Error-Mode "any";
Dpkg::Use-Pty "0";
quiet "1";
DPkg::Options { "--force-confdef"; "--force-confold"; };
CONF
use_proxies "$work" "$ca"
{
    if [ -n "$proxied" ]; then
        apt_setting Acquire::http::Proxy "$http_proxy"
        apt_setting Acquire::https::Proxy "$https_proxy"
    fi
    if [ -n "$bundle" ]; then
        apt_setting Acquire::https::CAInfo "$bundle"
    fi
} >>"$APT_CONFIG"

upgrade=
recommends=
docs=
new_lists=
directory=
downloads=
suites=
missing=
architecture=
into=
wanted="$work/wanted"
accounts="$work/accounts"
tab=$(printf '\t')
: >"$wanted"
: >"$accounts"
while [ "$1" != -- ]; do
    case "$1" in
    --upgrade) upgrade=1 ;;
    --recommends)
        recommends=1
        echo 'APT::Install-Recommends "true";' >>"$APT_CONFIG"
        ;;
    --keep-docs)
        for path in doc man info; do
            docs="$docs --path-include=/usr/share/$path/*"
            echo "DPkg::Options:: \"--path-include=/usr/share/$path/*\";" >>"$APT_CONFIG"
        done
        ;;
    --new-lists) new_lists=1 ;;
    --of-other)
        dpkg --add-architecture "$2"
        new_lists=1
        shift
        ;;
    --for)
        architecture=$2
        shift
        ;;
    --into)
        into=$2
        shift
        ;;
    --suite)
        suites="$suites $2"
        shift
        ;;
    --directory)
        directory=$2
        shift
        ;;
    --download)
        downloads=$2
        shift
        ;;
    --meta)
        mkdir -p "$work/meta/DEBIAN"
        printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: dalec\nDepends: %s\nDescription: %s\n' \
            "$2" "$3" "$4" "$5" 'what was asked for' >"$work/meta/DEBIAN/control"
        directory="$work"
        shift 4
        ;;
    --wanted)
        printf '%s\t%s\n' "$2" "$3" >>"$wanted"
        shift 2
        ;;
    --account)
        printf '%s\t%s\t%s\n' "$2" "$3" "$4" >>"$accounts"
        shift 3
        ;;
    esac
    shift
done
shift

if [ -d "$work/meta" ]; then
    dpkg-deb --build --root-owner-group -Znone "$work/meta" "$work/meta.deb" >/dev/null
fi
if [ -n "$directory" ]; then
    for file in "$directory"/*.deb; do
        case "$file" in
        *-dbgsym_*.deb) ;;
        *) [ ! -e "$file" ] || set -- "$@" "$file" ;;
        esac
    done
    if [ $# = 0 ]; then
        echo "dalec: error: there is no .deb file to install" >&2
        exit 1
    fi
fi

[ -z "$architecture" ] || use_architecture "$architecture"
[ -z "$into" ] || use_root "$into" "$architecture"

# Images for containers throw away what apt downloads; here it goes into a cache, not into the image.
rm -f /etc/apt/apt.conf.d/docker-clean
# No service may start while packages are set up.
if [ ! -e "$policy" ] && [ -d "${policy%/*}" ]; then
    made_policy=1
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
fi

# The lists are in a cache that other roots of this distribution share. They are taken as they are for an hour
# if they were fetched with the same sources; whatever cannot be installed from them is tried again with new ones.
# The stamp says when: the lists themselves bear the mirror's times.
sources() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | cksum
}

fresh() {
    [ -n "$(find "$stamp" -mmin -60 2>/dev/null)" ] && [ "$(cat "$stamp")" = "$(sources)" ]
}

update() {
    rm -f "$stamp" "$work/updated"
    { apt-get update 2>&1 && : >"$work/updated"; } | tee "$work/update"
    if [ -e "$work/updated" ]; then
        sources >"$stamp"
        return
    fi
    why=$(sed -n 's/^E: //p' "$work/update" | grep -v '^Some index files ' | head -n 1)
    case "$why" in
    *[cC]ertificate*) why="$why; a certificate authority of your own is given with --ca-bundle" ;;
    esac
    echo "dalec: error: a package repository cannot be read${why:+: $why}" >&2
    return 100
}

install_all() {
    if [ -n "$upgrade" ]; then
        apt-get dist-upgrade || return
    fi
    get -- "$@"
}

# get ARGUMENT...: as apt-get install. What is refused then is so for good.
get() {
    if apt-get install "$@"; then
        [ -z "$into" ] || finish_root "$into"
        return
    fi
    [ ! -e "$work/refused" ] || exit 1
    return 100
}

# Prints NAME=VERSION for every wanted package with version constraints: the newest known version that meets them. So it goes
# on with what these versions in turn want no newer. Left alone, apt considers the newest version and no other.
pins() {
    cut -f 2 "$wanted" >"$work/bound"
    for _ in 1 2 3 4 5 6 7 8 9; do
        newest >"$work/pins"
        while read -r pin; do
            apt-cache show "$pin" | sed -n 's/^\(Pre-\)\{0,1\}Depends: //p' | tr ',' '\n' |
                sed -n '/|/d; s/^ *//; s/:any (/ (/; /([<=][<=]* /p'
        done <"$work/pins" | sort -u - "$work/bound" >"$work/more"
        cmp -s "$work/more" "$work/bound" && break
        mv "$work/more" "$work/bound"
    done
    cat "$work/pins"
}

# newest: prints the newest version that fits for each package that is bound.
newest() {
    sed -n 's/ (.*$//p' "$work/bound" | sort -u | while read -r name; do
        apt-cache madison "$name" | cut -d '|' -f 2 | tr -d ' ' | while read -r version; do
            if fits "$name" "$version"; then
                echo "$name=$version"
                break
            fi
        done
    done
}

# fits NAME VERSION: whether all constraints on NAME hold for VERSION.
fits() {
    while read -r relation; do
        case "$relation" in
        "$1 ("*)
            constraint=${relation#*\(}
            constraint=${constraint%)}
            dpkg --compare-versions "$2" "${constraint%% *}" "${constraint#* }" || return
            ;;
        esac
    done <"$work/bound"
}

# Says which of the wanted dependencies cannot be had, and what apt has to say of it.
explain() {
    while IFS="$tab" read -r mark relation; do
        if ! apt-get --simulate satisfy "$relation" >"$work/why" 2>&1; then
            # bionic's apt cannot be asked: what it has said already has to do.
            ! grep -q 'Invalid operation satisfy' "$work/why" || return 0
            why=$(sed -n 's/^.* but //p' "$work/why" | head -n 1)
            case "$why" in
            'it is not installable') why='no package repository has it' ;;
            'it is not going to be installed') why='something that it needs itself cannot be installed' ;;
            'it is a virtual package') why='it is only a name that other packages provide' ;;
            *' is to be installed') why="the package repositories have ${why% is to be installed}" ;;
            esac
            [ -z "$missing" ] || why="${why:+$why, }and the archive has no$missing"
            echo "${mark}dependency \"$relation\" cannot be installed${why:+: $why}" >&2
        fi
    done <"$wanted"
}

# Says which packages are unpacked and could not be set up, or who of those that their files go to is not there.
explain_setup() {
    dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' | sed -n 's/^half-configured //p' >"$work/unset"
    [ -s "$work/unset" ] || return 0
    explained=
    while IFS="$tab" read -r mark database name; do
        if ! getent "$database" "$name" >/dev/null; then
            case "$database" in
            passwd) what=user ;;
            *) what=group ;;
            esac
            echo "${mark}files of the package go to the $what \"$name\", whom nothing creates" >&2
            explained=1
        fi
    done <"$accounts"
    [ -z "$explained" ] || return 0
    while read -r package; do
        echo "dalec: error: package \"$package\" cannot be set up: a script of it failed" >&2
    done <"$work/unset"
}

only_files() {
    for argument; do
        case "$argument" in
        /*) ;;
        *) return 1 ;;
        esac
    done
}

if [ -n "$downloads" ]; then
    use_suites $suites
    if [ -z "$new_lists" ] && fresh && download "$downloads"; then
        exit
    fi
    update
    download "$downloads" && exit
    cat "$work/explained" >&2
    exit 1
fi
if [ -z "$upgrade$into" ] && only_files "$@" && { installed; new "$recommends" "$@"; } | can_go_in; then
    dpkg --force-confdef --force-confold $docs --install "$@" && exit
    status=$?
    explain_setup
    exit "$status"
fi
use_suites $suites
if [ -z "$new_lists" ] && fresh; then
    install_all "$@" && exit
    echo "dalec: trying again with new package lists" >&2
fi
update
install_all "$@" && exit
status=$?
pins=$(pins)
if [ -n "$pins" ]; then
    echo "dalec: trying again with $(echo $pins)" >&2
    # Names and versions of packages hold no white space.
    get --allow-downgrades -- "$@" $pins && exit
fi
explain
explain_setup
exit "$status"
