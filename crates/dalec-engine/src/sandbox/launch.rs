//! The engine's side of a sandbox: starting the shim, listening to it, and cleaning up after it.

use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mount::MountAttrFlags;

use super::stubs::{self, Stub};
use super::wire::{self, ExitStatus, Input, Order, Report};
use super::{SHIM_ARGUMENT, SandboxError, SandboxSpec};
use crate::mount::detached::{self, Depth};

/// Starts sandboxes; made once per engine and shared by its threads.
#[derive(Debug)]
pub struct Launcher {
    /// The executable, reached in a way that never allows writing to it: a program in the sandbox may get hold of
    /// what it was started from.
    executable: OwnedFd,
}

impl Launcher {
    /// Prepares to start shims from this process's own executable, whose `main` calls
    /// [`shim_main_if_requested`](super::shim_main_if_requested). Call it after [`crate::userns::enter`].
    ///
    /// # Errors
    /// [`SandboxError::Launch`] if the executable cannot be opened.
    pub fn new() -> Result<Self, SandboxError> {
        Self::from_executable(Path::new("/proc/self/exe"))
    }

    /// Prepares to start shims from another executable.
    ///
    /// # Errors
    /// [`SandboxError::Launch`] if it cannot be opened.
    pub fn from_executable(path: &Path) -> Result<Self, SandboxError> {
        let executable = readonly_mount(path).or_else(|_| sealed_copy(path)).map_err(launch)?;
        Ok(Launcher { executable })
    }

    /// Starts a sandbox and returns when its command has been executed.
    ///
    /// The output arrives in [`RunningSandbox::stdout`] and [`RunningSandbox::stderr`]; somebody must read both, or the
    /// command stops when a pipe is full. Standard input is empty.
    ///
    /// # Errors
    /// Any [`SandboxError`]; nothing is left behind then.
    pub fn spawn(&self, spec: &SandboxSpec) -> Result<RunningSandbox, SandboxError> {
        self.spawn_on(spec, Streams::NoInput)
    }

    /// Starts a sandbox as [`Launcher::spawn`] does, with other standard streams.
    ///
    /// # Errors
    /// Any [`SandboxError`]; nothing is left behind then.
    pub fn spawn_on(&self, spec: &SandboxSpec, streams: Streams) -> Result<RunningSandbox, SandboxError> {
        let (control, theirs) = UnixStream::pair().map_err(launch)?;
        let (stdout, stderr) = streams.outputs().map_err(launch)?;
        let mut child = Command::new(format!("/proc/self/fd/{}", self.executable.as_raw_fd()))
            .arg(SHIM_ARGUMENT)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .map_err(launch)?;
        let stdout = child.stdout.take().map(|pipe| File::from(OwnedFd::from(pipe)));
        let stderr = child.stderr.take().map(|pipe| File::from(OwnedFd::from(pipe)));
        let mut sandbox = RunningSandbox {
            child,
            control: Arc::new(control),
            stdout,
            stderr,
            root: spec.root.clone(),
            stubs: Vec::new(),
            status: None,
        };
        let input = match &streams {
            Streams::NoInput => Input::Nothing,
            Streams::Input(_) => Input::Follows,
            Streams::Terminal(_) => Input::Terminal,
        };
        wire::send(&*sandbox.control, &input).map_err(launch)?;
        if let Streams::Input(input) | Streams::Terminal(input) = &streams {
            wire::send_descriptor(&sandbox.control, input.as_fd()).map_err(launch)?;
        }
        // Held by nobody but the command from here on, or it would never see the other end close.
        drop(streams);
        wire::send(&*sandbox.control, spec).map_err(launch)?;
        match wire::receive(&*sandbox.control).map_err(launch)? {
            Some(Report::Started { stubs }) => {
                sandbox.stubs = stubs;
                Ok(sandbox)
            }
            Some(Report::Failed { failure, stubs }) => {
                sandbox.stubs = stubs;
                Err(failure.into())
            }
            Some(Report::Exited { .. }) | None => Err(SandboxError::Lost),
        }
    }
}

/// What a command's standard streams are connected to.
#[derive(Debug)]
pub enum Streams {
    /// An empty input; the output goes through pipes.
    NoInput,
    /// This as input; the output goes through pipes.
    Input(OwnedFd),
    /// This terminal for everything, which becomes the one that controls the command.
    Terminal(OwnedFd),
}

impl Streams {
    fn outputs(&self) -> io::Result<(Stdio, Stdio)> {
        match self {
            Streams::NoInput | Streams::Input(_) => Ok((Stdio::piped(), Stdio::piped())),
            Streams::Terminal(terminal) => Ok((terminal.try_clone()?.into(), terminal.try_clone()?.into())),
        }
    }
}

fn launch(source: io::Error) -> SandboxError {
    SandboxError::Launch { source }
}

/// Opens the executable through a mount of its own that is read-only, whatever the host's is.
fn readonly_mount(path: &Path) -> io::Result<OwnedFd> {
    // A path through /proc leads into the mount namespace that the process was started in, which cannot be copied from.
    let real = std::fs::canonicalize(path)?;
    let (wanted, found) = (std::fs::metadata(path)?, std::fs::metadata(&real)?);
    if (wanted.dev(), wanted.ino()) != (found.dev(), found.ino()) {
        return Err(io::Error::other("the executable was replaced while it runs"));
    }
    let tree = detached::clone_path(&real, Depth::One)?;
    detached::add_attributes(
        &tree,
        MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV,
        Depth::One,
    )?;
    Ok(tree)
}

/// Copies the executable into memory where nobody can change it; for executables that no path leads to any more.
fn sealed_copy(path: &Path) -> io::Result<OwnedFd> {
    let copy = rustix::fs::memfd_create("dalec", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut writer = File::from(copy.try_clone()?);
    io::copy(&mut File::open(path)?, &mut writer)?;
    rustix::fs::fcntl_add_seals(
        &copy,
        SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
    )?;
    Ok(copy)
}

/// A command that runs in its sandbox.
///
/// Dropping it kills everything in the sandbox and cleans up; so does the death of the engine.
#[derive(Debug)]
#[must_use = "dropping a sandbox kills it"]
pub struct RunningSandbox {
    child: Child,
    control: Arc<UnixStream>,
    stdout: Option<File>,
    stderr: Option<File>,
    root: PathBuf,
    stubs: Vec<Stub>,
    status: Option<ExitStatus>,
}

/// Kills a sandbox from any thread, also while another one waits for it.
#[derive(Debug, Clone)]
pub struct Killer(Arc<UnixStream>);

impl Killer {
    /// Kills everything in the sandbox; without effect if it has ended.
    pub fn kill(&self) {
        // The only failure is that the other side has closed already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Sends signals to the command of a sandbox from any thread.
#[derive(Debug, Clone)]
pub struct Signaller(Arc<UnixStream>);

impl Signaller {
    /// Sends signal `number` to the command; without effect if it has ended.
    pub fn send(&self, number: u8) {
        // The only failure is that the other side has closed already.
        let _ = wire::send(&*self.0, &Order::Signal { number });
    }
}

impl RunningSandbox {
    /// Returns the reading end of standard output, the first time it is asked for.
    pub fn stdout(&mut self) -> Option<File> {
        self.stdout.take()
    }

    /// Returns the reading end of standard error, the first time it is asked for.
    pub fn stderr(&mut self) -> Option<File> {
        self.stderr.take()
    }

    /// Returns a handle by which another thread can kill the sandbox.
    pub fn killer(&self) -> Killer {
        Killer(Arc::clone(&self.control))
    }

    /// Returns a handle by which another thread can send signals to the command.
    pub fn signaller(&self) -> Signaller {
        Signaller(Arc::clone(&self.control))
    }

    /// Kills everything in the sandbox. [`RunningSandbox::wait`] still has to be called, or this value dropped.
    pub fn kill(&self) {
        self.killer().kill();
    }

    /// Waits until the command has ended and nothing of the sandbox is left: no process, no mount, no empty mount point.
    ///
    /// A sandbox that was killed reports signal 9. Calling it again returns the same.
    ///
    /// # Errors
    /// [`SandboxError::Launch`] if the helper process cannot be waited for.
    pub fn wait(&mut self) -> Result<ExitStatus, SandboxError> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        let reported = match wire::receive(&*self.control) {
            Ok(Some(Report::Exited { status })) => status,
            _ => ExitStatus::Signal(libc::SIGKILL),
        };
        self.child.wait().map_err(launch)?;
        stubs::remove(&self.root, &self.stubs);
        self.status = Some(reported);
        Ok(reported)
    }
}

impl Drop for RunningSandbox {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.kill();
            // Nobody is left to tell.
            let _ = self.wait();
        }
    }
}
