# Installs packages for another processor into a root file system beside the one that runs. Read before install.sh.
#
# dpkg runs maintainer scripts on the machine then, and they find that root in DPKG_ROOT. The distributions' own packages
# mostly know what to do with it; a package is refused whose script does not.

# use_architecture ARCHITECTURE: has apt know packages of that architecture alone. Their lists go beside the others.
use_architecture() {
    lists=/var/lib/apt/dalec-$1
    stamp=$lists/dalec-lists
    mkdir -p "$lists/partial"
    cat >>"$APT_CONFIG" <<CONF
APT::Architecture "$1";
APT::Architectures "$1";
Dir::State::lists "$lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
CONF
}

# use_root ROOT ARCHITECTURE: has apt and dpkg install into ROOT, which is empty, packages of ARCHITECTURE.
use_root() {
    mkdir -p "$1/etc" "$1/var/cache/debconf" "$1/var/lib/dpkg/info" "$1/var/lib/dpkg/updates"
    : >"$1/var/lib/dpkg/status"
    : >"$1/var/lib/dpkg/available"
    printf '%s\n' "$(dpkg --print-architecture)" "$2" >"$1/var/lib/dpkg/arch"
    # What a release has as links the first of its packages must find as such.
    for directory in bin sbin lib; do
        if [ -h "/$directory" ]; then
            mkdir -p "$1/usr/$directory"
            ln -s "usr/$directory" "$1/$directory"
        fi
    done
    for list in passwd group; do
        sed 's/^\([^:]*\):\*:/\1:x:/' "/usr/share/base-passwd/$list.master" >"$1/etc/$list"
    done
    # No password is one, since the day that all files of images are from.
    sed 's/:.*/:*:3653:0:99999:7:::/' "$1/etc/passwd" >"$1/etc/shadow"
    sed 's/:.*/:*::/' "$1/etc/group" >"$1/etc/gshadow"
    chown root:shadow "$1/etc/shadow" "$1/etc/gshadow"
    chmod 0640 "$1/etc/shadow" "$1/etc/gshadow"
    cp /etc/debconf.conf "$1/etc/"
    cat >>"$APT_CONFIG" <<CONF
Dir::State::status "$1/var/lib/dpkg/status";
Dir::State::extended_states "$work/extended-states";
DPkg::Options {
    "--root=$1"; "--log=/dev/null"; "--force-architecture"; "--force-depends"; "--force-unsafe-io";
    "--force-script-chrootless";
};
DPkg::Pre-Install-Pkgs { "$work/check"; };
CONF
    printf '#!/bin/sh\n%s\ncheck %s "%s"\n' "$check" "$2" "$work" >"$work/check"
    chmod 0755 "$work/check"
}

# The functions of the program that apt has check what it is about to install.
check=$(
    cat <<'CHECK'
# commands SCRIPT: what of a maintainer script is more than tests, and calls of programs that heed DPKG_ROOT.
commands() {
    sed -e ':more' -e '/\\$/{' -e 'N' -e 's/\\\n/ /' -e 'b more' -e '}' "$1" |
        grep -vE \
            -e '^[[:space:]]*(#.*)?$' \
            -e '^[[:space:]]*(set -[a-z]+|exit 0|:|true|fi|else|then|esac|;;|_dh_action=[a-z-]+)$' \
            -e '^[[:space:]]*(if|elif) \[[^;&]*\]( (\|\||&&) \[[^;&]*\])*( ?; ?then)?$' \
            -e '^[[:space:]]*case [^;]* in$' \
            -e '^[[:space:]]*[a-z*|" -]+\)( ?;;)?$' \
            -e '^[[:space:]]*(if )?(update-alternatives|dpkg-maintscript-helper|deb-systemd-(helper|invoke)|systemctl|update-rc\.d|invoke-rc\.d) [^;`(|&]*(2>&1)?( *\|\| *(true|:))?( ?; ?then)?$'
}

# check ARCHITECTURE DIR: reads paths of packages; one with a script that takes programs of ARCHITECTURE is said, and noted
# in DIR.
check() {
    while read -r package; do
        name=$(dpkg-deb --field "$package" Package)
        for script in preinst postinst; do
            case "$name:$script" in
            # These do nothing when they are new, or nothing that is not done for them or that who runs a container does.
            adduser:* | ca-certificates:* | debconf:* | netbase:* | openssl:*) continue ;;
            dash:preinst | libpam-modules:preinst | login.defs:postinst) continue ;;
            esac
            dpkg-deb --info "$package" "$script" >"$2/script" 2>/dev/null || continue
            if ! grep -q DPKG_ROOT "$2/script" && [ -n "$(commands "$2/script")" ]; then
                : >"$2/refused"
                echo "dalec: error: the $script script of $name has to run on $1, and nothing here runs programs for it;" \
                    "build on such a machine, or register an emulator (QEMU user mode, binfmt_misc)" >&2
            fi
        done
    done
    [ ! -e "$2/refused" ]
}
CHECK
)

# finish_root ROOT: does what scripts could not, and takes away what was there for them alone.
finish_root() {
    if [ -e "$1/var/lib/dpkg/info/ca-certificates.list" ]; then
        {
            grep '^#' /etc/ca-certificates.conf
            (cd "$1/usr/share/ca-certificates" && find . -name '*.crt' | sed 's,^\./,,' | sort)
        } >"$1/etc/ca-certificates.conf"
        mkdir -p "$1/usr/local/share/ca-certificates"
        update-ca-certificates --fresh --sysroot "$1" --hooksdir '' >/dev/null || return
        for link in "$1"/etc/ssl/certs/*; do
            target=$(readlink "$link") || continue
            case "$target" in
            "$1"/*) ln -sfn "$(echo "${target#"$1"}" | tr -s /)" "$link" ;;
            esac
        done
    fi
    [ -e "$1/var/lib/dpkg/info/debconf.list" ] || rm -f "$1/etc/debconf.conf"
}
