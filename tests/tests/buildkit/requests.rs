//! How requests are understood inside BuildKit: targets, arguments, and questions about the spec.

use dalec_e2e::engine::{Engine, inside};
use dalec_e2e::run::Project;
use dalec_e2e::specs::script;
use serde_json::Value;

/// FE-004: the route with the longest name that the target is below, and words about it.
#[test]
fn a_longer_target_falls_back() {
    let project = Project::new(&script("longer", ""));
    let ran = Engine::Inside.build(&project, "bookworm/dsc/x/y").succeeds();
    ran.says(&["there is no target bookworm/dsc/x/y; bookworm/dsc is built instead"]);
    assert!(project.outputs().iter().all(|name| !name.ends_with(".deb")), "{:?}", project.outputs());
    project.output(".dsc");
}

/// FE-005: no target and an unknown one list what there is.
#[test]
fn unknown_targets_list_the_known_ones() {
    let project = Project::new(&script("unknown", ""));
    let words = ["no such handler for target", "bookworm/deb", "bookworm/container"];
    Engine::Inside.build(&project, "bookwurm/deb").fails(1).says(&words);
    inside(&project).args(["-f", "spec.yml", "--output", "out", "."]).fails(1).says(&words);
}

/// FE-006: the target key is an argument that the spec can use.
#[test]
fn the_target_key_is_known_to_the_spec() {
    let spec = script("keyed", "args:\n  DALEC_TARGET: none\n");
    let project = Project::new(&spec.replace("version: 1.0.0", "version: 1.0.0+${DALEC_TARGET}"));
    Engine::Inside.build(&project, "bookworm/dsc").succeeds();
    project.output("keyed_1.0.0+bookworm-debian12u1.dsc");
}

/// FE-009: the spec with its arguments, once per platform.
#[test]
fn the_spec_is_resolved() {
    let spec = script("resolved", "args:\n  VERSION: 1.0.0\n  TARGETARCH:\n");
    let spec = spec.replace("version: 1.0.0", "version: ${VERSION}+${TARGETARCH}");
    let project = Project::new(&spec);
    let ask = inside(&project).args(["-f", "spec.yml", "--call", "dalec.resolve,format=json"]);
    let ask = ask.args(["--platform", "linux/amd64,linux/arm64", "--build-arg", "VERSION=7.5", "."]);
    let answer = ask.succeeds().stdout;
    let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let specs = answer.as_array().expect("a list");
    let versions: Vec<&str> = specs.iter().map(|spec| spec["version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["7.5+amd64", "7.5+arm64"]);
}

/// FE-013: a build without merges gives the same package.
#[test]
fn nothing_is_merged_where_that_is_not_wanted() {
    let package = |more: &[&str]| {
        let project = Project::new(&script("unmerged", ""));
        let ran = Engine::Inside.build(&project, "bookworm/deb").args(more).succeeds();
        (std::fs::read(project.output(".deb")).unwrap(), ran.stderr)
    };
    let (merged, _) = package(&[]);
    let (copied, said) = package(&["--build-arg", "DALEC_DISABLE_DIFF_MERGE=1"]);
    assert!(merged == copied, "the packages differ");
    assert!(!said.contains("merge ("), "{said}");
}
