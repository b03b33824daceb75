//! Removal of directory trees that build steps filled.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

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
    subdirectories: Vec<std::ffi::CString>,
}

/// Deeper levels keep no descriptor of their own open; a process has about a thousand.
const MAX_LEVELS: usize = 200;

fn empty(dir: OwnedFd, failure: &mut Option<Errno>) -> Result<(), Errno> {
    let mut levels = vec![level(dir, failure)?];
    loop {
        let depth = levels.len();
        let Some(top) = levels.last_mut() else { return Ok(()) };
        let Some(name) = top.subdirectories.last().cloned() else {
            levels.pop();
            if let Some(parent) = levels.last_mut()
                && let Some(name) = parent.subdirectories.pop()
            {
                note(failure, rustix::fs::unlinkat(&parent.dir, name, AtFlags::REMOVEDIR));
            }
            continue;
        };
        if depth >= MAX_LEVELS {
            top.subdirectories.pop();
            let parent = &levels[depth - 1].dir;
            note(failure, flatten(parent.as_fd(), &name, levels[0].dir.as_fd()));
            continue;
        }
        match open_dir(&top.dir, &name).and_then(|dir| level(dir, failure)) {
            Ok(next) => levels.push(next),
            Err(error) => {
                top.subdirectories.pop();
                failure.get_or_insert(error);
            }
        }
    }
}

/// Moves a directory that is too deep up to the top of the tree and empties it from there.
fn flatten(
    parent: std::os::fd::BorrowedFd<'_>,
    name: &CStr,
    top: std::os::fd::BorrowedFd<'_>,
) -> Result<(), Errno> {
    let aside = format!(".removing-{}", std::process::id());
    rustix::fs::renameat(parent, name, top, aside.as_str())?;
    let mut failure = None;
    empty(open_dir(top, aside.as_str())?, &mut failure)?;
    rustix::fs::unlinkat(top, aside.as_str(), AtFlags::REMOVEDIR)?;
    failure.map_or(Ok(()), Err)
}

/// Removes everything in `dir` but its subdirectories, and returns those.
fn level(dir: OwnedFd, failure: &mut Option<Errno>) -> Result<Level, Errno> {
    let mut subdirectories = Vec::new();
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if entry.file_type() == FileType::Directory {
            subdirectories.push(name.to_owned());
            continue;
        }
        match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => subdirectories.push(name.to_owned()),
            removed => note(failure, removed),
        }
    }
    Ok(Level { dir, subdirectories })
}

fn open_dir(at: impl AsFd, path: impl rustix::path::Arg + Clone) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let at = at.as_fd();
    let opened = rustix::fs::openat(at, path.clone(), flags, Mode::empty());
    let writable = opened
        .as_ref()
        .ok()
        .is_some_and(|dir| rustix::fs::fstat(dir).is_ok_and(|stat| stat.st_mode & 0o700 == 0o700));
    if writable {
        return opened;
    }
    // The walk holds the parent, and nothing else works in a tree that is being removed.
    rustix::fs::chmodat(at, path.clone(), Mode::RWXU, AtFlags::empty())?;
    rustix::fs::openat(at, path, flags, Mode::empty())
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
