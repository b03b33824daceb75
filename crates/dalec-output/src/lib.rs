//! How files take their place in a directory of the host: whole, at once, and only where something is different.
//!
//! Results come from builds, so nobody is trusted: names are looked up in opened directories, and no symbolic link that
//! lies there is followed. Files belong to whoever writes them, not to who owned them in the build, so nothing that is
//! written runs as its owner. What a stopped process leaves has a name that begins with `.dalec-`, where the file system knows
//! no files without names, and there is nothing else. Where files come from is not known here.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

/// What is taken of the permission bits of a file: not those by which a program runs as its owner or group.
const PERMISSIONS: u32 = 0o777;

/// What is taken of those of a directory: also that only owners remove files in it, as in `/tmp`.
const DIRECTORY_PERMISSIONS: u32 = 0o1777;

/// Returns the directory `name` in `dir`, which is made with the permission bits of `mode`, or may be there already. Its
/// owner can always use a new one.
///
/// # Errors
/// When something else is there, or it cannot be made.
pub fn directory(dir: impl AsFd, name: &OsStr, mode: u32) -> io::Result<OwnedFd> {
    let dir = dir.as_fd();
    let mode = Mode::from_raw_mode(mode & DIRECTORY_PERMISSIONS | 0o700);
    let is_new = match rustix::fs::mkdirat(dir, name, mode) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(errno.into()),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(dir, name, flags, Mode::empty())?;
    if is_new {
        // Not what the umask left of it.
        rustix::fs::fchmod(&opened, mode)?;
    }
    Ok(opened)
}

/// Makes `name` in `dir` a symbolic link with the text `target`; returns false when it was one.
///
/// # Errors
/// When a directory is there, or it cannot be made.
pub fn symlink(dir: impl AsFd, name: &OsStr, target: &OsStr) -> io::Result<bool> {
    let dir = dir.as_fd();
    let there = rustix::fs::readlinkat(dir, name, Vec::new());
    if there.is_ok_and(|there| there.to_bytes() == target.as_encoded_bytes()) {
        return Ok(false);
    }
    let temporary = temporary_name()?;
    rustix::fs::symlinkat(target, dir, temporary.as_str())?;
    rename(dir, &temporary, name)?;
    Ok(true)
}

/// Makes `name` in `dir` another name of `file`, which is a directory with a name in it; returns false when it was one.
///
/// # Errors
/// When a directory is there, or it cannot be made.
pub fn link(file: (impl AsFd, &OsStr), dir: impl AsFd, name: &OsStr) -> io::Result<bool> {
    let (from, dir) = (file.0.as_fd(), dir.as_fd());
    let inode = |dir, name: &OsStr| {
        let found = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some((found.st_dev, found.st_ino))
    };
    let known = inode(from, file.1);
    // Renaming one name of a file to another one does nothing.
    if known.is_some() && known == inode(dir, name) {
        return Ok(false);
    }
    let temporary = temporary_name()?;
    rustix::fs::linkat(from, file.1, dir, temporary.as_str(), AtFlags::empty())?;
    rename(dir, &temporary, name)?;
    Ok(true)
}

/// Returns whether `name` in `dir` is a regular file with the permission bits of `mode` and the `size` bytes of `content`, which is
/// read from where it is.
///
/// # Errors
/// When one of both cannot be read.
pub fn is_there(
    dir: impl AsFd,
    name: &OsStr,
    mode: u32,
    size: u64,
    content: &mut impl Read,
) -> io::Result<bool> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let Ok(there) = rustix::fs::openat(dir, name, flags, Mode::empty()) else { return Ok(false) };
    let stat = rustix::fs::fstat(&there)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile
        || stat.st_mode & 0o7777 != mode & PERMISSIONS
        || stat.st_size as u64 != size
    {
        return Ok(false);
    }
    same_content(&mut File::from(there), content)
}

/// A regular file that is being written and has no place yet; it is gone when this is dropped.
#[derive(Debug)]
pub struct Unplaced {
    dir: OwnedFd,
    file: File,
    /// Where the file system knows no files without names.
    name: Option<String>,
}

impl Unplaced {
    /// Makes an empty file for `dir`, which only its owner may use so far.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(dir: impl AsFd) -> io::Result<Self> {
        let dir = dir.as_fd().try_clone_to_owned()?;
        let owner = Mode::RUSR | Mode::WUSR;
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::openat(&dir, c".", flags | OFlags::TMPFILE, owner) {
            // A file without a name cannot be left over.
            Ok(file) => Ok(Self { dir, file: file.into(), name: None }),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                let name = temporary_name()?;
                let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
                let file = rustix::fs::openat(&dir, name.as_str(), flags, owner)?;
                Ok(Self { dir, file: file.into(), name: Some(name) })
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// Returns the file, to write to.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Returns whether `name` is such a file already, with the permission bits of `mode`.
    ///
    /// # Errors
    /// When one of both cannot be read.
    pub fn is_at(&mut self, name: &OsStr, mode: u32) -> io::Result<bool> {
        let size = self.file.metadata()?.len();
        self.file.rewind()?;
        is_there(&self.dir, name, mode, size, &mut self.file)
    }

    /// Gives it the permission bits of `mode` and the time `modified`, in seconds and nanoseconds since 1970, and the place
    /// `name`, where another file may be.
    ///
    /// # Errors
    /// When a directory is there, or it cannot have the place.
    pub fn place(mut self, name: &OsStr, mode: u32, modified: (i64, u32)) -> io::Result<()> {
        rustix::fs::fchmod(&self.file, Mode::from_raw_mode(mode & PERMISSIONS))?;
        let at = Timespec { tv_sec: modified.0, tv_nsec: modified.1.into() };
        rustix::fs::futimens(&self.file, &Timestamps { last_access: at, last_modification: at })?;
        let temporary = match self.name.take() {
            Some(temporary) => temporary,
            None => {
                let temporary = temporary_name()?;
                let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                rustix::fs::linkat(CWD, path, &self.dir, temporary.as_str(), AtFlags::SYMLINK_FOLLOW)?;
                temporary
            }
        };
        Ok(rename(&self.dir, &temporary, name)?)
    }
}

impl Drop for Unplaced {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            remove(&self.dir, name);
        }
    }
}

fn rename(dir: impl AsFd, temporary: &str, name: &OsStr) -> Result<(), Errno> {
    let dir = dir.as_fd();
    rustix::fs::renameat(dir, temporary, dir, name).inspect_err(|_| remove(dir, temporary))
}

fn remove(dir: impl AsFd, name: &str) {
    // There is nothing more to do about a leftover that cannot be removed.
    let _ = rustix::fs::unlinkat(dir, name, AtFlags::empty());
}

fn temporary_name() -> io::Result<String> {
    let mut random = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(format!(".dalec-{:016x}", u64::from_le_bytes(random)))
}

fn same_content(one: &mut impl Read, other: &mut impl Read) -> io::Result<bool> {
    let (mut first, mut second) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let length = one.read(&mut first)?;
        if length == 0 {
            return Ok(other.read(&mut second)? == 0);
        }
        match other.read_exact(&mut second[..length]) {
            Ok(()) if first[..length] == second[..length] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::Path;

    use super::*;

    fn put(dir: &Path, name: &str, text: &str) -> io::Result<bool> {
        let mut file = Unplaced::create(File::open(dir)?)?;
        file.file().write_all(text.as_bytes())?;
        let is_there = file.is_at(OsStr::new(name), 0o4750)?;
        if !is_there {
            file.place(OsStr::new(name), 0o4750, (1_500_000_000, 7))?;
        }
        Ok(!is_there)
    }

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_written_where_it_differs() {
        let dir = tempfile::tempdir().unwrap();
        assert!(put(dir.path(), "file", "one").unwrap());
        let first = fs::metadata(dir.path().join("file")).unwrap();
        assert_eq!((first.mode() & 0o7777, first.mtime(), first.mtime_nsec()), (0o750, 1_500_000_000, 7));
        assert!(!put(dir.path(), "file", "one").unwrap());
        assert_eq!(fs::metadata(dir.path().join("file")).unwrap().ino(), first.ino());
        // One that was written with such bits is another one.
        fs::set_permissions(dir.path().join("file"), fs::Permissions::from_mode(0o4750)).unwrap();
        assert!(put(dir.path(), "file", "one").unwrap());
        assert!(put(dir.path(), "file", "two").unwrap());
        assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "two");
        drop(Unplaced::create(File::open(dir.path()).unwrap()));
        assert_eq!(names(dir.path()), ["file"]);
    }

    #[test]
    fn links_that_are_there_are_not_followed() {
        let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["file", "dir"] {
            std::os::unix::fs::symlink(outside.path(), dir.path().join(name)).unwrap();
        }
        assert!(put(dir.path(), "file", "text").unwrap());
        assert!(directory(File::open(dir.path()).unwrap(), OsStr::new("dir"), 0o755).is_err());
        assert_eq!(names(outside.path()), Vec::<String>::new());
    }

    #[test]
    fn a_directory_in_the_way_is_an_error_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("there/full")).unwrap();
        let open = File::open(dir.path()).unwrap();
        assert!(put(dir.path(), "there", "text").is_err());
        assert!(symlink(&open, OsStr::new("there"), OsStr::new("x")).is_err());
        assert_eq!(names(dir.path()), ["there"]);
        let made = directory(&open, OsStr::new("new"), 0o055).unwrap();
        assert_eq!(File::from(made).metadata().unwrap().permissions().mode() & 0o7777, 0o755);
        let made = directory(&open, OsStr::new("tmp"), 0o7777).unwrap();
        assert_eq!(File::from(made).metadata().unwrap().permissions().mode() & 0o7777, 0o1777);
    }

    #[test]
    fn links_are_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let open = File::open(dir.path()).unwrap();
        put(dir.path(), "file", "text").unwrap();
        let (file, other, text) = (OsStr::new("file"), OsStr::new("other"), OsStr::new("text"));
        assert!(link((&open, file), &open, other).unwrap());
        assert!(!link((&open, file), &open, other).unwrap());
        assert!(symlink(&open, other, text).unwrap());
        assert!(!symlink(&open, other, text).unwrap());
        assert_eq!(names(dir.path()), ["file", "other"]);
    }
}
