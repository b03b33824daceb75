//! The shim: the process between the engine and a sandbox. Reads the spec, starts init, waits, and ends with it.
//!
//! It stays in the mount namespace of the engine, holds nothing but its socket, and mounts nothing.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};
use rustix::thread::UnshareFlags;

use super::wire::{self, At, Failure, Input, Order, Report};
use super::{SandboxSpec, init};

/// The hidden first argument that makes an executable the shim.
pub const SHIM_ARGUMENT: &str = "__sandbox";

/// Becomes the shim, and never returns, if the process was started as one; else returns at once.
///
/// To be called first in `main` of every binary that uses a [`Launcher`](super::Launcher): before threads, and before
/// anything that costs time.
pub fn shim_main_if_requested() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == SHIM_ARGUMENT) && arguments.next().is_none() {
        std::process::exit(shim_main());
    }
}

/// Started by hand: there is no engine to talk to.
const STATUS_MISUSED: i32 = 2;

fn shim_main() -> i32 {
    let control = match control_socket() {
        Ok(control) => control,
        Err(_) => {
            eprintln!(
                "`{SHIM_ARGUMENT}` is how this program starts itself for build steps; it is not meant to be called"
            );
            return STATUS_MISUSED;
        }
    };
    // No answer: the engine is gone, or gave up on this sandbox.
    let Ok(Some(input)) = wire::receive::<Input>(&control) else { return 0 };
    let taken = match input {
        Input::Nothing => Ok(()),
        Input::Follows | Input::Terminal => take_input(&control),
    };
    let Ok(Some(spec)) = wire::receive::<SandboxSpec>(&control) else { return 0 };
    let taken = taken.map_err(|error| Failure::invalid("take the input of the command", error.to_string()));
    if let Err(failure) = taken.and_then(|()| run(spec, input, &control)) {
        // Failing to report means the engine is gone.
        let _ = wire::send(&control, &Report::Failed { failure, stubs: Vec::new() });
    }
    0
}

/// Takes the socket from standard input, and lets go of all else that an engine may have left open by accident:
/// an inherited directory would be a way out of the sandbox.
fn control_socket() -> io::Result<UnixStream> {
    // Out of reach of the terminal's signals: the engine decides what an interrupt means.
    let _ = rustix::process::setsid();
    rustix::net::sockopt::socket_type(rustix::stdio::stdin())?;
    // SAFETY: this process has opened nothing yet, so nobody in it owns a descriptor above the standard ones.
    if unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::stdio::dup2_stdin(null()?)?;
    rustix::process::chdir("/")?;
    Ok(UnixStream::from(control))
}

/// Makes what follows on the socket the standard input, for the command to inherit.
fn take_input(control: &UnixStream) -> io::Result<()> {
    Ok(rustix::stdio::dup2_stdin(wire::receive_descriptor(control)?)?)
}

/// Lets go of the standard streams: their other ends must see when the command has closed them.
pub(super) fn close_streams() -> Result<(), Errno> {
    let null = null()?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)
}

fn null() -> Result<OwnedFd, Errno> {
    rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}

fn run(spec: SandboxSpec, input: Input, control: &UnixStream) -> Result<(), Failure> {
    // Init watches the reading end: signals for the command come through it, and it hangs up when the shim is gone.
    let (orders, to_init) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).at("open a pipe to the sandbox")?;
    // SAFETY: only namespaces are unshared; the descriptor table stays as it is.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWPID) }.at("create a pid namespace")?;
    // SAFETY: the process is single-threaded, so the child may go on as an ordinary process.
    match unsafe { libc::fork() } {
        -1 => Err(crate::mount::detached::last_errno()).at("start the first process of the sandbox"),
        0 => {
            drop(to_init);
            init::main(&spec, input, control, &orders)
        }
        pid => {
            drop(spec);
            drop(orders);
            close_streams().at("let go of the streams of the command")?;
            let init = Pid::from_raw(pid).expect("fork returns a positive pid to the parent");
            watch(init, control, &to_init)
        }
    }
}

/// Waits until init ends, passing on signals, or kills it when the engine closes the socket; everything in its pid
/// namespace dies with it.
fn watch(init: Pid, control: &UnixStream, to_init: &OwnedFd) -> Result<(), Failure> {
    let step = "watch the first process of the sandbox";
    let handle = rustix::process::pidfd_open(init, PidfdFlags::empty()).at(step)?;
    loop {
        let mut descriptors =
            [PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN), PollFd::new(&handle, PollFlags::IN)];
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut descriptors, None)).at(step)?;
        if !descriptors[1].revents().is_empty() {
            break;
        }
        match wire::receive::<Order>(control) {
            // Init may be ending in this moment; then nobody needs the signal.
            Ok(Some(Order::Signal { number })) => drop(rustix::io::write(to_init, &[number])),
            Ok(None) | Err(_) => {
                // It may have ended in this moment, which is as good.
                let _ = rustix::process::pidfd_send_signal(&handle, Signal::KILL);
                break;
            }
        }
    }
    rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(init), WaitOptions::empty())).at(step)?;
    Ok(())
}
