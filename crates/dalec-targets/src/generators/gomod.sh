# Downloads the modules of Go programs: gomod.sh PATH...
#
# The patched source is at /work/src, PATHs are directories in it. Everything that was ever downloaded is kept in
# /work/cache; what these programs need of it goes to /work/modules.
set -eu
ca=/run/secrets/dalec.ca-bundle
if [ -e "$ca" ]; then
    export SSL_CERT_FILE="$ca"
fi
# Where old distributions keep it.
for bin in /usr/lib/go-*/bin /usr/local/go/bin; do
    if [ -d "$bin" ]; then PATH="$PATH:$bin"; fi
done
if ! command -v go >/dev/null; then
    echo 'there is no go to download modules with; add a package that has it, such as golang-go, to dependencies.build' >&2
    exit 127
fi
if [ "$(GOMODCACHE=/work/cache go env GOMODCACHE)" != /work/cache ]; then
    echo "Go modules are downloaded with Go 1.15 or newer, and this is $(go version); add a newer one to dependencies.build" >&2
    exit 1
fi
for path; do
    cd "/work/src/$path"
    GOMODCACHE=/work/cache go mod download
    GOPROXY=file:///work/cache/cache/download GOMODCACHE=/work/modules go mod download
done
