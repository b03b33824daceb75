//! Writes files below one directory and nowhere else, whatever links are in it.
//!
//! Every directory is opened by the kernel with the root as its root (`openat2`), so a link that
//! points to `/etc` or `../../..` means the root's own `/etc` or the root itself. The last part of
//! a path is never followed. Which package may write what is decided elsewhere.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use crate::deb::split;

/// The time of files that come from nowhere else: 1980-01-02, which every format can hold.
const MTIME: u64 = 315_619_200;

/// Who owns a file and when it was last changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds since 1970.
    pub(crate) mtime: u64,
}

impl Attributes {
    /// A directory that everybody may read, of the superuser.
    pub(crate) fn directory() -> Self {
        Self { mode: 0o755, uid: 0, gid: 0, mtime: MTIME }
    }

    /// A file that everybody may read, of the superuser.
    pub(crate) fn file() -> Self {
        Self { mode: 0o644, uid: 0, gid: 0, mtime: MTIME }
    }
}

/// A directory that will be somebody's `/`.
#[derive(Debug)]
pub(crate) struct Tree {
    fd: OwnedFd,
    path: PathBuf,
    sets_owners: bool,
}

/// An open directory in a [`Tree`].
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

struct Entry {
    name: Vec<u8>,
    kind: FileType,
}

impl Tree {
    /// Opens the directory at `path`.
    ///
    /// Without `sets_owners`, all files stay with the caller.
    pub(crate) fn open(path: &Path, sets_owners: bool) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self { fd, path: path.to_owned(), sets_owners })
    }

    /// Returns the place of `path` on the host, for messages.
    pub(crate) fn host_path(&self, path: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(path))
    }

    /// Opens a directory, following links inside the tree; the empty path is the tree itself.
    pub(crate) fn directory(&self, path: &[u8]) -> io::Result<Directory> {
        let path = if path.is_empty() { b"." } else { path };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            match rustix::fs::openat2(&self.fd, path, flags, Mode::empty(), resolve) {
                // The kernel gives up when somebody renames a directory meanwhile.
                Err(Errno::AGAIN | Errno::INTR) => {}
                outcome => return Ok(Directory(outcome?)),
            }
        }
    }

    /// Sets owner and mode of a directory; its time changes with every file put in, so is left.
    pub(crate) fn set_directory(&self, directory: &Directory, attributes: Attributes) -> io::Result<()> {
        // A descriptor of kind O_PATH takes no fchmod, but its own entry `.` does.
        if self.sets_owners {
            let (uid, gid) = owner(attributes)?;
            rustix::fs::chownat(&directory.0, ".", uid, gid, AtFlags::empty())?;
        }
        rustix::fs::chmodat(&directory.0, ".", Mode::from_raw_mode(attributes.mode), AtFlags::empty())?;
        Ok(())
    }

    /// Creates a file, copies `content` into it, also to `copy`, and sets its attributes.
    ///
    /// # Errors
    /// `AlreadyExists` if there is anything of that name.
    pub(crate) fn write_file(
        &self,
        directory: &Directory,
        name: &[u8],
        attributes: Attributes,
        content: &mut dyn Read,
        copy: &mut dyn FnMut(&[u8]),
        buffer: &mut [u8],
    ) -> io::Result<()> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&directory.0, name, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = std::fs::File::from(file);
        loop {
            match content.read(buffer)? {
                0 => break,
                count => {
                    copy(&buffer[..count]);
                    file.write_all(&buffer[..count])?;
                }
            }
        }
        // Owner first: changing it takes the set-id bits away.
        if self.sets_owners {
            let (uid, gid) = owner(attributes)?;
            rustix::fs::fchown(&file, uid, gid)?;
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(attributes.mode))?;
        rustix::fs::futimens(&file, &times(attributes.mtime))?;
        Ok(())
    }

    /// Writes a small file, instead of what may be there, making directories on the way.
    pub(crate) fn put(&self, path: &[u8], attributes: Attributes, content: &[u8]) -> io::Result<()> {
        let (parent, name) = split(path).ok_or(io::ErrorKind::InvalidInput)?;
        let directory = self.make_directories(parent)?;
        directory.remove_if_there(name)?;
        let mut buffer = [0; 8192];
        self.write_file(&directory, name, attributes, &mut { content }, &mut |_| {}, &mut buffer)
    }

    /// Makes sure that a directory is there, with its parents, and opens it.
    pub(crate) fn make_directories(&self, path: &[u8]) -> io::Result<Directory> {
        match self.directory(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            outcome => return outcome,
        }
        let Some((parent, name)) = split(path) else { return self.directory(path) };
        self.make_directories(parent)?.make_directory(name)?;
        let directory = self.directory(path)?;
        self.set_directory(&directory, Attributes::directory())?;
        Ok(directory)
    }

    /// Removes the plain files and links in a directory, if it is there, and nothing below it.
    pub(crate) fn remove_files(&self, path: &[u8]) -> io::Result<()> {
        let directory = match self.directory(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            outcome => outcome?,
        };
        for entry in directory.entries()? {
            if entry.kind != FileType::Directory {
                directory.remove_if_there(&entry.name)?;
            }
        }
        Ok(())
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, path: &[u8]) -> io::Result<()> {
        let (parent, name) = split(path).ok_or(io::ErrorKind::InvalidInput)?;
        let parent = self.directory(parent)?;
        Ok(rustix::fs::unlinkat(&parent.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Empties a plain file, if it is there.
    pub(crate) fn empty(&self, path: &[u8]) -> io::Result<()> {
        let Some((parent, name)) = split(path) else { return Ok(()) };
        let open = || -> io::Result<OwnedFd> {
            let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let directory = self.directory(parent)?;
            Ok(rustix::fs::openat(&directory.0, name, flags, Mode::empty())?)
        };
        match open() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Gives everything that was changed after `newest`, in seconds since 1970, that time.
    pub(crate) fn clamp_times(&self, newest: u64) -> io::Result<()> {
        self.directory(b"")?.clamp_times(newest)
    }

    /// Creates a symbolic link.
    ///
    /// # Errors
    /// `AlreadyExists` if there is anything of that name.
    pub(crate) fn write_symlink(
        &self,
        directory: &Directory,
        name: &[u8],
        target: &[u8],
        attributes: Attributes,
    ) -> io::Result<()> {
        rustix::fs::symlinkat(target, &directory.0, name)?;
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        if self.sets_owners {
            let (uid, gid) = owner(attributes)?;
            rustix::fs::chownat(&directory.0, name, uid, gid, nofollow)?;
        }
        rustix::fs::utimensat(&directory.0, name, &times(attributes.mtime), nofollow)?;
        Ok(())
    }
}

impl Directory {
    /// Creates a directory in this one, open to its owner only.
    ///
    /// # Errors
    /// `AlreadyExists` if there is anything of that name.
    pub(crate) fn make_directory(&self, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, name, Mode::RWXU)?)
    }

    /// Gives a file in `from` another name in this directory; does not follow links.
    ///
    /// # Errors
    /// `AlreadyExists` if there is anything of that name.
    pub(crate) fn make_hard_link(&self, name: &[u8], from: &Self, old: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::linkat(&from.0, old, &self.0, name, AtFlags::empty())?)
    }

    /// Removes a file or a link.
    ///
    /// # Errors
    /// Whatever the kernel says about directories.
    pub(crate) fn remove(&self, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(self.0.as_fd(), name, AtFlags::empty())?)
    }

    /// Removes a file or a link, unless there is none.
    ///
    /// # Errors
    /// As for [`Directory::remove`].
    pub(crate) fn remove_if_there(&self, name: &[u8]) -> io::Result<()> {
        match self.remove(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    /// Returns whether there is anything of that name.
    pub(crate) fn exists(&self, name: &[u8]) -> bool {
        rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Returns what is in this directory, in no order, without `.` and `..`.
    fn entries(&self) -> io::Result<Vec<Entry>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.0, ".", flags, Mode::empty())?;
        let mut entries = Vec::new();
        for entry in Dir::new(fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                entries.push(Entry { name: name.to_owned(), kind: entry.file_type() });
            }
        }
        Ok(entries)
    }

    /// Clamps the times of this directory and of all in it; needs one descriptor per level.
    fn clamp_times(&self, newest: u64) -> io::Result<()> {
        for entry in self.entries()? {
            if self.kind_of(&entry)? == FileType::Directory {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let fd = rustix::fs::openat(&self.0, &entry.name, flags, Mode::empty())?;
                Self(fd).clamp_times(newest)?;
            } else {
                self.clamp_time(&entry.name, newest)?;
            }
        }
        self.clamp_time(b".", newest)
    }

    fn clamp_time(&self, name: &[u8], newest: u64) -> io::Result<()> {
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        let stat = rustix::fs::statat(&self.0, name, nofollow)?;
        let is_newer = u64::try_from(stat.st_mtime).is_ok_and(|mtime| mtime >= newest);
        let is_exact = u64::try_from(stat.st_mtime) == Ok(newest) && stat.st_mtime_nsec == 0;
        if is_newer && !is_exact {
            rustix::fs::utimensat(&self.0, name, &times(newest), nofollow)?;
        }
        Ok(())
    }

    fn kind_of(&self, entry: &Entry) -> io::Result<FileType> {
        // Some file systems leave it to the asker.
        if entry.kind != FileType::Unknown {
            return Ok(entry.kind);
        }
        let stat = rustix::fs::statat(&self.0, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    }

    /// Returns the target of a symbolic link, or nothing if it is something else or absent.
    pub(crate) fn link_target(&self, name: &[u8]) -> Option<Vec<u8>> {
        rustix::fs::readlinkat(&self.0, name, Vec::new()).ok().map(|target| target.into_bytes())
    }
}

fn owner(attributes: Attributes) -> io::Result<(Option<Uid>, Option<Gid>)> {
    // This number means "leave as it is" to the kernel, and cannot own a file.
    if attributes.uid == u32::MAX || attributes.gid == u32::MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the owner is out of range"));
    }
    Ok((Some(Uid::from_raw(attributes.uid)), Some(Gid::from_raw(attributes.gid))))
}

fn times(mtime: u64) -> Timestamps {
    let time = Timespec { tv_sec: i64::try_from(mtime).unwrap_or(i64::MAX), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}
