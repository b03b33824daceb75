//! A frontend to host: speaks BuildKit's protocol with the wire's own words, and does what the option `do` says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use api::exec_message::Input;
use bollard_buildkit_proto::google::rpc;
use bollard_buildkit_proto::moby::buildkit::v1::frontend as api;
use bollard_buildkit_proto::pb;
use tonic::transport::{Channel, Endpoint};

use crate::graph::{Exec, Graph, Node, copy, mkfile};
use crate::pruning::counted;

type Client = api::llb_bridge_client::LlbBridgeClient<Channel>;

/// The request, as it is in the environment.
struct Request {
    options: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
}

pub fn main() -> ExitCode {
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let option = |(name, value): (&String, &String)| {
        let (key, value) = name.starts_with("BUILDKIT_FRONTEND_OPT_").then(|| value.split_once('='))??;
        Some((key.to_owned(), value.to_owned()))
    };
    let options = variables.iter().filter_map(option).collect();
    let request = Request { options, variables };
    let act = request.options.get("do").cloned().unwrap_or_default();
    // What needs no connection.
    match act.as_str() {
        "leave" => return ExitCode::SUCCESS,
        "exit" => {
            eprintln!("cannot find the key");
            return ExitCode::from(3);
        }
        "babble" => {
            // In one piece, past the buffer that ends with a line.
            let mut output =
                std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned().expect("output"));
            let piece = format!("Signing packages\n{}", "x".repeat(4000));
            while output.write_all(piece.as_bytes()).is_ok() {}
            return ExitCode::SUCCESS;
        }
        "disconnect" => {
            let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null").expect("null");
            rustix::stdio::dup2_stdin(&null).expect("dup");
            rustix::stdio::dup2_stdout(&null).expect("dup");
            eprintln!("speaking to nobody");
            loop {
                std::thread::park();
            }
        }
        "hang-silently" => {
            eprintln!("hanging");
            loop {
                std::thread::park();
            }
        }
        "complain" => {
            // More than is shown, with an end that matters.
            for _ in 0..1000 {
                eprintln!("{}", "x".repeat(4095));
            }
            eprintln!("the last word");
            return ExitCode::from(1);
        }
        _ => {}
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let code = runtime.block_on(async {
        let mut client = connect().await;
        match answer(&mut client, &request, &act).await {
            Ok(result) => {
                let returned =
                    client.r#return(api::ReturnRequest { result: Some(result), error: None }).await;
                if let Err(status) = returned {
                    eprintln!("not taken: {}", status.message());
                    return 9;
                }
            }
            Err(status) => {
                let error = rpc::Status {
                    code: status.code() as i32,
                    message: status.message().to_owned(),
                    details: prost::Message::decode(status.details())
                        .map(|status: rpc::Status| status.details)
                        .unwrap_or_default(),
                };
                let request = api::ReturnRequest { result: None, error: Some(error) };
                client.r#return(request).await.expect("the error is taken");
            }
        }
        match act.as_str() {
            "linger" => std::future::pending().await,
            "fail-late" => 5,
            _ => 0,
        }
    });
    std::process::exit(code)
}

async fn connect() -> Client {
    let pipes = {
        let input = std::io::stdin().as_fd().try_clone_to_owned().expect("an input");
        let output = std::io::stdout().as_fd().try_clone_to_owned().expect("an output");
        let input = tokio::net::unix::pipe::Receiver::from_owned_fd(input).expect("a pipe");
        let output = tokio::net::unix::pipe::Sender::from_owned_fd(output).expect("a pipe");
        tokio::io::join(input, output)
    };
    let mut once = Some(hyper_util::rt::TokioIo::new(pipes));
    let connector = tower::service_fn(move |_| {
        std::future::ready(once.take().ok_or(std::io::Error::from(std::io::ErrorKind::NotConnected)))
    });
    let channel = Endpoint::from_static("http://localhost")
        .connect_with_connector(connector)
        .await
        .expect("a connection");
    Client::new(channel).max_encoding_message_size(64 << 20).max_decoding_message_size(64 << 20)
}

async fn answer(client: &mut Client, request: &Request, act: &str) -> Result<api::Result, tonic::Status> {
    match act {
        "hang" => {
            eprintln!("hanging");
            std::future::pending().await
        }
        "babble-later" => {
            client.ping(api::PingRequest {}).await?;
            let mut output =
                std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned().expect("output"));
            let piece = "Signing packages\n".repeat(100);
            loop {
                match output.write_all(piece.as_bytes()) {
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(1),
                    _ => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        }
        "rant" => Err(tonic::Status::failed_precondition("no ".repeat(2 << 20))),
        "crash" => {
            eprintln!("about to crash");
            std::process::abort()
        }
        "refuse" => Err(tonic::Status::failed_precondition("the certificate expired yesterday")),
        "invent" => Ok(single("0123456789abcdef0123456789abcdef")),
        "nothing" => Ok(api::Result::default()),
        "too-much" => {
            let graph = definition(|graph| {
                graph.file(None, None, vec![mkfile("/large", 0o644, &"x".repeat(20 << 20))])
            });
            solve(client, graph, false).await.map(|id| single(&id))
        }
        "hoard" => {
            let graph = definition(|graph| {
                graph.file(None, None, vec![mkfile("/large", 0o644, &"x".repeat(15 << 20))])
            });
            let first = solve(client, graph.clone(), false).await?;
            let second = solve(client, graph.clone(), false).await?;
            let mut result = single(&first);
            for _ in 0..20 {
                if let Err(status) = solve(client, graph.clone(), false).await {
                    result.metadata.insert("said".into(), status.message().into());
                    break;
                }
            }
            result.metadata.insert("lost".into(), second.into());
            Ok(result)
        }
        "sign" | "sign-within" | "linger" | "fail-late" => sign(client, request).await,
        "everything" => everything(client, request).await,
        "contain" => contain(client, request).await,
        "processes" => processes(client).await,
        "call" => call(client, request).await,
        "cache" => cache(client).await,
        "platforms" => {
            let id = solve(
                client,
                definition(|graph| graph.file(None, None, vec![mkfile("/f", 0o644, "f")])),
                true,
            )
            .await?;
            let keys = request.options.get("keys").map_or("linux/amd64,linux/arm64", String::as_str);
            let refs =
                keys.split(',').map(|key| (key.to_owned(), api::Ref { id: id.clone(), def: None })).collect();
            let refs = api::result::Result::Refs(api::RefMap { refs });
            Ok(api::Result { result: Some(refs), ..api::Result::default() })
        }
        other => Err(tonic::Status::invalid_argument(format!("nobody knows how to {other}"))),
    }
}

fn definition(build: impl FnOnce(&mut Graph) -> Node) -> pb::Definition {
    crate::world::definition(build)
}

fn single(id: &str) -> api::Result {
    let one = api::Ref { id: id.to_owned(), def: None };
    api::Result { result: Some(api::result::Result::Ref(one)), ..api::Result::default() }
}

async fn solve(
    client: &mut Client,
    definition: pb::Definition,
    evaluate: bool,
) -> Result<String, tonic::Status> {
    let request = api::SolveRequest {
        definition: Some(definition),
        evaluate,
        allow_result_return: true,
        allow_result_array_ref: true,
        ..api::SolveRequest::default()
    };
    let answer = client.solve(request).await?.into_inner();
    match answer.result.and_then(|result| result.result) {
        Some(api::result::Result::Ref(one)) => Ok(one.id),
        other => panic!("not one reference: {other:?}"),
    }
}

async fn input(client: &mut Client, name: &str) -> pb::Definition {
    let inputs = client.inputs(api::InputsRequest {}).await.expect("inputs").into_inner();
    inputs.definitions.get(name).cloned().unwrap_or_default()
}

/// Signs what it is given in a step of its own: a file with the word of the secret that the option `secret` names.
async fn sign(client: &mut Client, request: &Request) -> Result<api::Result, tonic::Status> {
    let artifacts = input(client, "context").await;
    let secret = request.options.get("secret").map_or("signing-key", String::as_str);
    let graph = definition(|graph| {
        let artifacts = graph.import(&artifacts);
        let base = graph.base();
        let exec = Exec::new(&base, &["length=/run/secrets/key=/out/signature"])
            .secret("/run/secrets/key", secret, false)
            .bind("/in", Some(&artifacts), true)
            .bind("/out", Some(&artifacts), false);
        graph.exec(exec).remove(1)
    });
    let graph = match request.options["do"].as_str() {
        "sign-within" => definition(|outer| outer.build(&graph)),
        _ => graph,
    };
    let id = solve(client, graph, true).await?;
    let mut result = single(&id);
    result.metadata.insert("signed.by".into(), request.options["source"].clone().into_bytes());
    Ok(result)
}

/// Counts in a cache called `count`, in a step and in a container.
async fn cache(client: &mut Client) -> Result<api::Result, tonic::Status> {
    let base = solve(client, definition(|graph| graph.base()), false).await?;
    let root = pb::Mount { dest: "/".into(), result_id: base, ..pb::Mount::default() };
    let counter = pb::Mount {
        dest: "/count".into(),
        mount_type: pb::MountType::Cache.into(),
        cache_opt: Some(pb::CacheOpt { id: "count".into(), ..pb::CacheOpt::default() }),
        ..pb::Mount::default()
    };
    let container = api::NewContainerRequest {
        container_id: "box".into(),
        mounts: vec![root, counter],
        ..api::NewContainerRequest::default()
    };
    client.new_container(container).await?;
    exec(client, &["append=/count/n=c"], "", "", false).await;
    client.release_container(api::ReleaseContainerRequest { container_id: "box".into() }).await?;
    solve(client, definition(counted), true).await.map(|id| single(&id))
}

/// Makes every call that needs no container, and returns what came of it as a file.
async fn everything(client: &mut Client, request: &Request) -> Result<api::Result, tonic::Status> {
    let mut report = String::new();
    let mut say = |line: String| writeln!(report, "{line}").expect("writing to a string");
    // As BuildKit's own client library asks first.
    let mut ping = tonic::Request::new(api::PingRequest {});
    ping.set_timeout(Duration::from_secs(15));
    let pong = client.ping(ping).await?.into_inner();
    let has = |name: &str| pong.frontend_api_caps.iter().any(|cap| cap.enabled && cap.id == name);
    say(format!("exec {} importcaches {}", has("gateway.exec"), has("importcaches")));
    let llb = |name: &str| pong.llb_caps.iter().any(|cap| cap.enabled && cap.id == name);
    say(format!("mergeop {} git {}", llb("mergeop"), llb("source.git")));
    say(format!("workers {} {}", pong.workers.len(), pong.workers[0].platforms[0].os));
    let variable = |name: &str| request.variables.get(name).map_or("-", String::as_str);
    say(format!(
        "product {} session {}",
        variable("BUILDKIT_EXPORTEDPRODUCT"),
        variable("BUILDKIT_SESSION_ID")
    ));
    say(format!("workers in the environment: {}", variable("BUILDKIT_WORKERS")));
    say(format!("own variable {}", variable("OWN")));
    say(format!("option target {}", request.options["target"]));
    let own = std::fs::read("/run/config/buildkit/metadata/frontend.bin").expect("the own graph");
    let own: pb::Definition = prost::Message::decode(own.as_slice()).expect("a graph");
    say(format!("own graph {}", !own.def.is_empty()));
    say(format!("directory {}", std::env::current_dir().expect("a directory").display()));

    let context = input(client, "context").await;
    let id = solve(client, context, false).await?;
    let read = |range: Option<(i64, i64)>| api::ReadFileRequest {
        r#ref: id.clone(),
        file_path: "/dir/file".into(),
        range: range.map(|(offset, length)| api::FileRange { offset, length }),
        mount_index: 0,
    };
    let text = |data: Vec<u8>| String::from_utf8(data).expect("text");
    say(format!("file {}", text(client.read_file(read(None)).await?.into_inner().data)));
    say(format!("part {}", text(client.read_file(read(Some((1, 2)))).await?.into_inner().data)));
    let missing = api::ReadFileRequest { file_path: "/no".into(), ..read(None) };
    say(format!("missing {:?}", client.read_file(missing).await.expect_err("no file").message()));
    let list = |pattern: &str| api::ReadDirRequest {
        r#ref: id.clone(),
        dir_path: "/dir".into(),
        include_pattern: pattern.into(),
        mount_index: 0,
    };
    for pattern in ["", "f*"] {
        let entries = client.read_dir(list(pattern)).await?.into_inner().entries;
        let names: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        say(format!("list {pattern:?} {names:?}"));
    }
    let stat = api::StatFileRequest { r#ref: id.clone(), path: "/dir/link".into(), mount_index: 0 };
    let stat = client.stat_file(stat).await?.into_inner().stat.expect("a stat");
    say(format!("stat {} {} {:o}", stat.path, stat.size, stat.mode));
    client.evaluate(api::EvaluateRequest { r#ref: id.clone() }).await?;
    let foreign = api::EvaluateRequest { r#ref: "0123".into() };
    say(format!("foreign {:?}", client.evaluate(foreign).await.expect_err("no such reference").message()));
    let warning = api::WarnRequest { short: b"the key is old".to_vec(), ..api::WarnRequest::default() };
    client.warn(warning).await?;
    let image = api::ResolveImageConfigRequest {
        r#ref: format!("docker.io/library/any@{}", request.options["layout"]),
        resolver_type: 1,
        store_id: "layout".into(),
        ..api::ResolveImageConfigRequest::default()
    };
    let image = client.resolve_image_config(image).await?.into_inner();
    say(format!(
        "image {} {}",
        image.digest == request.options["layout"],
        text(image.config).contains("A=b")
    ));
    let source = pb::SourceOp {
        identifier: image.r#ref.replacen("docker.io", "oci-layout://docker.io", 1),
        attrs: [("oci.store".to_owned(), "layout".to_owned())].into(),
    };
    let question = api::ResolveSourceMetaRequest { source: Some(source.clone()), ..Default::default() };
    let meta = client.resolve_source_meta(question).await?.into_inner();
    say(format!("source {}", meta.image.expect("an image").digest == image.digest));
    let local = pb::SourceOp { identifier: "local://context".into(), ..pb::SourceOp::default() };
    let question = api::ResolveSourceMetaRequest { source: Some(local.clone()), ..Default::default() };
    let meta = client.resolve_source_meta(question).await?.into_inner();
    say(format!("local {} {}", meta.source == Some(local), meta.image.is_some()));
    let unpacked = definition(|graph| graph.op(pb::op::Op::Source(source), &[]));
    let unpacked = solve(client, unpacked, true).await?;
    let one = api::ReadFileRequest { r#ref: unpacked, file_path: "/etc/one".into(), ..Default::default() };
    say(format!("unpacked {}", text(client.read_file(one).await?.into_inner().data)));
    let other = api::SolveRequest { frontend: "other.v0".into(), ..api::SolveRequest::default() };
    say(format!("other {:?}", client.solve(other).await.expect_err("not built in").message()));

    let graph = definition(|graph| graph.file(None, None, vec![mkfile("/report", 0o644, &report)]));
    let id = solve(client, graph, true).await?;
    let mut result = single(&id);
    result.metadata.insert("key".into(), b"value".to_vec());
    Ok(result)
}

/// Runs processes in a container and returns what came of it as a file.
async fn contain(client: &mut Client, request: &Request) -> Result<api::Result, tonic::Status> {
    let mut report = String::new();
    let context = input(client, "context").await;
    let context = solve(client, context, false).await?;
    let base = solve(client, definition(|graph| graph.base()), false).await?;
    let root = pb::Mount { dest: "/".into(), result_id: base, ..pb::Mount::default() };
    let data = pb::Mount { dest: "/data".into(), result_id: context, ..pb::Mount::default() };
    let secret = pb::Mount {
        dest: "/secret".into(),
        mount_type: pb::MountType::Secret.into(),
        secret_opt: Some(pb::SecretOpt { id: "key".into(), ..pb::SecretOpt::default() }),
        ..pb::Mount::default()
    };
    let ssh = pb::Mount {
        dest: "/agent".into(),
        mount_type: pb::MountType::Ssh.into(),
        ssh_opt: Some(pb::SshOpt { optional: !request.options.contains_key("ssh"), ..pb::SshOpt::default() }),
        ..pb::Mount::default()
    };
    let container = api::NewContainerRequest {
        container_id: "box".into(),
        mounts: vec![root, data, secret, ssh],
        hostname: "boxed".into(),
        ..api::NewContainerRequest::default()
    };
    client.new_container(container.clone()).await?;
    let taken = client.new_container(container).await.expect_err("the name is taken");
    writeln!(report, "again {:?}", taken.message()).expect("writing to a string");
    let mut run = async |commands: &[&str], stdin: &str, signal: &str, tty: bool| {
        let outcome = exec(client, commands, stdin, signal, tty).await;
        writeln!(report, "{commands:?} {outcome:?}").expect("writing to a string");
    };
    run(&["cat=/data/dir/file", "complain=trouble", "exit=7"], "", "", false).await;
    run(&["echo"], "words to repeat", "", false).await;
    run(&["write=/data/new=fresh", "cat=/proc/sys/kernel/hostname"], "", "", false).await;
    run(&["length=/secret=/dev/stdout", "print-env=TOKEN"], "", "", false).await;
    run(&["say=ready", "pause"], "", "SIGTERM", false).await;
    run(&["columns"], "", "", true).await;
    run(&["no-such-thing"], "", "", false).await;
    if request.options.contains_key("ssh") {
        run(&["ask-agent=/agent"], "", "", false).await;
    }
    let read = api::ReadFileRequest {
        r#ref: "box".into(),
        file_path: "/new".into(),
        mount_index: 1,
        ..api::ReadFileRequest::default()
    };
    let data = client.read_file_container(read).await?.into_inner().data;
    writeln!(report, "read {}", String::from_utf8(data).expect("text")).expect("writing to a string");
    let list = api::ReadDirRequest {
        r#ref: "box".into(),
        dir_path: "/dir".into(),
        mount_index: 1,
        ..Default::default()
    };
    let entries = client.read_dir_container(list).await?.into_inner().entries;
    let names: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    writeln!(report, "list {names:?}").expect("writing to a string");
    let stat = api::StatFileRequest { r#ref: "box".into(), path: "/dir/link".into(), mount_index: 1 };
    let stat = client.stat_file_container(stat).await?.into_inner().stat.expect("a stat");
    writeln!(report, "stat {} {}", stat.path, stat.size).expect("writing to a string");
    client.release_container(api::ReleaseContainerRequest { container_id: "box".into() }).await?;
    let gone = exec(client, &["say=x"], "", "", false).await;
    writeln!(report, "released {gone:?}").expect("writing to a string");
    let graph = definition(|graph| graph.file(None, None, vec![mkfile("/report", 0o644, &report)]));
    solve(client, graph, true).await.map(|id| single(&id))
}

/// Runs processes that do not behave.
async fn processes(client: &mut Client) -> Result<api::Result, tonic::Status> {
    let base = solve(client, definition(|graph| graph.base()), false).await?;
    let data = definition(|graph| graph.file(None, None, vec![mkfile("/lock", 0o644, "")]));
    let data = solve(client, data, false).await?;
    let mount =
        |dest: &str, result_id: String| pb::Mount { dest: dest.into(), result_id, ..pb::Mount::default() };
    let container = api::NewContainerRequest {
        container_id: "box".into(),
        mounts: vec![mount("/", base), mount("/data", data)],
        ..api::NewContainerRequest::default()
    };
    client.new_container(container).await?;
    // The others are not ended by the end of the first.
    let mut first = Conversation::start(client, "first", &["say=ready", "forever"]).await;
    first.until("ready").await;
    // One that reads nothing is told more than it takes, and to end.
    let mut deaf = Conversation::start(client, "deaf", &["say=ready", "forever"]).await;
    deaf.until("ready").await;
    for _ in 0..100 {
        let file = api::FdMessage { fd: 0, eof: false, data: vec![b'x'; 30 << 10] };
        deaf.say(Input::File(file)).await;
    }
    deaf.say(Input::Signal(api::SignalMessage { name: "KILL".into() })).await;
    let deaf = deaf.until("exit").await;
    // One whose frontend turns away ends.
    let mut holder = Conversation::start(client, "holder", &["lock=/data/lock"]).await;
    holder.until("ready").await;
    drop(holder);
    let waiter = Conversation::start(client, "waiter", &["locked=/data/lock"]).await.until("exit").await;
    // Those that have ended take nothing.
    for number in 0..40 {
        first.id = format!("short-{number}");
        first.init(&["say=x"]).await;
        first.until("done").await;
        if [0, 39].contains(&number) {
            let short = format!("after {number}").into_bytes();
            client.warn(api::WarnRequest { short, ..api::WarnRequest::default() }).await?;
        }
    }
    // What is said to them is said in vain, but their names stay theirs.
    first.say(Input::Signal(api::SignalMessage { name: "TERM".into() })).await;
    first.init(&["say=x"]).await;
    let again = first.until("nothing").await;
    let report = format!("deaf {deaf}\nwaiter {waiter}\nagain {again}\n");
    let graph = definition(|graph| graph.file(None, None, vec![mkfile("/report", 0o644, &report)]));
    solve(client, graph, true).await.map(|id| single(&id))
}

/// A stream of messages for processes.
struct Conversation {
    id: String,
    sender: tokio::sync::mpsc::Sender<api::ExecMessage>,
    answers: tonic::Streaming<api::ExecMessage>,
}

impl Conversation {
    async fn start(client: &mut Client, id: &str, commands: &[&str]) -> Self {
        let (sender, receiver) = tokio::sync::mpsc::channel(200);
        let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let answers = client.exec_process(stream).await.expect("a stream").into_inner();
        let conversation = Self { id: id.to_owned(), sender, answers };
        conversation.init(commands).await;
        conversation
    }

    async fn init(&self, commands: &[&str]) {
        let args = ["/bin/probe", "probe"].iter().chain(commands).map(|text| (*text).to_owned()).collect();
        let init = api::InitMessage {
            container_id: "box".into(),
            meta: Some(pb::Meta { args, cwd: "/".into(), ..pb::Meta::default() }),
            fds: vec![0, 1],
            ..api::InitMessage::default()
        };
        self.say(Input::Init(init)).await;
    }

    async fn say(&self, input: Input) {
        let message = api::ExecMessage { process_id: self.id.clone(), input: Some(input) };
        self.sender.send(message).await.expect("sent");
    }

    /// Returns what is heard up to and including `word`.
    async fn until(&mut self, word: &str) -> String {
        let mut heard = String::new();
        while !heard.contains(word) {
            let answer = tokio::time::timeout(Duration::from_secs(60), self.answers.message()).await;
            match answer {
                Err(_) => return heard + "and no more",
                Ok(Err(status)) => return heard + status.message(),
                Ok(Ok(None)) => return heard + "the end",
                Ok(Ok(Some(message))) => match message.input {
                    Some(Input::File(file)) => heard += &String::from_utf8_lossy(&file.data),
                    Some(Input::Exit(exit)) => heard += &format!("exit {}", exit.code),
                    Some(Input::Done(_)) => heard += " done",
                    _ => {}
                },
            }
        }
        heard.replace('\n', " ")
    }
}

/// What became of a process.
#[derive(Debug, Default)]
#[allow(dead_code, reason = "shown as a whole")]
struct Outcome {
    stdout: String,
    stderr: String,
    code: Option<u32>,
    done: bool,
    error: String,
}

async fn exec(client: &mut Client, commands: &[&str], stdin: &str, signal: &str, tty: bool) -> Outcome {
    let args = ["/bin/probe", "probe"].iter().chain(commands).map(|text| (*text).to_owned()).collect();
    let init = api::InitMessage {
        container_id: "box".into(),
        meta: Some(pb::Meta { args, cwd: "/".into(), ..pb::Meta::default() }),
        fds: vec![0, 1, 2],
        tty,
        secretenv: vec![pb::SecretEnv { id: "key".into(), name: "TOKEN".into(), optional: false }],
        ..api::InitMessage::default()
    };
    let message = |input| api::ExecMessage { process_id: "p".into(), input: Some(input) };
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    sender.send(message(Input::Init(init))).await.expect("sent");
    if tty {
        let size = api::ResizeMessage { rows: 20, cols: 99 };
        sender.send(message(Input::Resize(size))).await.expect("sent");
    }
    let file = api::FdMessage { fd: 0, eof: true, data: stdin.into() };
    sender.send(message(Input::File(file))).await.expect("sent");
    let mut outcome = Outcome::default();
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut answers = match client.exec_process(stream).await {
        Ok(answers) => answers.into_inner(),
        Err(status) => return Outcome { error: status.message().to_owned(), ..outcome },
    };
    while !outcome.done {
        match answers.message().await {
            Ok(Some(message)) => match message.input {
                Some(Input::File(file)) => {
                    let to = if file.fd == 1 { &mut outcome.stdout } else { &mut outcome.stderr };
                    to.push_str(&String::from_utf8_lossy(&file.data));
                }
                Some(Input::Exit(exit)) => outcome.code = Some(exit.code),
                Some(Input::Done(_)) => outcome.done = true,
                _ => {}
            },
            Ok(None) => return outcome,
            Err(status) => return Outcome { error: status.message().to_owned(), ..outcome },
        }
        if !signal.is_empty() && outcome.stdout.contains("ready") && outcome.code.is_none() {
            let signal = api::SignalMessage { name: signal.into() };
            let _ = sender.send(message(Input::Signal(signal))).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    outcome
}

/// Calls the frontend that the option `callee` names, itself included, to do what `then` says.
async fn call(client: &mut Client, request: &Request) -> Result<api::Result, tonic::Status> {
    let mut options: std::collections::HashMap<String, String> =
        request.options.clone().into_iter().collect();
    options.insert("do".into(), request.options["then"].clone());
    if let Some(other) = request.options.get("namespace") {
        options.insert("build-arg:BUILDKIT_CACHE_MOUNT_NS".into(), other.clone());
    }
    let frontend_inputs = client.inputs(api::InputsRequest {}).await?.into_inner().definitions;
    let request = api::SolveRequest {
        frontend: "gateway.v0".into(),
        frontend_opt: options.into_iter().collect(),
        frontend_inputs,
        allow_result_return: true,
        allow_result_array_ref: true,
        ..api::SolveRequest::default()
    };
    let result = client.solve(request).await?.into_inner().result.expect("a result");
    let Some(api::result::Result::Ref(one)) = result.result else { panic!("not one reference") };
    // What it built is built upon by its graph.
    let graph = one.def.expect("a graph");
    let graph = definition(|more| {
        let called = more.import(&graph);
        let seal = more.file(None, None, vec![mkfile("/seal", 0o644, "sealed")]);
        more.file(Some(&called), Some(&seal), vec![pb::file_action::Action::Copy(copy("/seal", "/seal"))])
    });
    let id = solve(client, graph, true).await?;
    Ok(api::Result { metadata: result.metadata, ..single(&id) })
}
