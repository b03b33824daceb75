//! What is in a directory, as a list. No link is followed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{CompareError, unreadable};

/// Whoever executes, and the bits that lend a user's or a group's rights.
const EXECUTION: u32 = 0o7111;

/// Something in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// Its permissions.
        mode: u32,
    },
    /// A symbolic link, and where it points.
    Link(PathBuf),
    /// Something that is never built nor signed, by its name.
    Other(&'static str),
}

impl Entry {
    /// Returns what people call it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::File { .. } => "file",
            Self::Link(_) => "symbolic link",
            Self::Other(name) => name,
        }
    }
}

/// Returns everything below `root`, by its path from there.
///
/// # Errors
/// [`CompareError`] when a directory cannot be read, or there is more than `most`.
pub(super) fn walk(root: &Path, most: usize) -> Result<BTreeMap<PathBuf, Entry>, CompareError> {
    let mut entries = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let real = root.join(&folder);
        for child in fs::read_dir(&real).map_err(unreadable(&real))? {
            let name = child.map_err(unreadable(&real))?.file_name();
            let path = folder.join(name);
            let entry = entry(&root.join(&path))?;
            if entry == Entry::Directory {
                open.push(path.clone());
            }
            entries.insert(path, entry);
            if entries.len() > most {
                return Err(CompareError::TooMany { path: root.to_owned(), limit: most });
            }
        }
    }
    Ok(entries)
}

fn entry(path: &Path) -> Result<Entry, CompareError> {
    let metadata = fs::symlink_metadata(path).map_err(unreadable(path))?;
    let kind = metadata.file_type();
    Ok(if kind.is_dir() {
        Entry::Directory
    } else if kind.is_file() {
        Entry::File { mode: metadata.permissions().mode() & 0o7777 }
    } else if kind.is_symlink() {
        Entry::Link(fs::read_link(path).map_err(unreadable(path))?)
    } else if kind.is_fifo() {
        Entry::Other("pipe")
    } else if kind.is_socket() {
        Entry::Other("socket")
    } else {
        Entry::Other("device")
    })
}

/// Returns whether a file can be executed by others than before.
pub(super) fn is_other_mode(before: u32, after: u32) -> bool {
    before & EXECUTION != after & EXECUTION
}

/// Returns a path as text that no terminal acts on.
pub(super) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    let escape = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    text.chars().map(escape).collect()
}
