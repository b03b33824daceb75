//! A build with the embedded engine: in this process, with no daemon.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use dalec_engine::store::Store;
use dalec_engine::{Cancel, Engine, EngineOptions, userns};
use dalec_gateway::{GatewayError, Progress};

use super::targets::side_by_side;
use super::{Request, watch};
use crate::bases::DebianRoots;
use crate::errors::CommandError;
use crate::observe::Observed;
use crate::options::build_args::epoch;
use crate::options::contexts::SPEC_CONTEXT;
use crate::options::outputs::Destination;
use crate::outputs::Exporter;
use crate::progress::{Display, Mode};
use crate::signals::Watch;
use crate::summary::{Built, Summary};
use crate::surroundings;

impl Request {
    /// Builds here.
    pub(super) fn build_embedded(mut self, mode: Mode) -> Result<Summary, CommandError> {
        let started = Instant::now();
        // Before anything that starts a thread.
        let entered = surroundings::enter()?;
        let state_dir = surroundings::state_dir(self.state_dir.clone())?;
        let store = Store::open(&state_dir).map_err(|error| self.engine_error(error))?;
        let display = self.display(mode);
        display.note("engine", &entered.mode.to_string());
        if let Some(remark) = &entered.remark {
            display.note("engine", remark);
        }
        if entered.mode.has_single_id() && self.destinations.iter().any(Destination::is_image) {
            display.note("images", "every file in them belongs to root, because this user has only one id");
        }
        self.note_withheld(&display);
        let cancel = Cancel::new();
        let watch = watch(mode, &display, &cancel)?;
        // Only from here on a signal removes what is made.
        let inputs = self.contexts.unpack(&cancel, &watch).and_then(|()| self.spec.folder(&watch));
        let built = inputs.and_then(|spec| {
            let engine = self.engine(store, &state_dir, &display, cancel, entered.mode, spec.path())?;
            let progress = display.sink();
            let build = |target: &str| self.one(&engine, &watch, &progress, target);
            let outcomes = side_by_side(&self.targets, build);
            self.joined(outcomes, |builds| Summary {
                engine: surroundings::mode_record(&entered),
                builds,
                elapsed: started.elapsed(),
                stats: engine.stats(),
            })
        });
        self.warn_of_keys(&display);
        display.end();
        self.concluded(built, &watch)
    }

    fn engine(
        &self,
        store: Store,
        state_dir: &Path,
        display: &Display,
        cancel: Cancel,
        mode: userns::Mode,
        spec: Option<&Path>,
    ) -> Result<Engine, CommandError> {
        let mirror = surroundings::apt_mirror(self.apt_mirror.clone());
        let roots =
            DebianRoots::new(state_dir, mirror.as_deref(), self.ca_bundle.clone(), mode.has_single_id())?;
        let mut local_dirs = self.contexts.local_dirs.clone();
        local_dirs.extend(spec.map(|spec| (SPEC_CONTEXT.to_owned(), spec.to_owned())));
        let options = EngineOptions {
            mode,
            cancel,
            secrets: Arc::new(self.secrets.clone()),
            local_dirs,
            withheld: self.withheld([state_dir]),
            private_keys: self.private_keys.clone(),
            oci_layouts: self.contexts.oci_layouts.clone(),
            ssh_agents: self.ssh_agents.clone(),
            root_source: Some(Arc::new(roots)),
            frontend: std::env::current_exe().ok(),
            ca_bundle: self.ca_bundle.clone(),
            proxies: surroundings::proxies(),
            ..EngineOptions::new(store, display.sink())
        };
        Engine::new(options).map_err(|error| self.engine_error(error))
    }

    /// Builds one target and writes its result out.
    fn one(
        &self,
        engine: &Engine,
        watch: &Watch,
        progress: &Progress,
        target: &str,
    ) -> Result<Built, CommandError> {
        let session = engine.session(self.options(target));
        let gateway = Observed::new(&session, progress.clone());
        let result = dalec_frontend::answer(&gateway).map_err(|error| CommandError::Frontend {
            error: Box::new(error),
            spec: self.spec.name.clone(),
        })?;
        let exporter = Exporter {
            engine,
            watch,
            spec: &self.spec.name,
            digests: self.digests(),
            progress,
            epoch: epoch(&self.build_args),
        };
        let mut built = Built::new(target, &result, self.contexts.as_given(gateway.bases()));
        for destination in &self.destinations {
            let (output, said) = match self.folder_of(target) {
                None => exporter.write(&result, destination)?,
                Some(target) => exporter.write(&result, &destination.for_one_of_several(target)?)?,
            };
            built.outputs.push(output);
            built.exporter.extend(said);
        }
        Ok(built)
    }

    fn engine_error(&self, error: GatewayError) -> CommandError {
        CommandError::Engine { error: Box::new(error), spec: self.spec.name.clone() }
    }
}
