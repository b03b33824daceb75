//! Mount points that had to be made in a root, and their removal when the sandbox is gone.
//!
//! A layer must not tell what was mounted while it was made: an empty stub goes, and the directory around it gets
//! its old modification time back. What is no longer empty was written by the command and stays.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// A file or directory that was made as a mount point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stub {
    /// Where, relative to the root, without symbolic links.
    pub(super) path: String,
    /// Modification time of the directory around it before.
    pub(super) before: Time,
    /// The same after.
    pub(super) after: Time,
}

/// A modification time: seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Time(i64, i64);

impl Time {
    pub(super) fn modified(file: impl AsFd) -> Result<Self, Errno> {
        let stat = rustix::fs::statat(file, "", AtFlags::EMPTY_PATH)?;
        // The width of the second field differs between architectures.
        #[allow(clippy::unnecessary_cast)]
        Ok(Time(stat.st_mtime as i64, stat.st_mtime_nsec as i64))
    }

    fn restore(self, file: impl AsFd) -> Result<(), Errno> {
        let last_access = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
        let last_modification = Timespec { tv_sec: self.0, tv_nsec: self.1 };
        rustix::fs::futimens(file, &Timestamps { last_access, last_modification })
    }
}

/// Removes `stubs` (in order of creation) from `root`, as far as they are empty.
pub(super) fn remove(root: &Path, stubs: &[Stub]) {
    let Ok(root) = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    else {
        return;
    };
    for stub in stubs.iter().rev() {
        // The command may have removed or replaced anything meanwhile, which is its right.
        let _ = remove_one(&root, stub);
    }
}

fn remove_one(root: impl AsFd, stub: &Stub) -> Result<(), Errno> {
    let path = Path::new(&stub.path);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let directory = rustix::fs::openat2(root, parent, flags, Mode::empty(), resolve)?;

    let stat = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let now = Time::modified(&directory)?;
    match FileType::from_raw_mode(stat.st_mode) {
        // Refused by the kernel if there is something in it.
        FileType::Directory => rustix::fs::unlinkat(&directory, name, AtFlags::REMOVEDIR)?,
        FileType::RegularFile if stat.st_size == 0 => {
            rustix::fs::unlinkat(&directory, name, AtFlags::empty())?
        }
        _ => return Ok(()),
    }
    let untouched = now == stub.after;
    if untouched { stub.before } else { now }.restore(&directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time_of(path: &Path) -> Time {
        Time::modified(rustix::fs::open(path, OFlags::RDONLY, Mode::empty()).unwrap()).unwrap()
    }

    #[test]
    fn empty_stubs_go_and_leave_no_trace_in_times() {
        let root = tempfile::tempdir().unwrap();
        let before = Time(1000, 5);
        before.restore(rustix::fs::open(root.path(), OFlags::RDONLY, Mode::empty()).unwrap()).unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let after = time_of(root.path());
        std::fs::write(root.path().join("etc/hosts"), "").unwrap();
        let (inner, filled) = (time_of(&root.path().join("etc")), time_of(&root.path().join("etc")));
        let stubs = [
            Stub { path: "etc".into(), before, after },
            Stub { path: "etc/hosts".into(), before: inner, after: filled },
        ];
        remove(root.path(), &stubs);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
        assert_eq!(time_of(root.path()), before);
    }

    #[test]
    fn what_the_command_wrote_stays() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "text").unwrap();
        std::fs::create_dir_all(root.path().join("directory/inner")).unwrap();
        let time = time_of(root.path());
        let stub = |path: &str| Stub { path: path.into(), before: Time(1, 0), after: Time(2, 0) };
        remove(root.path(), &[stub("file"), stub("directory"), stub("no/such"), stub("../outside")]);
        assert!(root.path().join("file").exists() && root.path().join("directory/inner").exists());
        assert_eq!(time_of(root.path()), time);
    }
}
