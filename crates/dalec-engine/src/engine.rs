//! [`Engine`]: one store, one set of local directories and secrets, any number of solves.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use bollard_buildkit_proto::pb;
use dalec_gateway::{
    BuildOptions, FileStat, Gateway, GatewayError, Progress, Reference, ResolveImage, ResolvedImage,
    SolveRequest, Warning,
};

use crate::{Cancel, Export, ExportSummary, NoSecrets, RootSource, Secrets, store::Store};

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
    /// OCI layout directories, or OCI and docker archives, of the host by the store id that
    /// `oci-layout://ID@DIGEST` sources and named contexts ask for.
    pub oci_layouts: BTreeMap<String, PathBuf>,
    /// Assembles root file systems that no registry has to give.
    pub root_source: Option<Arc<dyn RootSource>>,
    /// The executable that [`Gateway::frontend_image`] holds as `/frontend`.
    pub frontend: Option<PathBuf>,
    /// Extra CA certificates (PEM) that downloads trust.
    pub ca_bundle: Option<PathBuf>,
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
            oci_layouts: BTreeMap::new(),
            root_source: None,
            frontend: None,
            ca_bundle: None,
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
    options: Arc<EngineOptions>,
}

impl Engine {
    /// Returns an engine; starts no thread and no process.
    ///
    /// # Errors
    /// [`GatewayError::Environment`] when this machine cannot run builds.
    pub fn new(options: EngineOptions) -> Result<Self, GatewayError> {
        Ok(Self { options: Arc::new(options) })
    }

    /// Returns the engine's face towards one frontend call.
    pub fn session(&self, options: BuildOptions) -> Session {
        Session { engine: self.clone(), options }
    }

    /// Writes results out: one as it is, several (by platform) into directories called `linux_amd64` and so on.
    ///
    /// # Errors
    /// When building a reference fails, or the destination cannot be written.
    pub fn export(
        &self,
        results: &[(String, Option<Reference>)],
        export: Export,
    ) -> Result<ExportSummary, GatewayError> {
        let _ = (results, export);
        Err(unfinished())
    }

    /// Stops everything that runs; what is asked afterwards fails with [`GatewayError::Cancelled`].
    pub fn cancel(&self) {
        self.options.cancel.cancel();
    }

    /// Returns how much was done so far.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}

/// One frontend call's view of an [`Engine`].
pub struct Session {
    engine: Engine,
    options: BuildOptions,
}

fn unfinished() -> GatewayError {
    GatewayError::Request { message: "the engine cannot do this".into() }
}

impl Gateway for Session {
    fn build_options(&self) -> &BuildOptions {
        &self.options
    }

    fn inputs(&self) -> Result<BTreeMap<String, pb::Definition>, GatewayError> {
        Ok(BTreeMap::new())
    }

    fn solve(&self, _request: SolveRequest) -> Result<Option<Reference>, GatewayError> {
        Err(unfinished())
    }

    fn read_file(&self, _reference: &Reference, _path: &str) -> Result<Vec<u8>, GatewayError> {
        Err(unfinished())
    }

    fn read_dir(&self, _reference: &Reference, _path: &str) -> Result<Vec<FileStat>, GatewayError> {
        Err(unfinished())
    }

    fn stat_file(&self, _reference: &Reference, _path: &str) -> Result<FileStat, GatewayError> {
        Err(unfinished())
    }

    fn resolve_image(&self, _image: &ResolveImage) -> Result<ResolvedImage, GatewayError> {
        Err(unfinished())
    }

    fn frontend_image(&self) -> Result<pb::Definition, GatewayError> {
        Err(unfinished())
    }

    fn warn(&self, warning: Warning) {
        let event = dalec_gateway::Event::Warning(warning);
        self.engine.options.progress.event(event);
    }
}
