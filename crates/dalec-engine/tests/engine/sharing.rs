//! Several engines and processes on one store, and processes that die.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use bollard_buildkit_proto::pb;
use dalec_engine::store::Store;
use dalec_engine::{Engine, EngineOptions, userns};
use dalec_gateway::{BuildOptions, Event, Gateway, LogStream, ProgressSink, SolveRequest};

use crate::graph::{Exec, Graph, Node};
use crate::world::{Built, Case, World, cases, definition};

pub const CASES: &[(&str, Case)] = cases![
    engines_on_one_store_do_the_same_work_once,
    sessions_of_one_engine_do_the_same_work_once,
    a_source_is_stored_before_others_look_for_it,
    a_killed_process_leaves_a_store_that_works,
    processes_that_start_together_share_a_new_store,
];

fn slow(graph: &mut Graph) -> Node {
    let base = graph.base();
    let exec = Exec::new(&base, &["append=/count/n=x", "wait=/count/go", "copy=/count/n=/n"]);
    graph.exec(exec.cache("/count", "count", pb::CacheSharingOpt::Shared)).remove(0)
}

fn go(graph: &mut Graph) -> Node {
    let base = graph.base();
    let exec = Exec::new(&base, &["write=/count/go=x"]);
    graph.exec(exec.cache("/count", "count", pb::CacheSharingOpt::Shared)).remove(0)
}

fn engines_on_one_store_do_the_same_work_once(world: &World) {
    let started = std::thread::scope(|scope| {
        let builds: Vec<_> = (0..3).map(|_| scope.spawn(|| world.build(slow))).collect();
        // The others wait, and say so.
        let waiting = || world.events.statuses().iter().any(|id| id.starts_with("waiting for another build"));
        while !waiting() && !builds.iter().any(|build| build.is_finished()) {
            std::thread::yield_now();
        }
        drop(world.build(go));
        let builds = builds.into_iter().map(|build| build.join().unwrap());
        builds.map(|built| (built.read("/n"), built.stats().processes_started)).collect::<Vec<_>>()
    });
    assert!(started.iter().all(|(count, _)| count == "x"), "{started:?}");
    assert_eq!(started.iter().map(|(_, processes)| processes).sum::<u64>(), 1);
}

fn sessions_of_one_engine_do_the_same_work_once(world: &World) {
    let engine = world.engine();
    std::thread::scope(|scope| {
        let solve = || {
            let session = engine.session(BuildOptions::default());
            session.solve(SolveRequest { definition: definition(slow), evaluate: true }).unwrap()
        };
        let solves: Vec<_> = (0..3).map(|_| scope.spawn(solve)).collect();
        drop(world.build(go));
        solves.into_iter().for_each(|solve| drop(solve.join().unwrap()));
    });
    assert_eq!(engine.stats().processes_started, 1);
}

fn a_source_is_stored_before_others_look_for_it(world: &World) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    let checksum = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let engines = [world.engine(), world.engine()];
    let build = |engine: &Engine| {
        Built::new(engine.clone(), |graph| graph.source(&url, &[("http.checksum", checksum)])).unwrap()
    };
    let database = rusqlite::Connection::open(world.path("state/store.db")).unwrap();
    let layers = || std::fs::read_dir(world.path("state/layers")).unwrap().count();
    let waits = || world.events.statuses().iter().any(|id| id.starts_with("waiting for another build"));
    let second = std::thread::scope(|scope| {
        let first = scope.spawn(|| build(&engines[0]));
        let mut stream = listener.accept().unwrap().0;
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        // Makes it, but cannot store it yet.
        database.execute_batch("BEGIN IMMEDIATE").unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello").unwrap();
        while layers() == 0 && !first.is_finished() {
            std::thread::yield_now();
        }
        let second = scope.spawn(|| build(&engines[1]));
        while !waits() && layers() < 2 && !second.is_finished() {
            std::thread::yield_now();
        }
        database.execute_batch("COMMIT").unwrap();
        drop(first.join().unwrap());
        second.join().unwrap()
    });
    assert_eq!((second.stats().ops_run, second.read("/file").as_str()), (0, "hello"));
    assert_eq!(layers(), 1);
}

/// Prints what processes write; for the process that is killed.
struct Printer;

impl ProgressSink for Printer {
    fn event(&self, event: Event) {
        if let Event::Log { data, stream: LogStream::Stdout, .. } = event {
            print!("{}", String::from_utf8_lossy(&data));
        }
    }
}

fn unending(graph: &mut Graph) -> Node {
    let base = graph.base();
    let done = graph.run(&base, &["write=/first=done"]);
    graph.run(&done, &["mkdir=/half", "write=/half/way=x", "say=half-way", "forever"])
}

/// Builds until somebody kills this process.
pub fn build_until_killed(state: &Path) -> ExitCode {
    // As every process does, for its mounts to go with it.
    let entered = userns::enter(userns::Options::default()).expect("a mount namespace");
    let store = Store::open(state).expect("open the store");
    let mut options = EngineOptions::new(store, Arc::new(Printer));
    options.mode = entered.mode;
    options.local_dirs.insert("base".into(), state.parent().expect("a parent").join("base"));
    let engine = Engine::new(options).expect("an engine");
    let session = engine.session(BuildOptions::default());
    let result = session.solve(SolveRequest { definition: definition(unending), evaluate: true });
    eprintln!("the build ended: {result:?}");
    ExitCode::FAILURE
}

fn a_killed_process_leaves_a_store_that_works(world: &World) {
    let state = world.path("state");
    let mut child = Command::new("/proc/self/exe")
        .arg("build-until-killed")
        .arg(&state)
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the build");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("read a line");
    assert_eq!(line, "half-way\n");
    assert!(!world.unfinished().is_empty());
    child.kill().expect("kill it");
    child.wait().expect("wait for it");
    let built = world.build(|graph| {
        let base = graph.base();
        let first = graph.run(&base, &["write=/first=done"]);
        graph.run(&first, &["absent=/half", "copy=/first=/second"])
    });
    // What was finished counts, what was not left nothing.
    assert_eq!((built.read("/second").as_str(), built.stats().processes_started), ("done", 1));
    drop(built);
    assert!(world.unfinished().is_empty(), "{:?}", world.unfinished());
}

fn processes_that_start_together_share_a_new_store(world: &World) {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| world.store());
        }
    });
    let built = world.build(|graph| {
        let base = graph.base();
        graph.run(&base, &["write=/x=1"])
    });
    assert_eq!(built.read("/x"), "1");
}
