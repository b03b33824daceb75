//! [`Engine`]: one store, one set of local directories and secrets, any number of solves.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use dalec_files::{PrivateKeys, Withheld};
use dalec_gateway::{BuildOptions, FRONTEND_DIR, GatewayError, Progress, Reference};
use dalec_ssh_agent::Socket;

use crate::error::Error;
use crate::export::{Export, ExportSummary};
use crate::session::Session;
use crate::shared::{Core, Solved};
use crate::snapshot::Snapshot;
use crate::solver::{Solve, locked};
use crate::store::Store;
use crate::userns::Mode;
use crate::{Cancel, NoSecrets, RootSource, Secrets};

/// What an engine works with.
pub struct EngineOptions {
    /// Where results are kept.
    pub store: Store,
    /// Takes what happens.
    pub progress: Progress,
    /// Stops everything when set; the engine watches it, anyone may set it.
    pub cancel: Cancel,
    /// How many processes may run at a time; none for one per core, at least two.
    pub parallelism: Option<NonZeroUsize>,
    /// The client's secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Directories of the host by the name that `local://NAME` sources ask for.
    pub local_dirs: BTreeMap<String, PathBuf>,
    /// Files of the host that no local directory shows: keys for signers and results, which may lie among the sources.
    pub withheld: Withheld,
    /// Takes the private keys that lie in what is read of local directories.
    pub private_keys: PrivateKeys,
    /// OCI layout directories, or OCI and docker archives, of the host by the store id that
    /// `oci-layout://ID@DIGEST` sources and named contexts ask for.
    pub oci_layouts: BTreeMap<String, PathBuf>,
    /// Assembles root file systems that no registry has to give.
    pub root_source: Option<Arc<dyn RootSource>>,
    /// Sockets of ssh agents and other servers on the host by the id that mounts ask for.
    pub ssh_agents: BTreeMap<String, Socket>,
    /// The executable that [`dalec_gateway::Gateway::frontend_image`] holds as `/frontend`.
    pub frontend: Option<PathBuf>,
    /// Extra CA certificates (PEM) that downloads trust.
    pub ca_bundle: Option<PathBuf>,
    /// Variables that say where proxies are, by name; steps with a network have them. No step has another key for them.
    pub proxies: BTreeMap<String, String>,
    /// Whose root this process is, as [`crate::userns::enter`] said.
    pub mode: Mode,
}

impl EngineOptions {
    /// Returns options with nothing but a store and a place for events.
    pub fn new(store: Store, progress: Progress) -> Self {
        Self {
            store,
            progress,
            cancel: Cancel::new(),
            parallelism: None,
            secrets: Arc::new(NoSecrets),
            local_dirs: BTreeMap::new(),
            withheld: Withheld::default(),
            private_keys: PrivateKeys::default(),
            oci_layouts: BTreeMap::new(),
            root_source: None,
            ssh_agents: BTreeMap::new(),
            frontend: None,
            ca_bundle: None,
            proxies: BTreeMap::new(),
            mode: current_mode(),
        }
    }
}

/// How much an engine did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Processes started in a sandbox.
    pub processes_started: u64,
    /// Ops that ran, file, merge and diff ops included.
    pub ops_run: u64,
    /// Ops whose result was in the store.
    pub ops_cached: u64,
    /// File systems mounted by the engine itself.
    pub mounts: u64,
}

/// The embedded engine; cheap to clone, clones share everything.
///
/// An engine serves one build: it looks at each local directory once.
#[derive(Clone)]
pub struct Engine {
    pub(crate) core: Arc<Core>,
}

impl Engine {
    /// Returns an engine; starts no thread and no process.
    ///
    /// # Errors
    /// [`GatewayError::Environment`] when this machine cannot run builds.
    pub fn new(mut options: EngineOptions) -> Result<Self, GatewayError> {
        if let Some(dir) = options.frontend.as_ref().and_then(|path| path.parent()) {
            options.local_dirs.insert(FRONTEND_DIR.to_owned(), dir.to_owned());
        }
        Ok(Self { core: Arc::new(Core::new(options)) })
    }

    /// Returns the engine's face towards one frontend call.
    pub fn session(&self, options: BuildOptions) -> Session {
        Session::new(self.clone(), options)
    }

    /// Writes results out: one as it is, several (by platform) into directories called `linux_amd64` and so on.
    ///
    /// # Errors
    /// When building a reference fails, the destination cannot be written, or a result is called what no directory may be.
    pub fn export(
        &self,
        results: &[(String, Option<Reference>)],
        export: Export,
    ) -> Result<ExportSummary, GatewayError> {
        let folders = crate::export::folders(results.iter().map(|(platform, _)| platform.as_str()))
            .map_err(|error| error.into_gateway(self.core.store().root()))?;
        let mut trees = Vec::with_capacity(results.len());
        for ((_, reference), folder) in results.iter().zip(folders) {
            let snapshot = self.result_snapshot(reference.as_ref())?;
            trees.push((folder, snapshot.tree(self.core.store())));
        }
        crate::export::export(&trees, export, &self.core.options.cancel)
            .map_err(|error| error.into_gateway(self.core.store().root()))
    }

    /// Stops everything that runs; what is asked afterwards fails with [`GatewayError::Cancelled`].
    pub fn cancel(&self) {
        self.core.options.cancel.cancel();
    }

    /// Returns how much was done so far.
    pub fn stats(&self) -> Stats {
        self.core.counters.stats()
    }

    /// Returns what a reference stands for.
    pub(crate) fn solved(&self, reference: &Reference) -> Result<Arc<Solved>, GatewayError> {
        let known = locked(&self.core.references).get(reference).cloned();
        known.ok_or_else(|| {
            let error = Error::Request(format!("no solve yielded the reference {:?}", reference.0));
            error.into_gateway(self.core.store().root())
        })
    }

    /// Returns the file system of a result; nothing is the empty one.
    pub(crate) fn result_snapshot(&self, reference: Option<&Reference>) -> Result<Snapshot, GatewayError> {
        match reference {
            Some(reference) => self.snapshot(reference, &self.core.options.cancel),
            None => Ok(Snapshot::default()),
        }
    }

    /// Returns the file system that a session's solve yielded, building it if need be.
    pub(crate) fn snapshot(&self, reference: &Reference, cancel: &Cancel) -> Result<Snapshot, GatewayError> {
        let solved = self.solved(reference)?;
        let solve = Solve::new(&self.core, &solved.graph, &solved.asker, cancel);
        solve.snapshot(solved.edge).map_err(|failure| failure.to_gateway(&self.core))
    }
}

/// Returns whose root this process is now.
fn current_mode() -> Mode {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let count = |line: &str| line.split_whitespace().nth(2)?.parse::<u64>().ok();
    match map.lines().filter_map(count).sum::<u64>() {
        1 => Mode::SingleId,
        ids if ids >= u64::from(u32::MAX) => Mode::Privileged,
        ids => Mode::Inherited { ids },
    }
}
