# Downloads what the Python packages in /work/packages that are sources are built with.
#
# That is a matter of each, see `requires` of its `pyproject.toml`; packages without that take setuptools and wheel, which
# are there. It is taken as it comes, built or not: sources of it would want to be built themselves. Where it is a source
# all the same, what that is built with comes, too.
import importlib
import os
import subprocess
import sys
import tarfile
import zipfile

PACKAGES = "/work/packages"
# More than any such file has.
LIMIT = 1 << 20


def reader():
    """Returns what reads TOML: a part of Python's or, where it is older, of pip's."""
    for name in ("tomllib", "tomli", "pip._vendor.tomli", "pip._vendor.toml"):
        try:
            return importlib.import_module(name)
        except ImportError:
            pass
    return None


def is_project(name):
    parts = [part for part in name.split("/") if part != "."]
    return len(parts) == 2 and parts[1] == "pyproject.toml"


def project(path):
    """Returns the text of what says how the source in an archive is built; nothing where it does not."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in filter(is_project, archive.namelist()):
                with archive.open(name) as file:
                    return file.read(LIMIT).decode()
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and is_project(member.name):
                    return archive.extractfile(member).read(LIMIT).decode()
    return ""


def requirements(path, toml):
    text = project(path)
    if text and toml is None:
        print(os.path.basename(path) + ": nothing here can read what it is built with", file=sys.stderr)
        return []
    wanted = toml.loads(text).get("build-system", {}).get("requires", []) if text else []
    return [one for one in wanted if isinstance(one, str) and one.isprintable()]


def main():
    toml, seen = reader(), set()
    while True:
        sources = {name for name in os.listdir(PACKAGES) if not name.endswith(".whl")} - seen
        if not sources:
            break
        for name in sorted(sources):
            wanted = requirements(os.path.join(PACKAGES, name), toml)
            if wanted:
                pip = [sys.executable, "-m", "pip", "download", "--dest=" + PACKAGES, "--prefer-binary", "--"]
                status = subprocess.call(pip + wanted)
                if status:
                    print("what " + name + " is built with cannot be downloaded", file=sys.stderr)
                    sys.exit(status)
        seen |= sources


main()
