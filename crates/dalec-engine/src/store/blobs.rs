//! Small blobs by digest: recipes, image configurations and manifests.

use std::fs;
use std::io::Write as _;

use sha2::{Digest, Sha256};

use super::Store;
use crate::error::{IoContext, Result};

impl Store {
    /// Keeps `bytes` and returns their digest, `sha256:HEX`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn put_blob(&self, bytes: &[u8]) -> Result<String> {
        let hex = hex::encode(Sha256::digest(bytes));
        let path = self.root().join("blobs/sha256").join(&hex);
        if self.blob(&format!("sha256:{hex}"))?.is_none() {
            let work = self.work_dir()?;
            let unfinished = work.path().join("blob");
            let mut file = fs::File::create(&unfinished).at("write", &unfinished)?;
            file.write_all(bytes).and_then(|()| file.sync_data()).at("write", &unfinished)?;
            fs::rename(&unfinished, &path).at("write", &path)?;
        }
        Ok(format!("sha256:{hex}"))
    }

    /// Returns the blob called `digest` (`sha256:HEX`) when it is there and undamaged.
    ///
    /// # Errors
    /// When it is there but cannot be read.
    pub(crate) fn blob(&self, digest: &str) -> Result<Option<Vec<u8>>> {
        let Some(hex) = digest.strip_prefix("sha256:") else {
            return Ok(None);
        };
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let path = self.root().join("blobs/sha256").join(hex);
        match fs::read(&path) {
            Ok(bytes) => Ok((hex::encode(Sha256::digest(&bytes)) == hex).then_some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at("read", &path),
        }
    }
}
