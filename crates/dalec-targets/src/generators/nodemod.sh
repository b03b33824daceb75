# Installs the packages of Node.js programs: nodemod.sh PATH...
#
# The source is at /work/src, PATHs are directories in it. If the spec has patches for it, it is with them at /work/patched,
# and what npm installs there goes into the source without them: patches are applied to that later.
set -eu
if ! command -v npm >/dev/null; then
    echo 'there is no npm to download packages with; add a package that has it, such as npm, to dependencies.build' >&2
    exit 127
fi
ca=/run/secrets/dalec.ca-bundle
if [ -e "$ca" ]; then
    export npm_config_cafile="$ca" NODE_EXTRA_CA_CERTS="$ca"
fi
# npm has names of its own for what others call so.
if [ "${DALEC_DISABLE_PROXY_CONFIG:-}" != 1 ]; then
    proxy=${HTTP_PROXY:-${http_proxy:-}} https_proxy=${HTTPS_PROXY:-${https_proxy:-}} direct=${NO_PROXY:-${no_proxy:-}}
    if [ -n "$proxy" ]; then export npm_config_proxy="$proxy"; fi
    if [ -n "$https_proxy" ]; then export npm_config_https_proxy="$https_proxy"; fi
    if [ -n "$direct" ]; then export npm_config_noproxy="$direct"; fi
fi
export npm_config_audit=false npm_config_fund=false npm_config_progress=false npm_config_update_notifier=false
work=/work/src
if [ -e /work/patched ]; then work=/work/patched; fi
for path; do
    cd "$work/$path"
    locked=
    if [ -e package-lock.json ]; then locked=yes; fi
    npm install
    to="/work/src/$path"
    if [ "$work" = /work/src ]; then continue; fi
    mkdir -p "$to"
    if [ -d node_modules ]; then
        rm -rf "$to/node_modules"
        cp -a node_modules "$to/"
    fi
    if [ -z "$locked" ] && [ -e package-lock.json ]; then cp -a package-lock.json "$to/"; fi
done
