//! A directory of blobs named by digest: `DIR/sha256/HEX`. What is in it is complete.
//!
//! A blob is written without a name (`O_TMPFILE`), flushed to disk and then linked into place, so a process
//! that is killed leaves nothing behind, and several processes may add the same blob at once. Nothing is
//! ever changed by this module, and nothing removed but what the disk or somebody else damaged.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, Mode, OFlags};
use thiserror::Error;

use super::{Digest, Hasher};

/// Bytes of a blob that are hashed at a time.
const PIECE: usize = 64 << 10;

/// A directory of blobs named by digest.
#[derive(Debug, Clone)]
pub struct BlobDir {
    root: PathBuf,
}

/// Why a blob was not written or read.
#[derive(Debug, Error)]
pub enum BlobError {
    /// The directory cannot be used.
    #[error("cannot write to the blob directory {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A blob cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The content is not what its name says.
    #[error("expected content with digest {expected}, got {actual}")]
    Mismatch {
        /// The digest it should have.
        expected: Digest,
        /// The digest it has.
        actual: Digest,
    },
}

impl BlobDir {
    /// Returns the directory `root`, which is made if it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(root: &Path) -> Result<Self, BlobError> {
        for algorithm in ["sha256", "sha512"] {
            let path = root.join(algorithm);
            std::fs::create_dir_all(&path).map_err(|source| BlobError::Write { path, source })?;
        }
        Ok(Self { root: root.to_path_buf() })
    }

    /// Returns where the blob `digest` is, or would be.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.algorithm()).join(digest.hex())
    }

    /// Returns whether the blob is there.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Returns the content of a small blob; `None` if it is not there.
    ///
    /// # Errors
    /// When it cannot be read, is longer than `limit` bytes, or does not have its digest.
    pub fn read(&self, digest: &Digest, limit: u64) -> Result<Option<Vec<u8>>, BlobError> {
        let path = self.path(digest);
        let mut data = Vec::new();
        let read = match File::open(&path) {
            Ok(file) => file.take(limit + 1).read_to_end(&mut data),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        };
        if let Err(source) = read {
            return Err(BlobError::Read { path, source });
        }
        let actual = digest.like(&data);
        if actual != *digest {
            return Err(BlobError::Mismatch { expected: digest.clone(), actual });
        }
        Ok(Some(data))
    }

    /// As [`BlobDir::read`], but a blob that is damaged is removed, and counts as one that is not there.
    ///
    /// # Errors
    /// When it cannot be read or removed, or is longer than `limit` bytes.
    pub fn read_or_remove(&self, digest: &Digest, limit: u64) -> Result<Option<Vec<u8>>, BlobError> {
        match self.read(digest, limit) {
            Err(BlobError::Mismatch { .. }) if self.remove_damaged(digest)? => Ok(None),
            result => result,
        }
    }

    /// Removes the blob if it is not what its name says; returns whether it was not.
    fn remove_damaged(&self, digest: &Digest) -> Result<bool, BlobError> {
        let path = self.path(digest);
        let unreadable = |source| BlobError::Read { path: path.clone(), source };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            // Somebody else found out, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(unreadable(error)),
        };
        let mut hasher = digest.hasher();
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece).map_err(unreadable)? {
                0 => break,
                count => hasher.update(&piece[..count]),
            }
        }
        if hasher.finish() == *digest {
            return Ok(false);
        }
        // Whoever found out first may have put a good one there.
        let (read, there) = (file.metadata(), std::fs::metadata(&path));
        if !matches!((read, there), (Ok(read), Ok(there)) if read.ino() == there.ino()) {
            return Ok(true);
        }
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(BlobError::Write { path, source }),
            _ => Ok(true),
        }
    }

    /// Starts a blob whose digest will be of the algorithm of `like`.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn writer(&self, like: Hasher) -> Result<BlobWriter<'_>, BlobError> {
        let directory = self.root.join("sha256");
        let temporary = Temporary::new(&directory)
            .map_err(|error| BlobError::Write { path: directory, source: error.into() })?;
        Ok(BlobWriter { blobs: self, temporary, hasher: like, written: 0 })
    }

    /// Adds a small blob.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn add(&self, data: &[u8]) -> Result<Digest, BlobError> {
        let digest = Digest::sha256_of(data);
        self.add_as(&digest, data)?;
        Ok(digest)
    }

    /// Adds a small blob whose digest is known.
    ///
    /// # Errors
    /// When it has another digest, or the directory cannot be written.
    pub fn add_as(&self, digest: &Digest, data: &[u8]) -> Result<(), BlobError> {
        if !self.contains(digest) {
            let mut writer = self.writer(digest.hasher())?;
            let written = writer.write_all(data);
            written.map_err(|source| BlobError::Write { path: self.path(digest), source })?;
            writer.finish(Some(digest))?;
        }
        Ok(())
    }
}

/// A blob that is being written; dropped before [`BlobWriter::finish`] it leaves nothing.
#[derive(Debug)]
pub struct BlobWriter<'a> {
    blobs: &'a BlobDir,
    temporary: Temporary,
    hasher: Hasher,
    written: u64,
}

impl BlobWriter<'_> {
    /// Returns how many bytes were written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Puts the blob in its place, unless it has another digest than `expected`.
    ///
    /// # Errors
    /// [`BlobError::Mismatch`] for a wrong digest; [`BlobError::Write`] when the directory cannot be written.
    pub fn finish(self, expected: Option<&Digest>) -> Result<Digest, BlobError> {
        let digest = self.hasher.finish();
        if let Some(expected) = expected
            && *expected != digest
        {
            return Err(BlobError::Mismatch { expected: expected.clone(), actual: digest });
        }
        let path = self.blobs.path(&digest);
        let error = |source| BlobError::Write { path: path.clone(), source };
        fs::fchmod(&self.temporary.file, Mode::from_raw_mode(0o444)).map_err(|e| error(e.into()))?;
        self.temporary.file.sync_data().map_err(error)?;
        match self.temporary.link(&path) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(digest),
            Err(errno) => Err(error(errno.into())),
        }
    }
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let count = self.temporary.file.write(data)?;
        self.hasher.update(&data[..count]);
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file without a name, or with a passing one where the file system knows no such thing.
#[derive(Debug)]
struct Temporary {
    file: File,
    name: Option<PathBuf>,
}

impl Temporary {
    fn new(directory: &Path) -> rustix::io::Result<Self> {
        use rustix::io::Errno;
        let mode = Mode::from_raw_mode(0o600);
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        match fs::open(directory, flags | OFlags::TMPFILE, mode) {
            Ok(file) => return Ok(Self { file: file.into(), name: None }),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let name = directory.join(format!(".partial-{}-{number}", std::process::id()));
            match fs::open(&name, flags | OFlags::CREATE | OFlags::EXCL, mode) {
                Ok(file) => return Ok(Self { file: file.into(), name: Some(name) }),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn link(&self, path: &Path) -> rustix::io::Result<()> {
        use std::os::fd::AsRawFd;
        match &self.name {
            Some(name) => fs::linkat(CWD, name, CWD, path, AtFlags::empty()),
            None => {
                let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                fs::linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // A leftover is harmless: it has no digest for a name.
            let _ = std::fs::remove_file(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(path: &Path) -> usize {
        std::fs::read_dir(path).unwrap().count()
    }

    #[test]
    fn a_blob_is_complete_or_absent() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobDir::new(dir.path()).unwrap();
        let digest = Digest::sha256_of(b"hello");
        let mut writer = blobs.writer(Hasher::sha256()).unwrap();
        writer.write_all(b"hel").unwrap();
        drop(writer);
        let mut writer = blobs.writer(Hasher::sha256()).unwrap();
        writer.write_all(b"hell0").unwrap();
        assert!(matches!(writer.finish(Some(&digest)), Err(BlobError::Mismatch { .. })));
        assert_eq!(entries(&dir.path().join("sha256")), 0);
        for _ in 0..2 {
            let mut writer = blobs.writer(Hasher::sha256()).unwrap();
            writer.write_all(b"hello").unwrap();
            assert_eq!(writer.finish(Some(&digest)).unwrap(), digest);
        }
        assert_eq!(blobs.read(&digest, 100).unwrap().unwrap(), b"hello");
        assert_eq!(entries(&dir.path().join("sha256")), 1);
    }

    #[test]
    fn a_damaged_blob_is_noticed_when_read() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobDir::new(dir.path()).unwrap();
        let digest = blobs.add(b"hello").unwrap();
        std::fs::remove_file(blobs.path(&digest)).unwrap();
        std::fs::write(blobs.path(&digest), "help!").unwrap();
        assert!(matches!(blobs.read(&digest, 100), Err(BlobError::Mismatch { .. })));
        assert!(blobs.read(&Digest::sha256_of(b"other"), 100).unwrap().is_none());
        // One that is merely longer than expected is not.
        let large = blobs.add(&[7; 200]).unwrap();
        assert!(matches!(blobs.read_or_remove(&large, 100), Err(BlobError::Mismatch { .. })));
        assert!(blobs.contains(&large));
        assert!(blobs.read_or_remove(&digest, 100).unwrap().is_none());
        assert!(!blobs.contains(&digest));
        blobs.add(b"hello").unwrap();
        assert_eq!(blobs.read_or_remove(&digest, 100).unwrap().unwrap(), b"hello");
    }
}
