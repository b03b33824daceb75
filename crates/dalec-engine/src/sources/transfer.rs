//! How a download tells how far it is, and how it is told to stop.

use crate::Cancel;

/// What every download is given.
#[derive(Clone, Copy)]
pub struct Transfer<'a> {
    /// Stops it: between two pieces of data, and while waiting.
    pub cancel: &'a Cancel,
    /// Takes its progress; called from several threads.
    pub progress: &'a (dyn Fn(Step<'_>) + Sync),
}

/// How far one part of a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// What is downloaded: a digest or a URL.
    pub id: &'a str,
    /// Bytes that are there.
    pub current: u64,
    /// Bytes that will be there; 0 when not known.
    pub total: u64,
    /// Whether it is done.
    pub completed: bool,
}

impl<'a> Transfer<'a> {
    /// Returns a transfer that tells nobody how far it is.
    pub fn silent(cancel: &'a Cancel) -> Self {
        Self { cancel, progress: &|_| () }
    }

    /// Reports that `id` moved on.
    pub fn step(&self, id: &str, current: u64, total: u64) {
        (self.progress)(Step { id, current, total, completed: false });
    }

    /// Reports that `id` is there, with `size` bytes.
    pub fn done(&self, id: &str, size: u64) {
        (self.progress)(Step { id, current: size, total: size, completed: true });
    }
}
