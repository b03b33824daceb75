# Downloads Python packages: pip.sh BUILD_REQUIREMENTS REQUIREMENTS PATH...
#
# The patched source is at /work/src, PATHs are directories in it with a file REQUIREMENTS. What they need goes to
# /work/packages, as sources; beside it what these are built with: setuptools and wheel, and whatever else the program
# BUILD_REQUIREMENTS finds.
set -eu
ca=/run/secrets/dalec.ca-bundle
if [ -e "$ca" ]; then
    export PIP_CERT="$ca" SSL_CERT_FILE="$ca"
fi
if ! python3 -m pip --version >/dev/null 2>&1; then
    echo 'there is no pip to download Python packages with; add a package that has it, such as python3-pip, to dependencies.build' >&2
    exit 127
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_PROGRESS_BAR=off PIP_ROOT_USER_ACTION=ignore
build_requirements=$1 requirements=$2
shift 2
for path; do
    cd "/work/src/$path"
    python3 -m pip download --dest=/work/packages setuptools wheel
    python3 -m pip download --dest=/work/packages --no-binary=:all: --requirement="$requirements"
done
cd /
python3 -c "$build_requirements"
