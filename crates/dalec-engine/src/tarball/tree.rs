//! Writes a directory tree into an archive, in the order of the names' bytes.
//!
//! The tree is walked through descriptors, so a symbolic link is never followed. Hard links within the tree
//! stay hard links. Sockets are left out.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use thiserror::Error;

use super::{Entry, Kind, Writer};
use crate::Cancel;

/// Prefix of the name of a file that hides another in the layers below.
const WHITEOUT: &[u8] = b".wh.";
/// Name of a file that hides everything in its directory in the layers below.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Deepest directory that is written; every level costs a descriptor and stack.
const MAX_DEPTH: usize = 500;

/// What modification times to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Those in the tree, whole seconds.
    Keep,
    /// Those in the tree, but none later than this.
    Clamp(i64),
    /// This one everywhere.
    Fixed(i64),
}

impl Times {
    /// Returns what is written for a file of the time `time`.
    pub fn of(self, time: i64) -> i64 {
        match self {
            Self::Keep => time,
            Self::Clamp(latest) => time.min(latest),
            Self::Fixed(fixed) => fixed,
        }
    }
}

/// How to write a tree.
#[derive(Debug, Clone, Copy)]
pub struct TreeOptions<'a> {
    /// Put before every name; empty or ending in `/`.
    pub prefix: &'a str,
    /// Modification times.
    pub times: Times,
    /// Owner and group to write instead of those in the tree.
    pub owner: Option<(u64, u64)>,
    /// Whether this is a layer of an image: whiteouts of overlayfs become `.wh.` files.
    pub whiteouts: bool,
    /// Whether extended attributes are written. Those of the overlay itself and of the host's security modules never are.
    pub xattrs: bool,
    /// Stops the writing between two members.
    pub cancel: &'a Cancel,
}

/// Why a tree was not written.
#[derive(Debug, Error)]
pub enum TreeError {
    /// Something in the tree cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A member cannot be written.
    #[error("cannot write {} to the archive", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A name that means something else in a layer.
    #[error("{} cannot be in an image: names that start with .wh. hide files of lower layers", path.display())]
    Name {
        /// Where it is.
        path: PathBuf,
    },
    /// The build was cancelled.
    #[error("the build was cancelled")]
    Cancelled,
}

/// Appends everything below `root`, but not `root` itself, to `writer`.
///
/// # Errors
/// When the tree cannot be read, the archive cannot be written, or the build is cancelled.
pub fn write_tree<W: Write>(
    writer: &mut Writer<W>,
    root: &Path,
    options: &TreeOptions<'_>,
) -> Result<(), TreeError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = fs::open(root, flags, Mode::empty())
        .map_err(|error| TreeError::Read { path: root.to_path_buf(), source: error.into() })?;
    let mut walk = Walk { writer, root, options, linked: HashMap::new() };
    walk.directory(&directory, &mut options.prefix.as_bytes().to_vec())
}

struct Walk<'a, W: Write> {
    writer: &'a mut Writer<W>,
    root: &'a Path,
    options: &'a TreeOptions<'a>,
    /// First name of every file that has more than one.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl<W: Write> Walk<'_, W> {
    /// Writes what is in `directory`; `path` is its name in the archive, empty or ending in `/`.
    fn directory(&mut self, directory: &OwnedFd, path: &mut Vec<u8>) -> Result<(), TreeError> {
        let mut names = names(directory.as_fd()).map_err(|error| self.read_error(path, error))?;
        names.sort();
        let length = path.len();
        if self.options.whiteouts && is_opaque(directory.as_fd()) {
            let mtime = self.time(0);
            path.extend_from_slice(OPAQUE);
            self.append(&Entry::file(path.clone(), 0o600, mtime, 0), None)?;
            path.truncate(length);
        }
        for name in names {
            if self.options.cancel.is_cancelled() {
                return Err(TreeError::Cancelled);
            }
            path.extend_from_slice(&name);
            self.member(directory.as_fd(), &name, path)?;
            path.truncate(length);
        }
        Ok(())
    }

    fn member(&mut self, parent: BorrowedFd<'_>, name: &[u8], path: &mut Vec<u8>) -> Result<(), TreeError> {
        let stat = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| self.read_error(path, error))?;
        if self.options.whiteouts && name.starts_with(WHITEOUT) {
            return Err(TreeError::Name { path: self.host_path(path) });
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.subdirectory(parent, name, path, &stat),
            FileType::RegularFile => self.file(parent, name, path, &stat),
            FileType::Symlink => {
                let text =
                    fs::readlinkat(parent, name, Vec::new()).map_err(|error| self.read_error(path, error))?;
                let entry = self.entry(path, Kind::Symlink(text.into_bytes()), &stat);
                self.append(&entry, None)
            }
            FileType::CharacterDevice if self.options.whiteouts && stat.st_rdev == 0 => {
                let mtime = self.time(0);
                let at = path.len() - name.len();
                let hidden = [&path[..at], WHITEOUT, name].concat();
                self.append(&Entry::file(hidden, 0o600, mtime, 0), None)
            }
            FileType::CharacterDevice => self.plain(path, device(&stat, Kind::Char), &stat),
            FileType::BlockDevice => self.plain(path, device(&stat, Kind::Block), &stat),
            FileType::Fifo => self.plain(path, Kind::Fifo, &stat),
            FileType::Socket | FileType::Unknown => Ok(()),
        }
    }

    fn subdirectory(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        path: &mut Vec<u8>,
        stat: &Stat,
    ) -> Result<(), TreeError> {
        if path.iter().filter(|&&byte| byte == b'/').count() >= MAX_DEPTH {
            return Err(self.read_error(path, rustix::io::Errno::NAMETOOLONG));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory =
            fs::openat(parent, name, flags, Mode::empty()).map_err(|error| self.read_error(path, error))?;
        path.push(b'/');
        let mut entry = self.entry(path, Kind::Directory, stat);
        entry.xattrs = self.xattrs(directory.as_fd(), path)?;
        self.append(&entry, None)?;
        self.directory(&directory, path)
    }

    fn file(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        path: &[u8],
        stat: &Stat,
    ) -> Result<(), TreeError> {
        if stat.st_nlink > 1 {
            let identity = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.linked.get(&identity) {
                let entry = self.entry(path, Kind::Hardlink(first.clone()), stat);
                return self.append(&entry, None);
            }
            self.linked.insert(identity, path.to_vec());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            fs::openat(parent, name, flags, Mode::empty()).map_err(|error| self.read_error(path, error))?;
        let mut entry = self.entry(path, Kind::File, stat);
        entry.size = stat.st_size.unsigned_abs();
        entry.xattrs = self.xattrs(file.as_fd(), path)?;
        self.append(&entry, Some(File::from(file)))
    }

    fn plain(&mut self, path: &[u8], kind: Kind, stat: &Stat) -> Result<(), TreeError> {
        let entry = self.entry(path, kind, stat);
        self.append(&entry, None)
    }

    fn entry(&self, path: &[u8], kind: Kind, stat: &Stat) -> Entry {
        let mut entry = Entry::new(path, kind, stat.st_mode & 0o7777, self.time(stat.st_mtime));
        let owner = (u64::from(stat.st_uid), u64::from(stat.st_gid));
        (entry.uid, entry.gid) = self.options.owner.unwrap_or(owner);
        entry
    }

    fn time(&self, time: i64) -> i64 {
        self.options.times.of(time)
    }

    fn append(&mut self, entry: &Entry, content: Option<File>) -> Result<(), TreeError> {
        let result = match content {
            Some(mut file) => self.writer.append(entry, &mut file),
            None => self.writer.append(entry, &mut std::io::empty()),
        };
        result.map_err(|source| TreeError::Write { path: self.host_path(&entry.path), source })
    }

    fn xattrs(&self, fd: BorrowedFd<'_>, path: &[u8]) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, TreeError> {
        if !self.options.xattrs {
            return Ok(BTreeMap::new());
        }
        read_xattrs(fd).map_err(|error| self.read_error(path, error))
    }

    fn read_error(&self, path: &[u8], error: rustix::io::Errno) -> TreeError {
        TreeError::Read { path: self.host_path(path), source: error.into() }
    }

    /// Returns where the member `path` of the archive is on this machine.
    fn host_path(&self, path: &[u8]) -> PathBuf {
        let inside = path.strip_prefix(self.options.prefix.as_bytes()).unwrap_or(path);
        self.root.join(std::ffi::OsStr::from_bytes(inside))
    }
}

fn names(directory: BorrowedFd<'_>) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

fn device(stat: &Stat, kind: fn(u32, u32) -> Kind) -> Kind {
    kind(fs::major(stat.st_rdev), fs::minor(stat.st_rdev))
}

fn is_opaque(directory: BorrowedFd<'_>) -> bool {
    ["trusted.overlay.opaque", "user.overlay.opaque"].into_iter().any(|name| {
        let mut value = [0; 4];
        matches!(fs::fgetxattr(directory, name, &mut value), Ok(1)) && value[0] == b'y'
    })
}

/// Reads the attributes that belong to the content; a file system without attributes has none.
fn read_xattrs(fd: BorrowedFd<'_>) -> rustix::io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let size = match fs::flistxattr_query(fd) {
        Ok(size) => size,
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => 0,
        Err(error) => return Err(error),
    };
    if size == 0 {
        return Ok(BTreeMap::new());
    }
    let mut list = vec![0; size];
    let length = fs::flistxattr(fd, &mut list[..])?;
    let mut found = BTreeMap::new();
    for name in list[..length].split(|&byte| byte == 0).filter(|name| is_content(name)) {
        let mut value = vec![0; fs::fgetxattr_query(fd, name)?];
        let length = fs::fgetxattr(fd, name, &mut value[..])?;
        value.truncate(length);
        found.insert(name.to_vec(), value);
    }
    Ok(found)
}

/// Returns whether an attribute is part of the content rather than of the machine it lies on.
pub fn is_content(name: &[u8]) -> bool {
    name == b"security.capability" || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::Reader;
    use super::*;

    fn list(root: &Path, options: &TreeOptions<'_>) -> String {
        let mut writer = Writer::new(Vec::new());
        write_tree(&mut writer, root, options).unwrap();
        let bytes = writer.finish().unwrap();
        let mut reader = Reader::new(&bytes[..]);
        let mut lines = String::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            let kind = match &entry.kind {
                Kind::File => format!("file {} bytes", entry.size),
                Kind::Symlink(text) => format!("-> {}", String::from_utf8_lossy(text)),
                Kind::Hardlink(path) => format!("== {}", String::from_utf8_lossy(path)),
                other => format!("{other:?}"),
            };
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            lines += &format!("{path} {:o} @{} {kind}\n", entry.mode, entry.mtime);
        }
        lines
    }

    fn options(cancel: &Cancel) -> TreeOptions<'_> {
        TreeOptions {
            prefix: "",
            times: Times::Fixed(9),
            owner: Some((0, 0)),
            whiteouts: true,
            xattrs: true,
            cancel,
        }
    }

    #[test]
    fn a_tree_that_is_too_deep_is_an_error_and_not_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let cancel = Cancel::new();
        let write = |depth: usize| {
            std::fs::create_dir_all(dir.path().join("d/".repeat(depth))).unwrap();
            write_tree(&mut Writer::new(std::io::sink()), dir.path(), &options(&cancel))
        };
        assert!(write(MAX_DEPTH).is_ok());
        let error = write(MAX_DEPTH + 1).unwrap_err();
        assert!(matches!(error, TreeError::Read { .. }));
    }

    #[test]
    fn a_file_cannot_pass_for_a_whiteout() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".wh.etc"), "").unwrap();
        let cancel = Cancel::new();
        let mut writer = Writer::new(Vec::new());
        let error = write_tree(&mut writer, dir.path(), &options(&cancel)).unwrap_err();
        assert!(matches!(error, TreeError::Name { .. }));
        let plain = TreeOptions { whiteouts: false, ..options(&cancel) };
        assert_eq!(list(dir.path(), &plain), ".wh.etc 644 @9 file 0 bytes\n");
    }

    fn set_mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_tree_is_written_in_order_with_its_links() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir(root.join("b")).unwrap();
        set_mode(&root.join("b"), 0o750);
        std::fs::write(root.join("b/two"), "22").unwrap();
        set_mode(&root.join("b/two"), 0o4755);
        std::fs::hard_link(root.join("b/two"), root.join("c")).unwrap();
        symlink("/etc/passwd", root.join("a")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("s")).unwrap();
        let cancel = Cancel::new();
        expect_test::expect![[r#"
            x/a 777 @9 -> /etc/passwd
            x/b/ 750 @9 Directory
            x/b/two 4755 @9 file 2 bytes
            x/c 4755 @9 == x/b/two
        "#]]
        .assert_eq(&list(root, &TreeOptions { prefix: "x/", ..options(&cancel) }));
    }

    #[test]
    fn an_empty_tree_is_an_empty_archive_and_a_cancelled_build_stops() {
        let dir = tempfile::tempdir().unwrap();
        let cancel = Cancel::new();
        assert_eq!(list(dir.path(), &options(&cancel)), "");
        std::fs::write(dir.path().join("f"), "").unwrap();
        cancel.cancel();
        let mut writer = Writer::new(Vec::new());
        let error = write_tree(&mut writer, dir.path(), &options(&cancel)).unwrap_err();
        assert!(matches!(error, TreeError::Cancelled));
    }
}
