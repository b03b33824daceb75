//! New files in directories that nobody else writes to.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::tree::{Kind, Meta};

/// What a new file gets besides its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits with set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last change, seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Attributes {
    /// Returns the attributes of an existing file.
    pub fn of(meta: &Meta, xattrs: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        Self { mode: meta.mode, uid: meta.uid, gid: meta.gid, mtime: meta.mtime, xattrs }
    }
}

/// Who may own what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// Any id.
    Any,
    /// Only root of this user namespace; other owners are given up in silence.
    OnlyRoot,
}

/// Returns `name` for a system call.
pub fn os(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}

/// Opens the directory `name` in `dir`; a symbolic link is refused.
///
/// # Errors
/// When there is no such directory.
pub fn open_dir(dir: impl AsFd, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, os(name), flags, Mode::empty())?)
}

/// Makes the regular file `name` in `dir` with the content of `content`.
///
/// # Errors
/// When it exists or cannot be written.
pub fn file(
    dir: impl AsFd,
    name: &[u8],
    content: &mut File,
    attributes: &Attributes,
    owners: Owners,
) -> io::Result<()> {
    let mut new = create(dir, name)?;
    // Between two files this is copy_file_range: no copy through user space, and none at all where the file
    // system can share blocks.
    io::copy(content, &mut new)?;
    set_on_file(new.as_fd(), attributes, owners)
}

/// Makes an empty file that only its owner may use, for content and attributes to follow.
///
/// # Errors
/// When it exists or cannot be made.
pub fn create(dir: impl AsFd, name: &[u8]) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(dir, os(name), flags, Mode::RUSR | Mode::WUSR)?))
}

/// Makes the directory `name` in `dir`; attributes follow with [`set_on_file`] when it is filled.
///
/// # Errors
/// When it exists or cannot be made.
pub fn dir(dir: impl AsFd, name: &[u8]) -> io::Result<OwnedFd> {
    let dir = dir.as_fd();
    rustix::fs::mkdirat(dir, os(name), Mode::RWXU)?;
    open_dir(dir, name)
}

/// Makes anything but a regular file, a directory or a socket.
///
/// # Errors
/// When it exists or cannot be made; devices are for root of the machine only.
pub fn special(
    dir: impl AsFd,
    name: &[u8],
    kind: &Kind,
    attributes: &Attributes,
    owners: Owners,
) -> io::Result<()> {
    let dir = dir.as_fd();
    let mode = Mode::from_raw_mode(attributes.mode);
    let node = |kind, device| rustix::fs::mknodat(dir, os(name), kind, mode, device);
    match kind {
        Kind::Symlink(target) => rustix::fs::symlinkat(os(target), dir, os(name))?,
        Kind::Fifo => node(FileType::Fifo, 0)?,
        Kind::Char(device) => node(FileType::CharacterDevice, *device)?,
        Kind::Block(device) => node(FileType::BlockDevice, *device)?,
        Kind::File | Kind::Dir | Kind::Socket => return Err(Errno::INVAL.into()),
    }
    set_by_name(dir, name, kind, attributes, owners)
}

/// Marks `name` in `dir` as deleted.
///
/// # Errors
/// When something is there already, or the kernel does not allow it.
pub fn whiteout(dir: impl AsFd, name: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::mknodat(dir, os(name), FileType::CharacterDevice, Mode::empty(), 0)?)
}

/// Gives an open file or directory its attributes.
///
/// # Errors
/// When the file system refuses one of them.
pub fn set_on_file(file: BorrowedFd<'_>, attributes: &Attributes, owners: Owners) -> io::Result<()> {
    let changed = rustix::fs::fchown(file, Some(uid(attributes.uid)), Some(gid(attributes.gid)));
    forgive(changed, owners)?;
    rustix::fs::fchmod(file, Mode::from_raw_mode(attributes.mode))?;
    for (name, value) in &attributes.xattrs {
        forgive(rustix::fs::fsetxattr(file, os(name), value, XattrFlags::empty()), owners)?;
    }
    Ok(rustix::fs::futimens(file, &times(attributes.mtime))?)
}

fn set_by_name(
    dir: BorrowedFd<'_>,
    name: &[u8],
    kind: &Kind,
    attributes: &Attributes,
    owners: Owners,
) -> io::Result<()> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let (user, group) = (Some(uid(attributes.uid)), Some(gid(attributes.gid)));
    forgive(rustix::fs::chownat(dir, os(name), user, group, flags), owners)?;
    if !matches!(kind, Kind::Symlink(_)) {
        rustix::fs::chmodat(dir, os(name), Mode::from_raw_mode(attributes.mode), AtFlags::empty())?;
    }
    Ok(rustix::fs::utimensat(dir, os(name), &times(attributes.mtime), flags)?)
}

/// Returns access and modification times for the kernel.
pub fn times(mtime: (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec: mtime.0, tv_nsec: i64::from(mtime.1) };
    Timestamps { last_access: time, last_modification: time }
}

fn forgive(result: Result<(), Errno>, owners: Owners) -> io::Result<()> {
    match result {
        // The id is not mapped, or what only real root may set was asked for.
        Err(Errno::INVAL | Errno::PERM) if owners == Owners::OnlyRoot => Ok(()),
        result => Ok(result?),
    }
}

fn uid(id: u32) -> Uid {
    Uid::from_raw(id)
}

fn gid(id: u32) -> Gid {
    Gid::from_raw(id)
}
