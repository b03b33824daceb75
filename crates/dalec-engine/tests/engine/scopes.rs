//! Secrets that are for signers alone: who is served them, and who never is.

use bollard_buildkit_proto::pb;
use dalec_gateway::{FrontendRequest, Gateway, GatewayError, Purpose, SolveRequest};
use prost::Message;

use crate::graph::{Exec, Graph, Node};
use crate::hosting::{IMAGE, artifacts, options, read, session};
use crate::world::{Case, SIGNING_SECRET, World, cases, definition, explain, holds};

pub const CASES: &[(&str, Case)] = cases![
    a_signer_is_served_its_secret_and_no_byte_of_it_stays,
    a_step_is_refused_the_secret_even_when_a_signer_had_the_same_step,
    a_graph_within_a_graph_is_a_signers_or_the_builds,
    a_step_that_a_signer_is_handed_is_still_the_builds,
    what_is_built_on_a_signers_answer_needs_no_secret,
];

const REFUSED: &str = "the secret \"signing-key\" is for signers only, and this step is not a signer's";

/// The very step that the signer of these tests asks for.
fn signing(graph: &mut Graph) -> Node {
    let artifacts = artifacts(graph);
    let base = graph.base();
    let exec = Exec::new(&base, &["length=/run/secrets/key=/out/signature"])
        .secret("/run/secrets/key", "signing-key", false)
        .bind("/in", Some(&artifacts), true)
        .bind("/out", Some(&artifacts), false);
    graph.exec(exec).remove(1)
}

fn sign() -> FrontendRequest {
    FrontendRequest { purpose: Purpose::Sign, ..options("sign", &[]) }
}

fn a_signer_is_served_its_secret_and_no_byte_of_it_stays(world: &World) {
    let engine = world.engine();
    let session = session(&engine);
    let result = session.solve_frontend(sign()).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_eq!(read(&session, &result, "/signature"), format!("{} bytes\n", SIGNING_SECRET.len()));
    assert_eq!(read(&session, &result, "/dir/file"), "content");
    assert_eq!(result.metadata["signed.by"], IMAGE.as_bytes());
    // Again, by another engine: the signer runs, its step does not.
    let again = world.engine();
    let other = crate::hosting::session(&again);
    other.solve_frontend(sign()).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_eq!(again.stats().processes_started, 1);
    assert!(!holds(&world.path("state"), SIGNING_SECRET));
    assert!(!world.events.tell(SIGNING_SECRET));
    // A frontend that is no signer is not served it.
    let request = options("sign", &[]);
    let error = session.solve_frontend(request).unwrap_err();
    assert!(explain(&error).contains(REFUSED), "{}", explain(&error));
}

fn a_step_is_refused_the_secret_even_when_a_signer_had_the_same_step(world: &World) {
    let refused = |engine: &dalec_engine::Engine| {
        let session = session(engine);
        let request = SolveRequest { definition: definition(signing), evaluate: true };
        match session.solve(request) {
            Err(GatewayError::Solve(failure)) => {
                assert_eq!(failure.message, REFUSED);
                assert!(failure.hint.unwrap().contains("scope=signer"));
            }
            other => panic!("{other:?}"),
        }
    };
    let engine = world.engine();
    refused(&engine);
    // Refused first, it is served to the signer all the same, and stays refused: in this engine and in the next.
    session(&engine).solve_frontend(sign()).unwrap_or_else(|error| panic!("{}", explain(&error)));
    refused(&engine);
    refused(&world.engine());
    // Neither is it served as a variable, nor to those who could do without.
    let failure = world.failure(|graph| {
        let base = graph.base();
        let mut exec = Exec::new(&base, &["say=x"]);
        let id = "signing-key".to_owned();
        exec.op.secretenv = vec![pb::SecretEnv { id, name: "K".into(), optional: true }];
        graph.exec(exec).remove(0)
    });
    assert_eq!(failure.message, REFUSED);
}

fn a_graph_within_a_graph_is_a_signers_or_the_builds(world: &World) {
    let refused = |engine: &dalec_engine::Engine| {
        let inner = definition(signing);
        let request = SolveRequest { definition: definition(|graph| graph.build(&inner)), evaluate: true };
        let error = session(engine).solve(request).unwrap_err();
        assert!(explain(&error).contains(REFUSED), "{}", explain(&error));
    };
    let engine = world.engine();
    refused(&engine);
    let session = session(&engine);
    let request = FrontendRequest { purpose: Purpose::Sign, ..options("sign-within", &[]) };
    let result = session.solve_frontend(request).unwrap_or_else(|error| panic!("{}", explain(&error)));
    assert_eq!(read(&session, &result, "/signature"), format!("{} bytes\n", SIGNING_SECRET.len()));
    // Handed out are the files, for the graph would be refused the secret.
    let graph = session.definition(result.refs[0].1.as_ref().unwrap()).unwrap();
    let op = pb::Op::decode(graph.def[0].as_slice()).unwrap();
    assert!(
        matches!(op.op, Some(pb::op::Op::Source(source)) if source.identifier.starts_with("dalec-result:"))
    );
    // The build's own graph is refused as before, though the signer's equals it: in this engine and in the next.
    refused(&engine);
    refused(&world.engine());
}

fn a_step_that_a_signer_is_handed_is_still_the_builds(world: &World) {
    let engine = world.engine();
    let mut request = sign();
    request.inputs.insert("context".into(), definition(signing));
    let error = session(&engine).solve_frontend(request).unwrap_err();
    let GatewayError::Solve(failure) = error else { panic!("{}", explain(&error)) };
    assert_eq!(failure.message, REFUSED);
}

fn what_is_built_on_a_signers_answer_needs_no_secret(world: &World) {
    let build = |engine: &dalec_engine::Engine, act: &str| {
        let session = session(engine);
        let request = FrontendRequest { purpose: Purpose::Sign, ..options(act, &[]) };
        let result = session.solve_frontend(request).unwrap_or_else(|error| panic!("{}", explain(&error)));
        let graph = session.definition(result.refs[0].1.as_ref().unwrap()).unwrap();
        let graph = definition(|more| {
            let signed = more.import(&graph);
            let base = more.base();
            let exec =
                Exec::new(&base, &["copy=/signed/signature=/copied"]).bind("/signed", Some(&signed), true);
            more.exec(exec).remove(0)
        });
        let request = SolveRequest { definition: graph, evaluate: true };
        let reference = session.solve(request).unwrap_or_else(|error| panic!("{}", explain(&error)));
        String::from_utf8(session.read_file(&reference.unwrap(), "/copied", None).unwrap()).unwrap()
    };
    let engine = world.engine();
    assert_eq!(build(&engine, "sign"), format!("{} bytes\n", SIGNING_SECRET.len()));
    assert_eq!(engine.stats().processes_started, 3);
    // The signer alone runs again.
    let engine = world.engine();
    build(&engine, "sign");
    assert_eq!(engine.stats().processes_started, 1);
    // So it is where the signer's step is in a graph within its graph.
    assert_eq!(build(&world.engine(), "sign-within"), format!("{} bytes\n", SIGNING_SECRET.len()));
}
