//! The file systems that the routes yield.

use std::collections::BTreeMap;

use dalec_llb::{Copy, Exec, File, Mount, Network, ProgressGroup, State};
use dalec_spec::target_spec::TargetSpec;

use super::routes::KEY;
use crate::error::PlanError;
use crate::generators::{Generators, Kind};
use crate::marker::Marks;
use crate::patches::{self, APPLY};
use crate::request::Request;
use crate::sources::{Planner, Tree};
use crate::worker::Worker;

/// Returns the spec as the file `/spec.yml`.
pub(super) fn resolved(spec: &TargetSpec) -> State {
    let text = dalec_spec::to_yaml(spec);
    State::scratch().file(File::new("Write the resolved spec").group(&group()).mkfile(
        "/spec.yml",
        0o640,
        None,
        text,
    ))
}

/// Returns the sources beside each other, under their names.
///
/// # Errors
/// As [`Planner::plan`].
pub(super) fn sources(request: &Request<'_>) -> Result<State, PlanError> {
    Ok(collected(&trees(request)?))
}

/// Returns the sources beside each other with the patches of the spec, and those that edits of `go.mod` make.
///
/// # Errors
/// As [`Planner::plan`] and [`patches::all`].
pub(super) fn patched_sources(request: &Request<'_>, worker: &Worker) -> Result<State, PlanError> {
    let trees = trees(request)?;
    let all = collected(&trees);
    let patches = patches::all(request.spec)?;
    if patches.is_empty() {
        return Ok(all);
    }
    let edits = generators(request, worker, &trees).edits();
    let mut marks = Marks::default();
    let calls = patches::calls(&patches, &mut marks);
    let given = trees.iter().map(|(name, tree)| (*name, tree));
    let given = given.chain(edits.iter().map(|(name, tree)| (name.as_str(), tree)));
    let exec = Exec::shell(format!("set -eu\ncd /work/out\n{APPLY}{calls}"))
        .envs(worker.env.clone())
        .name("Patch the sources")
        .group(&group())
        .at(marks.location(&request.source_map))
        .network(Network::None)
        .mounts(given.map(|(name, tree)| tree.mount(format!("/work/sources/{name}"))))
        .mount(Mount::bind("/work/out", &all));
    Ok(worker.root.run(exec).output("/work/out"))
}

/// Returns what the sources ask for of one kind; none when no source asks for any.
///
/// # Errors
/// As [`Planner::plan`].
pub(super) fn downloads(
    request: &Request<'_>,
    worker: &Worker,
    kind: &Kind,
) -> Result<Option<State>, PlanError> {
    Ok(generators(request, worker, &trees(request)?).downloads_of(kind))
}

fn generators<'a>(
    request: &'a Request<'a>,
    worker: &Worker,
    trees: &'a BTreeMap<&'a str, Tree>,
) -> Generators<'a> {
    Generators { request, root: worker.root.clone(), env: worker.env.clone(), group: group(), trees }
}

fn trees<'a>(request: &Request<'a>) -> Result<BTreeMap<&'a str, Tree>, PlanError> {
    let planner = Planner {
        answers: request.answers,
        source_map: &request.source_map,
        group: group(),
        for_commands: false,
    };
    let mut trees = BTreeMap::new();
    for (name, source) in &request.spec.sources {
        if name.contains('/') || matches!(name.as_str(), "." | "..") {
            return Err(PlanError::invalid(format!("a source cannot be called {name:?}"), [source.span]));
        }
        trees.insert(name.as_str(), planner.plan(name, source)?);
    }
    Ok(trees)
}

fn collected(trees: &BTreeMap<&str, Tree>) -> State {
    if trees.is_empty() {
        return State::scratch();
    }
    let file = File::new("Collect the sources").group(&group());
    State::scratch().file(trees.iter().fold(file, |file, (name, tree)| {
        let copy = Copy { contents_only: tree.is_dir, make_parents: tree.is_dir, ..Copy::default() };
        let dest = if tree.is_dir { format!("/{name}/") } else { format!("/{name}") };
        file.copy(&tree.state, &tree.path, &dest, copy)
    }))
}

fn group() -> ProgressGroup {
    ProgressGroup::new(KEY)
}
