//! Frontends in processes of their own, as BuildKit runs them: what they are served, and what becomes of bad ones.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use dalec_engine::{Cancel, Engine, Export, Session};
use dalec_gateway::{
    BuildOptions, Event, FrontendRequest, FrontendResult, Gateway, GatewayError, ProgressSink, Purpose,
    Reference, SolveRequest,
};
use dalec_ssh_agent::Socket;
use expect_test::{Expect, expect};
use sha2::{Digest, Sha256};

use crate::graph::{Graph, link, mkdir, mkfile};
use crate::images::layout;
use crate::pruning::counted;
use crate::world::{Case, World, cases, definition, explain};

pub const CASES: &[(&str, Case)] = cases![
    a_frontend_is_served_every_call,
    containers_run_processes,
    processes_end_with_whoever_wanted_them,
    ssh_agents_are_forwarded,
    a_frontend_calls_another,
    caches_of_a_namespace_are_out_of_others_reach,
    results_of_several_platforms_are_kept_apart,
    results_of_a_frontend_stay_below_their_destination,
    what_a_frontend_does_not_return_is_forgotten,
    a_failed_step_is_told_as_it_failed,
    bad_frontends_fail_the_call_and_leave_nothing,
    a_frontend_that_hangs_is_stopped,
    an_answer_counts_although_the_process_lingers,
    an_image_runs_as_its_configuration_says,
    named_contexts_replace_images,
    what_a_frontend_cannot_is_said_before_it_runs,
    build_ops_build_the_graph_in_a_file,
];

/// How long a test waits for what comes at once on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The image of the frontend of these tests, as a named context.
pub const IMAGE: &str = "test/signer";

pub fn options(act: &str, more: &[(&str, &str)]) -> FrontendRequest {
    let config = r#"{"config":{"Entrypoint":["/bin/probe","frontend"],"Env":["OWN=yes"],"WorkingDir":"/work",
        "Labels":{"moby.buildkit.frontend.caps":"moby.buildkit.frontend.inputs",
        "moby.buildkit.frontend.network.none":"true"}}}"#;
    let metadata = serde_json::json!({ "containerimage.config": base64(config.as_bytes()) });
    let mut request = FrontendRequest {
        frontend: "gateway.v0".into(),
        inputs: [
            ("image".to_owned(), definition(Graph::base)),
            ("context".to_owned(), definition(artifacts)),
        ]
        .into(),
        ..FrontendRequest::default()
    };
    let mut set = |name: &str, value: &str| request.options.insert(name.to_owned(), value.to_owned());
    set("source", IMAGE);
    set(&format!("context:{IMAGE}"), "input:image");
    set("input-metadata:image", &metadata.to_string());
    set("target", "bookworm/deb");
    set("do", act);
    for (name, value) in more {
        set(name, value);
    }

    request
}

fn base64(data: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(data)
}

pub fn artifacts(graph: &mut Graph) -> crate::graph::Node {
    graph.file(
        None,
        None,
        vec![
            mkdir("/dir", 0o755),
            mkfile("/dir/file", 0o640, "content"),
            mkfile("/dir/other", 0o644, "x"),
            link("file", "/dir/link"),
        ],
    )
}

pub fn session(engine: &Engine) -> Session {
    let options = BuildOptions {
        platforms: vec!["linux/amd64".into()],
        product: "dalec".into(),
        ..BuildOptions::default()
    };
    engine.session(options)
}

/// Calls the frontend with an engine of its own.
fn call(world: &World, act: &str) -> (Session, Result<FrontendResult, GatewayError>) {
    let session = session(&world.engine());
    let result = session.solve_frontend(options(act, &[("secret", "key")]));
    (session, result)
}

pub fn read(session: &Session, result: &FrontendResult, path: &str) -> String {
    let reference = result.refs[0].1.as_ref().expect("a reference");
    let content = session.read_file(reference, path, None);
    String::from_utf8(content.unwrap_or_else(|error| panic!("{path}: {}", explain(&error)))).expect("text")
}

fn taken(result: Result<FrontendResult, GatewayError>) -> FrontendResult {
    result.unwrap_or_else(|error| panic!("{}", explain(&error)))
}

fn is_clean(world: &World) {
    assert_eq!(world.mounts(), Vec::<String>::new());
    assert!(world.unfinished().is_empty(), "{:?}", world.unfinished());
}

fn a_frontend_is_served_every_call(world: &World) {
    let layers: [&[(&str, &str)]; 1] = [&[("etc/one", "1")]];
    let digest = layout(&world.path("layout"), &layers);
    let mut engine = world.options();
    engine.oci_layouts.insert("layout".into(), world.path("layout"));
    let engine = Engine::new(engine).unwrap();
    let session = session(&engine);
    let result = taken(session.solve_frontend(options("everything", &[("layout", &digest)])));
    expect![[r#"
        exec true importcaches false
        mergeop true git true
        workers 1 linux
        product dalec session dalec
        workers in the environment: [{"id":"dalec","labels":{},"platforms":[{"architecture":"amd64","os":"linux"}]}]
        own variable yes
        option target bookworm/deb
        own graph true
        directory /work
        file content
        part on
        missing "/no: no such file or directory"
        list "" ["file", "link", "other"]
        list "f*" ["file"]
        stat file 7 640
        foreign "no solve of this frontend yielded \"0123\""
        image true true
        source true
        local true false
        unpacked 1
        other "the frontend other.v0 failed: this engine has no frontend of that name built in\nhelp: call one by its image"
    "#]]
    .assert_eq(&read(&session, &result, "/report"));
    assert_eq!(result.metadata["key"], b"value");
    let warned = world
        .events
        .all()
        .into_iter()
        .any(|event| matches!(event, Event::Warning(warning) if warning.short == "the key is old"));
    assert!(warned);
    let named = world.events.all().into_iter().any(
        |event| matches!(event, Event::Vertex(vertex) if vertex.name.starts_with("[frontend test/signer] run")),
    );
    assert!(named);
    drop((session, engine));
    is_clean(world);
}

fn containers_run_processes(world: &World) {
    let (session, result) = call(world, "contain");
    expect![[r#"
        again "there is a container \"box\" already"
        ["cat=/data/dir/file", "complain=trouble", "exit=7"] Outcome { stdout: "content", stderr: "trouble\n", code: Some(7), done: true, error: "" }
        ["echo"] Outcome { stdout: "words to repeat", stderr: "", code: Some(0), done: true, error: "" }
        ["write=/data/new=fresh", "cat=/proc/sys/kernel/hostname"] Outcome { stdout: "boxed\n", stderr: "", code: Some(0), done: true, error: "" }
        ["length=/secret=/dev/stdout", "print-env=TOKEN"] Outcome { stdout: "16 bytes\n16 letters\n", stderr: "", code: Some(0), done: true, error: "" }
        ["say=ready", "pause"] Outcome { stdout: "ready\n", stderr: "", code: Some(143), done: true, error: "" }
        ["columns"] Outcome { stdout: "99 columns\r\n", stderr: "", code: Some(0), done: true, error: "" }
        ["no-such-thing"] Outcome { stdout: "", stderr: "no-such-thing: unknown command\n", code: Some(100), done: true, error: "" }
        read fresh
        list ["file", "link", "other"]
        stat link 7
        released Outcome { stdout: "", stderr: "", code: None, done: false, error: "there is no container \"box\", or it was released" }
    "#]]
    .assert_eq(&read(&session, &taken(result), "/report"));
    drop(session);
    is_clean(world);
}

fn processes_end_with_whoever_wanted_them(world: &World) {
    /// Counts the open files of this process whenever a frontend warns.
    #[derive(Default)]
    struct OpenFiles(Mutex<Vec<usize>>);
    impl ProgressSink for OpenFiles {
        fn event(&self, event: Event) {
            if let Event::Warning(_) = event {
                let open = std::fs::read_dir("/proc/self/fd").expect("list").count();
                self.0.lock().expect("counts").push(open);
            }
        }
    }
    let files = Arc::new(OpenFiles::default());
    let mut options = world.options();
    options.progress = files.clone();
    let session = session(&Engine::new(options).unwrap());
    let result = taken(session.solve_frontend(self::options("processes", &[])));
    expect![[r#"
        deaf exit 137
        waiter free exit 0
        again there is a process "short-39" already
    "#]]
    .assert_eq(&read(&session, &result, "/report"));
    let counts = files.0.lock().unwrap().clone();
    let [few, many] = counts[..] else { panic!("{counts:?}") };
    assert!(many < few + 20, "{few} open files, then {many}");
    drop(session);
    is_clean(world);
}

fn ssh_agents_are_forwarded(world: &World) {
    let listener = UnixListener::bind(world.path("agent")).unwrap();
    let agent = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut question = [0; 5];
        client.read_exact(&mut question).unwrap();
        assert_eq!(question, [0, 0, 0, 1, 11]);
        client.write_all(&[0, 0, 0, 5, 12, 0, 0, 0, 0]).unwrap();
        // Nothing more comes.
        assert_eq!(client.read(&mut question).unwrap(), 0);
    });
    let mut engine = world.options();
    engine.ssh_agents.insert("default".into(), Socket { path: world.path("agent"), raw: false });
    let engine = Engine::new(engine).unwrap();
    let session = session(&engine);
    let result = taken(session.solve_frontend(options("contain", &[("ssh", "yes")])));
    let report = read(&session, &result, "/report");
    assert!(
        report.contains(r#"["ask-agent=/agent"] Outcome { stdout: "[0, 0, 0, 5, 12, 0, 0, 0, 0, 0, 0, 0, 1, 5]\n", stderr: "", code: Some(0)"#),
        "{report}"
    );
    agent.join().unwrap();
    drop((session, engine));
    is_clean(world);
    // Without one, it is said how to give one.
    let session = self::session(&world.engine());
    let error = session.solve_frontend(options("contain", &[("ssh", "yes")])).unwrap_err();
    let said = explain(&error);
    assert!(said.contains("no ssh agent called \"default\" was given"), "{said}");
    assert!(said.contains("--ssh default"), "{said}");
}

fn a_frontend_calls_another(world: &World) {
    let engine = world.engine();
    let session = session(&engine);
    let request = FrontendRequest { purpose: Purpose::Sign, ..options("call", &[("then", "sign")]) };
    let result = taken(session.solve_frontend(request));
    assert_eq!(read(&session, &result, "/signature"), "30 bytes\n");
    assert_eq!(read(&session, &result, "/seal"), "sealed");
    assert_eq!(result.metadata["signed.by"], IMAGE.as_bytes());
    // Calls without end have one.
    let request = options("call", &[("then", "call")]);
    let error = session.solve_frontend(request).unwrap_err();
    assert!(explain(&error).contains("more than 16 frontends call each other"), "{}", explain(&error));
    drop((session, engine));
    is_clean(world);
}

fn caches_of_a_namespace_are_out_of_others_reach(world: &World) {
    // The build's own cache of that name.
    assert_eq!(world.build(counted).read("/n"), "x");
    let namespace = |name| ("build-arg:BUILDKIT_CACHE_MOUNT_NS", name);
    let count = |act: &str, more: &[(&str, &str)]| {
        let session = session(&world.engine());
        let result = taken(session.solve_frontend(options(act, more)));
        // What builds on the result takes it as it is.
        let reference = result.refs[0].1.as_ref().unwrap();
        let definition = session.definition(reference).unwrap();
        let again = session.solve(SolveRequest { definition, evaluate: true }).unwrap().unwrap();
        let read = |reference| String::from_utf8(session.read_file(reference, "/n", None).unwrap()).unwrap();
        assert_eq!(read(&again), read(reference));
        read(reference)
    };
    assert_eq!(count("cache", &[namespace("one")]), "cx");
    assert_eq!(count("cache", &[namespace("two")]), "cx");
    // A frontend that it calls, with words of its own, stays where it is.
    assert_eq!(count("call", &[namespace("three"), ("then", "cache"), ("namespace", "two")]), "cx");
    let names: Vec<String> = world.store().entries().unwrap().into_iter().map(|entry| entry.name).collect();
    for name in ["count", "one/count", "two/count", "three/count"] {
        assert_eq!(names.iter().filter(|known| *known == name).count(), 1, "{name} in {names:?}");
    }
}

fn results_of_several_platforms_are_kept_apart(world: &World) {
    let (_session, result) = call(world, "platforms");
    let platforms: Vec<String> = taken(result).refs.into_iter().map(|(platform, _)| platform).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    // A caller that can take only one is told.
    let session = session(&world.engine());
    let result = taken(session.solve_frontend(options("nothing", &[])));
    assert_eq!(result.refs, [(String::new(), None)]);
}

fn results_of_a_frontend_stay_below_their_destination(world: &World) {
    let engine = world.engine();
    let session = session(&engine);
    let refused = |keys: &str, expected: &str| {
        let result = taken(session.solve_frontend(options("platforms", &[("keys", keys)])));
        let dest = world.path("out/below");
        let written = engine.export(&result.refs, Export::Local { dest });
        let said = written.expect_err(keys).to_string();
        assert_eq!(said, expected, "{keys}");
        let written = engine.export(&result.refs, Export::Tar { writer: Box::new(Vec::new()) });
        assert_eq!(written.expect_err(keys).to_string(), expected, "{keys}");
        assert!(!world.path("out").exists(), "{keys}");
    };
    let no_name = |key: &str| format!("{key:?} cannot be the name of a result among several");
    refused("..,a", &no_name(".."));
    refused("linux/amd64,.", &no_name("."));
    refused(",a", &no_name(""));
    refused("a/b,a_b", "the results \"a/b\" and \"a_b\" would both be written as \"a_b\"");
}

fn what_a_frontend_does_not_return_is_forgotten(world: &World) {
    // While it runs it cannot hold more and more.
    let (session, result) = call(world, "hoard");
    let result = taken(result);
    assert_eq!(
        String::from_utf8_lossy(&result.metadata["said"]),
        "this frontend has solved graphs of more than 256 MiB"
    );
    assert_eq!(read(&session, &result, "/large").len(), 15 << 20);
    let lost = Reference(String::from_utf8(result.metadata["lost"].clone()).unwrap());
    let error = session.stat_file(&lost, "/").unwrap_err();
    assert!(error.to_string().starts_with("no solve yielded the reference"), "{error}");
}

fn a_failed_step_is_told_as_it_failed(world: &World) {
    let request =
        FrontendRequest { purpose: Purpose::Sign, ..options("sign", &[("secret", "no-such-secret")]) };
    let error = session(&world.engine()).solve_frontend(request).unwrap_err();
    let GatewayError::Solve(failure) = error else { panic!("{}", explain(&error)) };
    assert_eq!(failure.message, "the secret \"no-such-secret\" was not given");
    assert!(failure.hint.unwrap().starts_with("give it with --secret"), "the hint survives");
    assert!(failure.vertex.starts_with("sha256:"));
}

#[track_caller]
fn check_failure(world: &World, act: &str, expected: Expect) {
    let (session, result) = call(world, act);
    match result {
        Err(GatewayError::Frontend { image, message, hint, log }) => {
            assert_eq!(image, IMAGE);
            let mut text = format!("{message}\n");
            hint.iter().for_each(|hint| text += &format!("hint: {hint}\n"));
            log.iter().rev().take(1).for_each(|line| text += &format!("log: {line}\n"));
            expected.assert_eq(&text);
        }
        Err(other) => panic!("{act}: {}", explain(&other)),
        Ok(result) => panic!("{act}: {result:?}"),
    }
    drop(session);
    is_clean(world);
}

fn bad_frontends_fail_the_call_and_leave_nothing(world: &World) {
    check_failure(
        world,
        "leave",
        expect![[r#"
        it ended with exit code 0 and returned no result
    "#]],
    );
    check_failure(
        world,
        "exit",
        expect![[r#"
        it ended with exit code 3 and returned no result
        log: cannot find the key
    "#]],
    );
    check_failure(
        world,
        "crash",
        expect![[r#"
        it was killed by signal 6 and returned no result
        log: about to crash
    "#]],
    );
    check_failure(
        world,
        "babble",
        expect![[r#"
        it does not speak the gateway protocol, but begins with "Signing packages\nxxxxxxx"
        hint: its standard output is for the protocol alone: words for people go to standard error
    "#]],
    );
    check_failure(
        world,
        "babble-later",
        expect![[r#"
        what it wrote to its standard output is not the gateway protocol
        hint: its standard output is for the protocol alone: words for people go to standard error
    "#]],
    );
    let error = call(world, "rant").1.unwrap_err();
    let length = error.to_string().len();
    assert!((256 << 10..(256 << 10) + 100).contains(&length), "{length} bytes");
    check_failure(
        world,
        "disconnect",
        expect![[r#"
        it closed its connection without returning a result
        log: speaking to nobody
    "#]],
    );
    check_failure(
        world,
        "refuse",
        expect![[r#"
        the certificate expired yesterday
    "#]],
    );
    check_failure(
        world,
        "invent",
        expect![[r#"
        it ended with exit code 9 and returned no result
        log: not taken: no solve of this frontend yielded "0123456789abcdef0123456789abcdef"
    "#]],
    );
    check_failure(
        world,
        "fail-late",
        expect![[r#"
        it returned a result, but then ended with exit code 5
    "#]],
    );
    check_failure(
        world,
        "unheard-of",
        expect![[r#"
        nobody knows how to unheard-of
    "#]],
    );
    check_failure(
        world,
        "too-much",
        expect![[r#"
        Error, decoded message length too large: found 20971750 bytes, the limit is: 16777216 bytes
    "#]],
    );
    let shown = world.events.log().len();
    check_failure(
        world,
        "complain",
        expect![[r#"
        it ended with exit code 1 and returned no result
        log: the last word
    "#]],
    );
    let shown = world.events.log().len() - shown;
    assert!((2 << 20..(2 << 20) + 100).contains(&shown), "{shown} bytes");
    assert!(world.events.log().ends_with("more than 2 MiB of log: the rest is not shown\n"));
}

fn a_frontend_that_hangs_is_stopped(world: &World) {
    for (turn, act) in ["hang", "hang-silently"].into_iter().enumerate() {
        let mut options = world.options();
        let cancel = Cancel::new();
        options.cancel = cancel.clone();
        let session = Arc::new(session(&Engine::new(options).unwrap()));
        let request = self::options(act, &[]);
        let (sender, ended) = mpsc::channel();
        let called = {
            let session = session.clone();
            std::thread::spawn(move || sender.send(session.solve_frontend(request)))
        };
        let waited = Instant::now();
        while world.events.log().matches("hanging").count() <= turn && waited.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
        }
        cancel.cancel();
        let ended = ended.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{act}: it is not stopped"));
        let error = ended.unwrap_err();
        assert!(matches!(error, GatewayError::Cancelled), "{}", explain(&error));
        called.join().unwrap().unwrap();
        drop(session);
        is_clean(world);
    }
}

fn an_answer_counts_although_the_process_lingers(world: &World) {
    let session = session(&world.engine());
    let request = FrontendRequest { purpose: Purpose::Sign, ..options("linger", &[]) };
    let result = taken(session.solve_frontend(request));
    assert_eq!(read(&session, &result, "/signature"), "30 bytes\n");
}

fn an_image_runs_as_its_configuration_says(world: &World) {
    let missing = |config: &str| {
        let metadata = serde_json::json!({ "containerimage.config": base64(config.as_bytes()) });
        let mut request = options("leave", &[("input-metadata:image", &metadata.to_string())]);
        request.inputs.remove("context");
        request.inputs.insert("image".into(), definition(Graph::base));
        request.options.insert("frontend.caps".into(), String::new());
        session(&world.engine()).solve_frontend(request).unwrap_err()
    };
    let labels = r#""Labels":{"moby.buildkit.frontend.caps":"moby.buildkit.frontend.inputs"}"#;
    // Commands are not run: BuildKit runs the entrypoint alone.
    let error = missing(&format!(r#"{{"config":{{"Cmd":["/bin/probe"],{labels}}}}}"#));
    assert!(error.to_string().contains("cannot run `/run`"), "{error}");
    let error = missing(&format!(r#"{{"config":{{"Entrypoint":["/no/such"],{labels}}}}}"#));
    assert!(error.to_string().contains("cannot run `/no/such`"), "{error}");
    let error =
        missing(&format!(r#"{{"config":{{"Entrypoint":["/bin/probe","probe","exit=4"],{labels}}}}}"#));
    assert!(error.to_string().contains("it ended with exit code 4"), "{error}");
    is_clean(world);
}

fn named_contexts_replace_images(world: &World) {
    let call = |contexts: &[(&str, &str)]| {
        let mut request = options("leave", contexts);
        request.options.remove(&format!("context:{IMAGE}"));
        for (name, value) in contexts {
            request.options.insert((*name).to_owned(), (*value).to_owned());
        }
        request.inputs.remove("context");
        session(&world.engine()).solve_frontend(request).unwrap_err().to_string()
    };
    for name in ["docker.io/test/signer", "docker.io/test/signer:latest", "test/signer:latest"] {
        let said = call(&[(&format!("context:{name}"), "input:image")]);
        assert!(said.contains("it ended with exit code 0"), "{name}: {said}");
    }
    let said = call(&[("context:test/signer", "https://example.com/x.tar")]);
    assert!(said.contains("the context that replaces it is no image"), "{said}");
    let said = call(&[("context:test/signer", "input:other")]);
    assert!(said.contains("the input \"other\", which is missing"), "{said}");
    // A directory is a root whose program is /run.
    let said = call(&[("context:test/signer", "local:base")]);
    assert!(said.contains("cannot run `/run`") || said.contains("does not say"), "{said}");
}

fn what_a_frontend_cannot_is_said_before_it_runs(world: &World) {
    let metadata = serde_json::json!({ "containerimage.config": base64(br#"{"config":{}}"#) });
    let engine = world.engine();
    let request = options("leave", &[("input-metadata:image", &metadata.to_string())]);
    let error = session(&engine).solve_frontend(request).unwrap_err();
    assert!(
        error.to_string().contains("does not say that it supports moby.buildkit.frontend.inputs"),
        "{error}"
    );
    assert_eq!(engine.stats().processes_started, 0);
    let request = FrontendRequest { frontend: "other.v0".into(), ..FrontendRequest::default() };
    let error = session(&engine).solve_frontend(request).unwrap_err();
    assert!(explain(&error).contains("no frontend of that name"), "{}", explain(&error));
    let request = FrontendRequest { frontend: "gateway.v0".into(), ..FrontendRequest::default() };
    let error = session(&engine).solve_frontend(request).unwrap_err();
    assert_eq!(error.to_string(), "the call of a frontend names no image");
    // SRC-010: what BuildKit has built in is run as the image that its makers publish.
    let mut request = options("leave", &[("input-metadata:image", &metadata.to_string())]);
    request.frontend = "dockerfile.v0".into();
    request.options.remove("source");
    request.options.insert("context:docker/dockerfile:1".into(), "input:image".into());
    let error = session(&engine).solve_frontend(request).unwrap_err();
    assert!(explain(&error).contains("docker/dockerfile:1"), "{}", explain(&error));
    assert!(error.to_string().contains("does not say that it supports"), "{error}");
}

fn build_ops_build_the_graph_in_a_file(world: &World) {
    let inner = definition(|graph| {
        let base = graph.base();
        graph.run(&base, &["write=/made=inside"])
    });
    let built = world.build(|graph| graph.build(&inner));
    assert_eq!((built.read("/made").as_str(), built.stats().processes_started), ("inside", 1));
    assert_eq!(world.build(|graph| graph.build(&inner)).stats().processes_started, 0);
    // A failure within is that of the step within.
    let broken = definition(|graph| {
        let base = graph.base();
        graph.run(&base, &["say=within", "exit=6"])
    });
    let digest = |op: &[u8]| format!("sha256:{}", hex::encode(Sha256::digest(op)));
    let failure = world.failure(|graph| graph.build(&broken));
    assert_eq!((failure.exit_code, failure.log), (Some(6), vec!["within".to_owned()]));
    assert_eq!(failure.vertex, digest(&broken.def[1]));
}
