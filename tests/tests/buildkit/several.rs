//! Several targets in one run, on both engines: work is shared, each has a folder, and one that fails does not keep others
//! from being built.

use std::fs;
use std::path::Path;

use dalec_e2e::engine::Engine;
use dalec_e2e::run::{Project, Ran};
use dalec_e2e::specs::script;
use serde_json::Value;

const ENGINES: [Engine; 2] = [Engine::Embedded, Engine::Against];

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("the file is there")).expect("it is JSON")
}

fn targets(record: &Value) -> Vec<&str> {
    let builds = record["builds"].as_array().expect("there is a list").iter();
    builds.map(|built| built["target"].as_str().expect("it has a name")).collect()
}

#[test]
fn each_target_has_a_folder_and_a_record() {
    for engine in ENGINES {
        // A spec that no store has seen, for the steps that run are counted.
        let project = Project::new("");
        let name = project.path("").file_name().unwrap().to_string_lossy().to_lowercase();
        project.write("spec.yml", script("several", "").replace("A script", &name));
        let build = engine.build(&project, "bookworm/deb").args(["--target", "bookworm/dsc"]);
        let ran = build.args(["--metadata-file", "metadata.json"]).succeeds();
        ran.says(&["built bookworm/deb, bookworm/dsc in"]);
        for file in
            ["bookworm_deb/several_1.0.0-debian12u1_all.deb", "bookworm_dsc/several_1.0.0-debian12u1.dsc"]
        {
            assert!(project.path("out").join(file).exists(), "{engine:?}: {file} is missing");
        }
        let sources = ran.stderr.matches("building several in several_1.0.0-debian12u1.dsc").count();
        assert_eq!(sources, 1, "{engine:?}: the source package is made once\n{}", ran.stderr);
        let record = json(&project.path("metadata.json"));
        assert_eq!(targets(&record), ["bookworm/deb", "bookworm/dsc"]);
        assert!(record["builds"][1]["outputs"][0]["dest"].as_str().unwrap().ends_with("bookworm_dsc"));
    }
}

/// TEST-001, TGT-023: a failing test fails everything that runs tests, and nothing else; all of it is said.
#[test]
fn targets_that_fail_are_named_and_the_others_are_built() {
    let failing =
        "tests:\n  - name: never\n    files:\n      /usr/bin/nothing: {}\ntargets:\n  bookworm: {}\n";
    for engine in ENGINES {
        let project = Project::new(&script("failing", failing));
        let is_here = engine == Engine::Embedded;
        let all = ["bookworm/deb", "bookworm/container", "bookworm/testing/container"];
        let failed = if is_here { &all[..] } else { &all[..1] };
        let build = engine.build(&project, if is_here { "all" } else { "bookworm/deb" });
        let build = if is_here { build } else { build.args(["--target", "bookworm/dsc"]) };
        let Ran { stderr, .. } = build.args(["--metadata-file", "metadata.json"]).fails(1);
        let error = stderr.split("built bookworm/dsc in").nth(1);
        let error = error.unwrap_or_else(|| panic!("{engine:?}: what was built is not said:\n{stderr}"));
        for text in failed.iter().chain(&["error: ", "/usr/bin/nothing", "spec.yml:"]) {
            assert!(error.contains(text), "{engine:?}: {text:?} was not said:\n{error}");
        }
        assert_eq!(targets(&json(&project.path("metadata.json"))), ["bookworm/dsc"]);
        let outputs = project.outputs();
        let is_below = |name: &String| name.starts_with("bookworm_dsc/");
        assert!(!outputs.is_empty() && outputs.iter().all(is_below), "{outputs:?}");
    }
}

/// What keeps every target from being built is said once.
#[test]
fn a_wrong_spec_is_said_once() {
    for engine in ENGINES {
        let project = Project::new(&script("wrong", "nonsense: true\n"));
        let ran = engine.build(&project, "bookworm/deb").args(["--target", "bookworm/dsc"]).fails(2);
        assert_eq!(ran.stderr.matches("unknown key `nonsense`").count(), 1, "{engine:?}: {}", ran.stderr);
    }
}
