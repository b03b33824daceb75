//! Downloaded files, kept by the SHA-256 of their content.
//!
//! ```text
//! DIR/by-sha256/HEX      a complete file, or absent
//! DIR/recipes/HEX        what a request resolved to, named by everything it depended on
//! DIR/partial/           downloads under way; leftovers of killed processes go after a day
//! ```
//!
//! Several processes share one directory: files appear by rename, and a name says the content.
//! Nothing is flushed to disk on purpose; a file damaged by a power cut fails its check when it
//! is next asked for and is fetched again.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::error::BootstrapError;
use crate::http::Http;
use crate::progress::{self, Progress};

const CHUNK: usize = 128 * 1024;
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// A file that a signed index promises.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promise<'a> {
    /// Lower-case hexadecimal, 64 digits.
    pub(crate) sha256: &'a str,
    /// Bytes.
    pub(crate) size: u64,
}

/// A directory of downloaded files; see the module for its layout.
#[derive(Debug)]
pub struct Cache {
    files: PathBuf,
    recipes: PathBuf,
    partial: PathBuf,
}

impl Cache {
    /// Opens the cache in `directory`, which is created if need be.
    ///
    /// # Errors
    /// [`BootstrapError::Io`] if that fails.
    pub fn open(directory: &Path) -> Result<Self, BootstrapError> {
        let cache = Self {
            files: directory.join("by-sha256"),
            recipes: directory.join("recipes"),
            partial: directory.join("partial"),
        };
        for path in [&cache.files, &cache.recipes, &cache.partial] {
            fs::create_dir_all(path).map_err(BootstrapError::io("create", path))?;
        }
        cache.remove_leftovers();
        Ok(cache)
    }

    /// Returns the place of the file with the given digest, whether it is there or not.
    pub(crate) fn path(&self, sha256: &str) -> PathBuf {
        self.files.join(sha256)
    }

    /// Returns whether the promised file is here and intact.
    pub(crate) fn has(&self, promise: Promise<'_>) -> bool {
        let Ok(file) = File::open(self.path(promise.sha256)) else { return false };
        let right_size = file.metadata().is_ok_and(|metadata| metadata.len() == promise.size);
        right_size && digest(file).is_ok_and(|actual| actual == promise.sha256)
    }

    /// Makes sure that the promised file is here; returns where, and whether it was before.
    ///
    /// # Errors
    /// Those of [`Http::read`], and [`BootstrapError::HashMismatch`] or
    /// [`BootstrapError::SizeMismatch`] if the server has something else.
    pub(crate) fn ensure(
        &self,
        http: &Http,
        url: &str,
        promise: Promise<'_>,
        progress: &dyn Progress,
    ) -> Result<(PathBuf, bool), BootstrapError> {
        let path = self.path(promise.sha256);
        if self.has(promise) {
            return Ok((path, true));
        }
        http.read(url, progress, |response| {
            let partial = Partial::create(&self.partial, promise.sha256)?;
            receive(response, &partial, url, promise, progress)?;
            partial.keep_as(&path)
        })?;
        Ok((path, false))
    }

    /// Returns the recipe text kept under `key`.
    pub(crate) fn recipe(&self, key: &str) -> Option<Vec<u8>> {
        fs::read(self.recipes.join(key)).ok()
    }

    /// Keeps a recipe text under `key`.
    pub(crate) fn keep_recipe(&self, key: &str, text: &[u8]) -> Result<(), BootstrapError> {
        let partial = Partial::create(&self.partial, key)?;
        (&partial.file).write_all(text).map_err(BootstrapError::io("write", &partial.path))?;
        partial.keep_as(&self.recipes.join(key))
    }

    /// Best effort: a leftover only costs space.
    fn remove_leftovers(&self) {
        let Ok(entries) = fs::read_dir(&self.partial) else { return };
        for entry in entries.flatten() {
            let age = entry.metadata().ok().and_then(|data| data.modified().ok()?.elapsed().ok());
            if age.is_some_and(|age| age > LEFTOVER_AGE) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Returns the SHA-256 of everything `reader` yields, in lower-case hexadecimal.
fn digest(mut reader: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

fn receive(
    mut response: impl Read,
    partial: &Partial,
    url: &str,
    promise: Promise<'_>,
    progress: &dyn Progress,
) -> Result<(), BootstrapError> {
    let mut hasher = Sha256::new();
    let mut received = 0;
    let mut buffer = vec![0; CHUNK];
    loop {
        progress::check(progress)?;
        let count = response
            .read(&mut buffer)
            .map_err(|source| BootstrapError::Unreachable { url: url.to_owned(), source: source.into() })?;
        received += count as u64;
        if received > promise.size || (count == 0 && received < promise.size) {
            return Err(BootstrapError::SizeMismatch {
                url: url.to_owned(),
                expected: promise.size,
                actual: received,
            });
        }
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        (&partial.file).write_all(&buffer[..count]).map_err(BootstrapError::io("write", &partial.path))?;
    }
    let actual = hex::encode(hasher.finalize());
    if actual == promise.sha256 {
        return Ok(());
    }
    Err(BootstrapError::HashMismatch { url: url.to_owned(), expected: promise.sha256.to_owned(), actual })
}

/// A file under way; removed on drop unless kept.
struct Partial {
    path: PathBuf,
    file: File,
}

impl Partial {
    fn create(directory: &Path, name: &str) -> Result<Self, BootstrapError> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        loop {
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!("{name}.{}.{serial}", std::process::id()));
            match File::create_new(&path) {
                Ok(file) => return Ok(Self { path, file }),
                // A process with our number, from another process namespace or long gone.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(BootstrapError::io("create", path)(error)),
            }
        }
    }

    fn keep_as(&self, path: &Path) -> Result<(), BootstrapError> {
        fs::rename(&self.path, path).map_err(BootstrapError::io("create", path))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already if it was kept.
        let _ = fs::remove_file(&self.path);
    }
}
