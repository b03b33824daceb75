//! A secret that a signer needs is afterwards found nowhere, and nobody else is given it.

use std::fs;
use std::path::PathBuf;

use dalec_e2e::buildkit::Buildkit;
use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::run::{Project, Who, kept_state};
use dalec_e2e::traces::files_with;

use crate::spec::{SIGNER, UNCOMPARED, args, build, package, with_signer};

on_both_engines!(a_canary_is_found_nowhere);
against_buildkit!(a_canary_is_found_nowhere);

/// Returns a project whose signer reads the secret `canary`.
fn reads_a_canary(more: &str) -> Project {
    package(&format!(
        "package_config:\n  signer:\n    image: {SIGNER}\n    cmdline: echo\n    args:\n      SIGNER_SECRETS: canary\n{more}"
    ))
}

fn canary() -> String {
    format!("canary-{}-sings-of-{:?}", std::process::id(), std::thread::current().id())
}

fn a_canary_is_found_nowhere(engine: Engine) {
    let (project, canary) = (reads_a_canary(""), canary());
    let mut build =
        build(engine, &project).args(args(&[UNCOMPARED])).args(["--metadata-file", "metadata.json"]);
    build.command.env("CANARY", &canary);
    let ran = build.args(["--secret", "id=canary,env=CANARY"]).succeeds();
    let manifest = fs::read_to_string(project.path("out/manifest.json")).unwrap();
    assert!(manifest.contains("\"canary\":\""), "the signer did not get it: {manifest}");
    assert!(!ran.stderr.contains(&canary) && !ran.stdout.contains(&canary));
    let kept: PathBuf = match engine {
        Engine::Embedded => kept_state(Who::Me),
        // With its log and the clients' folders.
        Engine::Inside | Engine::Against => Buildkit::shared().folder().to_path_buf(),
    };
    for folder in [kept, project.path("")] {
        assert_eq!(files_with(&canary, &folder, &project.path("spec.yml")), Vec::<String>::new());
    }
}

/// The same frontend is given the secret as a signer, and refused it as the frontend of a target.
#[test]
fn a_secret_of_the_signer_is_refused_to_everybody_else() {
    let project = reads_a_canary(&format!(
        "args:\n  SIGNER_SECRETS: canary\ntargets:\n  greedy:\n    frontend:\n      image: {SIGNER}\n      cmdline: echo\n"
    ));
    project.write("secret", canary());
    let scoped = ["--secret", "id=canary,src=secret,scope=signer"];
    build(Engine::Embedded, &project).args(args(&[UNCOMPARED])).args(scoped).succeeds();
    fs::remove_dir_all(project.path("out")).unwrap();
    let greedy = with_signer(Engine::Embedded.build(&project, "greedy"));
    let ran = greedy.args(args(&["SIGNER_SECRETS=canary"])).args(scoped).fails(1);
    ran.says(&["canary", "signer"]);
    assert!(!ran.stderr.contains("sings-of"), "{}", ran.stderr);
    assert_eq!(project.outputs(), Vec::<String>::new());
}
