//! Finding places inside the directory that a layer is unpacked into. Nothing outside of it can be found.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{self, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::UnpackError;

/// The directory that a layer is unpacked into.
pub struct Root {
    fd: Rc<OwnedFd>,
    /// The directory that was found last: members of one directory stand together.
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
}

/// A name in a layer, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The directories, joined by `/`; empty for the top.
    pub parent: Vec<u8>,
    /// The last part; empty for the top itself.
    pub base: Vec<u8>,
}

impl Name {
    /// Takes apart a member's name. Slashes at both ends and `.` mean nothing.
    ///
    /// # Errors
    /// When a part is `..`: no tool writes that into a layer by mistake.
    pub fn parse(path: &[u8]) -> Result<Self, UnpackError> {
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in path.split(|&byte| byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    let path = String::from_utf8_lossy(path).into_owned();
                    return Err(UnpackError::Name { path, reason: "leads out of its directory" });
                }
                part => parts.push(part),
            }
        }
        let base = parts.pop().unwrap_or_default().to_vec();
        Ok(Self { parent: parts.join(&b'/'), base })
    }

    /// Returns the name for messages.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.joined()).into_owned()
    }

    /// Returns the name in one piece; empty for the top.
    pub fn joined(&self) -> Vec<u8> {
        if self.parent.is_empty() {
            return self.base.clone();
        }
        [&self.parent[..], b"/", &self.base].concat()
    }
}

impl Root {
    /// Opens the directory `path` of the host.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(path: &Path) -> rustix::io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { fd: Rc::new(fs::openat(CWD, path, flags, Mode::empty())?), last: None })
    }

    /// Finds the directory `path`; symbolic links in it are followed inside the root.
    ///
    /// # Errors
    /// When it is not there or not a directory.
    pub fn directory(&mut self, path: &[u8]) -> rustix::io::Result<Rc<OwnedFd>> {
        if path.is_empty() {
            return Ok(self.fd.clone());
        }
        if let Some((known, fd)) = &self.last
            && known == path
        {
            return Ok(fd.clone());
        }
        let fd = Rc::new(open_inside(self.fd.as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY)?);
        self.last = Some((path.to_vec(), fd.clone()));
        Ok(fd)
    }

    /// Finds the directory `path`, the last part of which must not be a symbolic link.
    ///
    /// # Errors
    /// When it is not there or not a directory.
    pub fn real_directory(&self, path: &[u8]) -> rustix::io::Result<OwnedFd> {
        let path = if path.is_empty() { b"." } else { path };
        open_inside(self.fd.as_fd(), path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW)
    }

    /// Forgets what was found: something on the way there may have been replaced.
    pub fn forget(&mut self) {
        self.last = None;
    }
}

fn open_inside(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    loop {
        // The kernel gives up when something in the file system is renamed at the wrong moment.
        match fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let name = |path: &str| {
            Name::parse(path.as_bytes()).map(|name| {
                let text = |bytes| String::from_utf8(bytes).unwrap();
                (text(name.parent), text(name.base))
            })
        };
        let pair = |parent: &str, base: &str| (parent.to_owned(), base.to_owned());
        assert_eq!(name("a/b/c").unwrap(), pair("a/b", "c"));
        assert_eq!(name("//a/./b/").unwrap(), pair("a", "b"));
        for top in ["", ".", "./", "/"] {
            assert_eq!(name(top).unwrap(), pair("", ""));
        }
        for out in ["..", "a/../b", "../a", "a/.."] {
            assert!(name(out).is_err());
        }
    }
}
