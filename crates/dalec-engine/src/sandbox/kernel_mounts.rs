//! The kernel's own file systems in a sandbox: `/proc`, `/sys`, a small `/dev`, and what is hidden of them.
//!
//! The three must be directories of the root itself: behind a symbolic link, nothing of them would be found again to
//! be hidden, so a root with such a link is refused.
//!
//! The lists of hidden and read-only paths are the ones of other container engines, so that programs find
//! the world they know.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::places::Places;
use super::wire::{At, Failure};
use crate::mount::detached::{self, Depth};
use crate::userns;

const NODEV: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NODEV;
const NOSUID: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID;
const NOEXEC: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOEXEC;
const RDONLY: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY;
const INERT: MountAttrFlags = NODEV.union(NOSUID).union(NOEXEC);

/// Device files that are shared with the host.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Mounts `/proc`, `/sys` and `/dev`. Must run in the pid, ipc and network namespaces of the sandbox.
pub(super) fn mount(places: &mut Places<'_>, mode: userns::Mode) -> Result<(), Failure> {
    let proc = detached::filesystem("proc", &[], INERT).at("mount /proc")?;
    attach(places, &proc, "proc")?;
    attach(places, &sysfs().at("mount /sys")?, "sys")?;
    let dev = detached::filesystem("tmpfs", &[("mode", "0755"), ("size", "64m")], NOSUID | NODEV)
        .at("mount /dev")?;
    attach(places, &dev, "dev")?;
    fill_dev(&dev, mode).at("fill /dev")
}

/// Hides and protects what the command must not see or change. Must run after all other mounts.
pub(super) fn mask(places: &Places<'_>) -> Result<(), Failure> {
    for path in READ_ONLY {
        change_existing(places, path, protect).at(format!("make {path} read-only"))?;
    }
    for path in MASKED {
        change_existing(places, path, hide).at(format!("hide {path}"))?;
    }
    Ok(())
}

/// Kernels differ in what they have: what is missing needs no change, but every other failure is one.
fn change_existing(
    places: &Places<'_>,
    path: &str,
    change: fn(&OwnedFd) -> Result<(), Errno>,
) -> Result<(), Errno> {
    places.existing(path)?.map_or(Ok(()), |place| change(&place))
}

fn attach(places: &mut Places<'_>, tree: &OwnedFd, name: &str) -> Result<(), Failure> {
    let place = places.top_directory(name)?;
    detached::attach(tree, &place).at(format!("mount /{name}"))
}

/// A user namespace may mount its own `/sys` only with its own network; else the host's is shown.
fn sysfs() -> Result<OwnedFd, Errno> {
    match detached::filesystem("sysfs", &[], INERT | RDONLY) {
        Err(Errno::PERM) => {
            let tree = detached::clone_path(Path::new("/sys"), Depth::All)?;
            detached::add_attributes(&tree, INERT | RDONLY, Depth::All)?;
            Ok(tree)
        }
        result => result,
    }
}

fn fill_dev(dev: &OwnedFd, mode: userns::Mode) -> Result<(), Errno> {
    for name in DEVICES {
        let tree = detached::clone_path(&Path::new("/dev").join(name), Depth::One)?;
        detached::attach(&tree, touch(dev, name)?)?;
    }
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, dev, name)?;
    }
    // The terminal group of the distributions, where it exists in this user namespace.
    let mut pts = vec![("ptmxmode", "0666"), ("mode", "0620")];
    if !mode.has_single_id() {
        pts.push(("gid", "5"));
    }
    let pts = detached::filesystem("devpts", &pts, NOSUID | NOEXEC)?;
    detached::attach(&pts, make_directory(dev, "pts")?)?;
    let shm = detached::filesystem("tmpfs", &[("mode", "1777"), ("size", "64m")], INERT)?;
    detached::attach(&shm, make_directory(dev, "shm")?)?;
    match detached::filesystem("mqueue", &[], INERT) {
        Ok(mqueue) => detached::attach(&mqueue, make_directory(dev, "mqueue")?),
        // A kernel built without message queues.
        Err(Errno::NODEV) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn touch(directory: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o644))
}

fn make_directory(directory: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(0o755))?;
    rustix::fs::openat(directory, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn protect(place: &OwnedFd) -> Result<(), Errno> {
    let tree = detached::clone_descriptor(place, Depth::All)?;
    detached::add_attributes(&tree, INERT | RDONLY, Depth::All)?;
    detached::attach(&tree, place)
}

fn hide(place: &OwnedFd) -> Result<(), Errno> {
    let is_directory =
        FileType::from_raw_mode(rustix::fs::fstat(place.as_fd())?.st_mode) == FileType::Directory;
    let nothing = if is_directory {
        detached::filesystem("tmpfs", &[("size", "0"), ("nr_inodes", "1")], INERT | RDONLY)?
    } else {
        detached::clone_path(Path::new("/dev/null"), Depth::One)?
    };
    detached::attach(&nothing, place)
}
