//! Targets that somebody else's frontend builds: the same on every engine.

use dalec_e2e::engine::{Engine, frontend, inside};
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::signers::phony;
use dalec_e2e::specs::script;
use serde_json::Value;

const ENGINES: [Engine; 3] = [Engine::Embedded, Engine::Inside, Engine::Against];

/// What specs call the other frontend; a named context gives the image.
const PHONY: &str = "dalec.example/phony";

/// Returns a project in which the other frontend has a target of its own, and one that is built here otherwise.
fn project() -> Project {
    Project::new(&script(
        "forwarded",
        &format!(
            "x-own: {{deep: [1, two]}}\nargs:\n  FLAVOUR: plain\ntargets:\n  phony:\n    frontend: {{image: {PHONY}, cmdline: go}}\n  \
             trixie:\n    frontend: {{image: {PHONY}}}\n"
        ),
    ))
}

fn with_phony(build: Invocation) -> Invocation {
    build.arg(format!("--build-context={PHONY}={}", phony().context()))
}

/// FE-017, FE-021
#[test]
fn the_other_frontend_gets_request_spec_and_context() {
    for engine in ENGINES {
        let project = project();
        project.write("beside.txt", "it is here");
        let build = with_phony(engine.build(&project, "phony/report"));
        build.args(["--build-arg", "FLAVOUR=mint"]).succeeds();
        let report = std::fs::read(project.path("out/report.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        let options = &report["options"];
        for (name, value) in [
            ("target", "report"),
            ("dalec.target", "phony"),
            ("cmdline", "go"),
            ("build-arg:FLAVOUR", "mint"),
            ("build-arg:DALEC_TARGET", "phony"),
        ] {
            assert_eq!(options[name], value, "{engine:?}: {name}");
        }
        let spec = report["spec"].as_str().unwrap();
        assert!(spec.contains("x-own: {deep: [1, two]}"), "{engine:?}: {spec}");
        assert_eq!(std::fs::read(project.path("out/context/beside.txt")).unwrap(), b"it is here");
    }
}

/// FE-018: the whole target is the other frontend's, also what is built here otherwise.
#[test]
fn nothing_of_the_target_is_built_here() {
    for engine in ENGINES {
        let project = project();
        with_phony(engine.build(&project, "trixie")).succeeds();
        assert!(project.path("out/report.json").exists(), "{engine:?}");
        let ran = with_phony(engine.build(&project, "trixie/deb")).fails(1);
        ran.says(&["there is no target \"deb\""]);
    }
}

#[test]
fn what_the_other_frontend_says_of_its_failure_is_said() {
    for engine in ENGINES {
        let project = project();
        let ran = with_phony(engine.build(&project, "phony/fail")).fails(1);
        ran.says(&["nobody can build this"]);
        assert_eq!(project.outputs(), Vec::<String>::new());
    }
}

/// FE-019: what the other frontend has is listed; where it cannot be asked, one line stands for it.
#[test]
fn its_targets_are_listed() {
    let project = project();
    let list = || inside(&project).args(["-f", "spec.yml", "--call", "targets"]);
    let listed = with_phony(list()).arg(".").succeeds().stdout;
    for line in ["phony ", "phony/report", "phony/fail", "trixie/report", "bookworm/deb (default)"] {
        assert!(listed.contains(line), "{line}: {listed}");
    }
    assert!(listed.contains("what was asked for") && !listed.contains("trixie/deb"), "{listed}");
    let listed = list().arg(".").succeeds().stdout;
    assert!(listed.contains(&format!("Forwarded to custom frontend: {PHONY}")), "{listed}");
}

/// FE-020: our own frontend as the other one would call a third, and a fourth.
#[test]
fn nothing_is_forwarded_twice() {
    for engine in ENGINES {
        let project = project();
        let build = engine.build(&project, "phony/report");
        let build = build.arg(format!("--build-context={PHONY}={}", frontend().context()));
        build.fails(1).says(&["target is already forwarded"]);
    }
}
