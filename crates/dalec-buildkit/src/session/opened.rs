//! Opening a session, and serving it while it lasts.

use std::convert::Infallible;
use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::secrets::v1::secrets_server::SecretsServer;
use bollard_buildkit_proto::moby::buildkit::v1::BytesMessage;
use bollard_buildkit_proto::moby::filesync::v1::auth_server::AuthServer;
use bollard_buildkit_proto::moby::sshforward::v1::ssh_server::SshServer;
use dalec_wire::random_hex;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::{Request, Status, Streaming};

use super::content::Content;
use super::files::Files;
use super::rpc;
use super::send::Results;
use super::{Services, auth, health, secrets, ssh};
use crate::connection::Connection;

const ID: HeaderName = HeaderName::from_static("x-docker-expose-session-uuid");
const NAME: HeaderName = HeaderName::from_static("x-docker-expose-session-name");
const SHARED_KEY: HeaderName = HeaderName::from_static("x-docker-expose-session-sharedkey");
const METHOD: HeaderName = HeaderName::from_static("x-docker-expose-session-grpc-method");

/// Bytes of the stream under way in this process.
const BUFFER: usize = 1 << 20;
/// Bytes in one message of the stream.
const PIECE: usize = 32 << 10;
/// Bytes of one call under way.
const WINDOW: u32 = 4 << 20;

/// A session that is served until this is dropped.
pub(crate) struct Session {
    /// Its name at the daemon.
    pub(crate) id: String,
    tasks: Vec<JoinHandle<()>>,
}

impl Session {
    /// Opens a session with the daemon.
    pub(crate) async fn open(connection: &Connection, services: &Services) -> Result<Self, Status> {
        let id = random_hex(16).map_err(|error| Status::internal(format!("no random numbers: {error}")))?;
        let headers = headers(&id, services)?;
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let mut tasks = Vec::new();
        match &connection.docker {
            Some(docker) => {
                let stream = docker.session(headers).await;
                let mut stream = stream.map_err(|error| Status::unavailable(error.to_string()))?;
                let mut theirs = theirs;
                tasks.push(tokio::spawn(async move {
                    // Either end may close; the other one then sees the end of the stream.
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut theirs).await;
                }));
            }
            None => {
                let (outgoing, messages) = mpsc::channel(16);
                let mut request = Request::new(ReceiverStream::new(messages));
                *request.metadata_mut() = MetadataMap::from_headers(headers);
                let incoming = connection.control().session(request).await?.into_inner();
                let (reader, writer) = tokio::io::split(theirs);
                tasks.push(tokio::spawn(to_daemon(reader, outgoing)));
                tasks.push(tokio::spawn(from_daemon(incoming, writer)));
            }
        }
        tasks.push(tokio::spawn(serve(ours, services.clone())));
        Ok(Self { id, tasks })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn to_daemon(mut reader: tokio::io::ReadHalf<DuplexStream>, outgoing: mpsc::Sender<BytesMessage>) {
    let mut buffer = vec![0; PIECE];
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        if outgoing.send(BytesMessage { data: buffer[..length].to_vec() }).await.is_err() {
            return;
        }
    }
}

async fn from_daemon(mut incoming: Streaming<BytesMessage>, mut writer: tokio::io::WriteHalf<DuplexStream>) {
    while let Ok(Some(message)) = incoming.message().await {
        if writer.write_all(&message.data).await.is_err() {
            return;
        }
    }
    // The daemon ended the session.
    let _ = writer.shutdown().await;
}

/// Answers the daemon's calls until it hangs up.
async fn serve(stream: DuplexStream, services: Services) {
    let Services {
        local_dirs,
        withheld,
        private_keys,
        local_files,
        secrets,
        ssh,
        stores,
        credentials,
        targets,
        ..
    } = services;
    let files = !(local_dirs.is_empty() && local_files.is_empty());
    let served = Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(2 * WINDOW)
        .add_service(health())
        .add_optional_service(some(files, || {
            rpc::Server(Arc::new(Files { dirs: local_dirs, withheld, private_keys, files: local_files }))
        }))
        .add_optional_service(some(!targets.is_empty(), || rpc::Server(Arc::new(Results { targets }))))
        .add_optional_service(some(!stores.is_empty(), || rpc::Server(Arc::new(Content { stores }))))
        .add_optional_service(some(!ssh.is_empty(), || SshServer::new(ssh::Agents(ssh))))
        .add_optional_service(secrets.map(|secrets| SecretsServer::new(secrets::Served(secrets))))
        .add_optional_service(credentials.map(|lookup| AuthServer::new(auth::Served(lookup))))
        .serve_with_incoming(tokio_stream::once(Ok::<_, Infallible>(stream)).chain(tokio_stream::pending()));
    // What goes wrong on one stream the daemon says in the build's own error.
    let _ = served.await;
}

fn some<T>(wanted: bool, make: impl FnOnce() -> T) -> Option<T> {
    wanted.then(make)
}

/// Says who we are and what may be called.
fn headers(id: &str, services: &Services) -> Result<HeaderMap, Status> {
    let mut headers = HeaderMap::new();
    let mut add = |name: HeaderName, value: &str| -> Result<(), Status> {
        let value = HeaderValue::from_str(value).map_err(|error| Status::internal(error.to_string()))?;
        headers.append(name, value);
        Ok(())
    };
    add(ID, id)?;
    add(NAME, "dalec")?;
    add(SHARED_KEY, &services.shared_key)?;
    add(METHOD, "/grpc.health.v1.Health/Check")?;
    let methods: [(bool, &[&str]); 6] = [
        (
            !(services.local_dirs.is_empty() && services.local_files.is_empty()),
            &["/moby.filesync.v1.FileSync/DiffCopy"],
        ),
        (!services.targets.is_empty(), &["/moby.filesync.v1.FileSend/DiffCopy"]),
        (!services.stores.is_empty(), super::content::METHODS),
        (
            !services.ssh.is_empty(),
            &["/moby.sshforward.v1.SSH/CheckAgent", "/moby.sshforward.v1.SSH/ForwardAgent"],
        ),
        (services.secrets.is_some(), &["/moby.buildkit.secrets.v1.Secrets/GetSecret"]),
        (services.credentials.is_some(), &["/moby.filesync.v1.Auth/Credentials"]),
    ];
    for method in methods.iter().filter(|(offered, _)| *offered).flat_map(|(_, methods)| *methods) {
        add(METHOD, method)?;
    }
    Ok(headers)
}
