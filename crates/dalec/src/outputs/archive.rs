//! An archive on its way to a file or to standard output.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::{Output, shown};
use crate::errors::CommandError;

/// An archive while it is written: counts and hashes what passes through.
struct Archive {
    writer: std::io::BufWriter<Box<dyn Write + Send>>,
    bytes: u64,
    hash: Option<Sha256>,
    /// Whoever read the archive wants no more of it.
    reader_is_gone: bool,
}

/// One end of an archive: the engine writes to it. Another one stays here, to flush it and to see whether that went well.
#[derive(Clone)]
pub struct SharedArchive(Arc<Mutex<Archive>>);

impl SharedArchive {
    /// Returns an archive that goes to `writer`, and has a digest if one is wanted.
    pub fn new(writer: Box<dyn Write + Send>, digests: bool) -> Self {
        Self(Arc::new(Mutex::new(Archive {
            writer: std::io::BufWriter::new(writer),
            bytes: 0,
            hash: digests.then(Sha256::new),
            reader_is_gone: false,
        })))
    }

    /// Returns what was written as `kind`, once `exported` says that all of it was.
    ///
    /// # Errors
    /// Those of `exported`; an error that whoever read the archive wants no more comes before them.
    pub fn finish(
        &self,
        kind: &'static str,
        exported: Result<(), CommandError>,
    ) -> Result<Output, CommandError> {
        let flushed = self.clone().flush();
        let mut archive = self.locked();
        if archive.reader_is_gone {
            return Err(CommandError::StdoutClosed);
        }
        exported?;
        flushed.map_err(|source| CommandError::unwritable("the archive", source))?;
        Ok(Output {
            kind,
            dest: String::new(),
            size: archive.bytes,
            written: 1,
            files: Vec::new(),
            digest: archive.hash.take().map(shown),
        })
    }

    fn locked(&self) -> MutexGuard<'_, Archive> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Archive) -> std::io::Result<T>) -> std::io::Result<T> {
        let mut archive = self.locked();
        let done = act(&mut archive);
        if let Err(error) = &done {
            archive.reader_is_gone |= error.kind() == std::io::ErrorKind::BrokenPipe;
        }
        done
    }
}

impl Write for SharedArchive {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.with(|archive| {
            let written = archive.writer.write(data)?;
            archive.bytes += written as u64;
            if let Some(hash) = &mut archive.hash {
                hash.update(&data[..written]);
            }
            Ok(written)
        })
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.with(|archive| archive.writer.flush())
    }
}
