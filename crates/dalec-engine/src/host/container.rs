//! Containers that a frontend asks for: file systems that stay together while processes run in them.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bollard_buildkit_proto::pb;
use dalec_gateway::{FileRange, FileStat, GatewayError, SolveFailure};
use dalec_wire::server::{
    Container, ContainerRequest, Exit, ProcessControl, ProcessRequest, StartedProcess, Streams,
};

use super::files::Place;
use super::signals;
use crate::error::{Error, Result};
use crate::ops::exec::{refuse_unsupported, sandbox_error, spec, wait};
use crate::ops::{Mounts, OpContext};
use crate::sandbox::{
    self, ExitStatus, Killer, RunningSandbox, SandboxMount, SandboxSpec, Signaller, Terminal, resize,
};
use crate::session::Session;
use crate::shared::Counters;
use crate::snapshot::Snapshot;
use crate::solver::{VertexProgress, locked};

/// Where programs are looked up in a container unless a process says otherwise.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The kind of terminal that a process runs on unless it says otherwise.
const DEFAULT_TERMINAL: &str = "TERM=xterm";

/// A container of a frontend.
pub struct EngineContainer {
    session: Arc<Session>,
    name: String,
    /// What its processes have in common.
    op: pb::ExecOp,
    extra_hosts: Vec<pb::HostIp>,
    hostname: String,
    /// Where its mounts are on the host, in the order of the request; none for those that have no files to look at.
    places: Vec<Option<(PathBuf, String)>>,
    state: Arc<Mutex<State>>,
}

/// What changes while a container lives.
struct State {
    /// Gone when the container was released; processes that still end keep them.
    mounts: Option<Arc<Mounts>>,
    /// Processes by their number.
    running: BTreeMap<u64, Killer>,
    /// How many processes were started.
    started: u64,
}

/// A process while it runs; dropped, the container knows of it no more.
struct Running {
    container: Arc<Mutex<State>>,
    number: u64,
    /// Whether it is the one that the container is there for.
    first: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = locked(&self.container);
        state.running.remove(&self.number);
        if self.first {
            state.kill_all();
        }
    }
}

impl EngineContainer {
    /// Mounts what `request` asks for.
    pub fn new(session: Arc<Session>, request: ContainerRequest) -> Result<Self, GatewayError> {
        let mut inputs: Vec<Snapshot> = Vec::new();
        let mut wanted = Vec::new();
        for (mount, reference) in request.mounts {
            let input = match reference {
                None => -1,
                Some(reference) => {
                    inputs.push(session.snapshot(&reference)?);
                    inputs.len() as i64 - 1
                }
            };
            let mut mount = pb::Mount { input, ..mount };
            if let Some(caches) = session.caches() {
                caches.put(&mut mount);
            }
            wanted.push(mount);
        }
        let order: Vec<String> = wanted.iter().map(|mount| mount.dest.clone()).collect();
        // What lies in another mount comes after it.
        wanted.sort_by(|a, b| a.dest.cmp(&b.dest));
        let op = pb::ExecOp { mounts: wanted, network: request.network.into(), ..pb::ExecOp::default() };
        let progress = progress(&session, &request.name);
        let mounts = Mounts::new(&context(&session, &progress), &op, &inputs);
        let mounts = session.gateway(mounts).map_err(|error| in_container(&request.name, error))?;
        let places = order.iter().map(|dest| place(&mounts, dest)).collect();
        let state = State { mounts: Some(Arc::new(mounts)), running: BTreeMap::new(), started: 0 };
        Ok(Self {
            session,
            name: request.name,
            op,
            extra_hosts: request.extra_hosts,
            hostname: request.hostname,
            places,
            state: Arc::new(Mutex::new(state)),
        })
    }

    fn begin(&self, request: &ProcessRequest) -> Result<StartedProcess> {
        let core = self.session.core();
        let progress = progress(&self.session, &self.name);
        let context = context(&self.session, &progress);
        let mut state = locked(&self.state);
        let Some(mounts) = state.mounts.clone() else {
            return Err(Error::Request(format!("the container {:?} was released", self.name)));
        };
        let meta = self.meta(request);
        let op = pb::ExecOp {
            secretenv: request.secret_env.clone(),
            security: request.security.into(),
            ..self.op.clone()
        };
        refuse_unsupported(&op, &meta)?;
        let spec = spec(&context, &op, &meta, &mounts)?;
        let (ours, theirs) = streams(request).map_err(|source| Error::Io {
            action: "open",
            path: "the standard streams of a process".into(),
            source,
        })?;
        let launcher = core.launcher()?;
        Counters::add(&core.counters.processes);
        let (sandbox, streams, control) = start(&spec, launcher, ours, theirs)?;
        let first = state.running.is_empty();
        let number = state.started;
        state.started += 1;
        state.running.insert(number, sandbox.killer());
        drop(state);
        let running = Running { container: self.state.clone(), number, first };
        let session = self.session.clone();
        let wait = move || {
            let ended = until_ended(&session, sandbox);
            drop(mounts);
            drop(running);
            ended
        };
        Ok(StartedProcess { streams, control: Arc::new(control), wait: Box::new(wait) })
    }

    fn meta(&self, request: &ProcessRequest) -> pb::Meta {
        let mut meta = request.meta.clone();
        let defaults = [Some(DEFAULT_PATH), request.terminal.then_some(DEFAULT_TERMINAL)];
        for default in defaults.into_iter().flatten() {
            let name = &default[..=default.find('=').unwrap_or_default()];
            if !meta.env.iter().any(|variable| variable.starts_with(name)) {
                meta.env.push(default.to_owned());
            }
        }
        meta.hostname.clone_from(&self.hostname);
        meta.extra_hosts.clone_from(&self.extra_hosts);
        meta
    }

    fn place(&self, mount: usize) -> Result<Place, GatewayError> {
        if locked(&self.state).mounts.is_none() {
            let message = format!("the container {:?} was released", self.name);
            return Err(GatewayError::Request { message });
        }
        match self.places.get(mount) {
            Some(Some((source, selector))) => Place::open(source, selector),
            Some(None) => {
                Err(GatewayError::Request { message: format!("the mount {mount} has no files to look at") })
            }
            None => Err(GatewayError::Request { message: format!("there is no mount {mount}") }),
        }
    }
}

impl Container for EngineContainer {
    fn start(&self, request: ProcessRequest) -> Result<StartedProcess, GatewayError> {
        let started = self.begin(&request);
        started.map_err(|error| match error {
            // A command that is not there is the frontend's to handle, and no failed step.
            Error::Process { message, .. } => GatewayError::Request { message },
            error => in_container(&self.name, error.into_gateway(self.session.core().store().root())),
        })
    }

    fn release(&self) {
        let mut state = locked(&self.state);
        state.kill_all();
        state.mounts = None;
    }

    fn read_file(&self, mount: usize, path: &str, range: FileRange) -> Result<Vec<u8>, GatewayError> {
        self.place(mount)?.read_file(path, range)
    }

    fn read_dir(&self, mount: usize, path: &str) -> Result<Vec<FileStat>, GatewayError> {
        self.place(mount)?.read_dir(path)
    }

    fn stat_file(&self, mount: usize, path: &str) -> Result<FileStat, GatewayError> {
        self.place(mount)?.stat_file(path)
    }
}

impl State {
    fn kill_all(&mut self) {
        std::mem::take(&mut self.running).values().for_each(Killer::kill);
    }
}

impl Drop for EngineContainer {
    fn drop(&mut self) {
        self.release();
    }
}

/// Says of what failed where that was.
fn in_container(name: &str, error: GatewayError) -> GatewayError {
    match error {
        GatewayError::Solve(failure) => {
            GatewayError::Solve(Box::new(SolveFailure { name: format!("container {name}"), ..*failure }))
        }
        other => other,
    }
}

fn progress(session: &Session, name: &str) -> VertexProgress {
    let sink = session.core().options.progress.clone();
    VertexProgress::of_work(sink, &format!("container {name}"), format!("container {name}"))
}

fn context<'a>(session: &'a Session, progress: &'a VertexProgress) -> OpContext<'a> {
    OpContext {
        core: session.core(),
        progress,
        cancel: session.cancel(),
        platform: None,
        purpose: session.purpose(),
    }
}

/// Returns where what a container sees at `dest` is on the host.
fn place(mounts: &Mounts, dest: &str) -> Option<(PathBuf, String)> {
    if dest == "/" {
        return Some((mounts.root.clone(), String::new()));
    }
    mounts.mounts.iter().find_map(|mount| match mount {
        SandboxMount::Bind { source, selector, dest: seen, .. } if seen == dest => {
            Some((source.clone(), selector.clone()))
        }
        _ => None,
    })
}

/// The frontend's ends of standard streams.
struct Ours {
    stdin: Option<io::PipeWriter>,
    terminal: Option<std::fs::File>,
}

/// Returns the frontend's and the process's ends of the standard streams.
fn streams(request: &ProcessRequest) -> io::Result<(Ours, sandbox::Streams)> {
    if request.terminal {
        let Terminal { near, far } = Terminal::open()?;
        return Ok((Ours { stdin: None, terminal: Some(near) }, sandbox::Streams::Terminal(far)));
    }
    if !request.input {
        return Ok((Ours { stdin: None, terminal: None }, sandbox::Streams::NoInput));
    }
    let (theirs, ours) = io::pipe()?;
    Ok((Ours { stdin: Some(ours), terminal: None }, sandbox::Streams::Input(theirs.into())))
}

fn start(
    spec: &SandboxSpec,
    launcher: &sandbox::Launcher,
    ours: Ours,
    theirs: sandbox::Streams,
) -> Result<(RunningSandbox, Streams, Control)> {
    let mut sandbox = launcher.spawn_on(spec, theirs).map_err(sandbox_error)?;
    let again = |file: &std::fs::File| file.try_clone();
    let terminal = ours.terminal.as_ref();
    let copies =
        || -> io::Result<_> { Ok((terminal.map(again).transpose()?, terminal.map(again).transpose()?)) };
    let (near, resized) = copies().map_err(|source| Error::Io {
        action: "open",
        path: "the terminal of a process".into(),
        source,
    })?;
    let control = Control { signaller: sandbox.signaller(), terminal: resized };
    let streams = match near {
        Some(near) => Streams { stdin: ours.terminal, stdout: Some(near), stderr: None },
        None => Streams {
            stdin: ours.stdin.map(|pipe| std::os::fd::OwnedFd::from(pipe).into()),
            stdout: sandbox.stdout(),
            stderr: sandbox.stderr(),
        },
    };
    Ok((sandbox, streams, control))
}

fn until_ended(session: &Session, mut sandbox: RunningSandbox) -> Result<Exit, GatewayError> {
    let check = || if session.cancel().is_cancelled() { Err(Error::Cancelled) } else { Ok(()) };
    let status = session.gateway(wait(&mut sandbox, &check))?;
    Ok(match status {
        ExitStatus::Code(code) => Exit(u32::try_from(code).unwrap_or(1)),
        ExitStatus::Signal(signal) => Exit(128 + u32::try_from(signal).unwrap_or_default()),
    })
}

/// Signals for a process, and the size of its terminal.
struct Control {
    signaller: Signaller,
    terminal: Option<std::fs::File>,
}

impl ProcessControl for Control {
    fn signal(&self, name: &str) -> Result<(), GatewayError> {
        let number = signals::number(name)
            .ok_or_else(|| GatewayError::Request { message: format!("there is no signal {name:?}") })?;
        self.signaller.send(number);
        Ok(())
    }

    fn resize(&self, rows: u16, columns: u16) {
        if let Some(terminal) = &self.terminal {
            // A size that is not taken changes only how things look.
            let _ = resize(terminal, rows, columns);
        }
    }
}
