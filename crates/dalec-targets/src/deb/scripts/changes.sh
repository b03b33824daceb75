# Writes the .buildinfo and .changes of packages: changes.sh KIND DIR STEM EPOCH [ARCHITECTURE]
#
#   KIND  source or binary
#   STEM  start of the file names
#   ARCHITECTURE
#         what the packages are for, where that is not what runs here
#
# The packages are at /work/in, the packaging files at /work/debian, debian/files at /work/meta for KIND binary.
set -eu
umask 022
export LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH="$4"
kind=$1 dir=$2 stem=$3
mkdir -p "/work/upload/$dir"
cd "/work/upload/$dir"
cp -a /work/debian debian
if [ "$kind" = binary ]; then
    cp /work/meta/files debian/files
fi
ln -s /work/in/* ..
if [ -n "${5:-}" ]; then
    # It wants no compiler here.
    eval "$(CC=true dpkg-architecture "-a$5" -s)"
fi
dpkg-genbuildinfo "--build=$kind" "-O../$stem.buildinfo"
# It looks at the clock, unlike everything else here.
sed -i "s/^Build-Date: .*/Build-Date: $(date --utc -R --date="@$SOURCE_DATE_EPOCH")/" "../$stem.buildinfo"
dpkg-genchanges "--build=$kind" -q "-O../$stem.changes"
mv "../$stem.buildinfo" "../$stem.changes" /work/out/
