//! Files that no build gets, whatever patterns say: keys that happen to lie among the sources.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Files of the host that are left out of every directory.
///
/// They are told by device and inode, so that another link of a file is no way around.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Withheld(BTreeSet<(u64, u64)>);

impl Withheld {
    /// Returns the files behind `paths`, as far as they are there.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let found = paths.into_iter().filter_map(|path| std::fs::metadata(path).ok());
        Self(found.map(|found| (found.dev(), found.ino())).collect())
    }

    /// Returns whether the file with this inode is one of them.
    pub fn holds(&self, device: u64, inode: u64) -> bool {
        self.0.contains(&(device, inode))
    }
}
