# Makes a zip file of what is in /work/in, in /work/out: zip.sh NAME EPOCH
#
# The same files give the same bytes: names are sorted, every file has the time EPOCH, and nothing is said about owners.
set -eu
umask 022
export LC_ALL=C.UTF-8 TZ=UTC
name=$1 epoch=$2

if ! command -v zip >/dev/null; then
    echo 'dalec: error: the worker has no program "zip"' >&2
    exit 1
fi
mkdir /work/files
cp -RLp /work/in/. /work/files/
cd /work/files
if [ -z "$(find . -type f -print -quit)" ]; then
    echo 'dalec: error: there are no programs to put into the zip file' >&2
    exit 1
fi
# zip reads a name a line.
newline='
'
if [ -n "$(find . -path "*$newline*" -print -quit)" ]; then
    echo 'dalec: error: the name of a file for the zip file has a line break in it' >&2
    exit 1
fi
# Directories have no entries of their own: nothing would be known of them but their names.
find . -type f -exec touch --no-create --date="@$epoch" -- {} +
# The names stay behind "./", which zip takes away: it would read its standard input for a file called "-".
find . -type f | sort | zip -q -X -@ "/work/out/$name"
wanted=$(find . -type f -printf x | wc -c)
packed=$(zip -sf "/work/out/$name" | sed -n 's/^Total \([0-9]*\) entr.*/\1/p')
if [ "$packed" != "$wanted" ]; then
    echo "dalec: error: $packed of $wanted files are in the zip file" >&2
    exit 1
fi
cd /
rm -rf /work/files
