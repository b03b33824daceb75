//! One solve: peeking and evaluating the vertices of a graph.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use dalec_gateway::{Purpose, Reference};

use super::asker::Asker;
use super::cells::{Claim, locked};
use super::failure::Failure;
use super::graph::{Edge, Graph, Vertex};
use super::keys::{Inputs, Part, op_key};
use super::progress::VertexProgress;
use crate::Cancel;
use crate::cachekey::Key;
use crate::error::{Error, Result};
use crate::ops::{self, OpContext};
use crate::shared::{Core, Counters};
use crate::snapshot::resolve::{Last, resolve};
use crate::snapshot::{Snapshot, Tree, digest, random_hex};
use crate::sources;
use crate::store::StoredResult;
use bollard_buildkit_proto::pb;

mod nested;

pub use nested::RESULT;

/// Stack of threads that evaluate; the graph's depth is on it. Only what is used takes memory.
const STACK_BYTES: usize = 64 << 20;
/// Graphs deeper than this are evaluated on a thread with such a stack.
const DEPTH_ON_CALLERS_STACK: usize = 64;

/// What a vertex made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Names this very result.
    pub key: Key,
    /// One file system per output.
    pub outputs: Vec<Snapshot>,
    /// Where it came from, in words; empty when there is nothing to say.
    pub note: String,
}

/// One solve.
pub struct Solve<'a> {
    core: &'a Core,
    graph: &'a Graph,
    asker: Asker,
    cancel: Cancel,
    /// Whether a secret that is for signers alone went or may have gone into a vertex, by position.
    signing: Vec<bool>,
    /// What this solve is part of.
    within: Within,
    /// What a look at the graph found, by position; filled before anything is evaluated.
    seen: Mutex<HashMap<usize, Peek>>,
    /// What failed first; everything after it failed because of it.
    first: Mutex<Option<Failure>>,
}

/// What a solve is part of; nothing when it was asked for from outside.
#[derive(Debug, Clone, Default)]
struct Within {
    /// How many build ops it is within.
    builds: usize,
    /// How many results of earlier solves it is within.
    results: usize,
    /// The name of the vertex that needs it.
    vertex: Option<String>,
}

/// What a look found so far.
#[derive(Debug, Default)]
struct Seen {
    /// About the vertices of a graph, by position.
    vertices: HashMap<usize, Peek>,
    /// About results of earlier solves, whose graphs are looked at once.
    results: HashMap<Reference, Peek>,
}

/// What is known about a vertex without running anything.
#[derive(Debug, Clone)]
enum Peek {
    /// Its result is in the store.
    Hit(Arc<Outcome>),
    /// Its key is this, and the store has no result.
    Miss(Key),
    /// Something it depends on has to run first.
    Unknown,
}

impl<'a> Solve<'a> {
    /// Returns a solve of `graph` for `asker`; it stops when `cancel` says so, or when something in it fails.
    pub fn new(core: &'a Core, graph: &'a Graph, asker: &Asker, cancel: &Cancel) -> Self {
        let mut signing: Vec<bool> = Vec::with_capacity(graph.vertices.len());
        for vertex in &graph.vertices {
            let own = may_be_served(core, asker, vertex);
            signing.push(own || vertex.inputs.iter().any(|edge| signing[edge.vertex]));
        }
        Self {
            core,
            graph,
            asker: asker.clone(),
            cancel: cancel.child(),
            signing,
            within: Within::default(),
            seen: Mutex::default(),
            first: Mutex::default(),
        }
    }

    /// Returns whether a secret that is for signers alone goes into what `edge` points to.
    pub fn is_signing(&self, edge: Edge) -> bool {
        self.signing[edge.vertex]
    }

    /// Returns the file system behind `edge`, running what is missing.
    ///
    /// # Errors
    /// The first failure.
    pub fn snapshot(&self, edge: Edge) -> Result<Snapshot, Failure> {
        let outcome = self.outcome(edge)?;
        Ok(outcome.outputs.get(edge.output).cloned().unwrap_or_default())
    }

    /// Returns what the vertex of `edge` made, running what is missing.
    fn outcome(&self, edge: Edge) -> Result<Arc<Outcome>, Failure> {
        let is_nested = self.within.vertex.is_some();
        let outcome = if is_nested || self.graph.vertex(edge).depth > DEPTH_ON_CALLERS_STACK {
            on_large_stack(|| self.find(edge.vertex))
        } else {
            self.find(edge.vertex)
        };
        outcome.map_err(|failure| locked(&self.first).clone().unwrap_or(failure))
    }

    /// Looks at everything below a vertex, then makes what is missing.
    fn find(&self, index: usize) -> Result<Arc<Outcome>, Failure> {
        let mut seen = Seen::default();
        let peek = self.peek(index, &mut seen)?;
        *locked(&self.seen) = seen.vertices;
        match peek {
            Peek::Hit(outcome) => Ok(outcome),
            Peek::Miss(_) | Peek::Unknown => self.evaluate(index, self.within.vertex.as_ref()),
        }
    }

    /// Returns what a vertex made, which is made now unless it is there; `above` is the name of the vertex that needs it.
    fn evaluate(&self, index: usize, above: Option<&String>) -> Result<Arc<Outcome>, Failure> {
        let vertex = &self.graph.vertices[index];
        let name = self.cell_name(index);
        let cell = self.core.outcomes.get(name.clone());
        let _need = match above.map(|above| self.core.needs.note(above, &name)) {
            Some(None) => {
                let message = format!("`{}` cannot be built: it needs its own result", vertex.name);
                return Err(self.failed(Failure::of(Error::Request(message), self.graph, vertex)));
            }
            need => need.flatten(),
        };
        loop {
            match cell.claim(&self.cancel)? {
                Claim::Done(outcome) => return Ok(outcome),
                // Another solve was stopped while it did this work; it is ours now.
                Claim::Failed(failure) if failure.is_cancelled() && !self.cancel.is_cancelled() => {}
                Claim::Failed(failure) => return Err(self.failed(failure)),
                Claim::Mine(turn) => {
                    return match self.work(vertex, &name) {
                        Ok(outcome) => {
                            turn.done(outcome.clone());
                            Ok(outcome)
                        }
                        Err(failure) => {
                            turn.failed(failure.clone());
                            Err(self.failed(failure))
                        }
                    };
                }
            }
        }
    }

    /// Notes a failure, and stops the rest of this solve.
    fn failed(&self, failure: Failure) -> Failure {
        if !failure.is_cancelled() {
            locked(&self.first).get_or_insert_with(|| failure.clone());
        }
        self.cancel.cancel();
        failure
    }

    /// Makes the inputs of `vertex`, which is called `name`, then its outcome.
    fn work(&self, vertex: &Vertex, name: &String) -> Result<Arc<Outcome>, Failure> {
        let inputs = self.inputs(vertex, name)?;
        let progress = self.progress(vertex);
        progress_of(&progress, vertex, self.graph, || self.make((vertex, name), &inputs, &progress))
    }

    /// Evaluates the inputs of `vertex`, those that are not known at the same time.
    fn inputs(&self, vertex: &Vertex, name: &String) -> Result<Vec<Arc<Outcome>>, Failure> {
        let mut missing: Vec<usize> = Vec::new();
        let mut known: HashMap<usize, Arc<Outcome>> = HashMap::new();
        for edge in &vertex.inputs {
            let seen = locked(&self.seen).get(&edge.vertex).cloned();
            match seen {
                Some(Peek::Hit(outcome)) => drop(known.insert(edge.vertex, outcome)),
                _ if missing.contains(&edge.vertex) => {}
                _ => missing.push(edge.vertex),
            }
        }
        let outcomes = self.evaluate_all(&missing, name);
        let mut failure: Option<Failure> = None;
        for (index, outcome) in missing.into_iter().zip(outcomes) {
            match outcome {
                Ok(outcome) => drop(known.insert(index, outcome)),
                Err(error) if failure.as_ref().is_none_or(Failure::is_cancelled) => failure = Some(error),
                Err(_) => {}
            }
        }
        match failure {
            Some(failure) => Err(failure),
            None => Ok(vertex.inputs.iter().filter_map(|edge| known.get(&edge.vertex).cloned()).collect()),
        }
    }

    /// Evaluates what the vertex called `above` needs.
    fn evaluate_all(&self, vertices: &[usize], above: &String) -> Vec<Result<Arc<Outcome>, Failure>> {
        let Some((last, others)) = vertices.split_last() else { return Vec::new() };
        std::thread::scope(|scope| {
            let spawn = |index: usize| {
                let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
                thread.spawn_scoped(scope, move || self.evaluate(index, Some(above)))
            };
            let threads: Vec<_> = others.iter().map(|index| spawn(*index)).collect();
            let last = self.evaluate(*last, Some(above));
            threads.into_iter().map(joined).chain([last]).collect()
        })
    }

    fn make(
        &self,
        (vertex, name): (&Vertex, &String),
        inputs: &[Arc<Outcome>],
        progress: &VertexProgress,
    ) -> Result<Made> {
        let context = self.context(vertex, progress);
        ops::check_secrets(self.core, context.purpose, &vertex.op)?;
        match &vertex.op {
            pb::op::Op::Source(op) if nested::is_result(op) => return self.made_before(op, name),
            pb::op::Op::Source(op) => return sources::run(&context, vertex, op),
            pb::op::Op::Build(build) => return self.build((vertex, name), build, inputs),
            _ => {}
        }
        let known = Known { solve: self, vertex, inputs };
        let Some(key) = self.key(vertex, &known)? else {
            return Err(Error::op("an input of the op was lost"));
        };
        // Another process may be at the same work.
        let _lock = ops::wait_for_lock(&context, &format!("op-{}", &key.to_hex()[..40]), "this step")?;
        if !vertex.ignore_cache
            && let Some(stored) = self.core.store().result(&key)?
        {
            Counters::add(&self.core.counters.cached);
            return Ok(Made {
                key: stored.result_key,
                outputs: stored.outputs,
                note: stored.note,
                known: true,
            });
        }
        progress.start();
        let inputs: Vec<Snapshot> = vertex
            .inputs
            .iter()
            .zip(inputs)
            .map(|(edge, outcome)| outcome.outputs.get(edge.output).cloned().unwrap_or_default())
            .collect();
        let outputs = run_op(&context, vertex, &inputs)?;
        let result_key = if vertex.ignore_cache { fresh_key(&key)? } else { key };
        let made = Made { key: result_key, outputs, note: String::new(), known: false };
        self.core.store().put_result(&key, &made.stored())?;
        Ok(made)
    }

    /// Finds out what is known about a vertex; `seen` holds what this look found already.
    fn peek(&self, index: usize, seen: &mut Seen) -> Result<Peek, Failure> {
        if let Some(peek) = seen.vertices.get(&index) {
            return Ok(peek.clone());
        }
        let vertex = &self.graph.vertices[index];
        let cell = self.core.outcomes.get(self.cell_name(index));
        let peek = if let Some(outcome) = cell.done() {
            Peek::Hit(outcome)
        } else if vertex.ignore_cache || cell.is_busy() {
            Peek::Unknown
        } else {
            self.look(index, seen).map_err(|error| match error {
                PeekError::Own(error) => {
                    let failure = Failure::of(error, self.graph, vertex);
                    if !failure.is_cancelled() {
                        self.progress(vertex).end(Some(failure.message()));
                    }
                    self.failed(failure)
                }
                PeekError::Input(failure) => failure,
            })?
        };
        seen.vertices.insert(index, peek.clone());
        Ok(peek)
    }

    fn look(&self, index: usize, seen: &mut Seen) -> Result<Peek, PeekError> {
        let vertex = &self.graph.vertices[index];
        for edge in &vertex.inputs {
            self.peek(edge.vertex, seen).map_err(PeekError::Input)?;
        }
        ops::check_secrets(self.core, self.asker.purpose_of(&vertex.digest), &vertex.op)?;
        let key = match &vertex.op {
            pb::op::Op::Source(op) if nested::is_result(op) => {
                return self.peek_made_before(op, &self.cell_name(index), seen).map_err(PeekError::Input);
            }
            // What it builds may read what changes.
            pb::op::Op::Build(_) => return Ok(Peek::Unknown),
            pb::op::Op::Source(op) => {
                let progress = self.progress(vertex);
                sources::key(&self.context(vertex, &progress), vertex, op)?
            }
            _ => self.key(vertex, &Peeked { solve: self, seen: &seen.vertices })?,
        };
        let Some(key) = key else { return Ok(Peek::Unknown) };
        let Some(stored) = self.core.store().result(&key)? else { return Ok(Peek::Miss(key)) };
        let outcome = Arc::new(Outcome::from(stored));
        if self.core.outcomes.get(self.cell_name(index)).offer(&outcome) {
            Counters::add(&self.core.counters.cached);
            let progress = self.progress(vertex);
            progress.cached();
            if !outcome.note.is_empty() {
                progress.status(&outcome.note, 0, 0, true);
            }
        }
        Ok(Peek::Hit(outcome))
    }

    fn content(&self, edge: Edge, outcome: &Outcome, part: &Part<'_>) -> Result<Key> {
        let snapshot = outcome.outputs.get(edge.output).cloned().unwrap_or_default();
        content_digest(self.core, &snapshot, part, &self.cancel)
    }

    fn progress(&self, vertex: &Vertex) -> VertexProgress {
        VertexProgress::new(self.core.options.progress.clone(), self.graph, vertex)
    }

    fn context<'c>(&'c self, vertex: &'c Vertex, progress: &'c VertexProgress) -> OpContext<'c> {
        OpContext {
            core: self.core,
            progress,
            cancel: &self.cancel,
            platform: vertex.platform.as_ref(),
            purpose: self.asker.purpose_of(&vertex.digest),
        }
    }

    /// Returns the key of an op; what a signer's own secret goes into has one that nobody else has.
    fn key(&self, vertex: &Vertex, inputs: &dyn Inputs) -> Result<Option<Key>> {
        let key = op_key(vertex, inputs)?;
        if !may_be_served(self.core, &self.asker, vertex) {
            return Ok(key);
        }
        Ok(key.map(|key| {
            let mut hasher = Key::hasher("for signing");
            hasher.field(&key.0);
            hasher.finish()
        }))
    }

    /// Returns what names the outcome of a vertex in an engine.
    fn cell_name(&self, index: usize) -> String {
        let vertex = &self.graph.vertices[index];
        let again = if vertex.tainted { " again" } else { "" };
        let signing = if self.signing[index] { " for signing" } else { "" };
        format!("{}{again}{signing}", vertex.digest)
    }
}

/// Returns whether a secret that is for signers alone may be served to `vertex` itself.
fn may_be_served(core: &Core, asker: &Asker, vertex: &Vertex) -> bool {
    // What the graph within a build op names is not known before it is read.
    let may_name = matches!(vertex.op, pb::op::Op::Build(_)) || ops::names_signing_secret(core, &vertex.op);
    may_name && asker.purpose_of(&vertex.digest) == Purpose::Sign
}

/// Returns the digest of a part of `snapshot`, from the database where it is known.
///
/// # Errors
/// When the file system cannot be read, or someone says stop.
pub fn content_digest(core: &Core, snapshot: &Snapshot, part: &Part<'_>, cancel: &Cancel) -> Result<Key> {
    let (chain, selector) = (snapshot.chain_key(), part.selector());
    if let Some(known) = core.store().content(&chain, &selector)? {
        return Ok(known);
    }
    let check = || if cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) };
    let digest = tree_digest(&snapshot.tree(core.store()), part, &check)?;
    core.store().put_content(&chain, &selector, &digest)?;
    Ok(digest)
}

fn tree_digest<T: Tree>(tree: &T, part: &Part<'_>, check: &dyn Fn() -> Result<()>) -> Result<Key> {
    match part {
        Part::Path(path) => match resolve(tree, path.as_bytes(), Last::Follow)? {
            Some(found) => digest::digest(tree, &found.node, check),
            None => Ok(Key::hasher("missing").finish()),
        },
        Part::Copy(source) => source.digest(tree, check),
    }
}

/// What an op or a source made.
pub struct Made {
    /// Names this very result.
    pub key: Key,
    /// One file system per output.
    pub outputs: Vec<Snapshot>,
    /// Where it came from, in words.
    pub note: String,
    /// Whether the store had it already.
    pub known: bool,
}

impl Made {
    /// Returns it as the store keeps it.
    pub fn stored(&self) -> StoredResult {
        StoredResult { result_key: self.key, outputs: self.outputs.clone(), note: self.note.clone() }
    }
}

impl From<StoredResult> for Outcome {
    fn from(stored: StoredResult) -> Self {
        Self { key: stored.result_key, outputs: stored.outputs, note: stored.note }
    }
}

/// Tells about the work on a vertex, from its begin to its end.
fn progress_of(
    progress: &VertexProgress,
    vertex: &Vertex,
    graph: &Graph,
    work: impl FnOnce() -> Result<Made>,
) -> Result<Arc<Outcome>, Failure> {
    match work() {
        Ok(made) => {
            if made.known {
                progress.cached();
            } else {
                if !made.note.is_empty() {
                    progress.status(&made.note, 0, 0, true);
                }
                progress.end(None);
            }
            Ok(Arc::new(Outcome { key: made.key, outputs: made.outputs, note: made.note }))
        }
        Err(error) => {
            let failure = Failure::of(error, graph, vertex);
            progress.end(Some(failure.message()));
            Err(failure)
        }
    }
}

fn run_op(context: &OpContext<'_>, vertex: &Vertex, inputs: &[Snapshot]) -> Result<Vec<Snapshot>> {
    Counters::add(&context.core.counters.run);
    match &vertex.op {
        pb::op::Op::Exec(exec) => ops::exec::run(context, exec, inputs, super::graph::outputs(&vertex.op)),
        pb::op::Op::File(file) => ops::file::run(context, file, inputs),
        pb::op::Op::Merge(merge) => Ok(vec![ops::stack::merge(context, merge, inputs)?]),
        pb::op::Op::Diff(diff) => Ok(vec![ops::stack::diff(context, diff, inputs)?]),
        pb::op::Op::Build(_) | pb::op::Op::Source(_) => {
            Err(Error::op("a source or a build within the build is no op to run"))
        }
    }
}

/// Returns a key that no other result has, for one that was made although an earlier one is known.
fn fresh_key(key: &Key) -> Result<Key> {
    let mut hasher = Key::hasher("fresh");
    hasher.field(&key.0).field(random_hex(16)?.as_bytes());
    Ok(hasher.finish())
}

/// Does `work` on a stack that takes a graph of any depth.
fn on_large_stack<T: Send>(work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        joined(thread.spawn_scoped(scope, work))
    })
}

type Thread<'scope, T> = std::thread::ScopedJoinHandle<'scope, Result<T, Failure>>;

fn joined<T>(thread: std::io::Result<Thread<'_, T>>) -> Result<T, Failure> {
    match thread.map(std::thread::ScopedJoinHandle::join) {
        Ok(Ok(worked)) => worked,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(source) => {
            let message = "cannot start a thread".to_owned();
            let hint = "raise the limit of processes (ulimit -u)".to_owned();
            Err(Error::Environment { message, hint, source: Some(Box::new(source)) }.into())
        }
    }
}

enum PeekError {
    Own(Error),
    Input(Failure),
}

impl From<Error> for PeekError {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

/// Inputs as a look found them.
struct Peeked<'a, 'b> {
    solve: &'a Solve<'b>,
    seen: &'a HashMap<usize, Peek>,
}

impl Inputs for Peeked<'_, '_> {
    fn key(&self, edge: Edge) -> Result<Option<Key>> {
        Ok(match self.seen.get(&edge.vertex) {
            Some(Peek::Hit(outcome)) => Some(outcome.key),
            Some(Peek::Miss(key)) => Some(*key),
            Some(Peek::Unknown) | None => None,
        })
    }

    fn content(&self, edge: Edge, part: &Part<'_>) -> Result<Option<Key>> {
        let vertex = self.solve.graph.vertex(edge);
        if let Some(tree) = self.solve.core.sources.scanned(&vertex.digest) {
            let cancel = &self.solve.cancel;
            let check = || if cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) };
            return tree_digest(&*tree, part, &check).map(Some);
        }
        match self.seen.get(&edge.vertex) {
            Some(Peek::Hit(outcome)) => self.solve.content(edge, outcome, part).map(Some),
            _ => Ok(None),
        }
    }
}

/// Inputs that are all there.
struct Known<'a, 'b> {
    solve: &'a Solve<'b>,
    vertex: &'a Vertex,
    inputs: &'a [Arc<Outcome>],
}

impl Known<'_, '_> {
    fn outcome(&self, edge: Edge) -> Option<&Outcome> {
        let position = self.vertex.inputs.iter().position(|input| *input == edge)?;
        self.inputs.get(position).map(|outcome| &**outcome)
    }
}

impl Inputs for Known<'_, '_> {
    fn key(&self, edge: Edge) -> Result<Option<Key>> {
        Ok(self.outcome(edge).map(|outcome| outcome.key))
    }

    fn content(&self, edge: Edge, part: &Part<'_>) -> Result<Option<Key>> {
        self.outcome(edge).map(|outcome| self.solve.content(edge, outcome, part)).transpose()
    }
}
