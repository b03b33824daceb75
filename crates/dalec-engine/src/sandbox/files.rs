//! Files that exist in memory only: secrets, and the name service files that every sandbox gets.

use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use super::wire::{At, Failure};
use super::{Network, SandboxSpec};
use crate::mount::detached::{self, Depth};

/// A small in-memory file system from which single files are mounted into the root.
pub(super) struct MemoryFiles {
    directory: OwnedFd,
    count: u32,
}

/// Who may read a file.
pub(super) struct Owner {
    pub(super) mode: u32,
    /// `None` leaves it to root.
    pub(super) ids: Option<(Uid, Gid)>,
}

const RESTRICTED: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NODEV
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

impl MemoryFiles {
    /// Attaches the file system at `place`, where something else will hide it. (Kernels before 6.15 copy only
    /// from attached mounts.)
    pub(super) fn attach(place: &Path) -> Result<Self, Failure> {
        let directory = unswappable_tmpfs().at("create a file system in memory")?;
        detached::attach_at(&directory, place).at("create a file system in memory")?;
        Ok(MemoryFiles { directory, count: 0 })
    }

    /// Returns a detached read-only mount of a new file that holds `data`.
    pub(super) fn add(&mut self, data: &[u8], owner: &Owner) -> Result<OwnedFd, Errno> {
        let name = self.count.to_string();
        self.count += 1;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, &name, flags, Mode::empty())?;
        let mut rest = data;
        while !rest.is_empty() {
            rest = &rest[rustix::io::write(&file, rest)?..];
        }
        if let Some((uid, gid)) = owner.ids {
            rustix::fs::fchown(&file, Some(uid), Some(gid))?;
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(owner.mode & 0o7777))?;
        let tree = detached::clone_descriptor(&file, Depth::One)?;
        detached::add_attributes(&tree, RESTRICTED | MountAttrFlags::MOUNT_ATTR_RDONLY, Depth::One)?;
        Ok(tree)
    }
}

fn unswappable_tmpfs() -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_string(&context, "mode", "0700")?;
    // Linux 6.4 and newer, and not in user namespaces: there, secrets are as safe from the disk as all memory is.
    let _ = rustix::mount::fsconfig_set_flag(&context, "noswap");
    rustix::mount::fsconfig_create(&context)?;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, RESTRICTED)
}

/// Returns what `/etc/hosts` says in the sandbox.
pub(super) fn hosts(spec: &SandboxSpec) -> String {
    let mut text =
        format!("127.0.0.1\tlocalhost {}\n::1\tlocalhost ip6-localhost ip6-loopback\n", spec.hostname);
    for entry in &spec.extra_hosts {
        writeln!(text, "{}\t{}", entry.ip, entry.host).expect("writing to a string cannot fail");
    }
    text
}

/// Returns what `/etc/resolv.conf` says in the sandbox: the host's words where its network is shared, else nothing.
pub(super) fn resolv_conf(network: Network) -> Vec<u8> {
    match network {
        Network::None => Vec::new(),
        // A host without the file has no name servers to tell of.
        Network::Host => std::fs::read("/etc/resolv.conf").unwrap_or_default(),
    }
}
