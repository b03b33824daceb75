//! From the upper directory of an overlay to a layer.
//!
//! The kernel marks directories "opaque" to hide what lies below them, and also, to save look-ups, every new
//! directory that has nothing below it. The second kind would hide another layer's files once layers are
//! merged, and the mark's name depends on who mounted. So the marks go: what an opaque directory really hides
//! gets whiteouts of its own.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;

use super::merged::{MergedNode, MergedTree, is_whiteout, list, lstat, read_xattrs};
use super::tree::{Meta, Tree};
use super::write;
use crate::error::{IoContext, Result};

const OPAQUE: [&str; 2] = ["trusted.overlay.opaque", "user.overlay.opaque"];

/// Makes `upper` a layer on top of `below`; returns whether it deletes something.
///
/// # Errors
/// When it cannot be read or changed.
pub fn finish(upper: &Path, below: &MergedTree) -> Result<bool> {
    let mut deletes = false;
    finish_dir(upper, below, Some(&below.root()?), false, &mut deletes)?;
    Ok(deletes)
}

fn finish_dir(
    dir: &Path,
    below: &MergedTree,
    hidden: Option<&MergedNode>,
    inherited: bool,
    deletes: &mut bool,
) -> Result<()> {
    let opaque = remove_marks(dir)? || inherited;
    let hidden = hidden.filter(|node| below.meta(node).is_dir());
    if let (true, Some(hidden)) = (opaque, hidden) {
        hide(dir, below, hidden)?;
    }
    let Some(before) = lstat(dir)? else { return Ok(()) };
    let mut removed = false;
    for name in list(dir)? {
        let path = dir.join(write::os(&name));
        let Some(meta) = lstat(&path)? else { continue };
        if is_whiteout(&meta) {
            *deletes = true;
        } else if meta.is_dir() {
            let child = match hidden {
                Some(hidden) => below.child(hidden, &name)?,
                None => None,
            };
            finish_dir(&path, below, child.as_ref(), opaque, deletes)?;
            if child.is_some_and(|child| says_nothing(&path, &meta, below, &child)) {
                removed |= std::fs::remove_dir(&path).is_ok();
            }
        }
    }
    if removed {
        rustix::fs::utimensat(CWD, dir, &write::times(before.mtime), AtFlags::empty())
            .at("set the time of", dir)?;
    }
    Ok(())
}

/// Returns whether the directory `path` of a layer, if it is empty, makes no difference: the kernel copies
/// directories up for changes that were taken back, such as places for mounts.
fn says_nothing(path: &Path, meta: &Meta, below: &MergedTree, node: &MergedNode) -> bool {
    let seen = |meta: &Meta| (meta.kind.clone(), meta.mode, meta.uid, meta.gid);
    let same_attributes = || {
        let (own, other) = (read_xattrs(path), below.xattrs(node));
        own.is_ok_and(|own| other.is_ok_and(|other| own == other))
    };
    seen(meta) == seen(below.meta(node)) && same_attributes()
}

/// Removes the opaque marks of `dir` and returns whether there was one.
fn remove_marks(dir: &Path) -> Result<bool> {
    let mut opaque = false;
    for name in OPAQUE {
        let mut value = [0; 8];
        match rustix::fs::lgetxattr(dir, name, &mut value) {
            Ok(length) => {
                opaque |= value[..length] == *b"y";
                rustix::fs::lremovexattr(dir, name).at("remove a mark from", dir)?;
            }
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE | Errno::PERM) => {}
            Err(error) => return Err(error).at("read the attributes of", dir),
        }
    }
    Ok(opaque)
}

/// Adds a whiteout to `dir` for each entry of `hidden` that `dir` has not.
fn hide(dir: &Path, below: &MergedTree, hidden: &MergedNode) -> Result<()> {
    let Some(before) = lstat(dir)? else { return Ok(()) };
    let handle = std::fs::File::open(dir).at("open", dir)?;
    for (name, _) in below.children(hidden)? {
        match write::whiteout(&handle, &name) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(error).at("delete from", dir);
            }
            _ => {}
        }
    }
    rustix::fs::futimens(handle.as_fd(), &write::times(before.mtime)).at("set the time of", dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_opaque_directory_becomes_whiteouts_for_what_it_hides() {
        let dir = tempfile::tempdir().unwrap();
        let (base, upper) = (dir.path().join("base"), dir.path().join("upper"));
        fs::create_dir_all(base.join("d/sub")).unwrap();
        fs::write(base.join("d/old"), "").unwrap();
        fs::write(base.join("d/sub/deep"), "").unwrap();
        fs::create_dir_all(upper.join("d/sub")).unwrap();
        fs::create_dir_all(upper.join("new")).unwrap();
        for path in ["d", "new"] {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(upper.join(path), "user.overlay.opaque", b"y", flags).unwrap();
        }
        assert!(finish(&upper, &MergedTree::new(vec![base.clone()])).unwrap());
        assert!(is_whiteout(&lstat(&upper.join("d/old")).unwrap().unwrap()));
        assert!(is_whiteout(&lstat(&upper.join("d/sub/deep")).unwrap().unwrap()));
        assert!(list(&upper.join("new")).unwrap().is_empty());
        let tree = MergedTree::new(vec![base, upper]);
        let names: Vec<_> =
            tree.children(&tree.root().unwrap()).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [b"d".to_vec(), b"new".to_vec()]);
    }
}
