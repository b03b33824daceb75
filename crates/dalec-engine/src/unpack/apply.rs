//! Makes one member after the other.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{
    self, AtFlags, FileType, Gid, Mode, OFlags, RawMode, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use super::root::{Name, Root};
use super::{UnpackError, UnpackOptions};
use crate::CONSTANT_MTIME;
use crate::store::remove_tree;
use crate::tarball::{Entry, Kind, is_content};

/// Prefix of marks that hide something in lower layers.
const WHITEOUT: &[u8] = b".wh.";
/// Prefix of names that mean something to aufs alone, the opaque mark apart.
const AUFS: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Unpacks members into a directory.
pub struct Applier<'a> {
    options: &'a UnpackOptions<'a>,
    root: Root,
    lowers: Vec<Root>,
    /// Modification times of directories, set at the end: making files changes them.
    directory_times: BTreeMap<Vec<u8>, i64>,
    buffer: Vec<u8>,
    skipped_devices: u64,
    skipped_xattrs: u64,
}

/// What a directory is given that no member describes.
struct Attributes {
    mode: RawMode,
    uid: u64,
    gid: u64,
}

impl<'a> Applier<'a> {
    /// Starts unpacking into `into`.
    ///
    /// # Errors
    /// When the directory, or one of the layers below, is not there.
    pub fn new(into: &Path, options: &'a UnpackOptions<'a>) -> Result<Self, UnpackError> {
        let open =
            |path: &Path| Root::open(path).map_err(|error| create_error(&path.display().to_string(), error));
        let lowers = options.lowers.iter().map(|path| open(path)).collect::<Result<_, _>>()?;
        let applier = Self {
            options,
            root: open(into)?,
            lowers,
            directory_times: BTreeMap::from([(Vec::new(), CONSTANT_MTIME)]),
            buffer: vec![0; 1 << 17],
            skipped_devices: 0,
            skipped_xattrs: 0,
        };
        // Until a member describes it, the top is like any other directory that none describes.
        let top = applier.root.real_directory(b"").map_err(|error| create_error(".", error))?;
        applier.describe_undescribed(&Name { parent: Vec::new(), base: Vec::new() }, &top)?;
        Ok(applier)
    }

    /// Makes `entry`, reading its content from `content`.
    ///
    /// # Errors
    /// When its name makes no sense, or it cannot be made.
    pub fn apply(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), UnpackError> {
        let name = Name::parse(&entry.path)?;
        if name.base.is_empty() {
            return self.top(entry, &name);
        }
        let marks = self.options.marks;
        if marks && parts(&name.parent).any(|part| part.starts_with(AUFS)) {
            return Ok(());
        }
        if marks && parts(&name.parent).any(|part| part.starts_with(WHITEOUT)) {
            let reason = "has a directory that hides another one";
            return Err(UnpackError::Name { path: name.shown(), reason });
        }
        let parent = self.parent(&name.parent)?;
        if let Some(hidden) = name.base.strip_prefix(WHITEOUT).filter(|_| marks) {
            return self.whiteout(&name, hidden, parent.as_fd());
        }
        match &entry.kind {
            Kind::Char(..) | Kind::Block(..) => {
                self.skipped_devices += 1;
                Ok(())
            }
            Kind::Directory => self.directory(entry, &name, parent.as_fd()),
            Kind::File => {
                self.clear(&name, parent.as_fd())?;
                self.file(entry, &name, parent.as_fd(), content)
            }
            Kind::Symlink(text) => {
                self.clear(&name, parent.as_fd())?;
                fs::symlinkat(&text[..], &parent, &name.base[..]).map_err(|e| at(&name, e))?;
                self.attributes_by_name(entry, &name, parent.as_fd())
            }
            Kind::Fifo => {
                self.clear(&name, parent.as_fd())?;
                let mode = Mode::from_raw_mode(0o600);
                fs::mknodat(&parent, &name.base[..], FileType::Fifo, mode, 0).map_err(|e| at(&name, e))?;
                self.attributes_by_name(entry, &name, parent.as_fd())?;
                let mode = Mode::from_raw_mode(entry.mode);
                fs::chmodat(&parent, &name.base[..], mode, AtFlags::empty()).map_err(|e| at(&name, e))
            }
            Kind::Hardlink(target) => self.hardlink(target, &name, parent.as_fd()),
        }
    }

    /// Sets the directories' modification times; returns how many devices and attributes were left out.
    ///
    /// # Errors
    /// When a time cannot be set.
    pub fn finish(self) -> Result<(u64, u64), UnpackError> {
        for (path, mtime) in &self.directory_times {
            match self.root.real_directory(path) {
                Ok(directory) => fs::futimens(&directory, &times(*mtime))
                    .map_err(|error| create_error(&String::from_utf8_lossy(path), error))?,
                // A later member took its place.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return Err(create_error(&String::from_utf8_lossy(path), error)),
            }
        }
        Ok((self.skipped_devices, self.skipped_xattrs))
    }

    /// Gives the directory itself its attributes.
    fn top(&mut self, entry: &Entry, name: &Name) -> Result<(), UnpackError> {
        if entry.kind != Kind::Directory {
            return Err(UnpackError::Name { path: name.shown(), reason: "is empty" });
        }
        let directory = self.root.directory(b"").map_err(|e| at(name, e))?;
        self.describe_directory(entry, name, directory.as_fd())
    }

    /// Finds the directory `path`, and makes what is missing of it.
    fn parent(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>, UnpackError> {
        match self.root.directory(path) {
            Ok(directory) => return Ok(directory),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(create_error(&String::from_utf8_lossy(path), error)),
        }
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(index, _)| index);
        for end in ends.chain([path.len()]) {
            match self.root.directory(&path[..end]) {
                Ok(_) => {}
                Err(Errno::NOENT) => self.make_parent(&path[..end])?,
                Err(error) => return Err(create_error(&String::from_utf8_lossy(path), error)),
            }
        }
        self.root.directory(path).map_err(|error| create_error(&String::from_utf8_lossy(path), error))
    }

    /// Makes the directory `path` that no member describes; the directory around it is there.
    fn make_parent(&mut self, path: &[u8]) -> Result<(), UnpackError> {
        let name = Name::parse(path)?;
        let around = self.root.directory(&name.parent).map_err(|e| at(&name, e))?;
        fs::mkdirat(&around, &name.base[..], Mode::from_raw_mode(0o700)).map_err(|e| at(&name, e))?;
        let directory = open_directory(around.as_fd(), &name)?;
        self.describe_undescribed(&name, &directory)?;
        self.directory_times.insert(path.to_vec(), CONSTANT_MTIME);
        Ok(())
    }

    /// Gives a directory that no member describes its attributes.
    fn describe_undescribed(&self, name: &Name, directory: &OwnedFd) -> Result<(), UnpackError> {
        let attributes = self.attributes_below(&name.joined());
        self.owner(name, attributes.uid, attributes.gid, |uid, gid| fs::fchown(directory, uid, gid))?;
        fs::fchmod(directory, Mode::from_raw_mode(attributes.mode)).map_err(|e| at(name, e))
    }

    /// Returns the attributes that the directory `path` has in the layers below.
    fn attributes_below(&self, path: &[u8]) -> Attributes {
        let found = self.lowers.iter().find_map(|lower| {
            let stat = fs::fstat(lower.real_directory(path).ok()?).ok()?;
            Some(Attributes {
                mode: stat.st_mode & 0o7777,
                uid: u64::from(stat.st_uid),
                gid: u64::from(stat.st_gid),
            })
        });
        found.unwrap_or(Attributes { mode: 0o755, uid: 0, gid: 0 })
    }

    /// Hides `hidden`, or everything in its directory, in the layers below.
    fn whiteout(&mut self, name: &Name, hidden: &[u8], parent: BorrowedFd<'_>) -> Result<(), UnpackError> {
        if name.base == OPAQUE {
            return self.make_opaque(name, parent);
        }
        if name.base.starts_with(AUFS) {
            return Ok(());
        }
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(UnpackError::Name { path: name.shown(), reason: "hides nothing that has a name" });
        }
        match stat(parent, hidden).map_err(|e| at(name, e))? {
            // A mark speaks of lower layers only; what this layer itself holds stays.
            Some(own) if is_directory(&own) => {
                let own = Name { parent: name.parent.clone(), base: hidden.to_vec() };
                let directory = open_directory(parent, &own)?;
                self.make_opaque(name, directory.as_fd())
            }
            Some(_) => Ok(()),
            None => {
                let nothing = Mode::empty();
                fs::mknodat(parent, hidden, FileType::CharacterDevice, nothing, 0).map_err(|e| at(name, e))
            }
        }
    }

    fn make_opaque(&self, name: &Name, directory: BorrowedFd<'_>) -> Result<(), UnpackError> {
        let mark = if self.options.user_xattr { "user.overlay.opaque" } else { "trusted.overlay.opaque" };
        fs::fsetxattr(directory, mark, b"y", XattrFlags::empty()).map_err(|e| at(name, e))
    }

    fn directory(&mut self, entry: &Entry, name: &Name, parent: BorrowedFd<'_>) -> Result<(), UnpackError> {
        let old = stat(parent, &name.base).map_err(|e| at(name, e))?;
        let was_hidden = old.as_ref().is_some_and(is_whiteout);
        if !old.as_ref().is_some_and(is_directory) {
            self.clear(name, parent)?;
            fs::mkdirat(parent, &name.base[..], Mode::from_raw_mode(0o700)).map_err(|e| at(name, e))?;
        }
        let directory = open_directory(parent, name)?;
        if was_hidden {
            self.make_opaque(name, directory.as_fd())?;
        }
        self.describe_directory(entry, name, directory.as_fd())
    }

    fn describe_directory(
        &mut self,
        entry: &Entry,
        name: &Name,
        directory: BorrowedFd<'_>,
    ) -> Result<(), UnpackError> {
        self.owner(name, entry.uid, entry.gid, |uid, gid| fs::fchown(directory, uid, gid))?;
        self.xattrs(entry, name, directory)?;
        fs::fchmod(directory, Mode::from_raw_mode(entry.mode)).map_err(|e| at(name, e))?;
        self.directory_times.insert(name.joined(), entry.mtime);
        Ok(())
    }

    fn file(
        &mut self,
        entry: &Entry,
        name: &Name,
        parent: BorrowedFd<'_>,
        content: &mut dyn Read,
    ) -> Result<(), UnpackError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(parent, &name.base[..], flags, Mode::from_raw_mode(0o600));
        let mut file = File::from(file.map_err(|e| at(name, e))?);
        loop {
            if self.options.cancel.is_cancelled() {
                return Err(UnpackError::Cancelled);
            }
            let count = content.read(&mut self.buffer).map_err(super::read_error)?;
            if count == 0 {
                break;
            }
            file.write_all(&self.buffer[..count])
                .map_err(|source| UnpackError::Create { path: name.shown(), source })?;
        }
        self.owner(name, entry.uid, entry.gid, |uid, gid| fs::fchown(&file, uid, gid))?;
        self.xattrs(entry, name, file.as_fd())?;
        // Changing the owner takes set-id bits away, so the mode comes after it.
        fs::fchmod(&file, Mode::from_raw_mode(entry.mode)).map_err(|e| at(name, e))?;
        fs::futimens(&file, &times(entry.mtime)).map_err(|e| at(name, e))
    }

    fn hardlink(&mut self, target: &[u8], name: &Name, parent: BorrowedFd<'_>) -> Result<(), UnpackError> {
        let target = Name::parse(target)?;
        if target == *name {
            return Ok(());
        }
        let around = self.root.directory(&target.parent).map_err(|e| at(name, e))?;
        let is_file = |stat: &Stat| !is_directory(stat) && !is_whiteout(stat);
        let old = stat(around.as_fd(), &target.base).map_err(|e| at(name, e))?;
        if target.base.is_empty() || !old.as_ref().is_some_and(is_file) {
            let reason = "is a hard link to something that is not a file of this layer";
            return Err(UnpackError::Name { path: name.shown(), reason });
        }
        self.clear(name, parent)?;
        // The link itself is linked, should the target be one.
        fs::linkat(&around, &target.base[..], parent, &name.base[..], AtFlags::empty())
            .map_err(|e| at(name, e))
    }

    /// Removes what is in the place of a member that is not a directory.
    fn clear(&mut self, name: &Name, parent: BorrowedFd<'_>) -> Result<(), UnpackError> {
        if stat(parent, &name.base).map_err(|e| at(name, e))?.is_none() {
            return Ok(());
        }
        self.root.forget();
        let around = format!("/proc/self/fd/{}", parent.as_raw_fd());
        let path = Path::new(&around).join(std::ffi::OsStr::from_bytes(&name.base));
        remove_tree(&path).map_err(|source| UnpackError::Create { path: name.shown(), source })
    }

    /// Sets owner and time of something that is not opened.
    fn attributes_by_name(
        &mut self,
        entry: &Entry,
        name: &Name,
        parent: BorrowedFd<'_>,
    ) -> Result<(), UnpackError> {
        let (base, nofollow) = (&name.base[..], AtFlags::SYMLINK_NOFOLLOW);
        self.owner(name, entry.uid, entry.gid, |uid, gid| fs::chownat(parent, base, uid, gid, nofollow))?;
        self.skipped_xattrs += entry.xattrs.len() as u64;
        fs::utimensat(parent, base, &times(entry.mtime), nofollow).map_err(|e| at(name, e))
    }

    fn owner(
        &self,
        name: &Name,
        uid: u64,
        gid: u64,
        change: impl FnOnce(Option<Uid>, Option<Gid>) -> rustix::io::Result<()>,
    ) -> Result<(), UnpackError> {
        if self.options.single_id {
            return Ok(());
        }
        // The highest number means "leave it" to the kernel.
        let id = |id: u64| u32::try_from(id).ok().filter(|id| *id != u32::MAX).ok_or(Errno::INVAL);
        let result = id(uid).and_then(|user| {
            let group = id(gid)?;
            change(Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))
        });
        result.map_err(|error| UnpackError::Owner { path: name.shown(), uid, gid, source: error.into() })
    }

    fn xattrs(&mut self, entry: &Entry, name: &Name, fd: BorrowedFd<'_>) -> Result<(), UnpackError> {
        for (attribute, value) in &entry.xattrs {
            if !is_content(attribute) {
                self.skipped_xattrs += 1;
                continue;
            }
            match fs::fsetxattr(fd, &attribute[..], value, XattrFlags::empty()) {
                Ok(()) => {}
                // The file system, or the namespace, does not have them.
                Err(Errno::OPNOTSUPP | Errno::PERM) => self.skipped_xattrs += 1,
                Err(error) => return Err(at(name, error)),
            }
        }
        Ok(())
    }
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
}

fn open_directory(parent: BorrowedFd<'_>, name: &Name) -> Result<OwnedFd, UnpackError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(parent, &name.base[..], flags, Mode::empty()).map_err(|e| at(name, e))
}

fn stat(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<Option<Stat>> {
    match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn times(mtime: i64) -> Timestamps {
    let time = Timespec { tv_sec: mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

fn at(name: &Name, error: Errno) -> UnpackError {
    create_error(&name.shown(), error)
}

fn create_error(path: &str, error: Errno) -> UnpackError {
    UnpackError::Create { path: path.to_owned(), source: error.into() }
}
