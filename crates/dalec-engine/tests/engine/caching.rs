//! What runs again, and what does not.

use std::fs;

use bollard_buildkit_proto::pb;
use dalec_gateway::Event;
use pb::file_action::Action;

use crate::graph::{Exec, Graph, Node, copy, mkfile};
use crate::world::{Case, World, cases};

pub const CASES: &[(&str, Case)] = cases![
    nothing_changed_starts_no_process_and_mounts_nothing,
    a_change_runs_only_what_reads_it,
    equal_content_stops_a_change,
    file_times_do_not_matter_but_permissions_do,
    what_should_run_again_runs_again,
    a_failed_step_is_tried_again,
    an_older_result_is_found_again,
    a_layer_that_is_gone_is_made_again,
    a_store_of_another_version_is_refused,
    other_files_are_not_taken_for_a_store,
];

/// A source is copied, compiled (so to say) and packed.
fn pipeline(graph: &mut Graph) -> Node {
    let (base, context) = (graph.base(), graph.local("context"));
    let source = graph.file(None, Some(&context), vec![Action::Copy(copy("/src/main", "/main"))]);
    let compiled = graph.exec(
        Exec::new(&base, &["copy=/in/main=/out/object"])
            .bind("/in", Some(&source), true)
            .bind("/out", None, false),
    );
    let tool = graph.run(&base, &["write=/tool=v1"]);
    let packed = Exec::new(&tool, &["copy=/in/object=/out/package", "append=/out/package= packed"]);
    let packed = graph.exec(packed.bind("/in", Some(&compiled[1]), true).bind("/out", None, false));
    graph.merge(&[&compiled[1], &packed[1]])
}

fn nothing_changed_starts_no_process_and_mounts_nothing(world: &World) {
    world.write("context/src/main", "int main");
    let first = world.build(pipeline);
    assert_eq!(first.read("/package"), "int main packed");
    assert_eq!(first.stats().processes_started, 3);
    drop(first);
    let second = world.build(pipeline);
    assert_eq!(second.read("/package"), "int main packed");
    let stats = second.stats();
    assert_eq!((stats.processes_started, stats.ops_run, stats.mounts), (0, 0, 0));
    let vertices = world.events.all().into_iter().filter_map(|event| match event {
        Event::Vertex(vertex) => Some(vertex),
        _ => None,
    });
    assert_eq!(vertices.filter(|vertex| vertex.cached).count() as u64, stats.ops_cached);
}

fn a_change_runs_only_what_reads_it(world: &World) {
    world.write("context/src/main", "int main");
    world.write("context/readme", "old");
    drop(world.build(pipeline));
    world.write("context/readme", "new");
    let unread = world.build(pipeline);
    assert_eq!(unread.stats().processes_started, 0);
    drop(unread);
    world.write("context/src/main", "int main2");
    let read = world.build(pipeline);
    assert_eq!((read.read("/package").as_str(), read.stats().processes_started), ("int main2 packed", 2));
}

fn equal_content_stops_a_change(world: &World) {
    let graph = |graph: &mut Graph| {
        let (base, context) = (graph.base(), graph.local("context"));
        let strip = Exec::new(&base, &["cat=/in/noise", "write=/out/same=constant"]);
        let stripped = graph.exec(strip.bind("/in", Some(&context), true).bind("/out", None, false));
        let user = Exec::new(&base, &["copy=/in/same=/result"]).bind("/in", Some(&stripped[1]), true);
        graph.exec(user).remove(0)
    };
    world.write("context/noise", "one");
    assert_eq!(world.build(graph).stats().processes_started, 2);
    world.write("context/noise", "two");
    let second = world.build(graph);
    assert_eq!((second.read("/result").as_str(), second.stats().processes_started), ("constant", 1));
}

fn file_times_do_not_matter_but_permissions_do(world: &World) {
    use std::os::unix::fs::PermissionsExt;
    world.write("context/src/main", "text");
    drop(world.build(pipeline));
    let path = world.path("context/src/main");
    let touched = fs::File::options().write(true).open(&path).unwrap();
    touched.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(world.build(pipeline).stats().processes_started, 0);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(world.build(pipeline).stats().processes_started, 2);
}

fn what_should_run_again_runs_again(world: &World) {
    let counter = |again: bool| {
        move |graph: &mut Graph| {
            let base = graph.base();
            let exec = Exec::new(&base, &["append=/cache/n=x", "copy=/cache/n=/n"]);
            let exec = exec.cache("/cache", "counter", pb::CacheSharingOpt::Locked);
            let counted = graph.exec(exec).remove(0);
            graph.describe(&counted, |metadata| metadata.ignore_cache = again);
            graph.run(&counted, &["copy=/n=/m"])
        }
    };
    assert_eq!(world.build(counter(false)).read("/m"), "x");
    assert_eq!(world.build(counter(false)).read("/m"), "x");
    assert_eq!(world.build(counter(true)).read("/m"), "xx");
    // What was made last counts from then on, also for what runs on top of it.
    let last = world.build(counter(false));
    assert_eq!((last.read("/m").as_str(), last.stats().processes_started), ("xx", 0));
}

fn a_failed_step_is_tried_again(world: &World) {
    let graph = |graph: &mut Graph| {
        let base = graph.base();
        let exec = Exec::new(&base, &["write=/cache/mark=x", "absent=/cache/fail", "write=/done=yes"]);
        graph.exec(exec.cache("/cache", "c", pb::CacheSharingOpt::Shared)).remove(0)
    };
    let mark = |graph: &mut Graph, command: &str| {
        let base = graph.base();
        let exec = Exec::new(&base, &[command]).cache("/cache", "c", pb::CacheSharingOpt::Shared);
        graph.exec(exec).remove(0)
    };
    drop(world.build(|graph| mark(graph, "write=/cache/fail=x")));
    assert_eq!(world.failure(graph).exit_code, Some(100));
    drop(world.build(|graph| mark(graph, "remove=/cache/fail")));
    assert_eq!(world.build(graph).read("/done"), "yes");
}

fn an_older_result_is_found_again(world: &World) {
    world.write("context/src/main", "one");
    drop(world.build(pipeline));
    world.write("context/src/main", "two");
    drop(world.build(pipeline));
    world.write("context/src/main", "one");
    let back = world.build(pipeline);
    assert_eq!((back.read("/package").as_str(), back.stats().processes_started), ("one packed", 0));
}

fn a_layer_that_is_gone_is_made_again(world: &World) {
    world.write("context/src/main", "one");
    drop(world.build(pipeline));
    for layer in fs::read_dir(world.path("state/layers")).unwrap() {
        fs::remove_dir_all(layer.unwrap().path()).unwrap();
    }
    let again = world.build(pipeline);
    assert_eq!((again.read("/package").as_str(), again.stats().processes_started), ("one packed", 3));
}

fn a_store_of_another_version_is_refused(world: &World) {
    drop(world.build(|graph| graph.file(None, None, vec![mkfile("/a", 0o644, "")])));
    let state = world.path("state").display().to_string();
    let version = fs::read_to_string(world.path("state/version")).unwrap();
    for (text, expected) in [
        (version.replace("store 1", "store 999"), "another version of dalec (dalec store 999)"),
        (format!("{version}9 9 9\n"), "another user, or under other user ids"),
    ] {
        world.write("state/version", &text);
        let error = dalec_engine::store::Store::open(&world.path("state")).unwrap_err();
        assert_eq!(error.to_string(), format!("the state directory {state} was made by {expected}"));
    }
}

fn other_files_are_not_taken_for_a_store(world: &World) {
    world.write("home/letter", "dear");
    let error = dalec_engine::store::Store::open(&world.path("home")).unwrap_err();
    assert!(error.to_string().ends_with("holds files that are not dalec's"), "{error}");
    assert_eq!(fs::read_dir(world.path("home")).unwrap().count(), 1);
}
