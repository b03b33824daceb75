//! Graphs within graphs: results of earlier solves as sources, and build ops, however they are put together.

use bollard_buildkit_proto::pb::file_action::Action;
use dalec_engine::{Engine, Session};
use dalec_gateway::{BuildOptions, Gateway, GatewayError, Reference, SolveRequest};
use prost::Message;

use crate::graph::{Graph, Node, copy, mkfile};
use crate::world::{Case, World, cases, definition, explain};

pub const CASES: &[(&str, Case)] = cases![
    results_are_built_on_results_but_not_without_end,
    a_deep_graph_may_be_below_a_shallow_one,
    results_that_are_used_twice_are_looked_at_once,
    a_build_that_needs_itself_is_an_error,
    builds_that_need_each_other_are_an_error,
];

/// Takes a graph in and builds nothing of it yet.
fn later(session: &Session, build: impl FnOnce(&mut Graph) -> Node) -> Reference {
    let request = SolveRequest { definition: definition(build), evaluate: false };
    session.solve(request).expect("taken").expect("a reference")
}

fn earlier(graph: &mut Graph, reference: &Reference, attributes: &[(&str, &str)]) -> Node {
    graph.source(&format!("dalec-result://{}", reference.0), attributes)
}

/// Returns the last of so many results, each of which is the one before with one file more.
fn chain(session: &Session, length: usize) -> Reference {
    let first = later(session, |graph| graph.file(None, None, vec![mkfile("/0", 0o644, "")]));
    (1..=length).fold(first, |before, number| {
        later(session, |graph| {
            let before = earlier(graph, &before, &[]);
            graph.file(Some(&before), None, vec![mkfile(&format!("/{number}"), 0o644, "")])
        })
    })
}

fn results_are_built_on_results_but_not_without_end(world: &World) {
    let session = world.engine().session(BuildOptions::default());
    let honest = chain(&session, 20);
    assert_eq!(session.read_dir(&honest, "/").unwrap().len(), 21);
    for _ in 0..2 {
        let error = session.stat_file(&chain(&session, 3000), "/").unwrap_err();
        assert!(matches!(error, GatewayError::Request { .. }), "{error:?}");
        assert_eq!(error.to_string(), "results are built on each other more than 64 deep");
    }
}

fn a_deep_graph_may_be_below_a_shallow_one(world: &World) {
    let session = world.engine().session(BuildOptions::default());
    let deep = later(&session, |graph| {
        let first = graph.file(None, None, vec![mkfile("/first", 0o644, "text")]);
        // Merges of one thing have no layers of their own, so that only the graph is deep.
        (0..3900).fold(first, |node, _| graph.merge(&[&node]))
    });
    let shallow = later(&session, |graph| earlier(graph, &deep, &[]));
    assert_eq!(session.read_file(&shallow, "/first", None).unwrap(), b"text");
}

fn results_that_are_used_twice_are_looked_at_once(world: &World) {
    let session = world.engine().session(BuildOptions::default());
    let mut last = later(&session, |graph| graph.file(None, None, vec![mkfile("/f", 0o644, "text")]));
    // Each look would be two looks at what is below.
    for _ in 0..60 {
        last = later(&session, |graph| {
            let one = earlier(graph, &last, &[("a", "1")]);
            let other = earlier(graph, &last, &[("a", "2")]);
            graph.file(Some(&one), Some(&other), vec![Action::Copy(copy("/f", "/f"))])
        });
    }
    assert_eq!(session.read_file(&last, "/f", None).unwrap(), b"text");
}

type Build<'a> = &'a dyn Fn(&mut Graph) -> Node;

/// An engine with local directories, each of which holds one graph.
fn with_graphs(world: &World, graphs: &[(&str, Build<'_>)]) -> Engine {
    let mut options = world.options();
    for (name, build) in graphs {
        let dir = world.path(name);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("graph"), definition(build).encode_to_vec()).unwrap();
        options.local_dirs.insert((*name).to_owned(), dir);
    }
    Engine::new(options).unwrap()
}

fn build_of(graph: &mut Graph, name: &str) -> Node {
    let holder = graph.local(name);
    graph.build_in(&holder)
}

#[track_caller]
fn check_circle(engine: &Engine, build: impl FnOnce(&mut Graph) -> Node) {
    let session = engine.session(BuildOptions::default());
    let error = session.solve(SolveRequest { definition: definition(build), evaluate: true }).unwrap_err();
    let said = explain(&error);
    assert!(said.contains("it needs its own result"), "{said}");
}

fn a_build_that_needs_itself_is_an_error(world: &World) {
    let own = |graph: &mut Graph| build_of(graph, "own");
    let above = |graph: &mut Graph| {
        let built = build_of(graph, "above");
        graph.file(Some(&built), None, vec![mkfile("/f", 0o644, "x")])
    };
    let engine = with_graphs(world, &[("own", &own), ("above", &above)]);
    check_circle(&engine, own);
    check_circle(&engine, above);
    // Nothing waits for what failed.
    check_circle(&engine, own);
}

fn builds_that_need_each_other_are_an_error(world: &World) {
    let one = |graph: &mut Graph| build_of(graph, "one");
    let other = |graph: &mut Graph| build_of(graph, "other");
    let engine = with_graphs(world, &[("one", &other), ("other", &one)]);
    check_circle(&engine, |graph| {
        let (one, other) = (one(graph), other(graph));
        graph.merge(&[&one, &other])
    });
}
