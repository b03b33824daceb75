//! [`Client`]: one `buildkitd`, and builds on it.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bollard_buildkit_proto::google::rpc;
use bollard_buildkit_proto::moby::buildkit::v1 as api;
use bollard_buildkit_proto::pb;
use dalec_gateway::{BuildOptions, FrontendResult, Gateway, GatewayError, Progress, SolveFailure};
use dalec_wire::client::{Connection as GatewayConnection, GrpcGateway};
use dalec_wire::{errors, platform_text, random_hex};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::address::Address;
use crate::connection::Connection;
use crate::diagnosis::{Stage, diagnose};
use crate::error::ConnectError;
use crate::policy::SourcePolicy;
use crate::remote::Remote;
use crate::session::{Secrets, Services, Session};
use crate::status::{Fellows, Steps, Tracker};
use crate::tls::TlsFiles;

/// Header that says which build a call of the gateway is for.
pub(crate) const BUILD: &str = "buildkit-controlapi-buildid";
/// How often someone is asked whether to stop.
const STOP_CHECK: Duration = Duration::from_millis(50);
/// How long progress may be silent once the build has ended.
const LAST_PROGRESS: Duration = Duration::from_secs(5);
/// How long the daemon may take to end a build whose frontend failed; it may not have heard of that.
const FAILED_END: Duration = Duration::from_secs(5);
/// The first version that takes several exporters.
const OLDEST: (u64, u64) = (0, 13);

/// One `buildkitd`; cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Runtime,
    connection: Connection,
    version: String,
    platforms: Vec<String>,
}

/// What a build needs beside its frontend.
#[derive(Clone)]
pub struct Build {
    /// What the daemon may call while it builds.
    pub services: Services,
    /// Serves directories and blobs instead of the build's own session: steps of builds that read through one session
    /// are the same steps, and the daemon runs them once. None for a build that runs alone.
    pub shared: Option<Arc<Shared>>,
    /// All secrets, those that only signers get included; none when there are no such secrets.
    pub signer_secrets: Option<Arc<dyn Secrets>>,
    /// Read by calls that may run steps, written by those that sign. Builds that run on one daemon at the same time must
    /// have the same one, because a step that several of them know may ask the session of any.
    pub signing: Arc<RwLock<()>>,
    /// The request. The session and the platforms are filled in.
    pub options: BuildOptions,
    /// What to do with the result; the place in the list is the number of its target.
    pub exports: Vec<Entry>,
    /// Where the cache goes.
    pub cache_exports: Vec<Entry>,
    /// Where the cache may come from.
    pub cache_imports: Vec<Entry>,
    /// Which sources the daemon may fetch.
    pub source_policy: Option<SourcePolicy>,
    /// Graph of the frontend's own file system.
    pub frontend: Option<pb::Definition>,
    /// Takes what happens.
    pub progress: Progress,
    /// Says whether to stop; asked often, from another thread.
    pub cancelled: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// What builds that run at the same time have in common: a session that they read through, served until this is dropped.
pub struct Shared {
    session: Session,
    fellows: Arc<Fellows>,
}

impl Shared {
    /// Returns how many steps there were in all builds that have ended well, each counted once.
    pub fn steps(&self) -> Steps {
        self.fellows.steps()
    }
}

/// An exporter, or a place for a cache, with what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is, such as `local` or `registry`.
    pub kind: String,
    /// What it is told.
    pub attrs: BTreeMap<String, String>,
}

/// What came of a build.
#[derive(Debug)]
pub struct Built {
    /// What the frontend returned.
    pub result: FrontendResult,
    /// What exporters say, such as `containerimage.digest`.
    pub response: BTreeMap<String, String>,
    /// How many steps there were.
    pub steps: Steps,
}

/// Why a build failed.
#[derive(Debug)]
pub enum BuildError<E> {
    /// The frontend says so.
    Frontend(E),
    /// Everything else.
    Gateway(GatewayError),
}

/// An error of a frontend, which may be one of its gateway.
pub trait FrontendFailure: std::error::Error {
    /// Returns the gateway's error, when it is one.
    fn gateway_error(&mut self) -> Option<&mut GatewayError>;

    /// Returns what the daemon is told.
    fn status(&self) -> rpc::Status;
}

impl FrontendFailure for GatewayError {
    fn gateway_error(&mut self) -> Option<&mut GatewayError> {
        Some(self)
    }

    fn status(&self) -> rpc::Status {
        errors::to_rpc(self)
    }
}

impl Client {
    /// Connects to the `buildkitd` at `address`, and asks it what it is.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub fn connect(address: &Address, tls: &TlsFiles) -> Result<Self, ConnectError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|source| ConnectError::Process { action: "start threads", source })?;
        let connection = runtime.block_on(Connection::open(address, tls))?;
        let (version, platforms) = runtime.block_on(introduce(&connection, address, tls))?;
        Ok(Self { inner: Arc::new(Inner { runtime, connection, version, platforms }) })
    }

    /// Returns where it is.
    pub fn address(&self) -> &str {
        &self.inner.connection.address
    }

    /// Returns whether it is the one inside a docker daemon.
    pub fn is_docker(&self) -> bool {
        self.inner.connection.docker.is_some()
    }

    /// Returns the version that it says it has.
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// Returns the platforms that it can run, the preferred one first.
    pub fn platforms(&self) -> &[String] {
        &self.inner.platforms
    }

    /// Opens a session for builds to read through: see [`Build::shared`].
    ///
    /// # Errors
    /// When the daemon does not take it.
    pub fn share(&self, services: &Services) -> Result<Shared, GatewayError> {
        Ok(Shared { session: self.open_session(services)?, fellows: Arc::default() })
    }

    fn open_session(&self, services: &Services) -> Result<Session, GatewayError> {
        let Inner { runtime, connection, .. } = self.inner.as_ref();
        runtime.block_on(Session::open(connection, services)).map_err(|status| GatewayError::Environment {
            message: format!("cannot open a session with the buildkitd at {}", connection.address),
            hint: String::new(),
            source: Some(status.message().to_owned().into()),
        })
    }

    /// Runs `frontend` in this thread, with the daemon as its gateway, and hands its result to the exporters.
    ///
    /// # Errors
    /// What the frontend says, or what the daemon says to its result.
    pub fn build<E: FrontendFailure>(
        &self,
        build: &Build,
        frontend: impl FnOnce(&dyn Gateway) -> Result<FrontendResult, E>,
    ) -> Result<Built, BuildError<E>> {
        let fellows = build.shared.as_ref().map(|shared| shared.fellows.clone());
        let tracker = Arc::new(Tracker::new(build.progress.clone(), fellows));
        let running = Running::start(self, build, &tracker).map_err(BuildError::Gateway)?;
        let outcome = self.run(build, &running, frontend);
        let patience = outcome.is_err().then_some(FAILED_END);
        let response = self.inner.runtime.block_on(running.end(patience));
        if (build.cancelled)() {
            return Err(BuildError::Gateway(GatewayError::Cancelled));
        }
        let response = response.map(|response| response.map_err(|status| errors::from_status(&status)));
        match (outcome, response) {
            // What the frontend knows better comes first; a build that the daemon broke off, it knows better.
            (Err(BuildError::Frontend(mut error)), response) => {
                if let Some(inner) = error.gateway_error() {
                    if let (GatewayError::Cancelled | GatewayError::Environment { .. }, Some(Err(said))) =
                        (&*inner, response)
                    {
                        *inner = said;
                    }
                    tracker.complete(inner);
                }
                Err(BuildError::Frontend(error))
            }
            (Ok(_), Some(Err(GatewayError::Request { message }))) => {
                Err(BuildError::Gateway(not_handed_out(message)))
            }
            (_, Some(Err(mut error))) | (Err(BuildError::Gateway(mut error)), _) => {
                tracker.complete(&mut error);
                Err(BuildError::Gateway(error))
            }
            (Ok(result), response) => {
                let response = response.and_then(Result::ok).unwrap_or_default();
                Ok(Built { result, response, steps: tracker.steps() })
            }
        }
    }

    fn run<E: FrontendFailure>(
        &self,
        build: &Build,
        running: &Running,
        frontend: impl FnOnce(&dyn Gateway) -> Result<FrontendResult, E>,
    ) -> Result<FrontendResult, BuildError<E>> {
        let gateway = GrpcGateway::connect(GatewayConnection {
            channel: self.inner.connection.channel.clone(),
            runtime: self.inner.runtime.handle().clone(),
            metadata: running.metadata.clone(),
            options: running.options.clone(),
            frontend: build.frontend.clone(),
            cancelled: Some(running.cancelled.clone()),
        });
        let gateway = gateway.map_err(BuildError::Gateway)?;
        let remote = Remote::new(self, build, gateway);
        let outcome = frontend(&remote);
        let gateway = remote.into_gateway();
        match outcome {
            Ok(result) => match gateway.return_result(&result) {
                Ok(()) => Ok(result),
                Err(error) => {
                    // The daemon still waits for the frontend; if it does not hear this either, the build is broken off.
                    let _ = gateway.return_error(error.status());
                    Err(BuildError::Gateway(error))
                }
            },
            Err(error) => {
                // The daemon remembers it in its history; the error itself is here.
                let _ = gateway.return_error(error.status());
                Err(BuildError::Frontend(error))
            }
        }
    }
}

/// Returns the error of a result that is there, and that an exporter could not hand out.
fn not_handed_out(message: String) -> GatewayError {
    GatewayError::Solve(Box::new(SolveFailure {
        vertex: String::new(),
        name: "hand the result out".into(),
        message,
        hint: None,
        exit_code: None,
        log: Vec::new(),
        excerpts: Vec::new(),
        details: Vec::new(),
        cause: None,
    }))
}

/// A build while it runs at the daemon.
struct Running {
    metadata: MetadataMap,
    options: BuildOptions,
    solve: JoinHandle<Result<api::SolveResponse, Status>>,
    status: JoinHandle<()>,
    stop: JoinHandle<()>,
    cancelled: watch::Receiver<bool>,
    /// Serves until this goes.
    _session: Session,
}

impl Running {
    fn start(client: &Client, build: &Build, tracker: &Arc<Tracker>) -> Result<Self, GatewayError> {
        let Inner { runtime, connection, platforms, .. } = client.inner.as_ref();
        let session = client.open_session(&build.services)?;
        let no_random = |source: std::io::Error| GatewayError::Environment {
            message: "there are no random numbers".into(),
            hint: String::new(),
            source: Some(source.into()),
        };
        let reference = random_hex(13).map_err(no_random)?;
        let mut metadata = MetadataMap::new();
        let value = MetadataValue::try_from(reference.as_str());
        metadata.insert(BUILD, value.map_err(|error| GatewayError::Request { message: error.to_string() })?);
        let mut options = build.options.clone();
        options.session.clone_from(build.shared.as_ref().map_or(&session.id, |shared| &shared.session.id));
        if options.platforms.is_empty() {
            options.platforms.clone_from(platforms);
        }
        if !build.cache_imports.is_empty() {
            options.options.insert("cache-imports".into(), cache_imports(&build.cache_imports));
        }
        let request = request(build, &reference, &session.id, &options);
        let mut control = connection.control();
        let solve = runtime.spawn(async move { Ok(control.solve(request).await?.into_inner()) });
        let status = runtime.spawn(follow(connection.clone(), reference, tracker.clone()));
        let (is_cancelled, abort) = (build.cancelled.clone(), solve.abort_handle());
        let (cancel, cancelled) = watch::channel(false);
        let stop = runtime.spawn(async move {
            while !is_cancelled() {
                tokio::time::sleep(STOP_CHECK).await;
            }
            // The daemon sees that nobody waits for the build nor for a step, and breaks them off.
            abort.abort();
            cancel.send_replace(true);
        });
        Ok(Self { metadata, options, solve, status, stop, cancelled, _session: session })
    }

    /// Waits for the end of the build and returns what exporters say; none when the build has to be broken off because
    /// it does not end in the time that it has.
    async fn end(mut self, patience: Option<Duration>) -> Option<Result<BTreeMap<String, String>, Status>> {
        let ended = match patience {
            Some(patience) => tokio::time::timeout(patience, &mut self.solve).await.ok()?,
            None => (&mut self.solve).await,
        };
        // The last words may come after the result.
        let _ = tokio::time::timeout(LAST_PROGRESS, &mut self.status).await;
        Some(match ended {
            Ok(outcome) => outcome.map(|response| response.exporter_response.into_iter().collect()),
            Err(_) => Err(Status::cancelled("the build was cancelled")),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.solve.abort();
        self.status.abort();
        self.stop.abort();
    }
}

/// Passes the daemon's news on until there are no more.
async fn follow(connection: Connection, reference: String, tracker: Arc<Tracker>) {
    let answer = connection.control().status(api::StatusRequest { r#ref: reference }).await;
    let Ok(answer) = answer else { return };
    let mut news = answer.into_inner();
    while let Ok(Some(response)) = news.message().await {
        tracker.take(response);
    }
}

fn request(build: &Build, reference: &str, session: &str, options: &BuildOptions) -> api::SolveRequest {
    let first = build.exports.first().cloned();
    let exporter = |entry: &Entry| api::Exporter {
        r#type: entry.kind.clone(),
        attrs: entry.attrs.clone().into_iter().collect(),
    };
    let entries = |entries: &[Entry]| entries.iter().map(cache_entry).collect();
    api::SolveRequest {
        r#ref: reference.to_owned(),
        session: session.to_owned(),
        frontend_attrs: options.options.clone().into_iter().collect(),
        exporters: build.exports.iter().map(exporter).collect(),
        exporter_deprecated: first.as_ref().map(|entry| entry.kind.clone()).unwrap_or_default(),
        exporter_attrs_deprecated: first.map(|entry| entry.attrs).unwrap_or_default().into_iter().collect(),
        cache: Some(api::CacheOptions {
            exports: entries(&build.cache_exports),
            imports: entries(&build.cache_imports),
            ..api::CacheOptions::default()
        }),
        source_policy: build.source_policy.as_ref().map(SourcePolicy::to_wire),
        ..api::SolveRequest::default()
    }
}

fn cache_entry(entry: &Entry) -> api::CacheOptionsEntry {
    api::CacheOptionsEntry { r#type: entry.kind.clone(), attrs: entry.attrs.clone().into_iter().collect() }
}

/// Returns what frontends are told of places where the cache may come from.
fn cache_imports(entries: &[Entry]) -> String {
    let entries = entries.iter().map(|entry| serde_json::json!({ "Type": entry.kind, "Attrs": entry.attrs }));
    serde_json::Value::from_iter(entries).to_string()
}

/// Asks the daemon at `address` for its version and what it can run.
async fn introduce(
    connection: &Connection,
    address: &Address,
    tls: &TlsFiles,
) -> Result<(String, Vec<String>), ConnectError> {
    let too_old = |missing: String| ConnectError::TooOld { address: address.to_string(), missing };
    let mut control = connection.control();
    let version = match control.info(api::InfoRequest {}).await {
        Ok(info) => info.into_inner().buildkit_version.unwrap_or_default().version,
        Err(status) if status.code() == Code::Unimplemented => {
            return Err(too_old("it does not say its version".into()));
        }
        Err(status) => return Err(silent(address, tls, &status).await),
    };
    if is_too_old(&version) {
        return Err(too_old(format!("it is {version}")));
    }
    let workers = match control.list_workers(api::ListWorkersRequest::default()).await {
        Ok(workers) => workers.into_inner(),
        Err(status) => return Err(silent(address, tls, &status).await),
    };
    let platforms = workers.record.into_iter().flat_map(|worker| worker.platforms);
    Ok((version, platforms.map(|platform| platform_text(&platform)).collect()))
}

/// Returns why the daemon at `address` did not answer: by what the transport found, or else by its own words.
async fn silent(address: &Address, tls: &TlsFiles, status: &Status) -> ConnectError {
    match std::error::Error::source(status) {
        Some(error) => diagnose(address, tls, Stage::FirstCall, error).await,
        None => ConnectError::Unreachable {
            address: address.to_string(),
            source: status.message().to_owned().into(),
        },
    }
}

/// Returns whether a version is one of those that lack something; odd ones are newer than any release.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split(['.', '-', '+']).map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        // Builds from source say that they are 0.0.0.
        (Some(Ok(0)), Some(Ok(0))) => false,
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < OLDEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{self, Fake, Oddities};

    /// Builds nothing on a daemon that is odd.
    fn build_on(oddities: Oddities, result: Result<FrontendResult, GatewayError>) -> (String, Vec<String>) {
        let daemon = Fake::start(oddities);
        let outcome = daemon.client().build(&fake::build(), |_| result);
        let Err(BuildError::Frontend(error) | BuildError::Gateway(error)) = outcome else {
            panic!("{outcome:?}")
        };
        daemon.wait_for("the build ended");
        (error.to_string(), daemon.events())
    }

    #[test]
    fn a_build_ends_although_its_frontend_cannot_begin() {
        let (error, _) =
            build_on(Oddities { refuses_pings: true, ..Oddities::default() }, Ok(FrontendResult::default()));
        assert_eq!(error, "no such build");
        let (error, _) = build_on(
            Oddities { lacks_capabilities: true, ..Oddities::default() },
            Ok(FrontendResult::default()),
        );
        assert_eq!(error, "the build engine is too old: it lacks `return`");
    }

    #[test]
    fn a_build_ends_although_its_outcome_is_not_taken() {
        let deaf = Oddities { refuses_results: true, refuses_errors: true, ..Oddities::default() };
        for oddities in [Oddities { refuses_errors: false, ..deaf }, deaf] {
            let (error, _) = build_on(oddities, Ok(FrontendResult::default()));
            assert_eq!(error, "no such reference");
        }
        let failed = GatewayError::Request { message: "the spec is odd".into() };
        assert_eq!(build_on(deaf, Err(failed)).0, "the spec is odd");
    }

    #[test]
    fn versions_are_compared_as_far_as_they_are_versions() {
        for version in ["v0.12.5", "0.11.0-rc1"] {
            assert!(is_too_old(version), "{version}");
        }
        for version in ["v0.13.0", "v0.34.0", "v1.0.0", "0.0.0+unknown", "master", ""] {
            assert!(!is_too_old(version), "{version}");
        }
    }

    #[test]
    fn frontends_learn_where_the_cache_may_come_from() {
        let attrs = [("ref".to_owned(), "example.org/cache".to_owned())].into();
        let entries = [Entry { kind: "registry".into(), attrs }];
        assert_eq!(cache_imports(&entries), r#"[{"Type":"registry","Attrs":{"ref":"example.org/cache"}}]"#);
    }
}
