//! What a tree of files looks like to whoever reads it.

use std::collections::BTreeMap;
use std::fs::File;

use rustix::fs::{FileType, Stat};

use crate::cachekey::Key;
use crate::error::Result;

/// Type of a file, with what only that type has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link with its text.
    Symlink(Vec<u8>),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device with its number.
    Char(u64),
    /// A block device with its number.
    Block(u64),
}

/// What `lstat` tells about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Type of the file.
    pub kind: Kind,
    /// Permission bits with set-id and sticky bits, no file type.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of content; 0 for anything but a regular file.
    pub size: u64,
    /// Time of last change of the content, seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Device and inode, by which several names of one file are told.
    pub inode: (u64, u64),
    /// Whether the file has, or has had, more names than one.
    pub has_other_names: bool,
}

impl Meta {
    /// Reads a `stat` answer; `link` is the text of a symbolic link.
    pub fn new(stat: &Stat, link: Vec<u8>) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Symlink(link),
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice => Kind::Char(stat.st_rdev),
            FileType::BlockDevice => Kind::Block(stat.st_rdev),
            _ => Kind::File,
        };
        Self {
            size: if kind == Kind::File { stat.st_size as u64 } else { 0 },
            kind,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            mtime: (stat.st_mtime, stat.st_mtime_nsec as u32),
            inode: (stat.st_dev, stat.st_ino),
            has_other_names: stat.st_nlink > 1,
        }
    }

    /// Returns whether this is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == Kind::Dir
    }

    /// Returns type and permission bits as in `st_mode`.
    pub fn st_mode(&self) -> u32 {
        let kind = match self.kind {
            Kind::File => libc::S_IFREG,
            Kind::Dir => libc::S_IFDIR,
            Kind::Symlink(_) => libc::S_IFLNK,
            Kind::Fifo => libc::S_IFIFO,
            Kind::Socket => libc::S_IFSOCK,
            Kind::Char(_) => libc::S_IFCHR,
            Kind::Block(_) => libc::S_IFBLK,
        };
        kind | self.mode
    }
}

/// A tree of files that can be read without being mounted.
pub trait Tree {
    /// One file of the tree.
    type Node: Clone;

    /// Returns the top directory.
    ///
    /// # Errors
    /// When it cannot be read.
    fn root(&self) -> Result<Self::Node>;

    /// Returns what `lstat` tells about `node`.
    fn meta<'a>(&self, node: &'a Self::Node) -> &'a Meta;

    /// Returns the entry called `name` of the directory `node`; none also when `node` is no directory.
    ///
    /// # Errors
    /// When the directory cannot be read.
    fn child(&self, node: &Self::Node, name: &[u8]) -> Result<Option<Self::Node>>;

    /// Returns the entries of the directory `node`, sorted by name.
    ///
    /// # Errors
    /// When the directory cannot be read.
    fn children(&self, node: &Self::Node) -> Result<Vec<(Vec<u8>, Self::Node)>>;

    /// Returns the extended attributes that count as content.
    ///
    /// # Errors
    /// When they cannot be read.
    fn xattrs(&self, node: &Self::Node) -> Result<BTreeMap<Vec<u8>, Vec<u8>>>;

    /// Returns the blake3 digest of the content of the regular file `node`.
    ///
    /// # Errors
    /// When it cannot be read.
    fn content(&self, node: &Self::Node) -> Result<Key>;

    /// Opens the regular file `node` for reading.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn open(&self, node: &Self::Node) -> Result<File>;
}
