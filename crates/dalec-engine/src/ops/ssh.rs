//! Forwarding an ssh agent of the host to a process: a socket of ours stands for the agent's.
//!
//! The agent's own socket would not do: it may be open to one user only, agents look at who asks, and a build step has no
//! business adding or removing keys. The protocol is `draft-ietf-sshm-ssh-agent`: a length of four bytes, a byte that says
//! what it is, and the rest.

use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use bollard_buildkit_proto::pb;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Gid, Mode, OFlags, Uid};

use super::OpContext;
use crate::error::{Error, IoContext, Result};
use crate::snapshot::write::Owners;
use crate::store::WorkDir;

/// The agent of mounts that name none.
const DEFAULT: &str = "default";
const SOCKET: &str = "agent";

const LIST_KEYS: u8 = 11;
const SIGN: u8 = 13;
const FAILURE: u8 = 5;

/// Most bytes of a message; the agent of OpenSSH takes no larger ones.
const MAX_MESSAGE: u32 = 256 << 10;

/// Connections that are forwarded at a time; more are refused.
const CONNECTIONS: usize = 64;

/// A socket behind which an ssh agent answers, until this is dropped.
#[derive(Debug)]
pub struct Agent {
    dir: WorkDir,
    /// Closed to end the forwarding.
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    /// Forwards the agent that `mount` asks for; none when it is optional and was not given.
    ///
    /// # Errors
    /// When it was not given, or no socket can be made.
    pub fn forward(context: &OpContext<'_>, mount: &pb::Mount) -> Result<Option<Self>> {
        let options = mount.ssh_opt.clone().unwrap_or_default();
        let id = if options.id.is_empty() { DEFAULT } else { &options.id };
        let Some(agent) = context.core.options.ssh_agents.get(id) else {
            if options.optional {
                return Ok(None);
            }
            return Err(Error::Op {
                message: format!("no ssh agent called {id:?} was given"),
                hint: format!("give one with --ssh {id}, or --ssh {id}=SOCKET"),
                source: None,
            });
        };
        let dir = context.core.store().work_dir()?;
        let listener = listen(dir.path()).at("make a socket in", dir.path())?;
        let socket = dir.path().join(SOCKET);
        let mode = if options.mode == 0 { 0o600 } else { options.mode & 0o777 };
        fs::set_permissions(&socket, fs::Permissions::from_mode(mode)).at("open up", &socket)?;
        if matches!(context.core.owners(), Owners::Any) {
            let (uid, gid) = (Uid::from_raw(options.uid), Gid::from_raw(options.gid));
            rustix::fs::chown(&socket, Some(uid), Some(gid)).at("hand over", &socket)?;
        }
        let (stopped, stop) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).at("open a pipe for", &socket)?;
        let agent = agent.clone();
        let thread = std::thread::Builder::new().name("ssh-agent".into());
        let thread = thread
            .spawn(move || accept_until(&listener, &stopped, &agent))
            .at("start a thread for", &socket)?;
        Ok(Some(Self { dir, stop: Some(stop), thread: Some(thread) }))
    }

    /// Returns where the socket is on the host.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join(SOCKET)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop = None;
        // A thread that panicked has ended, too.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Makes the socket by way of its directory: names of sockets may have no more than 107 bytes.
fn listen(dir: &Path) -> io::Result<UnixListener> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(dir, flags, Mode::empty())?;
    let listener = UnixListener::bind(format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd()))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A connection that is passed on.
struct Forward {
    thread: JoinHandle<()>,
    /// Both ends, to end it from here.
    streams: [UnixStream; 2],
}

/// Connects whoever comes with the agent, until `stopped` hangs up; then ends all connections.
fn accept_until(listener: &UnixListener, stopped: &OwnedFd, agent: &Path) {
    let mut forwards: Vec<Forward> = Vec::new();
    loop {
        let mut waiting =
            [PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        let polled = rustix::io::retry_on_intr(|| rustix::event::poll(&mut waiting, None));
        if polled.is_err() || !waiting[1].revents().is_empty() {
            break;
        }
        forwards.retain(|forward| !forward.thread.is_finished());
        // Refused by closing: that an agent is gone cannot be told in its own protocol.
        if let Ok((client, _)) = listener.accept()
            && forwards.len() < CONNECTIONS
            && let Ok(forward) = forward(client, agent)
        {
            forwards.push(forward);
        }
    }
    for Forward { thread, streams } in forwards {
        streams.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        // A thread that panicked has ended, too.
        let _ = thread.join();
    }
}

fn forward(client: UnixStream, agent: &Path) -> io::Result<Forward> {
    client.set_nonblocking(false)?;
    let server = UnixStream::connect(agent)?;
    let streams = [client.try_clone()?, server.try_clone()?];
    let thread = std::thread::Builder::new().spawn(move || exchange(&client, &server))?;
    Ok(Forward { thread, streams })
}

/// Passes requests on that only use keys, and answers others itself, until one side has ended.
fn exchange(client: &UnixStream, agent: &UnixStream) {
    let pass = || -> io::Result<()> {
        while let Some(request) = message(client)? {
            let answer = match request.first() {
                Some(&(LIST_KEYS | SIGN)) => {
                    send(agent, &request)?;
                    message(agent)?.ok_or(io::ErrorKind::UnexpectedEof)?
                }
                _ => vec![FAILURE],
            };
            send(client, &answer)?;
        }
        Ok(())
    };
    // Either side may go whenever it likes.
    let _ = pass();
    let _ = client.shutdown(Shutdown::Both);
    let _ = agent.shutdown(Shutdown::Both);
}

/// Reads a message without its length; none at the end.
fn message(mut stream: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_be_bytes(length);
    if length == 0 || length > MAX_MESSAGE {
        return Err(io::Error::other("a message has no sensible length"));
    }
    let mut message = vec![0; length as usize];
    stream.read_exact(&mut message)?;
    Ok(Some(message))
}

fn send(mut stream: impl Write, message: &[u8]) -> io::Result<()> {
    // The length was checked when it came in.
    let length = (message.len() as u32).to_be_bytes();
    stream.write_all(&[&length, message].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_can_be_used_and_nothing_else() {
        let (step, step_end) = UnixStream::pair().unwrap();
        let (agent, agent_end) = UnixStream::pair().unwrap();
        let filter = std::thread::spawn(move || exchange(&step_end, &agent));
        send(&step, &[REMOVE_ALL]).unwrap();
        assert_eq!(message(&step).unwrap(), Some(vec![FAILURE]));
        send(&step, &[LIST_KEYS]).unwrap();
        // The first thing that the agent sees.
        assert_eq!(message(&agent_end).unwrap(), Some(vec![LIST_KEYS]));
        send(&agent_end, &[12, 0, 0, 0, 0]).unwrap();
        assert_eq!(message(&step).unwrap(), Some(vec![12, 0, 0, 0, 0]));
        drop(step);
        filter.join().unwrap();
        assert!(message(&[0xff; 16][..]).is_err());
    }

    const REMOVE_ALL: u8 = 19;
}
