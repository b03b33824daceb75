//! Forwarding a socket of the host to a process, mostly that of an ssh agent: one of ours stands for it.
//!
//! The agent's own socket would not do: it may be open to one user only, agents look at who asks, and a build step has no
//! business adding or removing keys.

use std::fs;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use bollard_buildkit_proto::pb;
use dalec_ssh_agent::{DEFAULT, Socket};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Gid, Mode, OFlags, Uid};

use super::OpContext;
use crate::error::{Error, IoContext, Result};
use crate::snapshot::write::Owners;
use crate::store::WorkDir;

const SOCKET: &str = "agent";

/// Connections that are forwarded at a time; more are refused.
const CONNECTIONS: usize = 64;

/// A socket behind which that of the host answers, until this is dropped.
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
            return Err(no_agent(id));
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

/// Returns the error that the client gave no agent called `id`.
pub fn no_agent(id: &str) -> Error {
    Error::Op {
        message: format!("no ssh agent called {id:?} was given"),
        hint: format!("give one with --ssh {id}, or --ssh {id}=SOCKET"),
        source: None,
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
fn accept_until(listener: &UnixListener, stopped: &OwnedFd, agent: &Socket) {
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

fn forward(client: UnixStream, agent: &Socket) -> io::Result<Forward> {
    client.set_nonblocking(false)?;
    let server = UnixStream::connect(&agent.path)?;
    let raw = agent.raw;
    let streams = [client.try_clone()?, server.try_clone()?];
    let thread = std::thread::Builder::new()
        .spawn(move || if raw { pass_on(&client, &server) } else { exchange(&client, &server) })?;
    Ok(Forward { thread, streams })
}

/// Lends the agent to the client until one of them has ended.
fn exchange(client: &UnixStream, agent: &UnixStream) {
    // Either side may go whenever it likes.
    let _ = dalec_ssh_agent::exchange(client, agent);
    let _ = client.shutdown(Shutdown::Both);
    let _ = agent.shutdown(Shutdown::Both);
}

/// Passes bytes on both ways until both sides have ended.
fn pass_on(client: &UnixStream, server: &UnixStream) {
    let one_way = |mut from: &UnixStream, mut to: &UnixStream| {
        // Either side may go whenever it likes; the other one is told.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| one_way(server, client));
        one_way(client, server);
    });
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
