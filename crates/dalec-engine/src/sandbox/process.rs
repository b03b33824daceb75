//! The command itself: from a copy of init to a program with reduced rights.

use std::ffi::{CString, OsStr};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Resource, Rlimit};

use super::seccomp::{Filter, Rules};
use super::user::User;
use super::wire::{self, At, Failure, Input};
use super::{Network, SandboxSpec, Ulimit, capabilities, sockets, syscalls};
use crate::mount::detached::last_errno;
use crate::userns::Mode;

/// Where programs are looked up when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Open files unless the spec says otherwise: few for programs that close all they might have, many for those that ask.
const OPEN_FILES: (u64, u64) = (1024, 524_288);

/// What the command needs, made before it is started.
pub(super) struct Command<'a> {
    spec: &'a SandboxSpec,
    user: &'a User,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    candidates: Vec<CString>,
    cwd: OwnedFd,
    input: Input,
}

impl<'a> Command<'a> {
    /// Prepares to run the command of `spec` as `user` in the open directory `cwd`.
    pub(super) fn new(
        spec: &'a SandboxSpec,
        user: &'a User,
        cwd: OwnedFd,
        input: Input,
    ) -> Result<Self, Failure> {
        let program = spec.args.first().filter(|program| !program.is_empty());
        let program = program.ok_or_else(|| Failure::invalid("read the command", "it is empty"))?;
        let mut environment = strings("read the environment", spec.env.iter().map(String::as_str))?;
        if variable(spec, "HOME").is_none() {
            environment.push(string("read the environment", &format!("HOME={}", user.home))?);
        }
        Ok(Command {
            spec,
            user,
            arguments: strings("read the command", spec.args.iter().map(String::as_str))?,
            environment,
            candidates: candidates(program, variable(spec, "PATH").unwrap_or(DEFAULT_PATH))?,
            cwd,
            input,
        })
    }

    /// Starts the command as a child of this process, which is single-threaded; returns when it has been executed, with
    /// where its programs ask for sockets, if there are such.
    pub(super) fn start(&self) -> Result<(Pid, Option<OwnedFd>), Failure> {
        let step = "start the command";
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).at(step)?;
        let (ours, theirs) = UnixStream::pair().map_err(|error| Failure::invalid(step, error.to_string()))?;
        // SAFETY: the process is single-threaded, so the child may go on as an ordinary process.
        let pid = match unsafe { libc::fork() } {
            -1 => return Err(last_errno()).at(step),
            0 => {
                let Err(failure) = self.execute(&theirs);
                // Init is this process's only reader; if it is gone, so is the sandbox.
                let _ = wire::send(std::fs::File::from(writer), &failure);
                // SAFETY: ends this child without running the exit handlers of init.
                unsafe { libc::_exit(127) }
            }
            pid => Pid::from_raw(pid).expect("fork returns a positive pid to the parent"),
        };
        drop((writer, theirs));
        // The pipe closes by itself when the program is executed.
        let mut report = Vec::new();
        let _ = std::fs::File::from(reader).read_to_end(&mut report);
        match wire::receive::<Failure>(report.as_slice()) {
            Ok(None) => match wire::receive_descriptor(&ours) {
                Ok(questions) => Ok((pid, Some(questions))),
                // Nothing comes when there is nothing to ask.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok((pid, None)),
                // Questions that nobody listens to would be anybody's.
                Err(error) => Err(Failure::invalid(step, error.to_string())),
            },
            Ok(Some(failure)) => Err(failure),
            Err(error) => Err(Failure::invalid(step, error.to_string())),
        }
    }

    fn execute(&self, init: &UnixStream) -> Result<std::convert::Infallible, Failure> {
        rustix::process::setsid().at("start a session")?;
        if self.input == Input::Terminal {
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin()).at("take the terminal")?;
        }
        reset_signals();
        self.limit_resources()?;
        self.hand_over_output();
        rustix::process::fchdir(&self.cwd).at("enter the working directory")?;
        self.reduce_rights(init)?;
        self.replace_process()
    }

    fn limit_resources(&self) -> Result<(), Failure> {
        let own = |resource| rustix::process::getrlimit(resource);
        let lower = |own: Option<u64>, wanted: u64| Some(own.map_or(wanted, |own| own.min(wanted)));
        let files = own(Resource::Nofile).maximum;
        let files = Rlimit { current: lower(files, OPEN_FILES.0), maximum: lower(files, OPEN_FILES.1) };
        rustix::process::setrlimit(Resource::Nofile, files).at("limit the number of open files")?;
        // Memory images would end up in the working directory, and so in the result.
        let core = Rlimit { current: Some(0), maximum: own(Resource::Core).maximum };
        rustix::process::setrlimit(Resource::Core, core).at("limit the size of core files")?;
        for Ulimit { name, soft, hard } in &self.spec.ulimits {
            let step = format!("set the limit {name}");
            let resource = resource(name).ok_or_else(|| Failure::invalid(&step, "there is no such limit"))?;
            let value = |number: u64| (number != u64::MAX).then_some(number);
            rustix::process::setrlimit(resource, Rlimit { current: value(*soft), maximum: value(*hard) })
                .at(step)?;
        }
        Ok(())
    }

    /// Lets the user reopen the output through `/dev/stdout`, which belongs to whoever made the pipe.
    fn hand_over_output(&self) {
        if !self.user.uid.is_root() && !self.spec.mode.has_single_id() {
            for output in [rustix::stdio::stdout().as_fd(), rustix::stdio::stderr().as_fd()] {
                // Programs that only write to it do not need this.
                let _ = rustix::fs::fchown(output, Some(self.user.uid), Some(self.user.gid));
            }
        }
    }

    fn reduce_rights(&self, init: &UnixStream) -> Result<(), Failure> {
        let single = self.spec.mode.has_single_id();
        // In a user namespace the kernel itself refuses raw packets of the host.
        let shares_network = self.spec.mode == Mode::Privileged && self.spec.network == Network::Host;
        capabilities::limit_bounding_set().at("limit the capabilities")?;
        let filter = |asks| Filter::new(Rules { single_owner: single, no_raw_packets: shares_network, asks });
        let step = "load the system call filter";
        let listener = if self.is_32_bit() { filter(true).load_listening().at(step)? } else { None };
        match listener {
            Some(listener) => {
                let sent = wire::send_descriptor(init, listener.as_fd());
                sent.map_err(|error| Failure::invalid(step, error.to_string()))?;
            }
            None => filter(false).load().at(step)?,
        }
        if !single {
            let User { uid, gid, groups, .. } = self.user;
            let step = format!("become user {}:{}", uid.as_raw(), gid.as_raw());
            rustix::thread::set_thread_groups(groups).at(step.as_str())?;
            rustix::thread::set_thread_res_gid(*gid, *gid, *gid).at(step.as_str())?;
            rustix::thread::set_thread_res_uid(*uid, *uid, *uid).at(step.as_str())?;
        }
        if single || self.user.uid.is_root() {
            capabilities::drop_to_kept().at("drop capabilities")?;
        }
        Ok(())
    }

    /// Returns whether the command, or the shell of its root, is a 32-bit program of this 64-bit machine.
    fn is_32_bit(&self) -> bool {
        let command = self.candidates.iter().filter_map(|path| path.to_str().ok());
        let mut there = command.filter(|path| Path::new(path).exists());
        syscalls::COMPATIBLE.is_some()
            && (there.next().is_some_and(sockets::is_32_bit) || sockets::is_32_bit("/bin/sh"))
    }

    fn replace_process(&self) -> Result<std::convert::Infallible, Failure> {
        let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
            strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        let mut result = Errno::NOENT;
        for candidate in &self.candidates {
            // SAFETY: both lists end with a null pointer, and all strings live as long as `self`.
            unsafe { libc::execve(candidate.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
            match last_errno() {
                Errno::NOENT | Errno::NOTDIR => {}
                // A file that is in the way does not end the search, but explains its failure.
                Errno::ACCESS => result = Errno::ACCESS,
                errno => {
                    result = errno;
                    break;
                }
            }
        }
        Err(result).running(&self.spec.args[0])
    }
}

/// Returns what would be executed, in the order of trying.
fn candidates(program: &str, path: &str) -> Result<Vec<CString>, Failure> {
    if program.contains('/') {
        return Ok(vec![string("read the command", program)?]);
    }
    let directories = path.split(':').map(|directory| if directory.is_empty() { "." } else { directory });
    directories.map(|directory| string("read PATH", &format!("{directory}/{program}"))).collect()
}

/// Returns the last value of a variable, which is the one that programs see who take the last.
fn variable<'a>(spec: &'a SandboxSpec, name: &str) -> Option<&'a str> {
    spec.env.iter().rev().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
}

fn strings<'a>(step: &str, texts: impl Iterator<Item = &'a str>) -> Result<Vec<CString>, Failure> {
    texts.map(|text| string(step, text)).collect()
}

fn string(step: &str, text: &str) -> Result<CString, Failure> {
    CString::new(OsStr::new(text).as_bytes()).map_err(|_| Failure::invalid(step, "it contains a zero byte"))
}

/// Undoes what the engine, its parents and the language runtime have set; ignored signals survive an execution.
fn reset_signals() {
    // The kernel's own structure, all zero: the default action, no flags, nothing blocked. The C library would not
    // touch the two signals that it keeps for itself.
    let default_action = [0_u64; 4];
    for signal in 1..=64 {
        // SAFETY: the structure outlives the call and is as large as on any 64-bit machine; refusals (9, 19) are harmless.
        unsafe {
            let none = std::ptr::null::<u8>();
            libc::syscall(libc::SYS_rt_sigaction, signal, default_action.as_ptr(), none, size_of::<u64>());
        }
    }
    // SAFETY: the set is initialized by sigemptyset before it is read.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

fn resource(name: &str) -> Option<Resource> {
    Some(match name.to_ascii_lowercase().as_str() {
        "as" => Resource::As,
        "core" => Resource::Core,
        "cpu" => Resource::Cpu,
        "data" => Resource::Data,
        "fsize" => Resource::Fsize,
        "locks" => Resource::Locks,
        "memlock" => Resource::Memlock,
        "msgqueue" => Resource::Msgqueue,
        "nice" => Resource::Nice,
        "nofile" => Resource::Nofile,
        "nproc" => Resource::Nproc,
        "rss" => Resource::Rss,
        "rtprio" => Resource::Rtprio,
        "rttime" => Resource::Rttime,
        "sigpending" => Resource::Sigpending,
        "stack" => Resource::Stack,
        _ => return None,
    })
}
