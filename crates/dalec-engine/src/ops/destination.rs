//! The file system that file actions change, reached without ever leaving it.
//!
//! Every path is resolved by the kernel with the file system's top as root (`openat2`), so a symbolic link
//! that an earlier step left, absolute or full of `..`, cannot lead out.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::error::{Error, IoContext, Result};
use crate::snapshot::resolve::components;
use crate::snapshot::write::{self, Attributes, Owners, os};

/// Links to follow on the way of one path, as in the kernel.
const MAX_LINKS: usize = 40;

/// A file system that file actions change.
pub struct Destination {
    root: OwnedFd,
    /// Who may own what is made.
    pub owners: Owners,
}

/// A name in a directory; what it stands for is no symbolic link to follow any more.
pub struct Place {
    /// The directory.
    pub dir: OwnedFd,
    /// The name; `.` for the top directory.
    pub name: Vec<u8>,
}

impl Destination {
    /// Opens the file system at `root`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(root: &Path, owners: Owners) -> Result<Self> {
        Ok(Self { root: File::open(root).at("open", root)?.into(), owners })
    }

    /// Opens the directory at `path`, making what is missing on the way with the attributes `missing`.
    ///
    /// # Errors
    /// When something on the way is no directory, or is missing and `missing` is none.
    pub fn dir(&self, path: &[u8], missing: Option<&Attributes>) -> Result<OwnedFd> {
        let mut pending: Vec<Vec<u8>> = components(path).rev().map(<[u8]>::to_vec).collect();
        let mut done: Vec<u8> = Vec::new();
        let mut links = 0;
        while let Some(name) = pending.pop() {
            let next = join(&done, &name);
            match self.open_dir(&next) {
                Ok(_) => done = next,
                Err(Errno::NOENT) => match self.link(&next)? {
                    Some(target) => {
                        links += 1;
                        if links > MAX_LINKS {
                            return Err(failed("follow", path, Errno::LOOP));
                        }
                        if target.starts_with(b"/") {
                            done.clear();
                        }
                        pending.extend(components(&target).rev().map(<[u8]>::to_vec));
                    }
                    None => {
                        let Some(attributes) = missing else {
                            return Err(failed("find", path, Errno::NOENT));
                        };
                        let parent = self.open_dir(&done).map_err(|errno| failed("open", path, errno))?;
                        let new = write::dir(&parent, &name).at("make the directory", os(path))?;
                        write::set_on_file(new.as_fd(), attributes, self.owners)
                            .at("set the attributes of", os(path))?;
                        done = next;
                    }
                },
                Err(errno) => return Err(failed("open the directory", path, errno)),
            }
        }
        self.open_dir(&done).map_err(|errno| failed("open the directory", path, errno))
    }

    /// Returns the place that `path` leads to, with symbolic links followed to the end. The last name need
    /// not exist; missing directories on the way are made with `missing`.
    ///
    /// # Errors
    /// As [`Destination::dir`].
    pub fn place(&self, path: &[u8], missing: Option<&Attributes>) -> Result<Place> {
        let mut path = path.to_vec();
        for _ in 0..=MAX_LINKS {
            let place = self.entry(&path, missing)?;
            match place.link()? {
                None => return Ok(place),
                Some(target) if target.starts_with(b"/") => path = target,
                Some(target) => path = join(&parent(&path), &target),
            }
        }
        Err(failed("follow", &path, Errno::LOOP))
    }

    /// Returns the place that `path` names, without following a symbolic link there.
    ///
    /// # Errors
    /// As [`Destination::dir`].
    pub fn entry(&self, path: &[u8], missing: Option<&Attributes>) -> Result<Place> {
        match components(path).next_back() {
            // The parent of a place above the top is the top.
            None | Some(b"..") => Ok(Place { dir: self.dir(path, missing)?, name: b".".to_vec() }),
            Some(name) => Ok(Place { dir: self.dir(&parent(path), missing)?, name: name.to_vec() }),
        }
    }

    fn open_dir(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        in_root(&self.root, path, flags)
    }

    fn link(&self, path: &[u8]) -> Result<Option<Vec<u8>>> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match in_root(&self.root, path, flags) {
            Ok(file) => read_link(&file, b""),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed("look at", path, errno)),
        }
    }
}

impl Place {
    /// Returns the type of what is there; none when there is nothing.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn kind(&self) -> Result<Option<FileType>> {
        match rustix::fs::statat(&self.dir, os(&self.name), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(failed("look at", &self.name, errno)),
        }
    }

    /// Removes what is there with everything below it; nothing there is fine.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self) -> Result<()> {
        crate::store::remove_tree(&self.path()).at("remove", os(&self.name))
    }

    /// Removes what is there, unless it is a directory.
    ///
    /// # Errors
    /// When it is a directory or cannot be removed.
    pub fn clear(&self) -> Result<()> {
        match rustix::fs::unlinkat(&self.dir, os(&self.name), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(Errno::ISDIR) => Err(Error::op(format!(
                "cannot replace the directory {} by a file",
                String::from_utf8_lossy(&self.name)
            ))),
            Err(errno) => Err(failed("replace", &self.name, errno)),
        }
    }

    fn path(&self) -> PathBuf {
        Path::new("/proc/self/fd").join(self.dir.as_raw_fd().to_string()).join(os(&self.name))
    }

    fn link(&self) -> Result<Option<Vec<u8>>> {
        read_link(&self.dir, &self.name)
    }
}

fn in_root(root: &OwnedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    loop {
        match rustix::fs::openat2(root, os(path), flags, Mode::empty(), resolve) {
            // A name on the way was moved meanwhile.
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => return opened,
        }
    }
}

fn read_link(dir: &OwnedFd, name: &[u8]) -> Result<Option<Vec<u8>>> {
    match rustix::fs::readlinkat(dir, os(name), Vec::new()) {
        Ok(target) => Ok(Some(target.into_bytes())),
        Err(Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed("read the link", name, errno)),
    }
}

fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_vec() } else { [dir, name].join(&b'/') }
}

fn parent(path: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = components(path).collect();
    names.pop();
    names.join(&b'/')
}

fn failed(action: &'static str, path: &[u8], errno: Errno) -> Error {
    Error::Io { action, path: format!("/{}", String::from_utf8_lossy(path)), source: errno.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn attributes() -> Attributes {
        Attributes { mode: 0o755, uid: 0, gid: 0, mtime: (1, 0), xattrs: Default::default() }
    }

    #[test]
    fn links_never_lead_out() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        fs::create_dir(&root).unwrap();
        fs::create_dir(&outside).unwrap();
        symlink(&outside, root.join("absolute")).unwrap();
        symlink("../outside", root.join("relative")).unwrap();
        symlink("../../../../etc/passwd", root.join("file")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let destination = Destination::open(&root, Owners::OnlyRoot).unwrap();
        for path in ["absolute/x", "relative/y", "../../z"] {
            let place = destination.place(path.as_bytes(), Some(&attributes())).unwrap();
            write::create(&place.dir, &place.name).unwrap();
        }
        let place = destination.place(b"file", Some(&attributes())).unwrap();
        write::create(&place.dir, &place.name).unwrap();
        assert!(fs::read_dir(&outside).unwrap().next().is_none());
        assert!(
            root.join("etc/passwd").exists() && root.join("outside/y").exists() && root.join("z").exists()
        );
        assert!(root.join(outside.strip_prefix("/").unwrap()).join("x").exists());
        assert!(destination.place(b"loop", Some(&attributes())).is_err());
        assert!(destination.dir(b"no/such", None).is_err());
    }
}
