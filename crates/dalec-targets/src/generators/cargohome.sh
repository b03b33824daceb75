# Downloads the crates of Rust programs: cargohome.sh PATH...
#
# The patched source is at /work/src, PATHs are directories in it. What they need goes to /work/crates, a home of cargo's.
set -eu
ca=/run/secrets/dalec.ca-bundle
if [ -e "$ca" ]; then
    export CARGO_HTTP_CAINFO="$ca" SSL_CERT_FILE="$ca"
fi
# Where some distributions keep it.
for bin in /usr/local/cargo/bin /usr/lib/rust-*/bin; do
    if [ -d "$bin" ]; then PATH="$PATH:$bin"; fi
done
if ! command -v cargo >/dev/null; then
    echo 'there is no cargo to download crates with; add a package that has it, such as cargo or rust, to dependencies.build' >&2
    exit 127
fi
export CARGO_HOME=/work/crates
for path; do
    cd "/work/src/$path"
    cargo fetch
done
# What remains is the same whenever it is downloaded: locks, times of last use and logs of git are of no use to others.
cd "$CARGO_HOME"
rm -rf .global-cache .package-cache .package-cache-mutate registry/index/*/.git/logs git/db/*/logs git/checkouts/*/*/.git/logs
