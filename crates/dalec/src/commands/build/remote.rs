//! A build on a `buildkitd`: our frontend here, everything that runs there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use bollard_buildkit_proto::google::rpc;
use dalec_buildkit::{
    Build, BuildError, Client, ConnectError, FrontendFailure, LocalCache, Login, Secrets, Services, Shared,
    Steps, publish_cache,
};
use dalec_engine::sources::image::{Credential, host_credentials};
use dalec_engine::{Cancel, SecretScope, Secrets as _, Stats};
use dalec_frontend::FrontendError;
use dalec_gateway::{FRONTEND_DIR, GatewayError, executable_image};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::targets::side_by_side;
use super::{Request, watch};
use crate::errors::{CommandError, SpecName, wire};
use crate::observe::Observed;
use crate::options::caches::unwritable;
use crate::options::contexts::SPEC_CONTEXT;
use crate::options::remote::Remote;
use crate::options::secrets::SecretPlaces;
use crate::outputs::exports::Exports;
use crate::progress::{Display, Mode};
use crate::signals::Watch;
use crate::summary::{Built, Summary};

impl Request {
    /// Builds there.
    pub(super) fn build_remote(mut self, remote: Remote, mode: Mode) -> Result<Summary, CommandError> {
        let started = Instant::now();
        let client = Client::connect(&remote.address, &remote.tls).map_err(|error| connect_error(&error))?;
        let display = self.display(mode);
        display.note("engine", &format!("buildkitd {} at {}", client.version(), client.address()));
        remote.caches.remarks.iter().for_each(|remark| display.note("cache", remark));
        self.note_withheld(&display);
        let cancel = Cancel::new();
        let watch = watch(mode, &display, &cancel)?;
        let built = self.prepared(&remote, &cancel, &watch).and_then(|services| {
            let shared = match self.targets.len() {
                1 => None,
                _ => Some(Arc::new(self.shared(&client, &services.services)?)),
            };
            let signing = Arc::default();
            let (request, client, remote, watch) = (&self, &client, &remote, &watch);
            let job = Job { request, client, remote, services, shared, signing, watch };
            let outcomes = side_by_side(&self.targets, |target| job.run(target, &display, &cancel));
            self.joined(outcomes, |builds| {
                let alone = || builds.first().map(|(_, steps)| *steps).unwrap_or_default();
                let steps = job.shared.as_ref().map_or_else(alone, |shared| shared.steps());
                let stats = Stats { ops_run: steps.run, ops_cached: steps.cached, ..Stats::default() };
                let engine = json!({ "mode": "buildkit", "version": client.version() });
                let builds = builds.into_iter().map(|(built, _)| built).collect();
                Summary { engine, builds, elapsed: started.elapsed(), stats }
            })
        });
        self.warn_of_keys(&display);
        display.end();
        self.concluded(built, &watch)
    }

    /// Opens the session that builds of several targets read through. It serves no secret and no agent.
    fn shared(&self, client: &Client, services: &Services) -> Result<Shared, CommandError> {
        let services = Services {
            secrets: None,
            ssh: BTreeMap::new(),
            credentials: None,
            targets: BTreeMap::new(),
            ..services.clone()
        };
        client
            .share(&services)
            .map_err(|error| CommandError::Engine { error: Box::new(error), spec: self.spec.name.clone() })
    }

    /// Returns what the daemon may call; what has to be unpacked for that goes with this request.
    fn prepared(
        &mut self,
        remote: &Remote,
        cancel: &Cancel,
        watch: &Watch,
    ) -> Result<Prepared, CommandError> {
        self.contexts.unpack(cancel, watch)?;
        let mut stores = self.contexts.stores(cancel, watch)?;
        let caches = remote.caches.read.iter().chain(&remote.caches.written);
        stores.extend(caches.map(|cache: &LocalCache| (cache.store_name.clone(), cache.store.clone())));
        let folder = self.spec.folder(watch)?;
        let mut local_dirs = self.contexts.local_dirs.clone();
        local_dirs.extend(folder.path().map(|path| (SPEC_CONTEXT.to_owned(), path.to_owned())));
        let executable = std::env::current_exe().ok();
        let services = Services {
            shared_key: shared_key(local_dirs.values().map(|dir| dir.as_path())),
            local_dirs,
            withheld: self.withheld(remote.caches.places()),
            private_keys: self.private_keys.clone(),
            local_files: executable.map(|path| (FRONTEND_DIR.to_owned(), path)).into_iter().collect(),
            secrets: Some(Arc::new(Served { secrets: self.secrets.clone(), to: SecretScope::Everyone })),
            ssh: self.ssh_agents.clone(),
            stores,
            credentials: Some(Arc::new(login)),
            ..Services::default()
        };
        Ok(Prepared { services, _spec: folder })
    }
}

/// What the daemon may call.
struct Prepared {
    services: Services,
    _spec: super::spec::SpecFolder,
}

/// What builds of all targets share.
struct Job<'a> {
    request: &'a Request,
    client: &'a Client,
    remote: &'a Remote,
    services: Prepared,
    /// What all of them read through, if there are several.
    shared: Option<Arc<Shared>>,
    signing: Arc<RwLock<()>>,
    watch: &'a Watch,
}

impl Job<'_> {
    /// Builds one target and writes its result out.
    fn run(
        &self,
        target: &str,
        display: &Arc<Display>,
        cancel: &Cancel,
    ) -> Result<(Built, Steps), CommandError> {
        let request = self.request;
        let exports =
            Exports::open(&request.destinations, request.folder_of(target), self.watch, request.digests())?;
        let mut services = self.services.services.clone();
        services.targets = exports.targets();
        let name = services.local_files.get(FRONTEND_DIR).and_then(|path| path.file_name()?.to_str());
        let mut options = request.options(target);
        options.platforms.clear();
        let cancel = cancel.clone();
        let build = Build {
            frontend: name.map(|name| executable_image(FRONTEND_DIR, name)),
            services,
            shared: self.shared.clone(),
            signing: self.signing.clone(),
            signer_secrets: request.secrets.has_signers_own().then(|| -> Arc<dyn Secrets> {
                Arc::new(Served { secrets: request.secrets.clone(), to: SecretScope::Signer })
            }),
            options,
            exports: exports.entries(self.client.is_docker()),
            cache_exports: self.remote.caches.exports.clone(),
            cache_imports: self.remote.caches.imports.clone(),
            source_policy: self.remote.source_policy.clone(),
            progress: display.sink(),
            cancelled: Arc::new(move || cancel.is_cancelled()),
        };
        let mut bases = Vec::new();
        let built = self.client.build(&build, |gateway| {
            let gateway = Observed::new(gateway, display.sink());
            let result = dalec_frontend::answer(&gateway).map_err(Failure);
            bases = gateway.bases();
            result
        });
        let built = exports.checked(built.map_err(|error| build_error(error, &request.spec.name)))?;
        for cache in &self.remote.caches.written {
            publish_cache(cache, &built.response).map_err(|error| unwritable(&error))?;
        }
        let outputs = exports.finish(&built.response)?;
        let exporter = crate::outputs::exports::record(&built.response);
        Ok((
            Built {
                outputs,
                exporter,
                ..Built::new(target, &built.result, request.contexts.as_given(bases))
            },
            built.steps,
        ))
    }
}

/// Names the directories on this host among all that a daemon has seen, so that it looks for changes only.
fn shared_key<'a>(dirs: impl Iterator<Item = &'a Path>) -> String {
    let mut hash = Sha256::new();
    hash.update(std::fs::read("/etc/machine-id").unwrap_or_default());
    for dir in dirs {
        let path = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        hash.update(path.as_os_str().as_encoded_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize())
}

fn login(registry: &str) -> Option<Login> {
    match host_credentials(registry).ok()? {
        Credential::Password { user, password } => Some(Login::Password { user, password }),
        Credential::IdentityToken(token) => Some(Login::IdentityToken(token)),
    }
}

/// The command line's secrets for the daemon.
struct Served {
    secrets: SecretPlaces,
    /// Whom this session serves.
    to: SecretScope,
}

impl Secrets for Served {
    fn secret(&self, id: &str) -> Result<Option<Vec<u8>>, dalec_buildkit::SecretError> {
        if (self.secrets.scope(id), self.to) == (SecretScope::Signer, SecretScope::Everyone) {
            return Err(dalec_buildkit::SecretError::Refused {
                id: id.to_owned(),
                reason: "it is for signers only, and this step is not a signer's".to_owned(),
            });
        }
        self.secrets.secret(id).map_err(|error| dalec_buildkit::SecretError::Unreadable {
            id: id.to_owned(),
            reason: error.to_string(),
        })
    }
}

/// An error of our frontend on its way through the client.
#[derive(Debug)]
struct Failure(FrontendError);

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for Failure {}

impl FrontendFailure for Failure {
    fn gateway_error(&mut self) -> Option<&mut GatewayError> {
        match &mut self.0 {
            FrontendError::Gateway(error) => Some(error),
            FrontendError::At { error, .. } => Some(error),
            _ => None,
        }
    }

    fn status(&self) -> rpc::Status {
        wire::status(&self.0)
    }
}

fn build_error(error: BuildError<Failure>, spec: &SpecName) -> CommandError {
    match error {
        BuildError::Frontend(Failure(error)) => {
            CommandError::Frontend { error: Box::new(error), spec: spec.clone() }
        }
        BuildError::Gateway(error) => CommandError::Engine { error: Box::new(error), spec: spec.clone() },
    }
}

fn connect_error(error: &ConnectError) -> CommandError {
    let mut causes = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    let help = error.hint();
    CommandError::Environment {
        message: error.to_string(),
        help: (!help.is_empty()).then_some(help),
        source: (!causes.is_empty()).then(|| causes.join(": ").into()),
    }
}
