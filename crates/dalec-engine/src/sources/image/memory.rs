//! What image names meant when a registry was last asked: `DIR/KEY.json`, the key being a digest of the name.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ImageError;
use super::local::file_error;
use crate::oci::{Digest, Reference};
use crate::sources::http::write_atomically;

/// Remembers digests by reference.
#[derive(Debug)]
pub struct Memory {
    directory: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Record {
    reference: String,
    digest: Digest,
}

impl Memory {
    /// Returns the memory in `directory`, which is made if it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(directory: &Path) -> Result<Self, ImageError> {
        std::fs::create_dir_all(directory).map_err(|source| file_error(directory, source))?;
        Ok(Self { directory: directory.to_path_buf() })
    }

    /// Returns what `reference` stood for, if that is known.
    pub fn recall(&self, reference: &Reference) -> Option<Digest> {
        let text = std::fs::read(self.path(reference)).ok()?;
        let record: Record = serde_json::from_slice(&text).ok()?;
        (record.reference == reference.to_string()).then_some(record.digest)
    }

    /// Keeps what `reference` stands for.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, reference: &Reference, digest: &Digest) -> Result<(), ImageError> {
        let path = self.path(reference);
        let record = Record { reference: reference.to_string(), digest: digest.clone() };
        serde_json::to_vec(&record)
            .map_err(std::io::Error::from)
            .and_then(|text| write_atomically(&path, &text))
            .map_err(|source| file_error(&path, source))
    }

    fn path(&self, reference: &Reference) -> PathBuf {
        let key = Digest::sha256_of(reference.to_string().as_bytes());
        self.directory.join(format!("{}.json", key.hex()))
    }
}
