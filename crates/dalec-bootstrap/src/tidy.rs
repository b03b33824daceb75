//! Removes what would make two roots of one recipe differ, and what only the making needed.

use std::io;

use crate::error::BootstrapError;
use crate::tree::Tree;

/// Files that hold times, or the order of events, or are backups made on the way.
const TRACES: &[&str] = &[
    "etc/.pwd.lock",
    "etc/group-",
    "etc/gshadow-",
    "etc/passwd-",
    "etc/shadow-",
    "etc/subgid-",
    "etc/subuid-",
    "etc/hostname",
    "etc/resolv.conf",
    "var/cache/apt/pkgcache.bin",
    "var/cache/apt/srcpkgcache.bin",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/passwords.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/cache/ldconfig/aux-cache",
    "var/lib/dbus/machine-id",
    "var/lib/dpkg/available-old",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/statoverride-old",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/systemd/random-seed",
];

/// Directories whose files all go; the directories stay.
const SCRATCH: &[&str] = &["var/log", "var/log/apt", "tmp", "var/tmp", "run"];

/// Files that stay but must be empty.
const EMPTIED: &[&str] = &["etc/machine-id"];

/// Cleans a root after its scripts, and gives what they made the time of the newest package file.
///
/// The directory `scratch` goes as well.
pub(crate) fn tidy(tree: &Tree, scratch: &str, newest: u64) -> Result<(), BootstrapError> {
    clear(tree, scratch)?;
    tree.remove_directory(scratch.as_bytes())
        .map_err(BootstrapError::io("remove", tree.host_path(scratch.as_bytes())))?;
    for path in TRACES {
        remove(tree, path)?;
    }
    for path in SCRATCH {
        clear(tree, path)?;
    }
    for path in EMPTIED {
        tree.empty(path.as_bytes()).map_err(BootstrapError::io("empty", tree.host_path(path.as_bytes())))?;
    }
    tree.clamp_times(newest).map_err(BootstrapError::io("change times in", tree.host_path(b"")))
}

fn clear(tree: &Tree, path: &str) -> Result<(), BootstrapError> {
    tree.remove_files(path.as_bytes()).map_err(BootstrapError::io("clean", tree.host_path(path.as_bytes())))
}

fn remove(tree: &Tree, path: &str) -> Result<(), BootstrapError> {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let outcome = match tree.directory(parent.as_bytes()) {
        Ok(directory) => directory.remove_if_there(name.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    outcome.map_err(BootstrapError::io("remove", tree.host_path(path.as_bytes())))
}
