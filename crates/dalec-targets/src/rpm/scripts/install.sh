# Installs packages: install.sh [OPTION]... -- PACKAGE...
#
#   --manager NAME    dnf, or tdnf where dnf may have to be installed first
#   --release VERSION of the distribution
#   --root DIR        install into the root file system at DIR, which this leaves without traces
#   --force-architecture ARCHITECTURE
#                     packages are for ARCHITECTURE, whose programs do not run here
#   --lenient         go on where scripts of packages cannot run
#   --keep-docs       install documentation too
#   --directory DIR   install every package below DIR, but for sources and debug symbols
#   --download DIR ARCHITECTURE
#                     install nothing: put what is wanted into DIR, without what that needs
#   --meta FILE       install the package that the spec file FILE describes
#   --key FILE        trust packages that this key has signed
#   --refresh         look at all repositories anew, for some may change any time; keys that this trusts are trusted
#                     no longer afterwards
#   --wanted MARK TEXT
#                     a dependency, to be named when it turns out not to be installable
#
# A package is a name.
set -eu
umask 022
export LC_ALL=C.UTF-8

ca=/run/secrets/dalec.ca-bundle
work=$(mktemp -d)
trap 'distrust_proxy; rm -rf "$work"' EXIT

manager= release= root= docs= directory= refresh= downloads= architecture= forced= lenient=
keys="$work/keys"
: >"$keys"
wanted="$work/wanted"
tab=$(printf '\t')
: >"$wanted"
while [ "$1" != -- ]; do
    case "$1" in
    --manager)
        manager=$2
        shift
        ;;
    --release)
        release=$2
        shift
        ;;
    --root)
        root=$2
        shift
        ;;
    --force-architecture)
        forced=$2
        shift
        ;;
    --lenient) lenient=1 ;;
    --keep-docs) docs=1 ;;
    --directory)
        directory=$2
        shift
        ;;
    --download)
        downloads=$2 architecture=$3
        shift 2
        ;;
    --meta)
        directory="$work/packages"
        rpmbuild -bb --quiet ${forced:+--target "$forced-linux"} --define "_topdir $work/build" --define "_rpmdir $directory" "$2"
        shift
        ;;
    --key)
        echo "$2" >>"$keys"
        shift
        ;;
    --refresh) refresh=1 ;;
    --wanted)
        printf '%s\t%s\n' "$2" "$3" >>"$wanted"
        shift 2
        ;;
    esac
    shift
done
shift

if [ -n "$directory" ]; then
    find "$directory" -name '*.rpm' ! -name '*.src.rpm' ! -name '*.nosrc.rpm' \
        ! -name '*-debuginfo-*' ! -name '*-debugsource-*' | sort >"$work/files"
    while read -r file; do
        set -- "$@" "$file"
    done <"$work/files"
    if [ $# = 0 ]; then
        echo "dalec: error: there is no .rpm file to install" >&2
        exit 1
    fi
fi

options="-y --releasever=$release --setopt=varsdir=/etc/dnf/vars --setopt=keepcache=1 --setopt=metadata_expire=3600"
if [ -z "$docs" ]; then
    options="$options --setopt=tsflags=nodocs"
fi
if [ -n "$root" ]; then
    options="$options --installroot=$root --setopt=reposdir=/etc/yum.repos.d"
    # What follows as --refresh is about the lists of the worker otherwise, in version 5.
    case "$(readlink -f "$(command -v dnf)")" in
    */dnf5) options="$options --setopt=cachedir=$root/var/cache/libdnf5" ;;
    esac
fi
if [ -n "$forced" ]; then
    options="$options --forcearch=$forced"
fi
if [ -n "$refresh" ]; then
    options="$options --refresh"
fi
use_proxies "$work" "$ca"
if [ -n "$proxied" ] && [ -n "$bundle" ]; then
    trust_proxy "${DALEC_RPM_PROXY_TRUST_BUNDLE:-/etc/pki/tls/certs/ca-bundle.trust.crt}"
    export SSL_CERT_FILE="$bundle" CURL_CA_BUNDLE="$bundle"
fi
if [ -n "$bundle" ]; then
    options="$options --setopt=sslverify=1 --setopt=sslcacert=$bundle"
fi

# Prints the keys that the package database of what is installed into trusts.
trusted() {
    rpm --root "${root:-/}" --query gpg-pubkey 2>/dev/null | sed -n '/^gpg-pubkey-/p' | sort
}

if [ -n "$refresh" ]; then
    trusted >"$work/trusted"
fi
# Not every package manager takes keys of repositories from files, and rpm takes armored ones alone.
while read -r key; do
    if ! grep -q 'BEGIN PGP PUBLIC KEY BLOCK' "$key"; then
        gpg --homedir "$work" --batch --quiet --import "$key"
        gpg --homedir "$work" --batch --armor --export >"$work/key.asc"
        rm -f "$work"/pubring* "$work"/trustdb*
        key="$work/key.asc"
    fi
    rpm --import "$key"
    [ -z "$root" ] || rpm --root "$root" --import "$key"
done <"$keys"

if [ -n "$downloads" ]; then
    if ! download "$downloads"; then
        # What the lists do not have may be new.
        options="$options --refresh"
        download "$downloads" || {
            cat "$work/explained" >&2
            exit 1
        }
    fi
    exit
fi

# Installs packages that need nothing which is not there, without a look into any repository. What they recommend
# might be in one.
alone() {
    [ -z "$(rpm -qp --recommends --supplements "$@")" ] || return
    if [ -n "$docs" ]; then
        set -- --includedocs "$@"
    else
        set -- --excludedocs "$@"
    fi
    rpm --root "${root:-/}" --upgrade --test "$@" >/dev/null 2>&1 && rpm --root "${root:-/}" --upgrade "$@"
}

run() {
    program=$manager
    if [ "$program" = tdnf ] && command -v dnf >/dev/null; then
        program=dnf
    fi
    "$program" install $options "$@"
}

# Says which of the wanted dependencies cannot be had, or else what stands in the way, in the solver's own words.
explain() {
    run --assumeno "$@" >"$work/why" 2>&1 || true
    # The programs begin such a line with a dash or with a number.
    sed -n 's/^ *\(-\|[0-9]*\.\) \(nothing provides .*\|.* none of the providers can be installed\)$/\2/p' \
        "$work/why" >"$work/reasons"
    # A repository that cannot be read is left out by some settings, and may be why a package is not there.
    sed -n "/^Errors during downloading metadata for repository '/{
        s/.*'\(.*\)':\$/\1/
        h
        n
        s/^ *- //
        H
        x
        s/\n/ cannot be read: /p
    }" "$work/why" >"$work/unread"
    # Version 5 has a line for each repository, and lines for what went wrong after it.
    sed -n '/^ .*%  *|/{
        s/^ *\(.*[^ ]\)  *[?0-9][?0-9]*%  *|.*/\1/
        h
    }
    /^>>> .*error/{
        s/^>>> //
        H
        x
        s/\n/ cannot be read: /p
        s/ cannot be read: .*//
        x
    }' "$work/why" >>"$work/unread"
    sort -u "$work/unread" | while read -r unread; do
        case "$unread" in
        *[cC]ertificate*) unread="$unread; a certificate authority of your own is given with --ca-bundle" ;;
        esac
        echo "dalec: error: the package repository $unread" >&2
    done
    explained=
    while IFS="$tab" read -r mark relation; do
        if grep -qF "nothing provides $relation needed by " "$work/reasons"; then
            why="nothing provides it"
        else
            why=$(grep -F "requires $relation, but " "$work/reasons" | head -n 1)
        fi
        if [ -n "$why" ]; then
            echo "${mark}dependency \"$relation\" cannot be installed: $why" >&2
            explained=1
        fi
    done <"$wanted"
    if [ -z "$explained" ]; then
        sed 's/^/dalec: error: /' "$work/reasons" | head -n 1 >&2
    fi
}

install_all() {
    if [ -n "$directory" ] && [ -z "$forced" ] && alone "$@"; then
        return
    fi
    # Where dnf is among the names it does the rest.
    case " $* " in
    *" dnf "*) run dnf || return ;;
    esac
    run "$@"
}

again() {
    [ -z "$refresh" ] || return
    echo "dalec: trying again with new package lists" >&2
    options="$options --refresh"
    install_all "$@"
}

# Prints the packages with scripts for a program, of those in the root; what an ldconfig makes, programs do without.
with_scripts() {
    rpm --root "$root" --query --all --queryformat \
        '%{NAME}\t[%{PRETRANSPROG} ][%{PREINPROG} ][%{POSTINPROG} ][%{POSTTRANSPROG} ]\n' | sort |
        awk -F '\t' '{
            count = split($2, program, " ")
            for (i = 1; i <= count; i++)
                if (program[i] !~ /^(\(none\)|<lua>|(\/usr)?\/sbin\/ldconfig)$/) {
                    print $1
                    next
                }
        }'
}

if [ -n "$forced" ] && [ -n "$root" ]; then
    with_scripts >"$work/scripts"
fi
if ! install_all "$@" && ! again "$@"; then
    explain "$@"
    exit 1
fi
if [ -n "$forced" ] && [ -n "$root" ]; then
    left=$(with_scripts | comm -13 "$work/scripts" -)
    if [ -n "$left" ] && [ -n "$lenient" ]; then
        echo "dalec: nothing here runs programs for $forced, so these packages are there without what their scripts do:" $left >&2
    elif [ -n "$left" ]; then
        echo "dalec: error: scripts of these packages have to run on $forced, and nothing here runs programs for it:" \
            $left "(build on such a machine, or register an emulator: QEMU user mode, binfmt_misc)" >&2
        exit 1
    fi
fi
