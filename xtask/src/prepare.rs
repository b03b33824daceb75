//! Installs what the tests need from the system.
//!
//! Packages of the host's own distribution, and only what is missing, so that a second run costs nothing. As an
//! ordinary user nothing is installed: what is missing is named, with the command that installs it. BuildKit and buildx
//! are built from Go modules where the host does not have them, see `dalec_e2e::tools`.

use std::path::Path;
use std::process::Command;

use dalec_e2e::binary::is_root;

/// A program or file that tests need, and the Debian package that has it.
const NEEDED: &[(&str, &str)] = &[
    // Maps several ids in a user namespace: the better of the two rootless ways.
    ("/usr/bin/newuidmap", "uidmap"),
    // Static C library: the binary runs inside any root file system.
    ("/usr/lib/x86_64-linux-gnu/libc.a", "libc6-dev"),
    ("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
    // Other people's verifiers judge what we sign, and GnuPG makes keys as people do.
    ("/usr/bin/debsig-verify", "debsig-verify"),
    ("/usr/bin/dscverify", "devscripts"),
    ("/usr/bin/lintian", "lintian"),
    ("/usr/bin/gpg", "gpg"),
    ("/usr/bin/gpg-agent", "gpg-agent"),
    ("/usr/bin/gpgv", "gpgv"),
    ("/usr/bin/rpmkeys", "rpm"),
    // Makes the repositories that specs bring along.
    ("/usr/bin/createrepo_c", "createrepo-c"),
    // Fetches what people publish for Python.
    ("/usr/bin/pip3", "python3-pip"),
    // The same for Node.js.
    ("/usr/bin/npm", "npm"),
    // What other people sign with.
    ("/usr/bin/debsigs", "debsigs"),
    // Makes certificates and timestamps.
    ("/usr/bin/openssl", "openssl"),
    // Makes an upload of nearly nothing to sign, and programs that do nothing at all.
    ("/usr/bin/dpkg-genchanges", "dpkg-dev"),
    ("/usr/bin/ar", "binutils"),
    ("/usr/bin/osslsigncode", "osslsigncode"),
    // Fetches git sources, and serves them.
    ("/usr/lib/git-core/git-http-backend", "git"),
    // Read images of system extensions.
    ("/usr/bin/fsck.erofs", "erofs-utils"),
    // Read what is made for Windows.
    ("/usr/bin/unzip", "unzip"),
    ("/usr/bin/objdump", "binutils"),
    // Keys in a token, and somebody else's way to use them.
    ("/usr/bin/softhsm2-util", "softhsm2"),
    ("/usr/bin/pkcs11-tool", "opensc"),
    ("/usr/bin/certtool", "gnutls-bin"),
];

/// The same for the tests against BuildKit, which need root.
const NEEDED_BY_BUILDKIT: &[(&str, &str)] = &[
    ("/usr/sbin/runc", "runc"),
    ("/usr/bin/docker-registry", "docker-registry"),
    ("/usr/bin/skopeo", "skopeo"),
    // Runs the containers that we make.
    ("/usr/bin/podman", "podman"),
    // What a daemon fetches repositories with, and a server for them; nothing is done with the one of the system.
    ("/usr/bin/git", "git"),
    ("/usr/bin/ssh-agent", "openssh-client"),
    ("/usr/sbin/sshd", "openssh-server"),
    // Speaks TLS for git's own server.
    ("/usr/bin/socat", "socat"),
];

/// Builds other tools of the tests; any of these will do, if it is new enough.
const GO: &[&str] = &["/usr/local/go/bin/go", "/usr/lib/go/bin/go"];

/// Installs what is missing, and builds what no package has.
///
/// # Errors
/// When the package manager fails or something does not build, in words.
pub fn run() -> Result<(), String> {
    packages()?;
    match is_root() {
        true => dalec_e2e::tools::find_or_build().map(|_| ()),
        false => Ok(()),
    }
}

fn packages() -> Result<(), String> {
    let buildkit: &[_] = if is_root() { NEEDED_BY_BUILDKIT } else { &[] };
    let missing = NEEDED.iter().chain(buildkit);
    let missing = missing.filter(|(path, _)| needed_here(path) && !Path::new(path).exists());
    let mut missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if is_root() && !GO.iter().any(|go| Path::new(go).exists()) {
        missing.push("golang-go");
    }
    if missing.is_empty() || !Path::new("/usr/bin/apt-get").exists() {
        return Ok(());
    }
    let command = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if !is_root() {
        return Err(format!("the tests need {}; as root: {command}", missing.join(", ")));
    }
    apt(&["update", "-q"])?;
    apt(&[&["install", "-y", "-q", "--no-install-recommends"], missing.as_slice()].concat())
}

fn needed_here(path: &str) -> bool {
    !path.contains("x86_64") || cfg!(target_arch = "x86_64")
}

fn apt(arguments: &[&str]) -> Result<(), String> {
    let status = Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("apt-get {} failed: {status}", arguments.join(" "))),
        Err(error) => Err(format!("cannot start apt-get: {error}")),
    }
}
