//! Digests of files by what `stat` said about them, so that an unchanged file is not read again.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;

use crate::cachekey::Key;

/// A file that changed less than this before it was looked at may change again without a visible sign: the
/// clocks of file systems are coarse, up to two seconds on the coarsest.
const TRUST_AFTER_NANOSECONDS: i128 = 2_000_000_000;

/// What changes when a file's content does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: i64,
    changed: i64,
}

impl Stamp {
    /// Returns the stamp in a `stat` answer.
    pub fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size as u64,
            modified: nanoseconds(stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: nanoseconds(stat.st_ctime, stat.st_ctime_nsec as i64),
        }
    }

    const BYTES: usize = 40;

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let fields =
            [self.device, self.inode, self.size, self.modified.cast_unsigned(), self.changed.cast_unsigned()];
        for (chunk, field) in bytes.chunks_exact_mut(8).zip(fields) {
            chunk.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let mut fields = [0; 5];
        for (field, chunk) in fields.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut buffer = [0; 8];
            buffer.copy_from_slice(chunk);
            *field = u64::from_le_bytes(buffer);
        }
        let [device, inode, size, modified, changed] = fields;
        Self { device, inode, size, modified: modified.cast_signed(), changed: changed.cast_signed() }
    }
}

/// Files of one view of one directory.
#[derive(Debug, Default)]
pub struct Index {
    files: HashMap<Vec<u8>, (Stamp, Key)>,
    /// When the scan that fills it began, nanoseconds since 1970.
    started: i128,
}

impl Index {
    /// Returns an empty index for a scan that begins now.
    pub fn starting_now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self { files: HashMap::new(), started: since.map_or(0, |since| since.as_nanos() as i128) }
    }

    /// Returns the digest of the file at `path` if it still looks like that.
    pub fn get(&self, path: &[u8], stamp: &Stamp) -> Option<Key> {
        self.files.get(path).filter(|(known, _)| known == stamp).map(|(_, key)| *key)
    }

    /// Adds a file, unless it changed so lately that its stamp cannot be trusted.
    pub fn insert(&mut self, path: &[u8], stamp: Stamp, content: Key) {
        if i128::from(stamp.changed) + TRUST_AFTER_NANOSECONDS < self.started {
            self.files.insert(path.to_vec(), (stamp, content));
        }
    }

    /// Returns whether the indexes hold different files.
    pub fn differs_from(&self, other: &Self) -> bool {
        self.files != other.files
    }

    /// Returns the index in a form that [`Index::load`] reads; the same files give the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut paths: Vec<_> = self.files.iter().collect();
        paths.sort_unstable_by_key(|(path, _)| *path);
        let mut bytes = Vec::new();
        for (path, (stamp, content)) in paths {
            bytes.extend_from_slice(&(path.len() as u32).to_le_bytes());
            bytes.extend_from_slice(path);
            bytes.extend_from_slice(&stamp.to_bytes());
            bytes.extend_from_slice(&content.0);
        }
        bytes
    }

    /// Reads an index; what makes no sense is left out, for it only costs reading the files again.
    pub fn load(bytes: Option<&[u8]>) -> Self {
        let mut index = Self::default();
        let mut rest = bytes.unwrap_or_default();
        while let Some((path, stamp, content, tail)) = entry(rest) {
            index.files.insert(path.to_vec(), (stamp, content));
            rest = tail;
        }
        index
    }
}

fn entry(bytes: &[u8]) -> Option<(&[u8], Stamp, Key, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (path, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (stamp, rest) = rest.split_first_chunk::<{ Stamp::BYTES }>()?;
    let (content, rest) = rest.split_first_chunk::<32>()?;
    Some((path, Stamp::from_bytes(stamp), Key(*content), rest))
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(changed: i64) -> Stamp {
        Stamp { device: 1, inode: 2, size: 3, modified: -4, changed }
    }

    #[test]
    fn an_index_survives_its_bytes_and_young_files_are_not_in_it() {
        let mut index = Index::starting_now();
        let now = index.started as i64;
        index.insert(b"old", stamp(now - 10_000_000_000), Key([7; 32]));
        index.insert(b"young", stamp(now - 1_000_000_000), Key([8; 32]));
        let mut bytes = index.to_bytes();
        let loaded = Index::load(Some(&bytes));
        assert!(!loaded.differs_from(&index));
        assert_eq!(loaded.get(b"old", &stamp(now - 10_000_000_000)), Some(Key([7; 32])));
        assert_eq!(loaded.get(b"old", &stamp(0)), None);
        assert_eq!(loaded.get(b"young", &stamp(now - 1_000_000_000)), None);
        bytes.truncate(20);
        assert!(Index::load(Some(&bytes)).files.is_empty());
    }
}
