//! Locks between processes: files held with `flock`, which the kernel lets go of when a process dies.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;

use super::Store;
use crate::error::{IoContext, Result};

/// How often a waiter looks again. `flock` cannot be waited for together with anything else.
const POLL: Duration = Duration::from_millis(10);

/// A lock that is held until the value is dropped; its file goes then too.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    leave_file: bool,
}

/// A file to lock.
#[derive(Debug, Clone)]
pub struct LockFile {
    path: PathBuf,
}

impl LockFile {
    /// Returns the lock file at `path`, which need not exist.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Takes the lock if nobody has it.
    ///
    /// # Errors
    /// When the file cannot be made or locked.
    pub fn try_lock(&self) -> Result<Option<Lock>> {
        loop {
            let file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&self.path)
                .at("open the lock", &self.path)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error).at("lock", &self.path),
            }
            // The one before us may have removed the file between our open and our lock.
            if is_same_file(&file, &self.path).at("look at", &self.path)? {
                return Ok(Some(Lock { file, path: self.path.clone(), leave_file: false }));
            }
        }
    }

    /// Returns whether somebody has the lock. Makes no file, and is in the way of nobody but those who take the lock of a
    /// dead one's file at this very moment.
    ///
    /// # Errors
    /// When the file cannot be opened or locked.
    pub fn is_held(&self) -> Result<bool> {
        loop {
            let file = match File::open(&self.path) {
                Ok(file) => file,
                // Its holder has just ended.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error).at("open the lock", &self.path),
            };
            // Several may look at the same time.
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => return Ok(false),
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(true),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).at("lock", &self.path),
            }
        }
    }

    /// Takes the lock, waiting while someone has it; `waiting` is asked each time whether to go on.
    ///
    /// # Errors
    /// What `waiting` says, and when the file cannot be made or locked.
    pub fn wait(&self, waiting: &mut dyn FnMut() -> Result<()>) -> Result<Lock> {
        loop {
            if let Some(lock) = self.try_lock()? {
                return Ok(lock);
            }
            waiting()?;
            std::thread::sleep(POLL);
        }
    }
}

impl Lock {
    /// Appends to the file, whose content is for those who ask what the holder does.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&self, bytes: &[u8]) -> Result<()> {
        (&self.file).write_all(bytes).at("write", &self.path)
    }

    /// Lets go of the lock, but leaves its file.
    pub fn keep_file(mut self) {
        self.leave_file = true;
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is still held, so that nobody can have locked it in between.
        if !self.leave_file {
            let _ = fs::remove_file(&self.path);
        }
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

impl Store {
    /// Returns the lock called `name`, which must be a plain file name.
    pub(crate) fn lock_file(&self, name: &str) -> LockFile {
        LockFile::new(self.root().join("locks").join(name))
    }
}

/// Locks the directory `path` for as long as the file is open; none when that would take a wait, or it is not there.
///
/// # Errors
/// When it cannot be opened or locked.
pub(super) fn lock_directory(path: &Path, how: FlockOperation) -> Result<Option<File>> {
    loop {
        let directory = match File::open(path) {
            Ok(directory) => directory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).at("open", path),
        };
        match rustix::fs::flock(&directory, how) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error).at("lock", path),
        }
        // It may have been moved away between our open and our lock.
        if is_same_file(&directory, path).at("look at", path)? {
            return Ok(Some(directory));
        }
    }
}

fn is_same_file(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(theirs) => Ok((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_holder_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = LockFile::new(dir.path().join("lock"));
        let lock = file.try_lock().unwrap().unwrap();
        assert!(file.try_lock().unwrap().is_none());
        drop(lock);
        assert!(!dir.path().join("lock").exists());
        assert!(file.try_lock().unwrap().is_some());
    }

    #[test]
    fn looking_at_a_lock_takes_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = LockFile::new(dir.path().join("lock"));
        assert!(!file.is_held().unwrap());
        assert!(!dir.path().join("lock").exists());
        let lock = file.try_lock().unwrap().unwrap();
        assert!(file.is_held().unwrap());
        lock.keep_file();
        assert!(!file.is_held().unwrap());
        assert!(file.try_lock().unwrap().is_some());
    }
}
