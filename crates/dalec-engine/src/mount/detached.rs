//! Mounts that are made first and attached to a place later, by descriptor instead of by path.
//!
//! Thin words for the kernel's mount interface of Linux 5.12 and newer; decides nothing by itself.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};

/// How far below its root an operation on a mount reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The one mount.
    One,
    /// The mount and all mounts below it.
    All,
}

/// Returns a detached copy of the mount at `path`, rooted there; follows symbolic links.
pub(crate) fn clone_path(path: &Path, depth: Depth) -> Result<OwnedFd, Errno> {
    rustix::mount::open_tree(CWD, path, clone_flags(depth))
}

/// Returns a detached copy of the mount that `place` is on, rooted there.
pub(crate) fn clone_descriptor(place: impl AsFd, depth: Depth) -> Result<OwnedFd, Errno> {
    rustix::mount::open_tree(place, "", clone_flags(depth) | OpenTreeFlags::AT_EMPTY_PATH)
}

fn clone_flags(depth: Depth) -> OpenTreeFlags {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if depth == Depth::All { flags | OpenTreeFlags::AT_RECURSIVE } else { flags }
}

/// Returns a new detached file system of type `kind`.
pub(crate) fn filesystem(
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        rustix::mount::fsconfig_set_string(&context, *key, *value)?;
    }
    rustix::mount::fsconfig_create(&context)?;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Adds restrictions to a mount; none is ever taken away.
pub(crate) fn add_attributes(tree: impl AsFd, attributes: MountAttrFlags, depth: Depth) -> Result<(), Errno> {
    let request =
        libc::mount_attr { attr_set: attributes.bits().into(), attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if depth == Depth::All { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a constant string and `request` outlives the call, which only reads it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const request,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

/// Attaches a detached mount on top of `target`, an open place of the same kind (directory or file).
pub(crate) fn attach(tree: impl AsFd, target: impl AsFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(tree, "", target, "", flags)
}

/// Attaches a detached mount at `target`.
pub(crate) fn attach_at(tree: impl AsFd, target: &Path) -> Result<(), Errno> {
    rustix::mount::move_mount(tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Returns what the kernel says about the last failure of `context`, empty or starting with `: `.
pub(crate) fn kernel_log(context: &OwnedFd) -> String {
    let mut words = String::new();
    let mut line = [0_u8; 512];
    while let Ok(length @ 1..) = rustix::io::read(context, &mut line) {
        // Each message starts with its severity: `e ` for errors, `w ` for warnings, `i ` for information.
        let text = String::from_utf8_lossy(&line[..length]);
        if let Some(message) = text.trim_end().strip_prefix("e ") {
            words += ": ";
            words += message;
        }
    }
    words
}

pub(crate) fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
