//! Installs what the tests need from the system.
//!
//! Only packages of the host's own distribution, and only what is missing, so that a second run costs nothing. As
//! an ordinary user nothing is installed: what is missing is named, with the command that installs it.

use std::path::Path;
use std::process::Command;

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
    ("/usr/bin/gpg", "gpg"),
    ("/usr/bin/gpg-agent", "gpg-agent"),
    ("/usr/bin/gpgv", "gpgv"),
    ("/usr/bin/rpmkeys", "rpm"),
    // What other people sign with.
    ("/usr/bin/debsigs", "debsigs"),
    // Makes an upload of nearly nothing to sign.
    ("/usr/bin/dpkg-genchanges", "dpkg-dev"),
    ("/usr/bin/ar", "binutils"),
];

/// Installs what is missing.
///
/// # Errors
/// When the package manager fails, in words.
pub fn run() -> Result<(), String> {
    let missing = NEEDED.iter().filter(|(path, _)| needed_here(path) && !Path::new(path).exists());
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
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

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:\t0\t0"))
}

fn apt(arguments: &[&str]) -> Result<(), String> {
    let status = Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("apt-get {} failed: {status}", arguments.join(" "))),
        Err(error) => Err(format!("cannot start apt-get: {error}")),
    }
}
