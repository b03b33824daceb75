//! Checks of what a file is, not of what it holds.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};

use crate::report::Failure;

/// Succeeds when nothing is at `path`.
pub(crate) fn not_exist(path: &Path, follow: bool) -> Result<(), Failure> {
    match find(path, follow)? {
        None => Ok(()),
        Some(_) => Err(existence(path, false)),
    }
}

/// Succeeds when something is at `path` that is a directory exactly when `expected`.
pub(crate) fn is_dir(path: &Path, expected: bool, follow: bool) -> Result<(), Failure> {
    let actual = existing(path, follow)?.is_dir();
    if actual == expected {
        return Ok(());
    }
    let words = |is_dir: bool| format!("is_dir={is_dir}");
    Err(Failure::metadata(path, "is_dir", words(expected), words(actual)))
}

/// Succeeds when the lowest nine permission bits of `path` are `expected`.
pub(crate) fn permissions(path: &Path, expected: u32, follow: bool) -> Result<(), Failure> {
    let actual = existing(path, follow)?.permissions().mode();
    if actual & 0o777 == expected & 0o777 {
        return Ok(());
    }
    Err(Failure::metadata(path, "permissions", symbolic(expected), symbolic(actual)))
}

/// Succeeds when `path` is a symbolic link with the text `expected`, or `expected` is absolute and the link, as it is
/// written, leads there from its directory: helpers of Debian packages make such links of absolute ones.
pub(crate) fn link_target(path: &Path, expected: &OsStr) -> Result<(), Failure> {
    let actual = std::fs::read_link(path).map_err(Failure::io("read the symbolic link", path))?;
    if actual.as_os_str() == expected {
        return Ok(());
    }
    if Path::new(expected).is_absolute() && actual.is_relative() {
        let directory = path.parent().unwrap_or(Path::new("/"));
        if resolved(&directory.join(&actual)) == resolved(Path::new(expected)) {
            return Ok(());
        }
    }
    let expected = expected.as_encoded_bytes();
    let actual = actual.as_os_str().as_encoded_bytes();
    Err(Failure::metadata(path, "link_target_path", expected, actual))
}

/// Returns the names on the way to `path`, an absolute one, with `..` taken back.
fn resolved(path: &Path) -> Vec<&OsStr> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::ParentDir => drop(names.pop()),
            _ => {}
        }
    }
    names
}

fn existing(path: &Path, follow: bool) -> Result<Metadata, Failure> {
    find(path, follow)?.ok_or_else(|| existence(path, true))
}

fn find(path: &Path, follow: bool) -> Result<Option<Metadata>, Failure> {
    let found = if follow { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) };
    match found {
        Ok(metadata) => Ok(Some(metadata)),
        // A path below a file does not exist either.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(Failure::io("examine the file", path)(error)),
    }
}

fn existence(path: &Path, expected: bool) -> Failure {
    let words = |exists: bool| format!("exists={exists}");
    Failure::metadata(path, "not_exist", words(expected), words(!expected))
}

/// Returns the nine permission bits as `ls` shows them for a plain file, for example `-rw-r--r--`.
fn symbolic(mode: u32) -> String {
    let letters = "rwxrwxrwx".chars().enumerate();
    let shown = letters.map(|(index, letter)| if mode & (0o400 >> index) != 0 { letter } else { '-' });
    std::iter::once('-').chain(shown).collect()
}
