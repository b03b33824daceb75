//! gRPC services whose messages no crate declares: methods by name, messages by type.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use prost::Message;
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

use crate::connection::MAX_MESSAGE;

/// What a method gives back.
pub(super) type Answer = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;
/// Messages that are sent while a call lasts.
pub(super) type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A service: answers calls of its methods.
pub(super) trait Rpc: Send + Sync + 'static {
    /// Full name of the service.
    const NAME: &'static str;

    /// Answers a call of `method`.
    fn call(self: Arc<Self>, method: &str, request: http::Request<Body>) -> Answer;
}

/// A service that can be served.
pub(super) struct Server<T>(pub(super) Arc<T>);

impl<T> Clone for Server<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Rpc> NamedService for Server<T> {
    const NAME: &'static str = T::NAME;
}

impl<T: Rpc> Service<http::Request<Body>> for Server<T> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Answer {
        let path = request.uri().path().to_owned();
        let method = path.rsplit('/').next().unwrap_or_default();
        self.0.clone().call(method, request)
    }
}

/// Answers a call with one message each way.
pub(super) fn unary<Q, A, F>(
    request: http::Request<Body>,
    handle: impl FnMut(Request<Q>) -> F + Send + 'static,
) -> Answer
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
    F: Future<Output = Result<Response<A>, Status>> + Send + 'static,
{
    Box::pin(async move { Ok(grpc::<Q, A>().unary(service_fn(handle), request).await) })
}

/// Answers a call with one message here and many back.
pub(super) fn answer_stream<Q, A, F>(
    request: http::Request<Body>,
    handle: impl FnMut(Request<Q>) -> F + Send + 'static,
) -> Answer
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
    F: Future<Output = Result<Response<Messages<A>>, Status>> + Send + 'static,
{
    Box::pin(async move { Ok(grpc::<Q, A>().server_streaming(service_fn(handle), request).await) })
}

/// Answers a call with many messages each way.
pub(super) fn streams<Q, A, F>(
    request: http::Request<Body>,
    handle: impl FnMut(Request<Streaming<Q>>) -> F + Send + 'static,
) -> Answer
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
    F: Future<Output = Result<Response<Messages<A>>, Status>> + Send + 'static,
{
    Box::pin(async move { Ok(grpc::<Q, A>().streaming(service_fn(handle), request).await) })
}

/// Answers a call that makes no sense.
pub(super) fn refuse(status: Status) -> Answer {
    Box::pin(async move { Ok(status.into_http()) })
}

/// Answers a call of a method that there is none of.
pub(super) fn unknown() -> Answer {
    refuse(Status::unimplemented("this client has no such method"))
}

fn grpc<Q, A>() -> Grpc<ProstCodec<A, Q>>
where
    Q: Message + Default + 'static,
    A: Message + Default + 'static,
{
    Grpc::new(ProstCodec::default()).apply_max_message_size_config(Some(MAX_MESSAGE), Some(MAX_MESSAGE))
}
