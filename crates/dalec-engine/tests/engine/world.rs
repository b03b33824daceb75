//! A store, a base with the probe in it, and engines on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bollard_buildkit_proto::pb;
use dalec_engine::store::Store;
use dalec_engine::userns::Mode;
use dalec_engine::{Engine, EngineOptions, SecretError, SecretScope, Secrets, Session, Stats};
use dalec_gateway::{
    BuildOptions, Event, Gateway, GatewayError, ProgressSink, Reference, SolveFailure, SolveRequest,
};

use crate::graph::{Graph, Node};

pub type Case = fn(&World);

/// A list of cases whose names are those of the functions.
macro_rules! cases {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name as crate::world::Case)),*] };
}
pub(crate) use cases;

/// A machine to build on.
pub struct World {
    pub mode: Mode,
    /// Everything of this case.
    pub dir: tempfile::TempDir,
    pub events: Arc<Events>,
}

/// What an engine told.
#[derive(Default)]
pub struct Events(Mutex<Vec<Event>>);

impl ProgressSink for Events {
    fn event(&self, event: Event) {
        self.0.lock().expect("events").push(event);
    }
}

impl Events {
    pub fn all(&self) -> Vec<Event> {
        self.0.lock().expect("events").clone()
    }

    /// What processes wrote, both streams together.
    pub fn log(&self) -> String {
        let text = |event: Event| match event {
            Event::Log { data, .. } => String::from_utf8(data).expect("text"),
            _ => String::new(),
        };
        self.all().into_iter().map(text).collect()
    }

    /// Whether `text` was told in any way: written by processes, however their output was cut, or in words of the engine.
    pub fn tell(&self, text: &str) -> bool {
        let mut written = Vec::new();
        let mut words = String::new();
        for event in self.all() {
            match event {
                Event::Log { data, .. } => written.extend_from_slice(&data),
                other => words += &format!("{other:?}\n"),
            }
        }
        words.contains(text) || contains(&written, text)
    }

    pub fn statuses(&self) -> Vec<String> {
        let id = |event| match event {
            Event::Status { id, .. } => Some(id),
            _ => None,
        };
        self.all().into_iter().filter_map(id).collect()
    }
}

/// One secret for everyone, and one for signers.
struct TestSecrets;

impl Secrets for TestSecrets {
    fn secret(&self, id: &str) -> Result<Option<Vec<u8>>, SecretError> {
        Ok(match id {
            "key" => Some(SECRET.into()),
            "signing-key" => Some(SIGNING_SECRET.into()),
            _ => None,
        })
    }

    fn scope(&self, id: &str) -> SecretScope {
        if id == "signing-key" { SecretScope::Signer } else { SecretScope::Everyone }
    }
}

impl World {
    pub fn new(mode: Mode) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let world = Self { mode, dir, events: Arc::default() };
        fs::create_dir_all(world.path("base/bin")).expect("make the base");
        // One file for all cases: a link costs nothing, and the engine reads it only.
        let probe = std::env::current_exe().expect("this program");
        fs::hard_link(&probe, world.path("base/bin/probe"))
            .or_else(|_| fs::copy(&probe, world.path("base/bin/probe")).map(drop))
            .expect("link this program");
        world.write("base/etc/passwd", "root:x:0:0::/root:/bin/sh\nbuilder:x:7:8::/:/bin/sh\n");
        world.write("base/etc/group", "root:x:0:\ntools:x:9:\n");
        fs::create_dir(world.path("context")).expect("make the context");
        world
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("make a directory");
        fs::write(path, text).expect("write a file");
    }

    pub fn store(&self) -> Store {
        Store::open(&self.path("state")).expect("open the store")
    }

    pub fn options(&self) -> EngineOptions {
        let mut options = EngineOptions::new(self.store(), self.events.clone());
        options.mode = self.mode;
        for name in ["base", "context"] {
            options.local_dirs.insert(name.into(), self.path(name));
        }
        options.secrets = Arc::new(TestSecrets);
        options
    }

    pub fn engine(&self) -> Engine {
        Engine::new(self.options()).expect("an engine")
    }

    /// Builds with a fresh engine.
    pub fn build(&self, graph: impl FnOnce(&mut Graph) -> Node) -> Built {
        Built::new(self.engine(), graph).unwrap_or_else(|error| panic!("{}", explain(&error)))
    }

    pub fn failure(&self, graph: impl FnOnce(&mut Graph) -> Node) -> SolveFailure {
        match Built::new(self.engine(), graph) {
            Err(GatewayError::Solve(failure)) => *failure,
            Err(error) => panic!("another kind of error: {}", explain(&error)),
            Ok(_) => panic!("no error"),
        }
    }

    /// Returns what is mounted below this case's directory.
    pub fn mounts(&self) -> Vec<String> {
        let table = fs::read_to_string("/proc/self/mountinfo").expect("the mount table");
        let below = self.dir.path().display().to_string();
        table.lines().filter(|line| line.contains(&below)).map(str::to_owned).collect()
    }

    /// Returns what is unfinished in the store.
    pub fn unfinished(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("state/tmp")).expect("list");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }
}

pub const SECRET: &str = "open sesame 4711";
pub const SIGNING_SECRET: &str = "canary of the signing key 0815";

/// A result, with the engine that made it.
pub struct Built {
    pub engine: Engine,
    pub session: Session,
    pub reference: Reference,
}

impl Built {
    pub fn new(engine: Engine, graph: impl FnOnce(&mut Graph) -> Node) -> Result<Self, GatewayError> {
        let session = engine.session(BuildOptions::default());
        let reference = session.solve(SolveRequest { definition: definition(graph), evaluate: true })?;
        Ok(Self { engine, session, reference: reference.expect("not the empty file system") })
    }

    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    pub fn read(&self, path: &str) -> String {
        let content = self.session.read_file(&self.reference, path, None);
        let content = content.unwrap_or_else(|error| panic!("{path}: {}", explain(&error)));
        String::from_utf8(content).expect("text")
    }

    pub fn has(&self, path: &str) -> bool {
        self.session.stat_file(&self.reference, path).is_ok()
    }

    pub fn mode(&self, path: &str) -> u32 {
        self.session.stat_file(&self.reference, path).expect("the file is there").mode & 0o7777
    }

    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = self.session.read_dir(&self.reference, path).expect("the directory is there");
        entries.into_iter().map(|entry| entry.name).collect()
    }
}

pub fn definition(build: impl FnOnce(&mut Graph) -> Node) -> pb::Definition {
    let mut graph = Graph::default();
    let node = build(&mut graph);
    graph.finish(&node)
}

/// Returns an error with everything it knows.
pub fn explain(error: &GatewayError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    if let GatewayError::Solve(failure) = error {
        text += &format!(" {:?} {:?}", failure.hint, failure.log);
    }
    if let GatewayError::Frontend { hint, log, .. } = error {
        text += &format!(" {hint:?} {log:?}");
    }
    text
}

/// Returns whether a file below `dir` holds `text`.
pub fn holds(dir: &Path, text: &str) -> bool {
    fs::read_dir(dir).expect("list").any(|entry| {
        let path = entry.expect("an entry").path();
        match fs::symlink_metadata(&path).expect("look") {
            meta if meta.is_dir() => holds(&path, text),
            meta if meta.is_file() && meta.len() < 10 << 20 => {
                contains(&fs::read(&path).expect("read"), text)
            }
            _ => false,
        }
    })
}

fn contains(content: &[u8], text: &str) -> bool {
    content.windows(text.len()).any(|window| window == text.as_bytes())
}
