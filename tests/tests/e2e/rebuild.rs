//! What runs again and what does not.

use std::collections::{BTreeMap, BTreeSet};

use dalec_e2e::run::{Project, Ran};
use serde_json::Value;

use crate::specs::hello;

/// Vertices of a run: those that ran and those whose result was known.
struct Vertices {
    ran: BTreeSet<String>,
    cached: BTreeSet<String>,
}

fn build(project: &Project) -> Vertices {
    vertices(&project.build("bookworm/deb").args(["--progress", "json"]).succeeds())
}

/// Reads the JSON progress: the last word about each vertex counts.
fn vertices(ran: &Ran) -> Vertices {
    let mut last: BTreeMap<String, (String, bool, bool)> = BTreeMap::new();
    for line in ran.stderr.lines().filter(|line| line.starts_with('{')) {
        let update: Value = serde_json::from_str(line).expect("each line is JSON");
        for vertex in update["vertexes"].as_array().into_iter().flatten() {
            let digest = vertex["digest"].as_str().unwrap_or_default().to_owned();
            let name = vertex["name"].as_str().unwrap_or_default().to_owned();
            let started = !vertex["started"].is_null();
            last.insert(digest, (name, started, vertex["cached"] == true));
        }
    }
    let with = |wanted: fn(&(String, bool, bool)) -> bool| {
        last.values().filter(|vertex| wanted(vertex)).map(|vertex| vertex.0.clone()).collect()
    };
    Vertices { ran: with(|vertex| vertex.1 && !vertex.2), cached: with(|vertex| vertex.2) }
}

/// Names of vertices that start a process.
fn processes(names: &BTreeSet<String>) -> Vec<&String> {
    names.iter().filter(|name| !name.starts_with("load ") && !name.starts_with('[')).collect()
}

#[test]
fn nothing_changed_runs_nothing() {
    let project = hello();
    project.build("bookworm/deb").succeeds();
    let again = build(&project);
    assert_eq!(processes(&again.ran), Vec::<&String>::new());
    assert!(!again.cached.is_empty());
}

#[test]
fn a_file_that_no_source_takes_changes_nothing() {
    let project = hello();
    project.build("bookworm/deb").succeeds();
    project.write("notes.txt", "not part of any source\n");
    assert_eq!(processes(&build(&project).ran), Vec::<&String>::new());
}

#[test]
fn a_changed_line_runs_only_what_reads_it() {
    let project = hello();
    project.build("bookworm/deb").succeeds();
    let source = std::fs::read_to_string(project.path("hello.c")).unwrap();
    let unique = format!("    puts(\"Hello, world!\"); /* {} */", project.path("").display());
    project.write("hello.c", source.replace("    puts(\"Hello, world!\");", &unique));
    let again = build(&project);
    let ran = processes(&again.ran);
    assert!(!ran.is_empty());
    let untouched = ["Install", "dist-upgrade", "worker"];
    for name in &ran {
        let lower = name.to_lowercase();
        let base = untouched.iter().any(|word| lower.contains(&word.to_lowercase()))
            && !lower.contains("hello-dalec");
        assert!(!base, "{name:?} does not read the source, but ran again: {ran:?}");
    }
}
