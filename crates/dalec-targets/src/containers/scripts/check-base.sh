# Checks that a base image can take packages: check-base.sh REFERENCE
#
# Runs in the worker: the image may hold nothing that can be run.
set -eu

root=/run/dalec/root
for tool in bin/sh usr/bin/dpkg usr/bin/apt-get; do
    if [ ! -e "$root/$tool" ] && [ ! -h "$root/$tool" ]; then
        echo "dalec: error: @1: packages are installed with the base image's own apt, but $1 has no /$tool" >&2
        exit 1
    fi
done
