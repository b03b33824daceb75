//! A connection to one `buildkitd`: its gRPC channel, and how sessions are opened beside it.

use std::sync::Arc;
use std::time::Duration;

use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use dalec_wire as wire;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Error, Uri};
use tower::service_fn;

use crate::address::Address;
use crate::diagnosis::{Stage, diagnose};
use crate::docker::{Docker, Endpoint as DockerEndpoint};
use crate::error::ConnectError;
use crate::tls::TlsFiles;

pub(crate) use dalec_wire::MAX_MESSAGE;

/// How long a daemon may take to answer at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// A silent connection is asked for a sign of life.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Bytes under way: layers and contexts are large, networks far.
const WINDOW: u32 = 8 << 20;

/// A connection to one `buildkitd`; cheap to clone.
#[derive(Clone)]
pub(crate) struct Connection {
    /// What people call it.
    pub(crate) address: String,
    /// Where calls go.
    pub(crate) channel: Channel,
    /// Opens sessions where they do not go through the channel.
    pub(crate) docker: Option<Arc<Docker>>,
}

impl Connection {
    /// Connects; the daemon has answered when this returns.
    pub(crate) async fn open(address: &Address, tls: &TlsFiles) -> Result<Self, ConnectError> {
        let (channel, docker) = match address {
            Address::Unix(path) => (unix(path.clone()).await, None),
            Address::Tcp { host, port } => {
                let tls = if tls.is_used() { Some(tls.config(host)?) } else { None };
                (tcp(host, *port, tls).await, None)
            }
            Address::DockerContainer(name) => {
                let docker = Docker::new(DockerEndpoint::from_environment()?);
                let stream = docker.dial_stdio(name).await?;
                (over(stream).await, None)
            }
            Address::Docker(endpoint) => {
                let docker = Docker::new(match endpoint {
                    Some(endpoint) => DockerEndpoint::parse(endpoint)?,
                    None => DockerEndpoint::from_environment()?,
                });
                let stream = docker.grpc().await?;
                (over(stream).await, Some(Arc::new(docker)))
            }
        };
        match channel {
            Ok(channel) => Ok(Self { address: address.to_string(), channel, docker }),
            Err(error) => Err(diagnose(address, tls, Stage::Connect, &error).await),
        }
    }

    /// Returns the daemon's control API.
    pub(crate) fn control(&self) -> ControlClient<Channel> {
        ControlClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
    }
}

fn tuned(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        // Errors carry whole source texts.
        .http2_max_header_list_size(MAX_MESSAGE as u32)
}

async fn unix(path: std::path::PathBuf) -> Result<Channel, Error> {
    let connect = service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    tuned(wire::endpoint()).connect_with_connector(connect).await
}

async fn tcp(host: &str, port: u16, tls: Option<ClientTlsConfig>) -> Result<Channel, Error> {
    let place = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{place}"))?;
    if let Some(tls) = tls {
        // What is wrong with the files shows here.
        endpoint = endpoint.tls_config(tls)?;
    }
    let connect = service_fn(move |_: Uri| {
        let place = place.clone();
        async move {
            let stream = TcpStream::connect(place).await?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    tuned(endpoint).connect_with_connector(connect).await
}

/// Speaks gRPC over one stream that is open already; when it breaks, so does the channel.
async fn over(stream: crate::stream::BoxStream) -> Result<Channel, Error> {
    let mut stream = Some(stream);
    let connect = service_fn(move |_: Uri| {
        let stream = stream.take().ok_or_else(|| std::io::Error::other("the connection was closed"));
        async move { stream.map(TokioIo::new) }
    });
    tuned(wire::endpoint()).connect_with_connector(connect).await
}
