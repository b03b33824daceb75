//! What is remembered of earlier downloads: `DIR/KEY.json`, the key being a digest of URL and headers.
//!
//! A record that cannot be read counts as none: the file is downloaded again.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::HttpError;
use crate::oci::{BlobDir, Digest, Hasher};

/// Earlier downloads and their content.
#[derive(Debug, Clone)]
pub struct HttpCache {
    records: PathBuf,
    blobs: BlobDir,
}

/// What is remembered of one download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where the file came from, without credentials; for people who look into the directory.
    pub url: String,
    /// Its content.
    pub digest: Digest,
    /// The server's mark of this version.
    pub etag: Option<String>,
    /// When the server says it changed.
    pub last_modified: Option<String>,
    /// The name the server gave it.
    pub filename: Option<String>,
}

impl HttpCache {
    /// Returns a cache that keeps its records in the directory `records`, made if missing, and content in `blobs`.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn new(records: &Path, blobs: BlobDir) -> Result<Self, HttpError> {
        let cache = Self { records: records.to_path_buf(), blobs };
        std::fs::create_dir_all(records).map_err(|source| cache.write_error(source))?;
        Ok(cache)
    }

    /// Returns the directory of content.
    pub fn blobs(&self) -> &BlobDir {
        &self.blobs
    }

    /// Returns the name of the record for a request: two people with different credentials share nothing.
    pub fn key(url: &str, headers: &[(String, String)]) -> String {
        let mut hasher = Hasher::sha256();
        hasher.update(url.as_bytes());
        for (name, value) in headers {
            for part in [name, value] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        hasher.finish().hex().to_owned()
    }

    /// Returns the record, if there is a good one.
    pub fn load(&self, key: &str) -> Option<Record> {
        let text = std::fs::read(self.path(key)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Keeps a record.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, key: &str, record: &Record) -> Result<(), HttpError> {
        let record = Record { url: super::error::shown(&record.url), ..record.clone() };
        let text = serde_json::to_vec(&record).map_err(|error| self.write_error(error.into()))?;
        write_atomically(&self.path(key), &text).map_err(|source| self.write_error(source))
    }

    /// Says that the cache could not be written.
    pub fn write_error(&self, source: io::Error) -> HttpError {
        HttpError::Cache { path: self.records.clone(), source }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.records.join(format!("{key}.json"))
    }
}

/// Replaces the file at `path` in one step.
///
/// # Errors
/// When it cannot be written.
pub fn write_atomically(path: &Path, data: &[u8]) -> io::Result<()> {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let temporary = path.with_extension(format!("partial-{}-{number}", std::process::id()));
    let result = std::fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(data))
        .and_then(|()| std::fs::rename(&temporary, path));
    if result.is_err() {
        // Nothing more can be done about it; the first error is the one to report.
        let _ = std::fs::remove_file(&temporary);
    }
    result
}
