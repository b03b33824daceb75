# Proxies and their certificates for package managers. Read before install.sh of either family.

# use_proxies DIR CA: makes the proxies of the environment known in the spelling that programs want, and prepares what the
# package manager is told of them: proxied is set if there are any. Leaves in bundle the file of certificates to trust, if it
# is not the package manager's own: CA if there is such a file, together with the system's, in DIR, where proxies may
# have theirs. DALEC_DISABLE_PROXY_CONFIG=1 is as if there were none.
use_proxies() {
    proxied= bundle=
    if [ -s "$2" ]; then
        bundle=$2
    fi
    if [ "${DALEC_DISABLE_PROXY_CONFIG:-}" = 1 ]; then
        return 0
    fi
    http_proxy=${http_proxy:-${HTTP_PROXY:-}}
    https_proxy=${https_proxy:-${HTTPS_PROXY:-}}
    no_proxy=${no_proxy:-${NO_PROXY:-}}
    if [ -z "$http_proxy$https_proxy" ]; then
        return 0
    fi
    proxied=1
    export http_proxy https_proxy no_proxy
    for system in "${DALEC_RPM_PROXY_CA_BUNDLE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
        /etc/ssl/ca-bundle.pem /etc/pki/tls/cacert.pem /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ssl/cert.pem; do
        [ ! -f "$system" ] || break
        system=
    done
    # A daemon with a proxy of its own adds its authority to the system's; the host's come from elsewhere.
    if [ -n "$system" ] && [ -n "$bundle" ]; then
        cat "$bundle" "$system" >"$1/authorities.crt"
        bundle="$1/authorities.crt"
    else
        bundle="$bundle$system"
    fi
}

# apt_setting NAME VALUE: prints a line of apt's configuration, nothing for an empty value.
apt_setting() {
    if [ -n "$2" ]; then
        printf '%s "%s";\n' "$1" "$(printf '%s' "$2" | sed 's/[\\"]/\\&/g')"
    fi
}

# trust_proxy TRUSTED: adds the authority that BuildKit's own proxy has put into the system's certificates to the file
# TRUSTED, which programs of RPM's distributions read instead. distrust_proxy takes it out again.
trust_proxy() {
    proxy_trust=
    fence='# buildkit proxy CA'
    if [ -f "$bundle" ] && [ -f "$1" ] && grep -q "$fence begin" "$bundle" && ! grep -q "$fence begin" "$1"; then
        proxy_trust=$1
        sed -n "/$fence begin/,/$fence end/p" "$bundle" >>"$1"
    fi
}

distrust_proxy() {
    if [ -n "${proxy_trust:-}" ]; then
        sed "/$fence begin/,/$fence end/d" "$proxy_trust" >"$work/trust" && cat "$work/trust" >"$proxy_trust"
    fi
}
