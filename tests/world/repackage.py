#!/usr/bin/python3
"""Makes an RPM distribution of the Debian root that it runs in.

Every installed Debian package becomes an RPM with the same files and the same dependencies, under the name that RPM
distributions have for it. The packages are signed and put into a signed dnf repository, and dnf itself then
installs root file systems from there. All of this is done by Debian's rpmbuild, rpmsign, createrepo_c and dnf.

usage: repackage.py TOP [PACKAGES]

Writes TOP/repository (the packages with their metadata, and `key.asc`), and TOP/base and TOP/worker: two root file
systems, the second of which has all of the first; TOP/worker.files says what it has that the first has not.
PACKAGES is a file with the names of RPMs that another such repository has. Then there is nothing but a repository of
all others.

Where Debian has version 5 of dnf, it is that one, called dnf as in the distributions that have moved to it.
"""

import os
import re
import shutil
import subprocess
import sys

# Names that RPM distributions have for what Debian calls otherwise.
RENAMED = {
    "g++": "gcc-c++",
    "gpg": "gnupg2",
    "golang-go": "golang",
    "libc6": "glibc",
    "libc6-dev": "glibc-devel",
    "libcap2-bin": "libcap",
    "libssl-dev": "openssl-devel",
    "libtinfo6": "ncurses-libs",
    "linux-libc-dev": "kernel-headers",
    "passwd": "shadow-utils",
    "rustc": "rust",
    "zlib1g": "zlib",
    "zlib1g-dev": "zlib-devel",
}

# Packages whose files go into another one.
MERGED = {
    "base-files": "filesystem",
    "base-passwd": "filesystem",
    "libc-bin": "glibc",
    "login": "shadow-utils",
}

# What manages Debian packages has no place among RPMs.
LEFT_OUT = {
    "adduser", "apt", "dash", "debconf", "debian-archive-keyring", "dpkg", "init-system-helpers", "libapt-pkg6.0",
    "libdebconfclient0", "usr-is-merged", "ucf",
}

# Nobody reads these in a test.
NOT_PACKED = re.compile(
    r"/usr/share/(doc|man|info|locale|lintian|bug|bash-completion|doc-base|menu)/.|/var/lib/dpkg/|/var/cache/|"
    r"/usr/share/i18n/|/usr/lib/debug/|/etc/(apt|dpkg)/|/(bin|sbin|lib|lib64)$|/\.$|"
    # A repository of whatever was downloaded, unsigned.
    r"/etc/dnf/(libdnf5-)?plugins/local\.conf|.*/dnf-plugins/local\.py|"
    # It puts scripts into namespaces of their own, which nobody may make in a build; images of distributions do without.
    r".*/macros\.d/macros\.transaction_unshare$"
)

PROVIDED = {
    "bash": ["/bin/sh", "/bin/bash"],
    # Either stands for the other where a distribution asks for it by name.
    "dnf": ["dnf5"],
    "dnf5": ["dnf"],
    "glibc": ["rtld(GNU_HASH)", "/sbin/ldconfig"],
    "gcc": ["cc"],
    "pkgconf": ["pkgconfig", "pkg-config"],
}

# How an RPM distribution sets rpm up; Debian's is set up to look at foreign packages.
MACROS = r"""%_dbpath /var/lib/rpm
%_docdir /usr/share/doc
%_licensedir /usr/share/licenses
%_sharedstatedir /var/lib
%_unitdir /usr/lib/systemd/system
%_presetdir /usr/lib/systemd/system-preset
"""

# The same as systemd's own, without the helper that Debian's systemd does not have.
SYSTEMD_MACROS = r"""%systemd_post() \
if [ $1 -eq 1 ] && [ -x /usr/bin/systemctl ]; then \
    /usr/bin/systemctl --no-reload preset %{?*} || : \
fi \
%{nil}
%systemd_preun() \
if [ $1 -eq 0 ] && [ -x /usr/bin/systemctl ]; then \
    if [ -d /run/systemd/system ]; then \
        /usr/bin/systemctl --no-reload disable --now %{?*} || : \
    else \
        /usr/bin/systemctl --no-reload disable %{?*} || : \
    fi \
fi \
%{nil}
%systemd_postun() \
if [ -d /run/systemd/system ]; then \
    /usr/bin/systemctl daemon-reload || : \
fi \
%{nil}
%systemd_postun_with_restart() \
if [ $1 -ge 1 ] && [ -d /run/systemd/system ]; then \
    /usr/bin/systemctl try-restart %{?*} || : \
fi \
%{nil}
"""

DNF5 = os.path.exists("/usr/bin/dnf5")

TOOLCHAIN = ["gcc", "gcc-c++", "make", "binutils", "glibc-devel", "kernel-headers", "patch", "tar", "gzip", "diffutils"]

# Packages that only RPM distributions have: what they require, and their files.
DISTRIBUTION = {
    "distroless-packages-minimal": (["filesystem", "system-release", "prebuilt-ca-certificates", "tzdata"], {}),
    "mariner-rpm-macros": ([], {
        "/etc/rpm/macros.distribution": MACROS, "/etc/rpm/macros.systemd": SYSTEMD_MACROS,
    }),
    "azurelinux-rpm-config": (["mariner-rpm-macros"], {}),
    "systemd-rpm-macros": (["mariner-rpm-macros"], {}),
    "dnf-utils": (["dnf"] if DNF5 else ["dnf-plugins-core"], {}),
    "rpm-build": (["rpm", "mariner-rpm-macros", "cpio", "debugedit", "rpm2cpio", "patch", "tar", "gzip", "file", "binutils"], {}),
    "build-essential": (TOOLCHAIN + ["autoconf", "automake", "libtool", "pkgconf", "file", "sed", "grep", "mawk"], {}),
    "gawk": (["mawk"], {}),
}

# Releases: of one kind each root has one. Package, and ID, VERSION_ID and `%dist`.
RELEASES = {
    "azurelinux-release": ("azurelinux", "3.0", ".azl3"),
    "mariner-release": ("mariner", "2.0", ".cm2"),
    "almalinux-release": ("almalinux", "9", ".el9"),
    "rocky-release": ("rocky", "9", ".el9"),
}

BASE = ["azurelinux-release", "bash", "coreutils", "dnf", "rpm", "ca-certificates", "sed", "grep", "mawk", "findutils"]
WORKER = ["rpm-build", "mariner-rpm-macros", "build-essential", "createrepo-c"]

REPOSITORY = """[world]
name=Packages of the tests
baseurl=file://{top}/repository
gpgcheck=1
repo_gpgcheck=1
gpgkey=file://{top}/repository/key.asc
excludepkgs={others}
"""


def run(*arguments, **options):
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        sys.exit(f"{arguments[0]}: {done.stdout[-4000:]}")
    return done.stdout


class Package:
    """One RPM that is to be made."""

    def __init__(self, name, version):
        self.name, self.version = name, re.sub(r"[^A-Za-z0-9.+~_]", "_", version)
        self.requires, self.provides, self.files, self.directories = set(), set(PROVIDED.get(name, [])), set(), set()


def installed():
    """Returns the fields of every installed Debian package."""
    names = ["Package", "Version", "Depends", "Pre-Depends", "Provides"]
    text = run("dpkg-query", "-W", "-f", "".join("${%s}\\t" % name for name in names) + "${db:Status-Abbrev}\\n")
    rows = [dict(zip([*names, "Status"], line.split("\t"))) for line in text.splitlines()]
    return {row["Package"]: row for row in rows if row["Status"].startswith("ii")}


def rpm_name(debian):
    return MERGED.get(debian) or RENAMED.get(debian, debian)


def relations(text):
    """Returns the alternatives of each relation, without versions and architectures."""
    clean = re.sub(r"\([^)]*\)|\[[^]]*\]|:any|:native", "", text)
    return [[name.strip() for name in part.split("|")] for part in clean.split(",") if part.strip()]


def real(path):
    """Returns the path with links in its folders followed."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def collect(debian):
    """Returns the RPMs to make of Debian's packages, by name, and whose each file is."""
    packages, owners, providers = {}, {}, {}
    for name, fields in debian.items():
        for alternatives in relations(fields["Provides"]):
            providers.setdefault(alternatives[0], name)
    for name, fields in sorted(debian.items()):
        if name in LEFT_OUT:
            continue
        version = fields["Version"].split(":")[-1].rsplit("-", 1)[0]
        package = packages.setdefault(rpm_name(name), Package(rpm_name(name), version))
        if name in RENAMED or name in MERGED:
            package.provides.add(name)
        for field in ("Depends", "Pre-Depends"):
            for alternatives in relations(fields[field]):
                there = [providers.get(one, one) for one in alternatives if providers.get(one, one) in debian]
                wanted = next((one for one in there if one not in LEFT_OUT), None)
                if wanted and rpm_name(wanted) != package.name:
                    package.requires.add(rpm_name(wanted))
        if package.name not in ("filesystem", "glibc"):
            package.requires.add("glibc" if "glibc" not in package.requires else "filesystem")
        for path in run("dpkg", "-L", name).splitlines():
            if not path.startswith("/") or not os.path.lexists(path) or NOT_PACKED.match(path):
                continue
            path = real(path)
            if not os.path.isdir(path) or os.path.islink(path):
                package.files.add(path)
                owners[path] = package
            elif name == "base-files" or not os.listdir(path):
                package.directories.add(path)
    return packages, owners


def adopt(owners):
    """Gives the links that maintainer scripts made, such as those of alternatives, to whose files they lead to."""
    for top in ("/etc/alternatives", "/usr/bin", "/usr/lib/x86_64-linux-gnu", "/etc/ssl/certs"):
        for name in os.listdir(top):
            path = os.path.join(top, name)
            target = os.path.realpath(path)
            if os.path.islink(path) and path not in owners and target in owners:
                owners[target].files.add(path)


def add_distribution(packages, stage):
    """Adds what only RPM distributions have."""

    def write(package, path, text):
        os.makedirs(os.path.dirname(stage + path), exist_ok=True)
        with open(stage + path, "w") as file:
            file.write(text)
        package.files.add(path)

    def link(package, path, target):
        os.makedirs(os.path.dirname(stage + path), exist_ok=True)
        os.symlink(target, stage + path)
        package.files.add(path)

    filesystem = packages["filesystem"]
    filesystem.files -= {"/usr/lib/os-release", "/etc/os-release"}
    filesystem.directories |= {"/media", "/mnt", "/opt", "/srv"}
    for name in ("bin", "sbin", "lib", "lib64"):
        link(filesystem, "/" + name, "usr/" + name)
    filesystem.files |= {"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/nsswitch.conf"}
    link(packages["bash"], "/usr/bin/sh", "bash")
    write(packages["glibc"], "/etc/ld.so.conf.d/lib64.conf", "/usr/lib64\n")
    link(packages["shadow-utils"], "/usr/sbin/adduser", "useradd")
    write(packages["rpm"], "/etc/rpm/macros.database", "%_dbpath /var/lib/rpm\n")
    if DNF5:
        link(packages["dnf5"], "/usr/bin/dnf", "dnf5")
    for name, (requires, files) in DISTRIBUTION.items():
        package = packages.setdefault(name, Package(name, "1"))
        package.requires |= set(requires)
        for path, text in files.items():
            write(package, path, text)
    bundle = packages["prebuilt-ca-certificates"] = Package("prebuilt-ca-certificates", "1")
    with open("/etc/ssl/certs/ca-certificates.crt") as file:
        write(bundle, "/etc/pki/tls/certs/ca-bundle.crt", file.read())
    packages["ca-certificates"].files.add("/etc/ssl/certs/ca-certificates.crt")


def spec_of(packages, stage):
    """Returns the text of a spec that makes all packages at once."""
    first = ["Name: world", "Version: 1", "Release: 1", "Summary: all", "License: various", "AutoReq: no"]
    for macro in ("__os_install_post", "debug_package", "_build_id_links"):
        first.insert(0, f"%global {macro} %{{nil}}")
    for name, value in (("_build_id_links", "none"), ("_binary_payload", "w1.zstdio"),
                        ("_unpackaged_files_terminate_build", "0")):
        first.insert(0, f"%global {name} {value}")
    text = "\n".join(first) + f"\n%description\nall\n%install\nrm -rf %{{buildroot}}\nmv {stage} %{{buildroot}}\n"
    for package in packages.values():
        lists = os.path.join(stage + "-files", package.name)
        with open(lists, "w") as file:
            quoted = [f'"{path}"' for path in sorted(package.files)]
            quoted += [f'%dir "{path}"' for path in sorted(package.directories)]
            file.write("\n".join(quoted).replace("%\"", "%%\"") + "\n")
        text += f"\n%package -n {package.name}\nVersion: {package.version}\nSummary: {package.name}\nAutoReq: no\n"
        text += "".join(f"Requires: {name}\n" for name in sorted(package.requires))
        text += "".join(f"Provides: {name}\n" for name in sorted(package.provides))
        empty = not package.files and not package.directories
        text += f"%description -n {package.name}\n{package.name}\n%files -n {package.name} {'' if empty else '-f ' + lists}\n"
        if package.name == "glibc":
            for when in ("in", "postun"):
                text += f"%transfiletrigger{when} -n glibc -P 2000000 -p <lua> -- /usr/lib /usr/lib64\n"
                text += 'rpm.execute("/sbin/ldconfig")\n'
    return text


def releases():
    """Returns a spec for each release package: their files are at the same places."""
    for name, (system, version, dist) in RELEASES.items():
        files = f"/usr/lib/os-release\n/etc/os-release\n/etc/rpm/macros.dist\n"
        yield name, (
            f"Name: {name}\nVersion: {version}\nRelease: 1{dist}\nSummary: {name}\nLicense: MIT\nBuildArch: noarch\n"
            f"Provides: system-release = {version}\nRequires: filesystem\n"
            "%global _binary_payload w1.zstdio\n%description\n%{name}\n%install\n"
            "mkdir -p %{buildroot}/usr/lib %{buildroot}/etc/rpm\n"
            f"printf 'NAME={name}\\nID={system}\\nVERSION_ID={version}\\n' > %{{buildroot}}/usr/lib/os-release\n"
            "ln -s ../usr/lib/os-release %{buildroot}/etc/os-release\n"
            f"echo '%%dist {dist}' > %{{buildroot}}/etc/rpm/macros.dist\n%files\n{files}"
        )


def build(text, name, top):
    """Builds the packages of one spec into TOP/repository."""
    spec = os.path.join(top, name + ".spec")
    with open(spec, "w") as file:
        file.write(text)
    define = {
        "_topdir": top + "/rpmbuild", "_rpmdir": top + "/repository", "_rpmfilename": "%%{NAME}-%%{VERSION}.%%{ARCH}.rpm",
    }
    defines = [word for key, value in define.items() for word in ("--define", f"{key} {value}")]
    run("rpmbuild", "-bb", "--quiet", "--noclean", *defines, "--buildroot", top + "/buildroot", spec)
    shutil.rmtree(top + "/buildroot")


def sign_and_index(top):
    """Signs packages and metadata with a key that is made for it."""
    os.environ["GNUPGHOME"] = top + "/gnupg"
    repository = top + "/repository"
    os.mkdir(top + "/gnupg", 0o700)
    user = "Packages of the tests <packages@world.example>"
    run("gpg", "--batch", "--passphrase", "", "--quick-generate-key", user, "rsa2048", "sign", "never")
    run("gpg", "--armor", "--output", repository + "/key.asc", "--export")
    packages = [f"{repository}/{name}" for name in sorted(os.listdir(repository)) if name.endswith(".rpm")]
    defines = ["--define", "_gpg_name packages@world.example", "--define", "__gpg /usr/bin/gpg"]
    run("rpmsign", *defines, "--addsign", *packages)
    run("createrepo_c", "--quiet", "--no-database", "--simple-md-filenames", repository)
    run("gpg", "--batch", "--armor", "--detach-sign", repository + "/repodata/repomd.xml")


def install(top, root, packages):
    """Installs packages into a root with dnf, which verifies all of it."""
    reposdir = top + "/reposdir"
    os.makedirs(reposdir, exist_ok=True)
    others = ",".join(name for name in RELEASES if name not in BASE)
    with open(reposdir + "/world.repo", "w") as file:
        file.write(REPOSITORY.format(top=top, others=others))
    settings = [f"--setopt={setting}" for setting in (
        f"reposdir={reposdir}", f"cachedir={top}/cache", "install_weak_deps=False", "keepcache=False", "logdir=/tmp",
    )]
    program = ["dnf5", "--use-host-config"] if DNF5 else ["dnf", "--disableplugin=local"]
    run(*program, "--assumeyes", f"--installroot={root}", "--releasever=3.0", *settings, "install", *packages)
    shutil.rmtree(root + "/var/log", ignore_errors=True)
    os.makedirs(root + "/var/log")


def roots(top):
    """Makes the two root file systems."""
    os.makedirs("/etc/rpm", exist_ok=True)
    with open("/etc/rpm/macros", "w") as file:
        file.write("%_dbpath /var/lib/rpm\n")
    base, worker = top + "/base", top + "/worker"
    os.makedirs(base + "/etc/pki/rpm-gpg")
    shutil.copy(top + "/repository/key.asc", base + "/etc/pki/rpm-gpg/RPM-GPG-KEY-world")
    install(top, base, BASE)
    run("cp", "--archive", base, worker)
    install(top, worker, WORKER)
    with open(top + "/worker.files", "w") as file:
        for folder, folders, files in os.walk(worker):
            below = os.path.relpath(folder, worker)
            for name in folders + files:
                new = os.lstat(os.path.join(folder, name))
                path = os.path.join(below, name)
                old = os.lstat(os.path.join(base, path)) if os.path.lexists(os.path.join(base, path)) else None
                is_folder = name in folders and not os.path.islink(os.path.join(folder, name))
                if old is None or not is_folder and (old.st_size, old.st_mtime_ns) != (new.st_size, new.st_mtime_ns):
                    file.write(path + "\n")


def main():
    top = sys.argv[1]
    packages, owners = collect(installed())
    adopt(owners)
    stage = top + "/stage"
    for folder in (stage, stage + "-files", top + "/repository"):
        os.makedirs(folder)
    is_whole = len(sys.argv) == 2
    if is_whole:
        add_distribution(packages, stage)
    else:
        with open(sys.argv[2]) as file:
            known = set(file.read().split())
        packages = {name: package for name, package in packages.items() if name not in known}
    for package in packages.values():
        for path in package.files:
            if not os.path.lexists(stage + path):
                os.makedirs(os.path.dirname(stage + path), exist_ok=True)
                os.link(path, stage + path, follow_symlinks=False)
        for path in package.directories:
            os.makedirs(stage + path, exist_ok=True)
            if os.path.exists(path):
                shutil.copystat(path, stage + path)
    build(spec_of(packages, stage), "world", top)
    if is_whole:
        for name, text in releases():
            build(text, name, top)
    with open(top + "/packages", "w") as file:
        file.write("\n".join(sorted(packages)) + "\n")
    sign_and_index(top)
    if is_whole:
        roots(top)


main()
