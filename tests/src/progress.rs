//! Reads what a build tells about its steps.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::run::Ran;

/// Vertices of a run: those that ran and those whose result was known.
#[derive(Debug)]
pub struct Vertices {
    /// Names of those that ran.
    pub ran: BTreeSet<String>,
    /// Names of those whose result was known.
    pub cached: BTreeSet<String>,
}

impl Vertices {
    /// Returns those that ran and start a process.
    pub fn processes(&self) -> Vec<&String> {
        self.ran.iter().filter(|name| !name.starts_with("load ") && !name.starts_with('[')).collect()
    }
}

/// Reads the progress of a run with `--progress json`: the last word about each vertex counts.
///
/// # Panics
/// When a line is no JSON.
pub fn vertices(ran: &Ran) -> Vertices {
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
