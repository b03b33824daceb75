//! Becoming root enough: the private mount namespace of the engine, inside a user namespace for ordinary users.
//!
//! After [`enter`] the process can mount, and the rest of the engine has one code path for everybody. The process
//! moves itself instead of starting a second one: nothing has to pass on signals, exit status or terminal, and there is
//! no way in for a forged "already inside" mark. That works because it happens before any thread exists. A short-lived
//! helper stays outside to run `newuidmap` and `newgidmap`, which must be called from there.
//!
//! This room mounts nothing and starts no build step.

mod ids;

use std::fmt;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use rustix::mount::MountPropagationFlags;
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::thread::{CapabilitySet, UnshareFlags};
use serde::{Deserialize, Serialize};

use ids::{IdMap, OuterIds, SubordinateRanges};

/// How [`enter`] goes about it.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether to use subordinate ids where the host has them; without, one id is mapped.
    pub subordinate_ids: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { subordinate_ids: true }
    }
}

/// What the process has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// Whose root it is.
    pub mode: Mode,
    /// Why only one id is mapped, where subordinate ids were wanted; for progress output and the build record.
    pub remark: Option<String>,
}

/// Whose root the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Root of the machine.
    Privileged,
    /// Root of a user namespace that was there before, as in a rootless container.
    Inherited {
        /// How many user ids are mapped.
        ids: u64,
    },
    /// An ordinary user with a range of subordinate ids.
    Subordinate {
        /// How many user ids are mapped, the user's own included.
        ids: u64,
    },
    /// An ordinary user with nothing but the own id.
    SingleId,
}

impl Mode {
    /// Tells whether the process is in a user namespace of its own or its container's.
    pub fn in_user_namespace(self) -> bool {
        self != Mode::Privileged
    }

    /// Tells whether files can have one owner only, so that ownership changes are answered as done.
    pub fn has_single_id(self) -> bool {
        self == Mode::SingleId
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mode::Privileged => write!(out, "root"),
            Mode::Inherited { ids } => write!(out, "root of a user namespace, {ids} ids"),
            Mode::Subordinate { ids } => write!(out, "rootless, {ids} ids (newuidmap)"),
            Mode::SingleId => write!(out, "rootless, one id (ownership changes are answered as done)"),
        }
    }
}

/// Why this machine does not let the process mount anything; exit status 3.
#[derive(Debug, thiserror::Error)]
pub enum UsernsError {
    /// The kernel refuses a user namespace.
    #[error("this machine does not let ordinary users create user namespaces")]
    Refused {
        /// What to change, found by looking at the machine's settings.
        hint: String,
        /// Why.
        source: io::Error,
    },
    /// The user namespace is there but powerless.
    #[error("this machine takes the privileges away from user namespaces")]
    Powerless {
        /// What to change.
        hint: String,
        /// Why.
        source: io::Error,
    },
    /// Root may not make a mount namespace.
    #[error("cannot create a private mount namespace")]
    MountNamespace {
        /// Why.
        source: io::Error,
    },
    /// The ids cannot be mapped.
    #[error("cannot set up the id mapping {}", path.display())]
    IdMap {
        /// The kernel's file for it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A process or pipe cannot be made.
    #[error("cannot start the helper that maps ids")]
    Helper {
        /// Why.
        source: io::Error,
    },
}

impl UsernsError {
    /// Returns what the user can do about it, if there is something.
    pub fn hint(&self) -> Option<&str> {
        match self {
            UsernsError::Refused { hint, .. } | UsernsError::Powerless { hint, .. } => Some(hint),
            UsernsError::MountNamespace { .. } => {
                Some("run as root, or as an ordinary user outside of a container")
            }
            _ => None,
        }
    }
}

/// Moves this process into a private mount namespace in which it is root.
///
/// Must be called before the process has a second thread. Mounts of the host that appear later are not seen any more,
/// and mounts made here never reach the host.
///
/// # Errors
/// [`UsernsError`] if the machine allows neither way; the process may be left half-way and should end.
pub fn enter(options: Options) -> Result<Entered, UsernsError> {
    if may_mount() {
        unshare(UnshareFlags::NEWNS).map_err(|source| UsernsError::MountNamespace { source })?;
        make_private().map_err(|source| UsernsError::MountNamespace { source })?;
        return Ok(Entered { mode: inherited_mode(), remark: None });
    }
    let outer = ids::outer_ids();
    let (mode, remark) = match options.subordinate_ids.then(|| ids::subordinate_ranges(outer)) {
        Some(Ok(ranges)) => enter_with_ranges(outer, &ranges)?,
        refused => {
            unshare_user()?;
            write_single_map(outer)?;
            (Mode::SingleId, refused.and_then(Result::err))
        }
    };
    make_private().map_err(|source| UsernsError::Powerless { hint: hint(), source })?;
    Ok(Entered { mode, remark })
}

fn may_mount() -> bool {
    rustix::process::geteuid().is_root()
        && rustix::thread::capabilities(None)
            .is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// Reads from the kernel what the ids of this root are worth.
fn inherited_mode() -> Mode {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    match ids::mapped(&map) {
        1 => Mode::SingleId,
        ids if ids >= u64::from(u32::MAX) => Mode::Privileged,
        ids => Mode::Inherited { ids },
    }
}

fn make_private() -> io::Result<()> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    Ok(rustix::mount::mount_change("/", private)?)
}

fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: only namespaces are unshared, no descriptor table, so nobody's descriptors change their meaning.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

fn unshare_user() -> Result<(), UsernsError> {
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)
        .map_err(|source| UsernsError::Refused { hint: hint(), source })
}

/// Enters a user namespace whose ids are mapped by a helper that stays outside.
fn enter_with_ranges(
    outer: OuterIds,
    ranges: &SubordinateRanges,
) -> Result<(Mode, Option<String>), UsernsError> {
    let failed = |source| UsernsError::Helper { source };
    let (mut inside, mut outside) = std::os::unix::net::UnixStream::pair().map_err(failed)?;
    let target = rustix::process::getpid();
    // SAFETY: the caller promises that no other thread exists, so the child may go on as an ordinary process.
    let helper = match unsafe { libc::fork() } {
        -1 => return Err(failed(io::Error::last_os_error())),
        0 => {
            drop(inside);
            let answer = map_from_outside(target, ranges, &mut outside);
            // Failing to answer means the other side is gone, and with it anybody who would care.
            let _ = outside.write_all(answer.as_bytes());
            // SAFETY: ends this child without running the exit handlers of the process it was copied from.
            unsafe { libc::_exit(0) }
        }
        pid => Pid::from_raw(pid).expect("fork returns a positive pid to the parent"),
    };
    drop(outside);

    let entered = unshare_user();
    let mut answer = String::new();
    if entered.is_ok() {
        inside.write_all(b"!").and_then(|()| inside.read_to_string(&mut answer)).map_err(failed)?;
    }
    drop(inside);
    rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(helper), WaitOptions::empty()))
        .map_err(|errno| failed(errno.into()))?;
    entered?;

    if answer == MAPPED {
        // The user's other groups stay: they may be what opens the directories of a build context. A sandbox
        // sets the groups of its own.
        return Ok((Mode::Subordinate { ids: ranges.users.size() }, None));
    }
    write_single_map(outer)?;
    let remark = if answer.is_empty() { "the helper that maps ids ended early".to_owned() } else { answer };
    Ok((Mode::SingleId, Some(remark)))
}

const MAPPED: &str = "mapped";

/// Waits until `target` is in its namespace and maps its ids; returns [`MAPPED`] or why it could not.
fn map_from_outside(target: Pid, ranges: &SubordinateRanges, target_side: &mut impl Read) -> String {
    // Dies with the process it works for; a death before this line shows as end of file below.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    if target_side.read_exact(&mut [0]).is_err() {
        return String::new();
    }
    // Groups first: a user map alone would still allow falling back to one id.
    let groups = ids::run_mapper("newgidmap", target, &ranges.groups);
    match groups.and_then(|()| ids::run_mapper("newuidmap", target, &ranges.users)) {
        Ok(()) => MAPPED.to_owned(),
        Err(reason) => reason,
    }
}

/// Maps nothing but the own user and group, each to 0. Must be called inside the namespace.
fn write_single_map(outer: OuterIds) -> Result<(), UsernsError> {
    let write = |path: &str, text: &str| {
        std::fs::write(path, text).map_err(|source| match source.raw_os_error() {
            // The answer of machines where a security module lets the namespace come into being, but without rights.
            Some(libc::EPERM | libc::EACCES) => UsernsError::Powerless { hint: hint(), source },
            _ => UsernsError::IdMap { path: path.into(), source },
        })
    };
    let is_mapped = |path: &str| std::fs::read_to_string(path).is_ok_and(|text| !text.trim().is_empty());
    if !is_mapped("/proc/self/gid_map") {
        write("/proc/self/setgroups", "deny")?;
        write("/proc/self/gid_map", &IdMap::single(outer.group).to_string())?;
    }
    write("/proc/self/uid_map", &IdMap::single(outer.user).to_string())
}

/// Looks at the switches by which distributions close user namespaces and names the one that is closed.
fn hint() -> String {
    let setting =
        |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    if setting("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
        return "allow them with `sysctl kernel.unprivileged_userns_clone=1`, or run as root".to_owned();
    }
    if setting("/proc/sys/user/max_user_namespaces") == "0" {
        return "allow them with `sysctl user.max_user_namespaces=10000`, or run as root".to_owned();
    }
    if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
        return "allow them with `sysctl kernel.apparmor_restrict_unprivileged_userns=0` or an AppArmor profile with \
                `userns` for this program, or run as root"
            .to_owned();
    }
    "run as root; in a container, its security profile must allow `unshare` and `mount`".to_owned()
}
