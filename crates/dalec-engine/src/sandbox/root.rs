//! The root directory of a sandbox: attached as a mount, filled by others, and in the end the only thing there is.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::mount::{MountAttrFlags, UnmountFlags};

use super::wire::{At, Failure};
use crate::mount::detached::{self, Depth};

/// A copy of the root's mount, on top of the original in the mount namespace of the sandbox.
pub(super) struct Root {
    tree: OwnedFd,
}

impl Root {
    /// Copies the mount at `path`, without mounts below it; device files in it are dead.
    pub(super) fn copy(path: &Path) -> Result<Self, Failure> {
        let step = || format!("open the root {}", path.display());
        let tree = detached::clone_path(path, Depth::One).at(step())?;
        detached::add_attributes(&tree, MountAttrFlags::MOUNT_ATTR_NODEV, Depth::One).at(step())?;
        Ok(Root { tree })
    }

    /// Attaches it at `path`; from now on mounts can be attached in it.
    pub(super) fn attach(&self, path: &Path) -> Result<(), Failure> {
        detached::attach_at(&self.tree, path).at("attach the root")
    }

    /// Forbids writing to it; mounts in it are not affected.
    pub(super) fn make_readonly(&self) -> Result<(), Failure> {
        detached::add_attributes(&self.tree, MountAttrFlags::MOUNT_ATTR_RDONLY, Depth::One)
            .at("make the root read-only")
    }

    /// Makes it the root of this mount namespace and lets go of everything else.
    pub(super) fn enter(self) -> Result<(), Failure> {
        rustix::process::fchdir(&self.tree).at("enter the root")?;
        rustix::process::pivot_root(".", ".").at("change the root")?;
        // The old root now lies on top of the new one; taking it off uncovers the new one.
        rustix::mount::unmount(".", UnmountFlags::DETACH).at("detach the host's file systems")?;
        rustix::process::chdir("/").at("enter the root")
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tree.as_fd()
    }
}
