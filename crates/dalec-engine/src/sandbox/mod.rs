//! Runs one command in a sandbox of its own: what BuildKit's default gives a build step, and no more.
//!
//! A [`SandboxSpec`] says what to run and what it may see; [`Launcher::spawn`] starts it and returns a
//! [`RunningSandbox`]. Three processes take part besides the engine:
//!
//! ```text
//! engine ──socket── shim ──── init (pid 1 of the new pid namespace) ──── the command
//!   spawn, wait       waits; kills init when    mounts, reports, reaps      reduced rights,
//!                     the socket closes         orphans                     system call filter
//! ```
//!
//! The shim is this very executable, started with a hidden first argument, so every binary that uses a [`Launcher`] calls
//! [`shim_main_if_requested`] first thing in `main`. It is single-threaded and starts in milliseconds.
//! When the engine dies, its end of the socket closes, and everything in the sandbox dies with pid 1; that is also
//! how [`RunningSandbox::kill`] works. (A parent-death signal would not do for the shim: it fires when the *thread*
//! dies that spawned it.) Signals for the command go the same way, from the engine to the shim to pid 1.
//!
//! What the command sees: its root, the mounts of the spec, `/proc`, `/sys` and a small `/dev`, a host name, and
//! either the host's network or none. What it keeps of root's rights are the 14 capabilities of other builders, and system
//! calls that matter for breaking out are refused, raw packets on the host's network among them. Pid 1 makes sockets for 32-bit
//! programs, whose words the filter does not see. Device files it makes
//! are dead (`nodev`), which stands in for a device control group. `fsync` and its kin are answered as done: build roots need not survive a power cut.
//!
//! This room sets up no control group, knows no cache and no layer, and downloads nothing.

mod capabilities;
mod error;
mod files;
mod init;
mod kernel_mounts;
mod launch;
mod network;
mod places;
mod process;
mod root;
mod seccomp;
mod shim;
mod sockets;
mod stubs;
mod syscalls;
mod terminal;
mod user;
mod wire;

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::userns::Mode;

pub use error::SandboxError;
pub use launch::{Killer, Launcher, RunningSandbox, Signaller, Streams};
pub use shim::{SHIM_ARGUMENT, shim_main_if_requested};
pub use terminal::{Terminal, resize};
pub use wire::ExitStatus;

/// The host name that a build step sees unless it asks for another, the same as under BuildKit.
pub const DEFAULT_HOSTNAME: &str = "buildkitsandbox";

/// One command and everything it may see.
///
/// Paths inside the sandbox are strings, taken from its root whether or not they start with `/`; symbolic links in
/// them are followed inside the root only. Paths of the host are [`PathBuf`]s.
///
/// Holds secrets, and so cannot be printed for debugging.
#[derive(Clone, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// The mounted root directory, in the mount namespace of the engine. It must be writable where mount points are
    /// missing, even for a `readonly_root`; what was only made as a mount point is removed afterwards.
    pub root: PathBuf,
    /// Whether the command may not write outside of its mounts.
    pub readonly_root: bool,
    /// Mounts in the order in which they are made; a later one may lie inside an earlier one or hide it.
    pub mounts: Vec<SandboxMount>,
    /// The program and its arguments; a program without `/` is looked up in the `PATH` of `env`.
    pub args: Vec<String>,
    /// `KEY=value` entries, passed on as given; only `HOME` is added (from `/etc/passwd`) where it is missing.
    pub env: Vec<String>,
    /// Working directory; made, owned by the user, if it is missing.
    pub cwd: String,
    /// Who runs the command: empty for root, `user`, `user:group`, names or numbers; names are looked up in the root.
    pub user: String,
    /// Which network the command sees.
    pub network: Network,
    /// Host name, normally [`DEFAULT_HOSTNAME`].
    pub hostname: String,
    /// Additional lines of `/etc/hosts`.
    pub extra_hosts: Vec<HostEntry>,
    /// Resource limits; without one for open files it is 1024, raisable to 524288.
    pub ulimits: Vec<Ulimit>,
    /// Whether directories made on the way to a mount point are removed, too, if they are empty in the end.
    /// BuildKit leaves them unless asked.
    pub remove_stub_parents: bool,
    /// Whose root the engine is.
    pub mode: Mode,
}

/// Something mounted into the sandbox.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxMount {
    /// A directory or file of the host, without mounts below it.
    Bind {
        /// The directory or file.
        source: PathBuf,
        /// A path inside `source` to mount instead of all of it; symbolic links are followed inside `source` only.
        /// Empty for all of it.
        selector: String,
        /// Where it appears.
        dest: String,
        /// Whether writing is refused.
        readonly: bool,
    },
    /// An empty in-memory file system, writable for everybody, gone with the sandbox.
    Tmpfs {
        /// Where it appears.
        dest: String,
        /// Most bytes it takes; the kernel's default is half of the memory.
        size: Option<u64>,
    },
    /// A read-only file that exists in memory only; for secrets.
    File {
        /// Where it appears.
        dest: String,
        /// What it holds.
        #[serde(with = "wire::hex_bytes")]
        data: Vec<u8>,
        /// Permission bits.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// Which network a sandbox sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Its own, with nothing but a loopback interface.
    None,
    /// The network of the host, with the host's name servers.
    Host,
}

/// A line of `/etc/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEntry {
    /// Host name.
    pub host: String,
    /// Its address.
    pub ip: IpAddr,
}

/// A resource limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Name as in `ulimit` of container tools: `nofile`, `nproc`, `core`, ...
    pub name: String,
    /// The limit that holds, in the unit of setrlimit(2); `u64::MAX` for none.
    pub soft: u64,
    /// How far the command may raise it.
    pub hard: u64,
}
