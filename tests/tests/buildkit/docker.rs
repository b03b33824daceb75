//! `docker://` and `docker-container://`: a docker daemon's API, played by this file in front of a real BuildKit.
//!
//! Only what a client of `buildkitd` needs is played: `POST /grpc`, `POST /session` and the two calls of `docker exec`,
//! with the answers and the streams of the real one.

use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use std::process::Stdio;

use bollard_buildkit_proto::moby::buildkit::v1::BytesMessage;
use bollard_buildkit_proto::moby::buildkit::v1::control_client::ControlClient;
use dalec_e2e::buildkit::Buildkit;
use dalec_e2e::engine::base_contexts;
use dalec_e2e::run::{Project, Ran};
use dalec_e2e::specs::script;
use dalec_e2e::tools::tools;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::Endpoint;

const UPGRADED: &[u8] = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";

/// Plays the API at `socket` until the process ends.
fn play(socket: &Path) {
    let listener = StdListener::bind(socket).expect("the socket can be made");
    listener.set_nonblocking(true).expect("sockets can be asked not to wait");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("threads start");
        runtime.block_on(async move {
            let listener = UnixListener::from_std(listener).expect("it is a socket");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
    });
}

/// The head of a request: its path, and its headers in lower case.
async fn head(stream: &mut UnixStream) -> (String, Vec<(String, String)>) {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.expect("a request has an end"));
    }
    let text = String::from_utf8(text).expect("a request is text");
    let mut lines = text.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a request has a path").to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    (path, headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect())
}

async fn answer(mut stream: UnixStream) {
    let (path, headers) = head(&mut stream).await;
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().expect("a length is a number"))];
    stream.read_exact(&mut body).await.expect("the body is there");
    match path.as_str() {
        "/grpc" => {
            stream.write_all(UPGRADED).await.unwrap();
            let mut daemon = UnixStream::connect(socket_of_the_daemon()).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut daemon).await;
        }
        "/session" => {
            stream.write_all(UPGRADED).await.unwrap();
            session(stream, headers).await;
        }
        "/containers/builder/exec" => {
            let body = String::from_utf8(body).unwrap();
            assert!(body.contains(r#"["buildctl","dial-stdio"]"#), "{body}");
            json(&mut stream, "201 Created", r#"{"Id":"abc123"}"#).await;
        }
        "/exec/abc123/start" => {
            stream.write_all(UPGRADED).await.unwrap();
            exec(stream).await;
        }
        _ => json(&mut stream, "404 Not Found", r#"{"message":"No such container: nobody"}"#).await,
    }
}

async fn json(stream: &mut UnixStream, status: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
}

fn socket_of_the_daemon() -> String {
    Buildkit::shared().address().trim_start_matches("unix://").to_owned()
}

/// Hands a session on to the daemon; a real docker daemon has it in the same process.
async fn session(stream: UnixStream, headers: Vec<(String, String)>) {
    let connect =
        tower::service_fn(|_| async { UnixStream::connect(socket_of_the_daemon()).await.map(TokioIo::new) });
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(connect).await.unwrap();
    let mut metadata = MetadataMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-docker-expose-session-")) {
        let name: MetadataKey<_> = name.parse().unwrap();
        metadata.append(name, MetadataValue::try_from(value.as_str()).unwrap());
    }
    let (mut from_client, mut to_client) = stream.into_split();
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        let mut buffer = vec![0; 32 << 10];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            if sender.send(BytesMessage { data: buffer[..length].to_vec() }).await.is_err() {
                return;
            }
        }
    });
    let mut request = tonic::Request::new(ReceiverStream::new(receiver));
    *request.metadata_mut() = metadata;
    let Ok(answer) = ControlClient::new(channel).session(request).await else { return };
    let mut answer = answer.into_inner();
    while let Ok(Some(message)) = answer.message().await {
        if to_client.write_all(&message.data).await.is_err() {
            return;
        }
    }
}

/// Runs what `docker exec` would run in the container; its output goes back in frames.
async fn exec(mut stream: UnixStream) {
    let mut child = std::process::Command::new(&tools().buildctl)
        .args(["--addr", &Buildkit::shared().address(), "dial-stdio"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("buildctl starts");
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    // What a program says on standard error comes in between, and is none of the stream.
    stream.write_all(b"\x02\0\0\0\0\0\0\x05hello").await.unwrap();
    let (mut from_client, mut to_client) = stream.into_split();
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<u8>>(4);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 32 << 10];
        while let Ok(length @ 1..) = std::io::Read::read(&mut output, &mut buffer) {
            if sender.blocking_send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    let (to_child, mut for_child) = tokio::sync::mpsc::channel::<Vec<u8>>(4);
    std::thread::spawn(move || {
        while let Some(data) = for_child.blocking_recv() {
            if std::io::Write::write_all(&mut input, &data).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        let mut buffer = vec![0; 32 << 10];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            if to_child.send(buffer[..length].to_vec()).await.is_err() {
                return;
            }
        }
    });
    while let Some(data) = receiver.recv().await {
        let mut frame = vec![1, 0, 0, 0];
        frame.extend_from_slice(&(data.len() as u32).to_be_bytes());
        frame.extend_from_slice(&data);
        if to_client.write_all(&frame).await.is_err() {
            break;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn build(address: &str, name: &str) -> (Project, Ran) {
    let project = Project::new(&script(name, ""));
    let socket = project.path("docker.sock");
    play(&socket);
    let mut build = project.build("bookworm/deb").args(["--engine", "buildkit", "--buildkit-host", address]);
    build = build.args(base_contexts());
    build.command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let ran = build.run();
    (project, ran)
}

#[test]
fn the_buildkit_inside_a_docker_daemon_builds() {
    let (project, ran) = build("docker://", "docked");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(project.output(".deb").exists());
}

#[test]
fn a_buildkit_in_a_container_builds() {
    let (project, ran) = build("docker-container://builder", "contained");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(project.output(".deb").exists());
}

#[test]
fn a_container_that_is_not_there_is_said() {
    let (_, ran) = build("docker-container://nobody", "absent");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    ran.says(&["No such container: nobody"]);
}
