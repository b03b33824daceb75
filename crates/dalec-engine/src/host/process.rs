//! The process of a frontend, from its start to the end of everything it asked for.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use dalec_gateway::{FrontendResult, Gateway, GatewayError, LogStream, SolveRequest};
use dalec_wire::server::{Serving, serve};
use prost::Message;

use super::image::FrontendImage;
use super::outcome::{Ending, Report};
use super::served::Served;
use crate::Cancel;
use crate::error::{Error, IoContext, Result};
use crate::ops::exec::{sandbox_error, wait};
use crate::ops::{Active, Tail, follow};
use crate::sandbox::{DEFAULT_HOSTNAME, Network, SandboxMount, SandboxSpec, Streams};
use crate::session::Session;
use crate::shared::Counters;
use crate::solver::VertexProgress;

/// Where the graph of the frontend's image is to be found.
const IMAGE_DEFINITION: &str = "/run/config/buildkit/metadata/frontend.bin";

/// How long a frontend may go on after its last word.
const AFTER_ANSWER: Duration = Duration::from_secs(10);
/// How long a frontend may go on after it closed its connection.
const AFTER_CONNECTION: Duration = Duration::from_secs(2);

/// Bytes of a frontend's log that are shown; of more, the end is kept for the case that it fails.
const LOG_BYTES: usize = 2 << 20;

/// Id of the one session that serves local directories and secrets.
const SESSION: &str = "dalec";

/// Runs a frontend with `session` as its gateway.
///
/// # Errors
/// See [`super::call`].
pub fn run(session: &Arc<Session>, image: &FrontendImage) -> Result<FrontendResult, GatewayError> {
    let request = SolveRequest { definition: image.definition.clone(), evaluate: true };
    let root = session.solve(request)?.ok_or_else(|| GatewayError::Frontend {
        image: image.name.clone(),
        message: "its image is empty".into(),
        hint: None,
        log: Vec::new(),
    })?;
    let snapshot = session.snapshot(&root)?;
    let id = format!("{} {:p}", image.name, Arc::as_ptr(session));
    let name = format!("[frontend {}] run {}", image.name, image.args().join(" "));
    let progress = VertexProgress::of_work(session.core().options.progress.clone(), &id, name);
    progress.start();
    let ended = Active::new(session.core(), &snapshot)
        .and_then(|root| converse(session, image, &progress, &root))
        .map_err(|error| explain(session, image, error))
        .and_then(|report| report.result(image));
    progress.end(ended.as_ref().err().map(ToString::to_string));
    ended
}

/// Starts the process and serves it until it ends.
fn converse(
    session: &Arc<Session>,
    image: &FrontendImage,
    progress: &VertexProgress,
    root: &Active,
) -> Result<Report> {
    let core = session.core();
    let spec = spec(session, image, root);
    let launcher = core.launcher()?;
    let (theirs, ours) = std::io::pipe().at("open", "a pipe to the frontend")?;
    Counters::add(&core.counters.processes);
    let streams = Streams::Input(OwnedFd::from(theirs));
    let mut sandbox = launcher.spawn_on(&spec, streams).map_err(sandbox_error)?;
    drop(spec);
    let (from, stderr) = (sandbox.stdout(), sandbox.stderr());
    let from = from.ok_or_else(|| Error::op("the frontend has no standard output"))?;
    // Whatever happens from here on, what the frontend asked for ends before this function does.
    let stop = StopOnDrop(session.cancel());
    let host = Arc::new(Served::new(session.clone()));
    let serving = serve(host.clone(), OwnedFd::from(from), OwnedFd::from(ours))
        .at("serve", "the connection of the frontend")?;
    let check = || check(session.cancel(), &serving);
    let mut log = Log { progress, shown: 0, tail: Tail::default() };
    let ended = follow([None, stderr], &check, &mut |_, data| log.take(data))
        .and_then(|()| wait(&mut sandbox, &check));
    drop(sandbox);
    let ending = match ended {
        Ok(status) => Ending::Exited(status),
        Err(Error::Cancelled) if !session.cancel().is_cancelled() => Ending::Killed,
        Err(error) => return Err(error),
    };
    drop(stop);
    let outcome = serving.end();
    Ok(Report { ending, outcome, log: log.tail.lines(), failures: host.take_failures() })
}

/// Goes on while the frontend is wanted: nobody said stop, and it has something left to say.
fn check(cancel: &Cancel, serving: &Serving) -> Result<()> {
    let patience = if serving.is_answered() { AFTER_ANSWER } else { AFTER_CONNECTION };
    let over = serving.over_since().is_some_and(|since| since.elapsed() > patience);
    if over || cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}

fn spec(session: &Session, image: &FrontendImage, root: &Active) -> SandboxSpec {
    let request = session.build_options();
    let mut env = image.env();
    let options = request.options.iter().enumerate();
    env.extend(options.map(|(number, (key, value))| format!("BUILDKIT_FRONTEND_OPT_{number}={key}={value}")));
    let id = if request.session.is_empty() { SESSION } else { &request.session };
    env.push(format!("BUILDKIT_SESSION_ID={id}"));
    env.push(format!("BUILDKIT_WORKERS={}", workers(&request.platforms)));
    env.push(format!("BUILDKIT_EXPORTEDPRODUCT={}", request.product));
    let definition = SandboxMount::File {
        dest: IMAGE_DEFINITION.into(),
        data: image.definition.encode_to_vec(),
        mode: 0o400,
        uid: 0,
        gid: 0,
    };
    SandboxSpec {
        root: root.root(),
        readonly_root: false,
        mounts: if image.is_plain() { Vec::new() } else { vec![definition] },
        args: image.args(),
        env,
        cwd: image.working_dir(),
        user: String::new(),
        network: if image.refuses_network() { Network::None } else { Network::Host },
        hostname: DEFAULT_HOSTNAME.into(),
        extra_hosts: Vec::new(),
        ulimits: Vec::new(),
        remove_stub_parents: true,
        mode: session.core().options.mode,
    }
}

/// Returns the one worker as BuildKit's clients read workers.
fn workers(platforms: &[String]) -> String {
    let platform = |text: &String| {
        let mut parts = text.split('/');
        let mut next = || parts.next().unwrap_or_default();
        let (os, architecture, variant) = (next(), next(), next());
        match variant {
            "" => serde_json::json!({ "architecture": architecture, "os": os }),
            variant => serde_json::json!({ "architecture": architecture, "os": os, "variant": variant }),
        }
    };
    let platforms: Vec<_> = platforms.iter().map(platform).collect();
    serde_json::json!([{ "id": "dalec", "labels": {}, "platforms": platforms }]).to_string()
}

/// What a frontend writes for people.
struct Log<'a> {
    progress: &'a VertexProgress,
    shown: usize,
    tail: Tail,
}

impl Log<'_> {
    fn take(&mut self, data: &[u8]) {
        self.tail.push(LogStream::Stderr, data);
        let room = LOG_BYTES.saturating_sub(self.shown);
        let shown = &data[..data.len().min(room)];
        if !shown.is_empty() {
            self.progress.log(LogStream::Stderr, shown);
        }
        if shown.len() < data.len() && self.shown <= LOG_BYTES {
            let note = format!("\nmore than {} MiB of log: the rest is not shown\n", LOG_BYTES >> 20);
            self.progress.log(LogStream::Stderr, note.as_bytes());
            // Once.
            self.shown = LOG_BYTES;
        }
        self.shown += data.len();
    }
}

/// Stops what a frontend asked for.
struct StopOnDrop<'a>(&'a Cancel);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Returns why the process could not be run at all.
fn explain(session: &Session, image: &FrontendImage, error: Error) -> GatewayError {
    match error {
        Error::Process { message, hint, log, .. } => GatewayError::Frontend {
            image: image.name.clone(),
            message,
            hint: (!hint.is_empty()).then_some(hint),
            log,
        },
        error => error.into_gateway(session.core().store().root()),
    }
}
