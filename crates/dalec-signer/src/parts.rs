//! Ranges of a file read one after another, without a cursor that others could move.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// A range of bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    /// Where it begins.
    pub(crate) at: u64,
    /// Its length.
    pub(crate) size: u64,
}

/// Reads ranges of a file as one stream. A file that is shorter than they say is an error.
pub(crate) struct Parts<'a> {
    file: &'a File,
    ranges: Vec<Range>,
    next: usize,
}

impl<'a> Parts<'a> {
    /// Reads `ranges` of `file`.
    pub(crate) fn new(file: &'a File, ranges: impl IntoIterator<Item = Range>) -> Self {
        Self { file, ranges: ranges.into_iter().collect(), next: 0 }
    }

    /// Reads all of `file`.
    ///
    /// # Errors
    /// When its size is not known.
    pub(crate) fn all(file: &'a File) -> io::Result<Self> {
        Ok(Self::new(file, [Range { at: 0, size: file.metadata()?.len() }]))
    }
}

impl Read for Parts<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(range) = self.ranges.get_mut(self.next) {
            if range.size == 0 {
                self.next += 1;
                continue;
            }
            let most = usize::try_from(range.size).unwrap_or(usize::MAX).min(buffer.len());
            let read = self.file.read_at(&mut buffer[..most], range.at)?;
            if read == 0 && most > 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            range.at += read as u64;
            range.size -= read as u64;
            return Ok(read);
        }
        Ok(0)
    }
}
