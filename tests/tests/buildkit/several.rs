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
        let project = Project::new(&script("several", ""));
        let build = engine.build(&project, "bookworm/deb").args(["--target", "bookworm/dsc"]);
        let build = build.args(["--target", "bookworm/container", "--metadata-file", "metadata.json"]);
        let ran = build.args(["--no-cache=dalec.srcpkg"]).succeeds();
        ran.says(&["built bookworm/deb, bookworm/dsc, bookworm/container in"]);
        for file in [
            "bookworm_deb/several_1.0.0-debian12u1_all.deb",
            "bookworm_dsc/several_1.0.0-debian12u1.dsc",
            "bookworm_container/usr/bin/several",
        ] {
            assert!(project.path("out").join(file).exists(), "{engine:?}: {file} is missing");
        }
        let sources = ran.stderr.matches("building several in several_1.0.0-debian12u1.dsc").count();
        assert_eq!(sources, 1, "{engine:?}: the source package is made once\n{}", ran.stderr);
        let record = json(&project.path("metadata.json"));
        assert_eq!(targets(&record), ["bookworm/deb", "bookworm/dsc", "bookworm/container"]);
        assert!(record["builds"][1]["outputs"][0]["dest"].as_str().unwrap().ends_with("bookworm_dsc"));
    }
}

/// TEST-001, TGT-023: a failing test fails everything that runs tests, and nothing else; all of it is said, once.
#[test]
fn targets_that_fail_are_named_and_the_others_are_built() {
    let failing =
        "tests:\n  - name: never\n    files:\n      /usr/bin/nothing: {}\ntargets:\n  bookworm: {}\n";
    for engine in ENGINES {
        let project = Project::new(&script("failing", failing));
        let build = engine.build(&project, "all").args(["--metadata-file", "metadata.json"]);
        let Ran { stderr, .. } = build.fails(1);
        let place = "spec.yml:";
        for text in [
            "built bookworm/dsc in",
            "bookworm/container",
            "bookworm/deb",
            "bookworm/testing/container",
            "/usr/bin/nothing",
            place,
        ] {
            assert!(stderr.contains(text), "{engine:?}: {text:?} was not said:\n{stderr}");
        }
        assert!(!stderr.contains("built bookworm/deb"), "{stderr}");
        assert_eq!(targets(&json(&project.path("metadata.json"))), ["bookworm/dsc"]);
        let outputs = project.outputs();
        assert!(
            !outputs.is_empty() && outputs.iter().all(|name| name.starts_with("bookworm_dsc/")),
            "{outputs:?}"
        );
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
