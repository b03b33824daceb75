//! Tar archives, written so that the same input gives the same bytes, and read so that a hostile archive
//! can cost no more than a bounded amount of memory.
//!
//! The dialect is POSIX ustar with PAX records where a field does not fit; the reader also takes GNU long
//! names. This room decides nothing about layers, whiteouts apart (an overlay directory is written the way
//! a layer says it), and never looks at the clock. Sparse files are refused, not expanded.

mod pax;
mod reader;
mod tree;
mod windows;
mod writer;

use std::collections::BTreeMap;

pub use reader::{ReadError, Reader};
pub use tree::{Times, TreeError, TreeOptions, is_content, write_tree};
pub use windows::FILES;
pub use writer::Writer;

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name as bytes; relative, with `/` between the components. As read it may be anything.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits with set-id and sticky bits; no file type.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Modification time, seconds since 1970.
    pub mtime: i64,
    /// Bytes of content that follow; 0 for anything but a file.
    pub size: u64,
    /// Extended attributes by full name, for example `security.capability`.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// What a member of an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link with its text.
    Symlink(Vec<u8>),
    /// A further name of an earlier member, with that member's path.
    Hardlink(Vec<u8>),
    /// A named pipe.
    Fifo,
    /// A character device with major and minor number.
    Char(u32, u32),
    /// A block device with major and minor number.
    Block(u32, u32),
}

impl Entry {
    /// Returns a member of `kind` that belongs to root, without content.
    pub fn new(path: impl Into<Vec<u8>>, kind: Kind, mode: u32, mtime: i64) -> Self {
        Self { path: path.into(), kind, mode, uid: 0, gid: 0, mtime, size: 0, xattrs: BTreeMap::new() }
    }

    /// Returns a regular file of `size` bytes that belongs to root.
    pub fn file(path: impl Into<Vec<u8>>, mode: u32, mtime: i64, size: u64) -> Self {
        Self { size, ..Self::new(path, Kind::File, mode, mtime) }
    }
}
