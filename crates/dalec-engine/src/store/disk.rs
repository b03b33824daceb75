//! How much of the disk directories take.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bytes in the blocks that files take; what several names stand for counts once.
#[derive(Debug, Default)]
pub struct Usage {
    seen: HashSet<(u64, u64)>,
}

impl Usage {
    /// Returns the bytes that `path` and everything below it take. What cannot be looked at takes nothing: builds of
    /// others may be removing it.
    pub fn of(&mut self, path: &Path) -> u64 {
        let Ok(metadata) = fs::symlink_metadata(path) else { return 0 };
        let mut bytes = self.of_one(&metadata);
        let mut open: Vec<PathBuf> = metadata.is_dir().then(|| path.to_owned()).into_iter().collect();
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                bytes += self.of_one(&metadata);
                if metadata.is_dir() {
                    open.push(entry.path());
                }
            }
        }
        bytes
    }

    fn of_one(&mut self, metadata: &Metadata) -> u64 {
        let again =
            metadata.nlink() > 1 && !metadata.is_dir() && !self.seen.insert((metadata.dev(), metadata.ino()));
        // Blocks have 512 bytes here, whatever the file system's have.
        if again { 0 } else { metadata.blocks() * 512 }
    }
}
