//! Removal of directory trees that build steps filled.

use std::collections::VecDeque;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::snapshot::random_hex;

/// Removes `path` and everything below it; symbolic links are removed, not followed. A missing `path` is fine.
///
/// Directories that forbid it are opened up first: a build step may leave such ones, and so does the
/// kernel in an overlay's work directory.
///
/// # Errors
/// The first thing that cannot be removed; the rest is removed all the same.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match rustix::fs::unlinkat(CWD, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let mut failure = None;
    if let Err(error) = open_dir(CWD, path).and_then(|dir| empty(dir, &mut failure)) {
        failure.get_or_insert(error);
    }
    match rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(failure.unwrap_or(error).into()),
    }
}

/// One level of the walk: the directory and what is still to be done in it. The walk keeps its own stack, so
/// that depth costs memory, not the thread's stack.
struct Level {
    dir: OwnedFd,
    /// The last one is being emptied.
    subdirectories: VecDeque<CString>,
}

/// So many directories are open at a time; a process has about a thousand, and may remove several trees at once.
const MAX_LEVELS: usize = 100;

fn empty(dir: OwnedFd, failure: &mut Option<Errno>) -> Result<(), Errno> {
    // Nothing in the tree can be called like this.
    let aside = random_hex(16).map_err(|_| Errno::IO)?;
    let mut moved: u64 = 0;
    let mut levels = vec![level(dir, failure)?];
    loop {
        let depth = levels.len();
        let Some(level_here) = levels.last_mut() else { return Ok(()) };
        let Some(name) = level_here.subdirectories.back().cloned() else {
            levels.pop();
            if let Some(parent) = levels.last_mut()
                && let Some(name) = parent.subdirectories.pop_back()
            {
                note(failure, rustix::fs::unlinkat(&parent.dir, name, AtFlags::REMOVEDIR));
            }
            continue;
        };
        let opened = open_dir(&level_here.dir, &name);
        if depth < MAX_LEVELS {
            match opened.and_then(|dir| level(dir, failure)) {
                Ok(next) => levels.push(next),
                Err(error) => {
                    level_here.subdirectories.pop_back();
                    failure.get_or_insert(error);
                }
            }
            continue;
        }
        // Too deep: its turn comes at the top, when everything above it is gone.
        level_here.subdirectories.pop_back();
        moved += 1;
        let place = CString::new(format!("{aside}-{moved}")).map_err(|_| Errno::INVAL)?;
        let here = &levels[depth - 1].dir;
        match opened.and_then(|_| rustix::fs::renameat(here, &name, &levels[0].dir, &place)) {
            Ok(()) => levels[0].subdirectories.push_front(place),
            Err(error) => drop(failure.get_or_insert(error)),
        }
    }
}

/// Removes everything in `dir` but its subdirectories, and returns those.
fn level(dir: OwnedFd, failure: &mut Option<Errno>) -> Result<Level, Errno> {
    let mut subdirectories = VecDeque::new();
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if entry.file_type() == FileType::Directory {
            subdirectories.push_back(name.to_owned());
            continue;
        }
        match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => subdirectories.push_back(name.to_owned()),
            removed => note(failure, removed),
        }
    }
    Ok(Level { dir, subdirectories })
}

fn open_dir(at: impl AsFd, path: impl rustix::path::Arg + Clone) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let at = at.as_fd();
    if let Ok(dir) = rustix::fs::openat(at, path.clone(), flags, Mode::empty()) {
        if rustix::fs::fstat(&dir)?.st_mode & 0o700 != 0o700 {
            rustix::fs::fchmod(&dir, Mode::RWXU)?;
        }
        return Ok(dir);
    }
    // A dying process may still work in the tree: what is opened up is what is here now, not what a link leads to.
    let closed = rustix::fs::openat(at, path, flags | OFlags::PATH, Mode::empty())?;
    let itself = format!("/proc/self/fd/{}", closed.as_raw_fd());
    rustix::fs::chmod(itself.as_str(), Mode::RWXU)?;
    rustix::fs::open(itself.as_str(), flags - OFlags::NOFOLLOW, Mode::empty())
}

fn note(failure: &mut Option<Errno>, result: Result<(), Errno>) {
    if let Err(error) = result {
        failure.get_or_insert(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// Makes directories called `d` in each other, more than a path can name.
    fn deep(top: &Path, depth: usize) {
        let mut dir = open_dir(CWD, top).unwrap();
        for _ in 0..depth {
            rustix::fs::mkdirat(&dir, "d", Mode::RWXU).unwrap();
            dir = open_dir(&dir, "d").unwrap();
        }
    }

    #[test]
    fn trees_deeper_than_a_process_has_files_go() {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        // The usual limit, wherever the tests run.
        let limit = getrlimit(Resource::Nofile);
        let current = limit.current.map_or(1024, |current| current.min(1024));
        setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limit }).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        deep(&tree, 1200);
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn links_in_the_place_of_directories_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (outside, link) = (dir.path().join("outside"), dir.path().join("link"));
        fs::create_dir(&outside).unwrap();
        fs::set_permissions(&outside, fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(&outside, &link).unwrap();
        assert!(open_dir(CWD, &link).is_err());
        assert_eq!(fs::metadata(&outside).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn closed_and_deep_directories_go_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::write(&outside, "stays").unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("closed/inner")).unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("closed/link")).unwrap();
        fs::set_permissions(tree.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
        let mut deep = tree.join("d");
        for _ in 0..500 {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
        assert!(outside.exists());
        remove_tree(&tree).unwrap();
    }
}
