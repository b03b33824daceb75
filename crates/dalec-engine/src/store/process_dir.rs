//! The directory of unfinished work that each process has in `tmp/`, and its notes of the results that it uses.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::locks::{Lock, LockFile};
use super::remove::remove_tree;
use crate::cachekey::Key;
use crate::error::{IoContext, Result};
use crate::snapshot::random_hex;

/// This process's directory; goes with everything in it when dropped.
#[derive(Debug)]
pub struct ProcessDir {
    path: PathBuf,
    next: AtomicU64,
    lock: Lock,
}

impl ProcessDir {
    /// Makes a directory under `tmp` with a lock beside it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make(tmp: &Path) -> Result<Self> {
        loop {
            let name = format!("{}-{}", std::process::id(), random_hex(4)?);
            // The lock is there before the directory, so a directory without holder is a dead one's.
            let Some(lock) = LockFile::new(tmp.join(format!("{name}.lock"))).try_lock()? else {
                continue;
            };
            let path = tmp.join(name);
            make(&path)?;
            return Ok(Self { path, next: AtomicU64::new(0), lock });
        }
    }

    /// Notes that the process uses the result of this key, for those who remove results.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&self, key: &Key) -> Result<()> {
        self.lock.append(&key.0)
    }

    /// Makes an empty directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn work_dir(&self) -> Result<WorkDir> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(number.to_string());
        make(&path)?;
        Ok(WorkDir { path })
    }
}

impl Drop for ProcessDir {
    fn drop(&mut self) {
        let _ = remove_tree(&self.path);
    }
}

/// An empty directory for one piece of unfinished work; goes with everything in it when dropped.
#[derive(Debug)]
pub struct WorkDir {
    path: PathBuf,
}

impl WorkDir {
    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What cannot be removed now goes at the next start.
        let _ = remove_tree(&self.path);
    }
}

/// Removes from `tmp` what dead processes left there; returns whether there was anything.
///
/// # Errors
/// When `tmp` cannot be read.
pub fn remove_leftovers(tmp: &Path) -> Result<bool> {
    let mut found = false;
    for entry in fs::read_dir(tmp).at("read the directory", tmp)? {
        let path = entry.at("read the directory", tmp)?.path();
        if path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        // A process that starts right now makes its directory after its lock, so an unlocked lock file
        // is a dead process's.
        if let Ok(Some(lock)) = LockFile::new(path.clone()).try_lock() {
            found = true;
            if remove_tree(&path.with_extension("")).is_err() {
                // Its last processes may be dying right now; the file stays as a mark for the next start.
                lock.keep_file();
            }
        }
    }
    Ok(found)
}

/// The processes beside this one that have the store open.
#[derive(Debug)]
pub struct Others {
    count: usize,
    notes: Vec<u8>,
}

impl Others {
    /// Returns those that live and have directories in `tmp` beside `own`.
    ///
    /// # Errors
    /// When `tmp` or their notes cannot be read.
    pub fn of(tmp: &Path, own: &ProcessDir) -> Result<Self> {
        let mut others = Self { count: 0, notes: Vec::new() };
        for entry in fs::read_dir(tmp).at("read the directory", tmp)? {
            let path = entry.at("read the directory", tmp)?.path();
            let is_lock = path.extension().is_some_and(|extension| extension == "lock");
            if !is_lock || path.with_extension("") == own.path {
                continue;
            }
            // What a dead one left goes at the next start.
            if !LockFile::new(path.clone()).is_held()? {
                continue;
            }
            others.count += 1;
            match fs::read(&path) {
                Ok(notes) => others.notes.extend(notes),
                // It ends right now.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).at("read", path),
            }
        }
        Ok(others)
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the keys that they noted.
    pub fn keys(&self) -> HashSet<Key> {
        self.notes.as_chunks().0.iter().copied().map(Key).collect()
    }
}

/// Returns whether processes that live have directories in `tmp`.
///
/// # Errors
/// When `tmp` cannot be read.
pub fn others_live(tmp: &Path) -> Result<bool> {
    let mut entries = fs::read_dir(tmp).at("read the directory", tmp)?.flatten();
    Ok(entries.any(|entry| entry.path().extension().is_some_and(|extension| extension == "lock")))
}

fn make(path: &Path) -> Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path).at("make the directory", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that ends between the look at the directory and the look at its lock.
    #[test]
    fn who_ends_meanwhile_is_not_brought_back() {
        let dir = tempfile::tempdir().unwrap();
        let tmp = dir.path().join("tmp");
        fs::create_dir(&tmp).unwrap();
        let own = ProcessDir::make(&tmp).unwrap();
        let other = ProcessDir::make(&tmp).unwrap();
        assert_eq!(Others::of(&tmp, &own).unwrap().count, 1);
        drop(other);
        // A lock that is listed, and gone when it is opened.
        let ended = dir.path().join("ended");
        std::os::unix::fs::symlink(&ended, tmp.join("1-aa.lock")).unwrap();
        assert!(Others::of(&tmp, &own).unwrap().is_empty());
        assert!(!ended.exists());
    }
}
