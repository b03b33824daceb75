//! Blobs of this host for the daemon: images in OCI layouts, and caches in directories.
//!
//! The service is containerd's (`api/services/content/v1/content.proto`), as far as the daemon uses it.

mod messages;
mod store;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::{Response, Status};

use super::rpc::{self, Answer, Rpc};
use messages::{
    AbortRequest, Digested, Empty, InfoResponse, ReadRequest, ReadResponse, StatusRequest, StatusResponse,
    UpdateRequest,
};

pub use store::{Digest, Store};

/// Header with the name of the store.
const STORE: &str = "buildkit-attachable-store-id";
/// Blobs in one message of an answer.
const PIECE: usize = 256 << 10;

/// What the daemon may call.
pub(super) const METHODS: &[&str] = &[
    "/containerd.services.content.v1.Content/Info",
    "/containerd.services.content.v1.Content/Read",
    "/containerd.services.content.v1.Content/Update",
    "/containerd.services.content.v1.Content/Status",
    "/containerd.services.content.v1.Content/Write",
    "/containerd.services.content.v1.Content/Abort",
];

/// Stores by name.
pub(super) struct Content {
    pub(super) stores: BTreeMap<String, Arc<Store>>,
}

impl Rpc for Content {
    const NAME: &'static str = "containerd.services.content.v1.Content";

    fn call(self: Arc<Self>, method: &str, request: http::Request<Body>) -> Answer {
        let store = match self.store(request.headers()) {
            Ok(store) => store,
            Err(status) => return rpc::refuse(status),
        };
        match method {
            "Info" => rpc::unary(request, move |request: tonic::Request<Digested>| {
                let store = store.clone();
                async move { Ok(Response::new(info(&store, &request.into_inner().digest)?)) }
            }),
            // Labels matter to a garbage collector, which a directory does not have.
            "Update" => rpc::unary(request, move |request: tonic::Request<UpdateRequest>| {
                let store = store.clone();
                async move {
                    let digest = request.into_inner().info.unwrap_or_default().digest;
                    Ok(Response::new(info(&store, &digest)?))
                }
            }),
            "Read" => rpc::answer_stream(request, move |request| {
                let store = store.clone();
                async move { read(store, request.into_inner()) }
            }),
            "Status" => rpc::unary(request, move |request: tonic::Request<StatusRequest>| {
                let store = store.clone();
                async move {
                    let status = write::status(&store, &request.into_inner().reference)?;
                    Ok(Response::new(StatusResponse { status: Some(status) }))
                }
            }),
            "Abort" => rpc::unary(request, move |request: tonic::Request<AbortRequest>| {
                let store = store.clone();
                async move {
                    write::abort(&store, &request.into_inner().reference)?;
                    Ok(Response::new(Empty {}))
                }
            }),
            "Write" => rpc::streams(request, move |request| {
                let store = store.clone();
                async move { Ok(Response::new(write::write(store, request.into_inner()))) }
            }),
            _ => rpc::unknown(),
        }
    }
}

impl Content {
    fn store(&self, headers: &HeaderMap) -> Result<Arc<Store>, Status> {
        let name = headers.get(STORE).and_then(|value| value.to_str().ok());
        let name = name.ok_or_else(|| Status::invalid_argument("the call names no store"))?;
        let found = self.stores.get(name).cloned();
        found.ok_or_else(|| Status::not_found(format!("there is no store {name}")))
    }
}

fn info(store: &Store, digest: &str) -> Result<InfoResponse, Status> {
    let digest: Digest = digest.parse()?;
    let size = store.size(&digest)?;
    let info = messages::Info { digest: digest.to_string(), size: size as i64 };
    Ok(InfoResponse { info: Some(info) })
}

fn read(store: Arc<Store>, request: ReadRequest) -> Result<Response<rpc::Messages<ReadResponse>>, Status> {
    let digest: Digest = request.digest.parse()?;
    let size = store.size(&digest)?;
    let start = u64::try_from(request.offset).unwrap_or(0);
    if start > size {
        return Err(Status::out_of_range(format!("{digest} has {size} bytes only")));
    }
    let length = match u64::try_from(request.size) {
        Ok(length @ 1..) => length.min(size - start),
        _ => size - start,
    };
    let (sender, receiver) = mpsc::channel(8);
    tokio::task::spawn_blocking(move || {
        let mut offset = 0;
        let mut send = |data: &[u8]| {
            let message = ReadResponse { offset, data: data.to_vec() };
            offset += data.len() as i64;
            // Nobody listens any more: there is nothing more to read.
            sender.blocking_send(Ok(message)).is_ok()
        };
        if let Err(status) = store.read(&digest, start, length, PIECE, &mut send) {
            let _ = sender.blocking_send(Err(status));
        }
    });
    Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
}
