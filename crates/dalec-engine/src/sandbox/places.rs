//! Places inside a root: finding them without ever leaving it, and making mount points where there are none.
//!
//! The root's content is hostile: any component may be a symbolic link to anywhere. Links are resolved here, component by
//! component, as if the root were `/`; every descriptor is then opened with `RESOLVE_IN_ROOT`, so that even a link that
//! changes in between cannot lead outside.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, StatxFlags, Uid};
use rustix::io::Errno;

use super::stubs::{Stub, Time};
use super::wire::{At, Failure};

/// What a mount point is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
}

/// What becomes of directories that are made on the way to a mount point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parents {
    Keep,
    Remove,
}

/// A root directory with whatever is mounted in it, and a memory of what was made there.
pub(super) struct Places<'a> {
    root: BorrowedFd<'a>,
    root_mount: u64,
    stubs: Vec<Stub>,
}

impl<'a> Places<'a> {
    pub(super) fn new(root: BorrowedFd<'a>) -> Result<Self, Errno> {
        Ok(Places { root, root_mount: mount_id(root)?, stubs: Vec::new() })
    }

    /// Returns what was made as mount points and must go again, in order of creation.
    pub(super) fn into_stubs(self) -> Vec<Stub> {
        self.stubs
    }

    /// Opens the place `path`, made if it is missing.
    pub(super) fn mount_point(
        &mut self,
        path: &str,
        kind: Kind,
        parents: Parents,
    ) -> Result<OwnedFd, Failure> {
        let step = || format!("create the mount point {path}");
        let located = locate(self.root, path).at(step())?;
        if located.components.is_empty() {
            return Err(Failure::invalid(step(), "a mount cannot replace the root"));
        }
        for depth in located.existing..located.components.len() {
            let (parent, name) = (located.prefix(depth), &located.components[depth]);
            let leaf = depth + 1 == located.components.len();
            let kind = if leaf { kind } else { Kind::Directory };
            let stub = self.make(&parent, name, kind).at(step())?;
            if leaf || parents == Parents::Remove {
                self.stubs.extend(stub);
            }
        }
        open_in(self.root, &located.path(), OFlags::PATH | OFlags::NOFOLLOW).at(step())
    }

    /// Opens the directory `path`; where it is missing, it is made for `owner` and stays.
    pub(super) fn directory(&mut self, path: &str, owner: Option<(Uid, Gid)>) -> Result<OwnedFd, Failure> {
        let step = || format!("create the working directory {path}");
        let located = locate(self.root, path).at(step())?;
        for depth in located.existing..located.components.len() {
            let (parent, name) = (located.prefix(depth), &located.components[depth]);
            self.make(&parent, name, Kind::Directory).at(step())?;
            if let Some((uid, gid)) = owner {
                let parent = open_in(self.root, &parent, OFlags::PATH | OFlags::DIRECTORY).at(step())?;
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::chownat(&parent, name.as_os_str(), Some(uid), Some(gid), flags).at(step())?;
            }
        }
        open_in(self.root, &located.path(), OFlags::PATH | OFlags::DIRECTORY).at(format!("enter {path}"))
    }

    /// Opens the directory `name` right below the root, made as a mount point if it is missing. A symbolic link is
    /// not followed but refused, as is anything else that is no directory.
    pub(super) fn top_directory(&mut self, name: &str) -> Result<OwnedFd, Failure> {
        let step = || format!("create the mount point /{name}");
        let open = |root| match open_in(root, Path::new(name), OFlags::PATH | OFlags::DIRECTORY) {
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP) => Err(Failure::invalid(step(), "it is a symbolic link in the root")),
            Err(Errno::NOTDIR) => Err(Failure::invalid(step(), "it is not a directory in the root")),
            result => result.map(Some).at(step()),
        };
        if let Some(directory) = open(self.root)? {
            return Ok(directory);
        }
        let stub = self.make(Path::new(""), OsStr::new(name), Kind::Directory).at(step())?;
        self.stubs.extend(stub);
        open(self.root)?.ok_or(Errno::NOENT).at(step())
    }

    /// Opens `path`, or returns `None` if there is no such place. Symbolic links are not followed but an error.
    pub(super) fn existing(&self, path: &str) -> Result<Option<OwnedFd>, Errno> {
        match open_in(self.root, Path::new(path), OFlags::PATH) {
            Err(Errno::NOENT) => Ok(None),
            result => result.map(Some),
        }
    }

    /// Makes one file or directory; returns what to remember of it, which is nothing outside of the root's own mount.
    fn make(&self, parent: &Path, name: &OsStr, kind: Kind) -> Result<Option<Stub>, Errno> {
        let directory = open_in(self.root, parent, OFlags::PATH | OFlags::DIRECTORY)?;
        let before = Time::modified(&directory)?;
        match kind {
            Kind::Directory => rustix::fs::mkdirat(&directory, name, Mode::from_raw_mode(0o755))?,
            Kind::File => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                drop(rustix::fs::openat(&directory, name, flags, Mode::from_raw_mode(0o644))?);
            }
        }
        let after = Time::modified(&directory)?;
        let in_root = mount_id(directory.as_fd())? == self.root_mount;
        let path = parent.join(name).into_os_string().into_string().map_err(|_| Errno::ILSEQ)?;
        Ok(in_root.then_some(Stub { path, before, after }))
    }
}

/// Opens `path` below `directory`, following links inside of it only.
pub(super) fn open_below(directory: impl AsFd, path: &str) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(
        directory,
        relative(Path::new(path)),
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        resolve,
    )
}

/// Opens a path that holds no symbolic links.
fn open_in(root: impl AsFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(root, relative(path), flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

fn relative(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// A path without links and dots, and how much of it there is.
#[derive(Debug)]
struct Located {
    components: Vec<OsString>,
    /// So many leading components exist.
    existing: usize,
}

impl Located {
    fn path(&self) -> PathBuf {
        self.components.iter().collect()
    }

    fn prefix(&self, length: usize) -> PathBuf {
        self.components[..length].iter().collect()
    }
}

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

fn locate(root: BorrowedFd<'_>, path: &str) -> Result<Located, Errno> {
    let mut pending: VecDeque<Step> = steps(Path::new(path)).collect();
    let mut components: Vec<OsString> = Vec::new();
    let mut missing: Option<usize> = None;
    let mut links = 0;
    while let Some(step) = pending.pop_front() {
        let name = match step {
            Step::Root => {
                components.clear();
                missing = None;
                continue;
            }
            Step::Up => {
                components.pop();
                missing = missing.filter(|&first| components.len() > first);
                continue;
            }
            Step::Down(name) => name,
        };
        if missing.is_none() {
            match look_up(root, &components, &name)? {
                Found::Nothing => missing = Some(components.len()),
                Found::Something => {}
                Found::Link(target) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::LOOP);
                    }
                    for step in steps(&target).collect::<Vec<_>>().into_iter().rev() {
                        pending.push_front(step);
                    }
                    continue;
                }
            }
        }
        components.push(name);
    }
    let existing = missing.unwrap_or(components.len());
    Ok(Located { components, existing })
}

enum Step {
    Root,
    Up,
    Down(OsString),
}

fn steps(path: &Path) -> impl Iterator<Item = Step> {
    path.components().filter_map(|component| match component {
        Component::RootDir => Some(Step::Root),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Down(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    })
}

enum Found {
    Nothing,
    Something,
    Link(PathBuf),
}

fn look_up(root: BorrowedFd<'_>, parent: &[OsString], name: &OsStr) -> Result<Found, Errno> {
    let parent = open_in(root, &parent.iter().collect::<PathBuf>(), OFlags::PATH | OFlags::DIRECTORY)?;
    match rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(Found::Nothing),
        Err(errno) => Err(errno),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
            let target = rustix::fs::readlinkat(&parent, name, Vec::new())?;
            Ok(Found::Link(OsString::from_vec(target.into_bytes()).into()))
        }
        Ok(_) => Ok(Found::Something),
    }
}

fn mount_id(place: BorrowedFd<'_>) -> Result<u64, Errno> {
    let stat = rustix::fs::statx(place, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    Ok(stat.stx_mnt_id)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[track_caller]
    fn check(prepare: impl FnOnce(&Path), path: &str, expected: Result<(&str, usize), Errno>) {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path());
        let root = rustix::fs::open(directory.path(), OFlags::PATH, Mode::empty()).unwrap();
        let located = locate(root.as_fd(), path).map(|found| (found.path(), found.existing));
        assert_eq!(located, expected.map(|(path, existing)| (PathBuf::from(path), existing)));
    }

    #[test]
    fn links_and_dots_never_lead_out_of_the_root() {
        check(|_| (), "../../etc", Ok(("etc", 0)));
        check(|root| symlink("/etc", root.join("a")).unwrap(), "a/passwd", Ok(("etc/passwd", 0)));
        check(|root| symlink("../../..", root.join("a")).unwrap(), "/a/b", Ok(("b", 0)));
        check(|root| symlink("/proc/self/root", root.join("a")).unwrap(), "a", Ok(("proc/self/root", 0)));
    }

    #[test]
    fn a_dangling_link_is_followed_to_where_its_target_will_be() {
        let prepare = |root: &Path| {
            std::fs::create_dir(root.join("etc")).unwrap();
            symlink("../run/resolve/resolv.conf", root.join("etc/resolv.conf")).unwrap();
        };
        check(prepare, "/etc/resolv.conf", Ok(("run/resolve/resolv.conf", 0)));
    }

    #[test]
    fn going_up_from_a_missing_directory_comes_back_to_what_exists() {
        check(
            |root| std::fs::create_dir(root.join("usr")).unwrap(),
            "no/such/../../usr/lib",
            Ok(("usr/lib", 1)),
        );
    }

    #[test]
    fn only_what_is_missing_counts_as_not_there() {
        let directory = tempfile::tempdir().unwrap();
        symlink(".", directory.path().join("link")).unwrap();
        std::fs::write(directory.path().join("file"), "").unwrap();
        let root = rustix::fs::open(directory.path(), OFlags::PATH, Mode::empty()).unwrap();
        let places = Places::new(root.as_fd()).unwrap();
        let existing = |path: &str| places.existing(path).map(|place| place.is_some());
        assert_eq!(existing("/file"), Ok(true));
        assert_eq!(existing("/no/such"), Ok(false));
        assert_eq!(existing("/link"), Err(Errno::LOOP));
        assert_eq!(existing("/link/file"), Err(Errno::LOOP));
        assert_eq!(existing("/file/below"), Err(Errno::NOTDIR));
    }

    #[test]
    fn a_loop_of_links_and_a_file_on_the_way_are_errors() {
        check(|root| symlink("a", root.join("a")).unwrap(), "a", Err(Errno::LOOP));
        check(|root| std::fs::write(root.join("a"), "").unwrap(), "a/b", Err(Errno::NOTDIR));
    }
}
