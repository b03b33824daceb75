//! A daemon for tests that does what real ones rarely do.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1 as api;
use bollard_buildkit_proto::moby::buildkit::v1::apicaps::ApiCap;
use bollard_buildkit_proto::moby::buildkit::v1::control_server::{Control, ControlServer};
use bollard_buildkit_proto::moby::buildkit::v1::frontend as bridge;
use bollard_buildkit_proto::moby::buildkit::v1::frontend::llb_bridge_server::{LlbBridge, LlbBridgeServer};
use dalec_gateway::{BuildOptions, Event, ProgressSink};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Pending, pending};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::client::{BUILD, Build, Client};
use crate::session::Services;
use crate::tls::TlsFiles;

/// How long a signer works.
const SIGNING: Duration = Duration::from_millis(300);

/// What is odd about a daemon.
#[derive(Clone, Copy, Default)]
pub(crate) struct Oddities {
    /// It does not know how to answer pings.
    pub(crate) refuses_pings: bool,
    /// It lacks what every frontend needs.
    pub(crate) lacks_capabilities: bool,
    /// It takes no results.
    pub(crate) refuses_results: bool,
    /// It takes no errors.
    pub(crate) refuses_errors: bool,
}

/// A daemon in this process; it ends when this is dropped.
pub(crate) struct Fake {
    state: Arc<State>,
    folder: tempfile::TempDir,
    _runtime: Runtime,
}

struct State {
    oddities: Oddities,
    events: Mutex<Vec<String>>,
    /// Builds whose frontend has said how it ended.
    ended: watch::Sender<BTreeSet<String>>,
}

impl Fake {
    pub(crate) fn start(oddities: Oddities) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let state = State { oddities, events: Mutex::default(), ended: watch::channel(BTreeSet::new()).0 };
        let state = Arc::new(state);
        let listener = runtime.block_on(async { UnixListener::bind(folder.path().join("socket")) }).unwrap();
        let (accepted, connections) = mpsc::channel(1);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if accepted.send(Ok::<_, std::io::Error>(stream)).await.is_err() {
                    return;
                }
            }
        });
        let server = Server::builder()
            .add_service(ControlServer::new(Served(state.clone())))
            .add_service(LlbBridgeServer::new(Served(state.clone())))
            .serve_with_incoming(ReceiverStream::new(connections));
        runtime.spawn(server);
        Self { state, folder, _runtime: runtime }
    }

    pub(crate) fn client(&self) -> Client {
        let address = format!("unix://{}", self.folder.path().join("socket").display());
        Client::connect(&address.parse().unwrap(), &TlsFiles::default()).unwrap()
    }

    /// Returns what it was asked to do, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        self.state.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it is asked for `event`.
    pub(crate) fn wait_for(&self, event: &str) {
        while !self.events().iter().any(|known| known == event) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A build of nothing.
pub(crate) fn build() -> Build {
    Build {
        services: Services::default(),
        shared: None,
        signer_secrets: None,
        signing: Arc::default(),
        options: BuildOptions::default(),
        exports: Vec::new(),
        cache_exports: Vec::new(),
        cache_imports: Vec::new(),
        source_policy: None,
        frontend: None,
        progress: Arc::new(Unheard),
        cancelled: Arc::new(|| false),
    }
}

struct Unheard;

impl ProgressSink for Unheard {
    fn event(&self, _: Event) {}
}

struct Served(Arc<State>);

impl Served {
    fn note(&self, event: &str) {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.to_owned());
    }
}

/// Says when nobody waits for a build any more.
struct Waited<'a>(&'a Served);

impl Drop for Waited<'_> {
    fn drop(&mut self) {
        self.0.note("the build ended");
    }
}

fn unknown<T>() -> Result<T, Status> {
    Err(Status::unimplemented("not here"))
}

#[tonic::async_trait]
impl Control for Served {
    async fn info(&self, _: Request<api::InfoRequest>) -> Result<Response<api::InfoResponse>, Status> {
        Ok(Response::new(api::InfoResponse::default()))
    }

    async fn list_workers(
        &self,
        _: Request<api::ListWorkersRequest>,
    ) -> Result<Response<api::ListWorkersResponse>, Status> {
        Ok(Response::new(api::ListWorkersResponse::default()))
    }

    async fn solve(
        &self,
        request: Request<api::SolveRequest>,
    ) -> Result<Response<api::SolveResponse>, Status> {
        let _waited = Waited(self);
        let id = request.into_inner().r#ref;
        // Errors only come when the other end is gone.
        let _ = self.0.ended.subscribe().wait_for(|ended: &BTreeSet<String>| ended.contains(&id)).await;
        Ok(Response::new(api::SolveResponse::default()))
    }

    type SessionStream = Pending<Result<api::BytesMessage, Status>>;

    async fn session(
        &self,
        _: Request<Streaming<api::BytesMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        Ok(Response::new(pending()))
    }

    type StatusStream = Pending<Result<api::StatusResponse, Status>>;

    async fn status(&self, _: Request<api::StatusRequest>) -> Result<Response<Self::StatusStream>, Status> {
        unknown()
    }

    async fn disk_usage(
        &self,
        _: Request<api::DiskUsageRequest>,
    ) -> Result<Response<api::DiskUsageResponse>, Status> {
        unknown()
    }

    type PruneStream = Pending<Result<api::UsageRecord, Status>>;

    async fn prune(&self, _: Request<api::PruneRequest>) -> Result<Response<Self::PruneStream>, Status> {
        unknown()
    }

    type ListenBuildHistoryStream = Pending<Result<api::BuildHistoryEvent, Status>>;

    async fn listen_build_history(
        &self,
        _: Request<api::BuildHistoryRequest>,
    ) -> Result<Response<Self::ListenBuildHistoryStream>, Status> {
        unknown()
    }

    async fn update_build_history(
        &self,
        _: Request<api::UpdateBuildHistoryRequest>,
    ) -> Result<Response<api::UpdateBuildHistoryResponse>, Status> {
        unknown()
    }
}

#[tonic::async_trait]
impl LlbBridge for Served {
    async fn ping(&self, _: Request<bridge::PingRequest>) -> Result<Response<bridge::PongResponse>, Status> {
        if self.0.oddities.refuses_pings {
            return Err(Status::unknown("no such build"));
        }
        let known: &[&str] = match self.0.oddities.lacks_capabilities {
            true => &[],
            false => &["return", "proto.refarray", "readdir", "gateway.solve.evaluate"],
        };
        let capability = |id: &&str| ApiCap { id: (*id).to_owned(), enabled: true, ..ApiCap::default() };
        let frontend_api_caps = known.iter().map(capability).collect();
        Ok(Response::new(bridge::PongResponse { frontend_api_caps, ..bridge::PongResponse::default() }))
    }

    async fn r#return(
        &self,
        request: Request<bridge::ReturnRequest>,
    ) -> Result<Response<bridge::ReturnResponse>, Status> {
        let id = request.metadata().get(BUILD).unwrap().to_str().unwrap().to_owned();
        let failed = request.into_inner().error.is_some();
        let Oddities { refuses_results, refuses_errors, .. } = self.0.oddities;
        if if failed { refuses_errors } else { refuses_results } {
            return Err(Status::unknown("no such reference"));
        }
        self.0.ended.send_if_modified(|ended| ended.insert(id));
        Ok(Response::new(bridge::ReturnResponse {}))
    }

    async fn solve(
        &self,
        request: Request<bridge::SolveRequest>,
    ) -> Result<Response<bridge::SolveResponse>, Status> {
        if request.into_inner().frontend.is_empty() {
            self.note("a step runs");
        } else {
            self.note("the signer begins");
            tokio::time::sleep(SIGNING).await;
            self.note("the signer ends");
        }
        Ok(Response::new(bridge::SolveResponse::default()))
    }

    async fn resolve_image_config(
        &self,
        _: Request<bridge::ResolveImageConfigRequest>,
    ) -> Result<Response<bridge::ResolveImageConfigResponse>, Status> {
        unknown()
    }

    async fn resolve_source_meta(
        &self,
        _: Request<bridge::ResolveSourceMetaRequest>,
    ) -> Result<Response<bridge::ResolveSourceMetaResponse>, Status> {
        unknown()
    }

    async fn read_file(
        &self,
        _: Request<bridge::ReadFileRequest>,
    ) -> Result<Response<bridge::ReadFileResponse>, Status> {
        unknown()
    }

    async fn read_dir(
        &self,
        _: Request<bridge::ReadDirRequest>,
    ) -> Result<Response<bridge::ReadDirResponse>, Status> {
        unknown()
    }

    async fn stat_file(
        &self,
        _: Request<bridge::StatFileRequest>,
    ) -> Result<Response<bridge::StatFileResponse>, Status> {
        unknown()
    }

    async fn evaluate(
        &self,
        _: Request<bridge::EvaluateRequest>,
    ) -> Result<Response<bridge::EvaluateResponse>, Status> {
        unknown()
    }

    async fn inputs(
        &self,
        _: Request<bridge::InputsRequest>,
    ) -> Result<Response<bridge::InputsResponse>, Status> {
        unknown()
    }

    async fn new_container(
        &self,
        _: Request<bridge::NewContainerRequest>,
    ) -> Result<Response<bridge::NewContainerResponse>, Status> {
        unknown()
    }

    async fn release_container(
        &self,
        _: Request<bridge::ReleaseContainerRequest>,
    ) -> Result<Response<bridge::ReleaseContainerResponse>, Status> {
        unknown()
    }

    type ExecProcessStream = Pending<Result<bridge::ExecMessage, Status>>;

    async fn exec_process(
        &self,
        _: Request<Streaming<bridge::ExecMessage>>,
    ) -> Result<Response<Self::ExecProcessStream>, Status> {
        unknown()
    }

    async fn read_file_container(
        &self,
        _: Request<bridge::ReadFileRequest>,
    ) -> Result<Response<bridge::ReadFileResponse>, Status> {
        unknown()
    }

    async fn read_dir_container(
        &self,
        _: Request<bridge::ReadDirRequest>,
    ) -> Result<Response<bridge::ReadDirResponse>, Status> {
        unknown()
    }

    async fn stat_file_container(
        &self,
        _: Request<bridge::StatFileRequest>,
    ) -> Result<Response<bridge::StatFileResponse>, Status> {
        unknown()
    }

    async fn warn(&self, _: Request<bridge::WarnRequest>) -> Result<Response<bridge::WarnResponse>, Status> {
        unknown()
    }
}
