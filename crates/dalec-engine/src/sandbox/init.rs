//! Pid 1 of a sandbox: puts it together, starts the command, reaps orphans, and takes everything along when it ends.
//!
//! It keeps full rights in the namespaces of the sandbox, so the command cannot trace it or look into its memory.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Gid, Mode, Uid};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountPropagationFlags};
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions};
use rustix::thread::UnshareFlags;

use super::files::{self, MemoryFiles, Owner};
use super::places::{self, Kind, Parents, Places};
use super::process::Command;
use super::root::Root;
use super::shim::close_streams;
use super::stubs::Stub;
use super::user::User;
use super::wire::{self, At, ExitStatus, Failure, Input, Report};
use super::{Network, SandboxMount, SandboxSpec, kernel_mounts, network, sockets};
use crate::mount::detached::{self, Depth};

/// Runs the sandbox and ends the process. Numbers of signals for the command come through `orders`, which hangs up
/// when the shim dies.
pub(super) fn main(spec: &SandboxSpec, input: Input, control: &UnixStream, orders: &OwnedFd) -> ! {
    // Dies with the shim, also if that happened before this line.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let mut descriptors = [PollFd::new(orders, PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    let orphaned = rustix::event::poll(&mut descriptors, Some(&now)).is_ok_and(|events| events > 0);
    if !orphaned {
        run(spec, input, control, orders);
    }
    // SAFETY: ends this process without running the exit handlers of the shim it was copied from.
    unsafe { libc::_exit(0) }
}

/// Failing to report means that the engine is gone, and the shim will notice.
fn run(spec: &SandboxSpec, input: Input, control: &UnixStream, orders: &OwnedFd) {
    let mut stubs = Vec::new();
    match start(spec, input, &mut stubs) {
        Err(failure) => drop(wire::send(control, &Report::Failed { failure, stubs })),
        Ok(Started { command, ended, asked }) => {
            let _ = wire::send(control, &Report::Started { stubs });
            if let Some(status) = reap_until(command, &ended, asked, orders) {
                let _ = wire::send(control, &Report::Exited { status });
            }
        }
    }
}

/// A command that runs.
struct Started {
    command: Pid,
    /// Becomes readable when a child has ended.
    ended: OwnedFd,
    /// Becomes readable when a program asks for a socket; none where none asks.
    asked: Option<OwnedFd>,
}

/// Puts the sandbox together and starts the command.
fn start(spec: &SandboxSpec, input: Input, stubs: &mut Vec<Stub>) -> Result<Started, Failure> {
    enter_namespaces(spec)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));

    // Everything of the host is opened before the root hides where it is attached.
    let root = Root::copy(&spec.root)?;
    let user = User::resolve(root.as_fd(), &spec.user)?;
    let mounts = spec.mounts.iter().map(PreparedMount::open).collect::<Result<Vec<_>, _>>()?;
    let mut memory = MemoryFiles::attach(&spec.root)?;
    root.attach(&spec.root)?;

    let mut places = Places::new(root.as_fd()).at("look at the root")?;
    let filled = fill(spec, &mut places, &mut memory, mounts);
    let cwd = filled.and_then(|()| working_directory(spec, &user, &mut places));
    *stubs = places.into_stubs();
    let cwd = cwd?;

    if spec.readonly_root {
        root.make_readonly()?;
    }
    root.enter()?;
    drop(memory);
    // Nobody may look into this process, which has seen secrets, even with the same user id.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).at("hide the first process")?;
    let ended = children_ended().at("watch for the end of the command")?;
    let (command, asked) = Command::new(spec, &user, cwd, input)?.start()?;
    close_streams().at("let go of the streams of the command")?;
    Ok(Started { command, ended, asked })
}

/// Returns a descriptor that becomes readable when a child of this process has ended.
fn children_ended() -> Result<OwnedFd, Errno> {
    // SAFETY: the set is initialized by sigemptyset before it is read, and the descriptor is owned by nobody else.
    unsafe {
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut());
        match libc::signalfd(-1, &raw const signals, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(detached::last_errno()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

fn enter_namespaces(spec: &SandboxSpec) -> Result<(), Failure> {
    // No control group is made, but the host's names of them are not the command's business.
    let mut namespaces =
        UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWCGROUP;
    if spec.network == Network::None {
        namespaces |= UnshareFlags::NEWNET;
    }
    // SAFETY: only namespaces are unshared; the descriptor table stays as it is.
    unsafe { rustix::thread::unshare_unsafe(namespaces) }.at("create namespaces")?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private).at("separate the mounts from the host's")?;
    rustix::system::sethostname(spec.hostname.as_bytes()).at("set the host name")?;
    match spec.network {
        Network::None => network::bring_loopback_up().at("bring the loopback interface up"),
        Network::Host => Ok(()),
    }
}

fn fill(
    spec: &SandboxSpec,
    places: &mut Places<'_>,
    memory: &mut MemoryFiles,
    mounts: Vec<PreparedMount<'_>>,
) -> Result<(), Failure> {
    kernel_mounts::mount(places, spec.mode)?;
    let world_readable = Owner { mode: 0o644, ids: None };
    let name_service = [
        ("/etc/resolv.conf", files::resolv_conf(spec.network)),
        ("/etc/hosts", files::hosts(spec).into_bytes()),
    ];
    for (path, data) in name_service {
        let tree = memory.add(&data, &world_readable).at(format!("write {path}"))?;
        let place = places.mount_point(path, Kind::File, Parents::Remove)?;
        detached::attach(&tree, &place).at(format!("mount {path}"))?;
    }
    let parents = if spec.remove_stub_parents { Parents::Remove } else { Parents::Keep };
    for mount in mounts {
        mount.attach(spec, places, memory, parents)?;
    }
    kernel_mounts::mask(places)
}

fn working_directory(spec: &SandboxSpec, user: &User, places: &mut Places<'_>) -> Result<OwnedFd, Failure> {
    let owner = (!spec.mode.has_single_id()).then_some((user.uid, user.gid));
    places.directory(&spec.cwd, owner)
}

/// A mount whose source in the host is open already.
struct PreparedMount<'a> {
    mount: &'a SandboxMount,
    tree: Option<(OwnedFd, Kind)>,
}

impl<'a> PreparedMount<'a> {
    fn open(mount: &'a SandboxMount) -> Result<Self, Failure> {
        let tree = match mount {
            SandboxMount::Bind { source, selector, readonly, .. } => {
                Some(copy_source(source, selector, *readonly)?)
            }
            SandboxMount::Tmpfs { .. } | SandboxMount::File { .. } => None,
        };
        Ok(PreparedMount { mount, tree })
    }

    fn attach(
        self,
        spec: &SandboxSpec,
        places: &mut Places<'_>,
        memory: &mut MemoryFiles,
        parents: Parents,
    ) -> Result<(), Failure> {
        let (dest, tree, kind) = match (self.mount, self.tree) {
            (SandboxMount::Bind { dest, .. }, Some((tree, kind))) => (dest, tree, kind),
            (SandboxMount::File { dest, data, mode, uid, gid }, _) => {
                let ids = (Uid::from_raw(*uid), Gid::from_raw(*gid));
                let owner = Owner { mode: *mode, ids: (!spec.mode.has_single_id()).then_some(ids) };
                (dest, memory.add(data, &owner).at(format!("write {dest}"))?, Kind::File)
            }
            (SandboxMount::Tmpfs { dest, size }, _) => {
                (dest, tmpfs(*size).at(mounting(dest))?, Kind::Directory)
            }
            (SandboxMount::Bind { .. }, None) => unreachable!("bind mounts are opened in `open`"),
        };
        let place = places.mount_point(dest, kind, parents)?;
        detached::attach(&tree, &place).at(mounting(dest))
    }
}

fn mounting(dest: &str) -> String {
    format!("mount {dest}")
}

fn copy_source(source: &Path, selector: &str, readonly: bool) -> Result<(OwnedFd, Kind), Failure> {
    let step = || format!("open {} {selector}", source.display()).trim_end().to_owned();
    let mut tree = detached::clone_path(source, Depth::One).at(step())?;
    if !matches!(selector.trim_matches('/'), "" | ".") {
        let whole =
            rustix::fs::open(source, rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC, Mode::empty());
        let selected = places::open_below(whole.at(step())?, selector).at(step())?;
        tree = detached::clone_descriptor(&selected, Depth::One).at(step())?;
    }
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NODEV;
    if readonly {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    detached::add_attributes(&tree, attributes, Depth::One).at(step())?;
    let mode = rustix::fs::fstat(&tree).at(step())?.st_mode;
    let is_directory = rustix::fs::FileType::from_raw_mode(mode) == rustix::fs::FileType::Directory;
    Ok((tree, if is_directory { Kind::Directory } else { Kind::File }))
}

fn tmpfs(size: Option<u64>) -> Result<OwnedFd, Errno> {
    let size = size.map(|bytes| bytes.to_string());
    let mut options = vec![("mode", "1777")];
    options.extend(size.as_deref().map(|bytes| ("size", bytes)));
    let attributes = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOSUID;
    detached::filesystem("tmpfs", &options, attributes)
}

/// Reaps every child until `command` has ended, answers what is `asked` for sockets, and sends the command the signals that
/// come through `orders`. Whatever it left running dies with this process.
fn reap_until(
    command: Pid,
    ended: &OwnedFd,
    mut asked: Option<OwnedFd>,
    orders: &OwnedFd,
) -> Option<ExitStatus> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => {
                let code = status.exit_status().map(ExitStatus::Code);
                return code.or_else(|| status.terminating_signal().map(ExitStatus::Signal));
            }
            Ok(Some(_)) => continue,
            Ok(None) | Err(Errno::INTR) => {}
            Err(_) => return None,
        }
        let listener = asked.as_ref().map(|asked| PollFd::new(asked, PollFlags::IN));
        let always = [PollFd::new(ended, PollFlags::IN), PollFd::new(orders, PollFlags::IN)];
        let mut descriptors: Vec<PollFd<'_>> = always.into_iter().chain(listener).collect();
        let events = rustix::event::poll(&mut descriptors, None);
        let events_of: Vec<PollFlags> = descriptors.iter().map(PollFd::revents).collect();
        let ready = [0, 1].map(|number| !events_of[number].is_empty());
        match events {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return None,
        }
        if ready[0] {
            // What it says is asked by `wait` again.
            let _ = rustix::io::read(ended, &mut [0_u8; size_of::<libc::signalfd_siginfo>()]);
        }
        match (&asked, events_of.get(2)) {
            (Some(listener), Some(events)) if events.contains(PollFlags::IN) => sockets::answer(listener),
            // Nobody is left who could ask.
            (_, Some(events)) if !events.is_empty() => asked = None,
            _ => {}
        }
        if ready[1] {
            let mut number = [0];
            match rustix::io::read(orders, &mut number) {
                // SAFETY: sends a signal; the command is not reaped yet, so the number is still its own.
                Ok(1) => drop(unsafe { libc::kill(command.as_raw_pid(), i32::from(number[0])) }),
                // The shim is gone, and this process will be in a moment.
                _ => return None,
            }
        }
    }
}
