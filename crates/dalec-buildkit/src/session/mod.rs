//! A session: services of this process that the daemon calls while it builds.
//!
//! The stream that carries it is a gRPC connection turned round (`session/session.go` of BuildKit): the daemon is the
//! client on it. It goes through the control API, or beside it through a docker daemon's.

mod auth;
mod content;
mod files;
mod opened;
mod packets;
mod receive;
mod rpc;
mod secrets;
mod send;
mod ssh;
mod target;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bollard_buildkit_proto::health::health_server::{Health, HealthServer};
use bollard_buildkit_proto::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse, health_check_response,
};
use dalec_files::{PrivateKeys, Withheld};
use dalec_ssh_agent::Socket;
use tonic::{Request, Response, Status};

pub use auth::{Credentials, Login};
pub use content::{Digest, Store};
pub use secrets::{SecretError, Secrets};
pub use target::{Received, Target, WriteFailure};

pub(crate) use opened::Session;

/// What a session offers to the daemon.
#[derive(Clone, Default)]
pub struct Services {
    /// Directories of this host by the name that `local://NAME` sources ask for.
    pub local_dirs: BTreeMap<String, PathBuf>,
    /// Files of this host that no directory shows: keys for signers and results, which may lie among the sources.
    pub withheld: Withheld,
    /// Takes the private keys that lie in what is sent of directories.
    pub private_keys: PrivateKeys,
    /// Single files of this host by the name of a directory that holds nothing else.
    pub local_files: BTreeMap<String, PathBuf>,
    /// Secrets; none offers no secret at all.
    pub secrets: Option<Arc<dyn Secrets>>,
    /// Sockets of ssh agents and other servers by id.
    pub ssh: BTreeMap<String, Socket>,
    /// Blobs by the name of their store, such as `oci:ID` for the layout of an image.
    pub stores: BTreeMap<String, Arc<Store>>,
    /// Logins for registries.
    pub credentials: Option<Arc<Credentials>>,
    /// Where results go, by the number of the exporter.
    pub targets: BTreeMap<usize, Arc<Target>>,
    /// Names the directories among all that the daemon has ever seen: what was sent before is not sent again.
    pub shared_key: String,
}

/// Says that this process is alive.
struct Alive;

#[tonic::async_trait]
impl Health for Alive {
    async fn check(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(serving()))
    }

    async fn list(
        &self,
        _request: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        Ok(Response::new(HealthListResponse { statuses: [(String::new(), serving())].into() }))
    }

    type WatchStream = tokio_stream::Once<Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(tokio_stream::once(Ok(serving()))))
    }
}

fn serving() -> HealthCheckResponse {
    HealthCheckResponse { status: health_check_response::ServingStatus::Serving.into() }
}

fn health() -> HealthServer<Alive> {
    HealthServer::new(Alive)
}
