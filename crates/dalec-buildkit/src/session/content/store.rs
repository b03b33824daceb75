//! A store of blobs: the `blobs` folder of an OCI layout.
//!
//! ```text
//! DIR/blobs/sha256/HEX   complete blobs
//! DIR/ingest/RANDOM      blobs that are being written; gone after the build
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;

use sha2::{Digest as _, Sha256};
use tonic::Status;

/// A SHA-256 digest, as `sha256:HEX`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(bytes)))
    }

    /// Returns what a finished hash says.
    pub(super) fn finished(hash: Sha256) -> Self {
        Self(hex::encode(hash.finalize()))
    }

    /// Returns the 64 digits.
    pub fn hex(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = Status;

    fn from_str(text: &str) -> Result<Self, Status> {
        let hex = text.strip_prefix("sha256:");
        let hex =
            hex.filter(|hex| hex.len() == 64 && hex.bytes().all(|byte| b"0123456789abcdef".contains(&byte)));
        hex.map(|hex| Self(hex.to_owned()))
            .ok_or_else(|| Status::invalid_argument(format!("{text:?} is no digest of a blob here")))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.0)
    }
}

/// Blobs in a directory of this host.
pub struct Store {
    dir: PathBuf,
    /// Blobs that are in no file.
    extra: BTreeMap<Digest, Vec<u8>>,
    writable: bool,
    /// References of blobs that are being written.
    pub(super) writing: Mutex<BTreeSet<String>>,
}

impl Store {
    /// Returns the blobs of a layout, to read only, and `extra` ones by their content.
    pub fn layout(dir: &Path, extra: Vec<Vec<u8>>) -> Self {
        let extra = extra.into_iter().map(|blob| (Digest::of(&blob), blob)).collect();
        Self { dir: dir.to_owned(), extra, writable: false, writing: Mutex::default() }
    }

    /// Returns the blobs of a cache directory, to read and to write.
    pub fn cache(dir: &Path) -> Self {
        Self { writable: true, ..Self::layout(dir, Vec::new()) }
    }

    /// Returns whether the blob is there.
    pub fn has(&self, digest: &Digest) -> bool {
        self.size(digest).is_ok()
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join("blobs/sha256").join(digest.hex())
    }

    /// Returns the folder for blobs that are being written, and makes what is missing.
    pub(super) fn ingest_dir(&self) -> Result<PathBuf, Status> {
        if !self.writable {
            return Err(Status::failed_precondition("this store is for reading only"));
        }
        let dir = self.dir.join("ingest");
        for dir in [&dir, &self.dir.join("blobs/sha256")] {
            std::fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
        }
        Ok(dir)
    }

    pub(super) fn size(&self, digest: &Digest) -> Result<u64, Status> {
        if let Some(blob) = self.extra.get(digest) {
            return Ok(blob.len() as u64);
        }
        let path = self.path(digest);
        match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => Ok(found.len()),
            Ok(_) => Err(Status::not_found(format!("there is no blob {digest}"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Status::not_found(format!("there is no blob {digest}")))
            }
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// Reads `length` bytes from `start` on, in pieces, until `take` wants no more.
    pub(super) fn read(
        &self,
        digest: &Digest,
        start: u64,
        length: u64,
        piece: usize,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<(), Status> {
        if let Some(blob) = self.extra.get(digest) {
            let end = usize::try_from(start + length).unwrap_or(usize::MAX).min(blob.len());
            let part = blob.get(start as usize..end).unwrap_or_default();
            part.chunks(piece).all(take);
            return Ok(());
        }
        let path = self.path(digest);
        let mut read = || -> io::Result<()> {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(start))?;
            let mut file = file.take(length);
            let mut buffer = vec![0; piece];
            loop {
                let length = file.read(&mut buffer)?;
                if length == 0 || !take(&buffer[..length]) {
                    return Ok(());
                }
            }
        };
        read().map_err(|error| failed(&path, &error))
    }
}

pub(super) fn failed(path: &Path, error: &io::Error) -> Status {
    Status::internal(format!("{}: {error}", path.display()))
}
