//! Where the daemon's exporters write to on this host.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where one exporter writes to.
pub struct Target {
    pub(super) place: Place,
    outcome: Mutex<Outcome>,
}

pub(super) enum Place {
    Directory(PathBuf),
    /// Taken by the first transfer.
    Stream(Mutex<Option<Box<dyn Write + Send>>>),
}

#[derive(Default)]
struct Outcome {
    received: Received,
    failure: Option<WriteFailure>,
}

/// What came into a directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    /// Paths of files and symbolic links relative to the directory, sorted.
    pub files: Vec<PathBuf>,
    /// How many of them were not there before, or different.
    pub written: usize,
    /// Bytes of file content.
    pub bytes: u64,
}

/// What could not be written on this host.
#[derive(Debug)]
pub struct WriteFailure {
    /// The file; none for a stream.
    pub path: Option<PathBuf>,
    /// Why.
    pub source: io::Error,
}

impl Target {
    /// Returns a directory that results are merged into; it is made when it is missing.
    ///
    /// Each file appears complete, under a rename; what is there already and the same is left alone. A symbolic link below
    /// the directory is never followed.
    pub fn directory(dest: &Path) -> Self {
        Self { place: Place::Directory(dest.to_owned()), outcome: Mutex::default() }
    }

    /// Returns a target for one archive.
    pub fn stream(writer: Box<dyn Write + Send>) -> Self {
        Self { place: Place::Stream(Mutex::new(Some(writer))), outcome: Mutex::default() }
    }

    /// Returns what has come into the directory so far.
    pub fn received(&self) -> Received {
        let mut received = self.locked().received.clone();
        received.files.sort_unstable();
        received
    }

    /// Returns what could not be written, once.
    pub fn take_failure(&self) -> Option<WriteFailure> {
        self.locked().failure.take()
    }

    pub(super) fn fail(&self, failure: WriteFailure) {
        self.locked().failure.get_or_insert(failure);
    }

    /// Takes note of one transfer; several platforms come in one each.
    pub(super) fn note(&self, more: Received) {
        let received = &mut self.locked().received;
        received.files.extend(more.files);
        received.written += more.written;
        received.bytes += more.bytes;
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
