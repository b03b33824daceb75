//! Mounts of the engine's own mount namespace: overlays over layer chains, bind mounts, tmpfs.
//!
//! Every mount is a [`Mounted`] that goes away when it is dropped. The engine process lives in a private mount
//! namespace (see [`crate::userns`]), so even a killed engine leaves no mount behind.
//!
//! This room does not know snapshots or caches, creates no directory, and does not reach into a sandbox: what a
//! sandboxed command sees is put together in [`crate::sandbox`].

pub(crate) mod detached;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, UnmountFlags};

/// A chain of directories shown as one.
#[derive(Debug, Clone, Copy)]
pub struct Overlay<'a> {
    /// Read-only layers in the order they were made: the first is the base, the last is on top.
    pub lowers: &'a [PathBuf],
    /// Where changes go; without it the view is read-only.
    pub writable: Option<Writable<'a>>,
    /// Whether this process is in a user namespace, where the kernel lets overlays keep their marks only in
    /// `user.overlay.*` attributes. An upper directory must always be read with the setting it was written with.
    pub user_namespace: bool,
}

/// The directories that take the changes of a writable overlay.
#[derive(Debug, Clone, Copy)]
pub struct Writable<'a> {
    /// Receives new and changed files; whiteouts are character devices 0/0.
    pub upper: &'a Path,
    /// Scratch directory of the kernel: empty, on the same file system as `upper`, never used by an earlier mount
    /// (writable overlays are `volatile`, and the kernel refuses to reuse the work directory of one).
    pub work: &'a Path,
}

/// What may be done through a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// A mount that is detached when this value is dropped.
///
/// Detaching is lazy: processes that still use the mount keep it until they end, and no path leads to it any more.
#[derive(Debug)]
#[must_use = "the mount is removed when this value is dropped"]
pub struct Mounted {
    target: PathBuf,
    active: bool,
}

/// A mount that could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// An overlay was asked for without any directory in it.
    #[error("cannot mount {}: no layer was given", target.display())]
    NoLayer {
        /// Where it should have appeared.
        target: PathBuf,
    },
    /// A directory that takes part in the mount cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel has no overlay file system, or not for this user or this place.
    #[error("the file system of {} cannot carry overlay mounts{detail}", directory.display())]
    OverlayUnsupported {
        /// The directory that was to take the changes, or the place of the mount.
        directory: PathBuf,
        /// The kernel's own words, empty or starting with `: `.
        detail: String,
        /// Why.
        source: io::Error,
    },
    /// Too many layers for the way old kernels take them.
    #[error("cannot mount {count} layers at once on this kernel")]
    TooManyLayers {
        /// How many were asked for.
        count: usize,
    },
    /// Any other failure to mount.
    #[error("cannot mount {}{detail}", target.display())]
    Mount {
        /// Where it should have appeared.
        target: PathBuf,
        /// The kernel's own words, empty or starting with `: `.
        detail: String,
        /// Why.
        source: io::Error,
    },
    /// The mount cannot be removed.
    #[error("cannot unmount {}", target.display())]
    Unmount {
        /// The mount.
        target: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl MountError {
    /// Returns what the user can do about it, if there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            MountError::OverlayUnsupported { .. } => Some(
                "choose a directory on a local file system (ext4, xfs, btrfs, tmpfs) with --state-dir; \
                 the kernel needs overlayfs, and for ordinary users Linux 5.12 or newer",
            ),
            MountError::TooManyLayers { .. } => Some("Linux 6.5 or newer takes any number of layers"),
            _ => None,
        }
    }
}

impl Mounted {
    /// Returns where the mount appears.
    pub fn path(&self) -> &Path {
        &self.target
    }

    /// Removes the mount now and says whether that worked; dropping does the same in silence.
    ///
    /// # Errors
    /// [`MountError::Unmount`] if the kernel refuses, for example because somebody else removed it before.
    pub fn unmount(mut self) -> Result<(), MountError> {
        self.active = false;
        detach(&self.target)
            .map_err(|errno| MountError::Unmount { target: self.target.clone(), source: errno.into() })
    }

    fn new(target: &Path) -> Self {
        Mounted { target: target.to_path_buf(), active: true }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.active {
            // Nobody is left to tell: the private mount namespace removes it with the process at the latest.
            let _ = detach(&self.target);
        }
    }
}

fn detach(target: &Path) -> Result<(), Errno> {
    rustix::mount::unmount(target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
}

/// Mounts a chain of layers at `target`, an existing directory.
///
/// One layer without changes is a plain read-only bind mount, and changes without a layer below are a plain
/// bind mount of the upper directory: both cheaper than an overlay and the same to look at.
/// Device files in layers are dead (`nodev`).
///
/// # Errors
/// Any [`MountError`] but [`MountError::Unmount`].
pub fn overlay(layers: &Overlay<'_>, target: &Path) -> Result<Mounted, MountError> {
    match (layers.lowers, layers.writable) {
        ([], None) => Err(MountError::NoLayer { target: target.to_path_buf() }),
        ([only], None) => bind(only, target, Access::ReadOnly),
        ([], Some(writable)) => bind(writable.upper, target, Access::ReadWrite),
        _ => stack(layers, target),
    }
}

/// Shows `source` (a directory or file, without the mounts below it) at `target`, which exists and is of the same kind.
///
/// # Errors
/// [`MountError::Open`] if `source` cannot be reached, [`MountError::Mount`] if it cannot be attached.
pub fn bind(source: &Path, target: &Path, access: Access) -> Result<Mounted, MountError> {
    let tree = detached::clone_path(source, detached::Depth::One)
        .map_err(|errno| MountError::Open { path: source.to_path_buf(), source: errno.into() })?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NODEV;
    if access == Access::ReadOnly {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    detached::add_attributes(&tree, attributes, detached::Depth::One)
        .and_then(|()| detached::attach_at(&tree, target))
        .map_err(|errno| failed(target, errno, String::new()))?;
    Ok(Mounted::new(target))
}

/// Mounts an empty in-memory file system at `target`, an existing directory; `size` is in bytes.
///
/// # Errors
/// [`MountError::Mount`] if the kernel refuses.
pub fn tmpfs(target: &Path, size: Option<u64>) -> Result<Mounted, MountError> {
    let size = size.map(|bytes| bytes.to_string());
    let mut options = vec![("mode", "0755")];
    options.extend(size.as_deref().map(|bytes| ("size", bytes)));
    let attributes = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID;
    detached::filesystem("tmpfs", &options, attributes)
        .and_then(|tree| detached::attach_at(&tree, target))
        .map_err(|errno| failed(target, errno, String::new()))?;
    Ok(Mounted::new(target))
}

fn stack(layers: &Overlay<'_>, target: &Path) -> Result<Mounted, MountError> {
    match stack_one_by_one(layers, target)? {
        Some(mounted) => Ok(mounted),
        None => stack_by_option_string(layers, target),
    }
}

/// Hands the layers over one by one; returns `None` if the kernel (before 6.5) cannot take them so.
///
/// Directories are named through `/proc/self/fd`: a value has at most 255 bytes there, and needs no escaping.
fn stack_one_by_one(layers: &Overlay<'_>, target: &Path) -> Result<Option<Mounted>, MountError> {
    let unsupported = |errno: Errno| unsupported(layers, target, errno, String::new());
    let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(unsupported)?;
    let set = |key: &str, value: &str| rustix::mount::fsconfig_set_string(&context, key, value);

    for (position, lower) in layers.lowers.iter().rev().enumerate() {
        let directory = open_directory(lower)?;
        match set("lowerdir+", &descriptor_path(&directory)) {
            Ok(()) => {}
            Err(Errno::INVAL) if position == 0 => return Ok(None),
            Err(errno) => return Err(failed(target, errno, detached::kernel_log(&context))),
        }
    }
    if let Some(writable) = layers.writable {
        let (upper, work) = (open_directory(writable.upper)?, open_directory(writable.work)?);
        set("upperdir", &descriptor_path(&upper))
            .and_then(|()| set("workdir", &descriptor_path(&work)))
            .and_then(|()| rustix::mount::fsconfig_set_flag(&context, "volatile"))
            .map_err(|errno| self::unsupported(layers, target, errno, detached::kernel_log(&context)))?;
    }
    for (key, value) in SETTINGS {
        set(key, value).map_err(|errno| failed(target, errno, detached::kernel_log(&context)))?;
    }
    if layers.user_namespace {
        rustix::mount::fsconfig_set_flag(&context, "userxattr").map_err(unsupported)?;
    }
    rustix::mount::fsconfig_create(&context)
        .map_err(|errno| self::unsupported(layers, target, errno, detached::kernel_log(&context)))?;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes(layers))
        .and_then(|tree| detached::attach_at(&tree, target))
        .map_err(|errno| failed(target, errno, detached::kernel_log(&context)))?;
    Ok(Some(Mounted::new(target)))
}

/// Settings that a kernel's configuration may otherwise choose: renamed directories and metadata-only copies would
/// leave layers behind that mean nothing without their neighbours.
const SETTINGS: [(&str, &str); 3] = [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off")];

/// One page is all that `mount(2)` takes.
const OPTION_BYTES: usize = 4095;

fn stack_by_option_string(layers: &Overlay<'_>, target: &Path) -> Result<Mounted, MountError> {
    let mut directories = Vec::new();
    for lower in layers.lowers.iter().rev() {
        directories.push(open_directory(lower)?);
    }
    let lowers: Vec<String> = directories.iter().map(descriptor_path).collect();
    let mut options = format!("lowerdir={}", lowers.join(":"));
    if let Some(writable) = layers.writable {
        let (upper, work) = (open_directory(writable.upper)?, open_directory(writable.work)?);
        options +=
            &format!(",upperdir={},workdir={},volatile", descriptor_path(&upper), descriptor_path(&work));
        directories.extend([upper, work]);
    }
    for (key, value) in SETTINGS {
        options += &format!(",{key}={value}");
    }
    if layers.user_namespace {
        options += ",userxattr";
    }
    if options.len() > OPTION_BYTES {
        return Err(MountError::TooManyLayers { count: layers.lowers.len() });
    }
    let options = std::ffi::CString::new(options).expect("digits and key words hold no zero byte");
    let mut flags = MountFlags::NODEV;
    if layers.writable.is_none() {
        flags |= MountFlags::RDONLY;
    }
    rustix::mount::mount("overlay", target, "overlay", flags, options.as_c_str())
        .map_err(|errno| unsupported(layers, target, errno, String::new()))?;
    Ok(Mounted::new(target))
}

fn attributes(layers: &Overlay<'_>) -> MountAttrFlags {
    let nodev = MountAttrFlags::MOUNT_ATTR_NODEV;
    if layers.writable.is_some() { nodev } else { nodev | MountAttrFlags::MOUNT_ATTR_RDONLY }
}

fn open_directory(path: &Path) -> Result<OwnedFd, MountError> {
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| MountError::Open { path: path.to_path_buf(), source: errno.into() })
}

fn descriptor_path(directory: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", directory.as_raw_fd())
}

/// Tells "not possible here" apart from other failures, by the codes overlayfs uses for it.
fn unsupported(layers: &Overlay<'_>, target: &Path, errno: Errno, detail: String) -> MountError {
    match errno {
        Errno::NODEV | Errno::PERM | Errno::INVAL | Errno::OPNOTSUPP => MountError::OverlayUnsupported {
            directory: layers.writable.map_or(target, |writable| writable.upper).to_path_buf(),
            detail,
            source: errno.into(),
        },
        _ => failed(target, errno, detail),
    }
}

fn failed(target: &Path, errno: Errno, detail: String) -> MountError {
    MountError::Mount { target: target.to_path_buf(), detail, source: errno.into() }
}
