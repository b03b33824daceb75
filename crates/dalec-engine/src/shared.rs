//! What all parts of one engine share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use bollard_buildkit_proto::pb;
use dalec_gateway::Reference;

use crate::engine::{EngineOptions, Stats};
use crate::error::{Error, Result};
use crate::sandbox::Launcher;
use crate::snapshot::write::Owners;
use crate::solver::{Asker, Cells, Edge, Failure, Graph, Needs, Outcome, Slots};
use crate::sources::Sources;
use crate::store::Store;

/// What all parts of one engine share.
pub struct Core {
    /// What the engine works with.
    pub options: EngineOptions,
    /// Permits for work that keeps a processor busy.
    pub slots: Slots,
    /// Outcomes of vertices, by what names them.
    pub outcomes: Cells<String, Outcome, Failure>,
    /// Which vertices need which others now, by the same names.
    pub needs: Needs<String>,
    /// What sources need.
    pub sources: Sources,
    /// What was done so far.
    pub counters: Counters,
    /// What references stand for; their names cannot be guessed.
    pub references: Mutex<HashMap<Reference, Arc<Solved>>>,
    launcher: OnceLock<Launcher>,
}

/// What a reference stands for.
pub struct Solved {
    /// The graph.
    pub graph: Graph,
    /// The output of the graph that it is.
    pub edge: Edge,
    /// The graph as it was received.
    pub definition: pb::Definition,
    /// Who asked for it.
    pub asker: Asker,
}

/// What was done so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// Processes started in a sandbox.
    pub processes: AtomicU64,
    /// Ops that ran.
    pub run: AtomicU64,
    /// Ops whose result was in the store.
    pub cached: AtomicU64,
    /// File systems mounted by the engine itself.
    pub mounts: AtomicU64,
}

impl Counters {
    /// Counts one more.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the numbers.
    pub fn stats(&self) -> Stats {
        Stats {
            processes_started: self.processes.load(Ordering::Relaxed),
            ops_run: self.run.load(Ordering::Relaxed),
            ops_cached: self.cached.load(Ordering::Relaxed),
            mounts: self.mounts.load(Ordering::Relaxed),
        }
    }
}

impl Core {
    /// Returns the shared part of an engine; starts nothing.
    pub fn new(options: EngineOptions) -> Self {
        let parallelism = options.parallelism.map_or_else(default_parallelism, usize::from);
        Self {
            slots: Slots::new(parallelism),
            outcomes: Cells::new(),
            needs: Needs::new(),
            sources: Sources::default(),
            counters: Counters::default(),
            references: Mutex::default(),
            launcher: OnceLock::new(),
            options,
        }
    }

    /// Returns the store.
    pub fn store(&self) -> &Store {
        &self.options.store
    }

    /// Returns who may own files in the store.
    pub fn owners(&self) -> Owners {
        if self.options.mode.has_single_id() { Owners::OnlyRoot } else { Owners::Any }
    }

    /// Returns what starts sandboxes.
    ///
    /// # Errors
    /// When this program's executable cannot be opened.
    pub fn launcher(&self) -> Result<&Launcher> {
        if let Some(launcher) = self.launcher.get() {
            return Ok(launcher);
        }
        let made = Launcher::new().map_err(|error| Error::Environment {
            message: error.to_string(),
            hint: String::new(),
            source: Some(Box::new(error)),
        })?;
        Ok(self.launcher.get_or_init(|| made))
    }
}

fn default_parallelism() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).max(2)
}
