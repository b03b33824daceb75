//! Ways to a `buildkitd` through a docker daemon's API: the one inside the daemon, or one in a container.
//!
//! The API answers such requests with `101` and then passes bytes through, as its clients expect
//! (`moby/api/server/router`): `POST /grpc` and `POST /session` for its own, `exec` for a container's.

mod endpoint;
mod exec;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use endpoint::Endpoint;

use crate::error::ConnectError;
use crate::stream::BoxStream;

/// No answer of the API that is read here is larger.
const MAX_ANSWER: usize = 1 << 20;

/// A docker daemon.
pub(crate) struct Docker {
    endpoint: Endpoint,
}

impl Docker {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }

    /// Opens a gRPC stream to the daemon's own `buildkitd`.
    pub(crate) async fn grpc(&self) -> Result<BoxStream, ConnectError> {
        self.upgrade("/grpc", "h2c", HeaderMap::new(), None).await
    }

    /// Opens a session with the daemon's own `buildkitd`; `headers` say what it offers.
    pub(crate) async fn session(&self, headers: HeaderMap) -> Result<BoxStream, ConnectError> {
        self.upgrade("/session", "h2c", headers, None).await
    }

    /// Opens a stream to the `buildkitd` in the running container `name`.
    pub(crate) async fn dial_stdio(&self, name: &str) -> Result<BoxStream, ConnectError> {
        exec::dial_stdio(self, name).await
    }

    fn error(&self, message: impl Into<String>) -> ConnectError {
        ConnectError::Docker { endpoint: self.endpoint.to_string(), message: message.into() }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ConnectError> {
        let stream = self.endpoint.connect().await?;
        let unreachable = |error: hyper::Error| ConnectError::Unreachable {
            address: self.endpoint.to_string(),
            source: error.into(),
        };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
        tokio::spawn(connection.with_upgrades());
        sender.send_request(request).await.map_err(unreachable)
    }

    /// Posts `body` and reads the answer.
    async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ConnectError> {
        let request = self.request(path, Some(body))?;
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let bytes = self.read(response).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| self.error(format!("its answer cannot be read: {error}")))
    }

    async fn upgrade(
        &self,
        path: &str,
        protocol: &'static str,
        headers: HeaderMap,
        body: Option<&Value>,
    ) -> Result<BoxStream, ConnectError> {
        let mut request = self.request(path, body)?;
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        request.headers_mut().insert(header::UPGRADE, HeaderValue::from_static(protocol));
        let mut last: Option<HeaderName> = None;
        for (name, value) in headers {
            last = name.or(last);
            if let Some(name) = &last {
                request.headers_mut().append(name.clone(), value);
            }
        }
        let response = self.send(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.refusal(response).await);
        }
        let upgraded = hyper::upgrade::on(response).await;
        let upgraded =
            upgraded.map_err(|error| self.error(format!("the stream cannot be taken over: {error}")))?;
        Ok(Box::new(TokioIo::new(upgraded)))
    }

    fn request(&self, path: &str, body: Option<&Value>) -> Result<Request<Full<Bytes>>, ConnectError> {
        let text = body.map(Value::to_string).unwrap_or_default();
        Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::HOST, "docker")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(text)))
            .map_err(|error| self.error(format!("{path} is no path of its API: {error}")))
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Bytes, ConnectError> {
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        Ok(body.map_err(|error| self.error(format!("its answer cannot be read: {error}")))?.to_bytes())
    }

    /// Returns what the daemon says about its refusal.
    async fn refusal(&self, response: Response<Incoming>) -> ConnectError {
        let status = response.status();
        let body = self.read(response).await.unwrap_or_default();
        let said = serde_json::from_slice::<Value>(&body).ok();
        let said = said.and_then(|answer| answer.get("message")?.as_str().map(str::to_owned));
        self.error(said.unwrap_or_else(|| status.to_string()))
    }
}
