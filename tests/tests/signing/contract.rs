//! What a signer is given and when it is asked, seen by a signer on BuildKit's own client library that writes it down.

use std::fs;

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::run::Project;
use serde_json::{Value, json};

use crate::spec::{SIGNER, UNCOMPARED, args, build, package, signed_in, with_signer};

on_both_engines!(
    the_signer_is_given_what_the_contract_says,
    the_signer_of_the_target_goes_before,
    a_target_signer_without_image_leaves_it_to_the_root,
    signing_can_be_left_out,
    a_file_can_say_who_signs,
    source_packages_are_not_signed,
    a_container_has_signed_packages,
    what_a_signer_says_of_its_failure_is_said,
    several_results_are_none,
);

against_buildkit!(
    the_signer_is_given_what_the_contract_says,
    a_container_has_signed_packages,
    what_a_signer_says_of_its_failure_is_said,
);

/// Returns what the signer wrote down.
fn manifest(project: &Project) -> Value {
    let text = fs::read(project.path("out/manifest.json")).expect("the signer was asked");
    serde_json::from_slice(&text).expect("it writes JSON")
}

/// SIGN-001, SIGN-007 to SIGN-010, SIGN-012, SIGN-017
fn the_signer_is_given_what_the_contract_says(engine: Engine) {
    let project = package(&format!(
        "args:\n  FLAVOUR: plain\n  KEY: default\npackage_config:\n  signer:\n    image: {SIGNER}\n    cmdline: echo all words\n    \
         args:\n      TASTE: tastes ${{FLAVOUR}}\n      KEY: of the spec\n      SIGNER_SECRETS: password\n      SIGNER_CONTEXT: policy\n"
    ));
    project.write("secret", "open sesame");
    project.write("rules/rules.txt", "sign everything\n");
    let build = build(engine, &project)
        .args(args(&["FLAVOUR=sweet", "KEY=of the client", UNCOMPARED]))
        .args(["--secret", "id=password,src=secret", "--build-context", "policy=rules"]);
    build.succeeds();
    let manifest = manifest(&project);
    let option = |name: &str| manifest["options"][name].clone();
    assert_eq!(option("source"), SIGNER);
    assert_eq!(option("cmdline"), "echo all words");
    assert_eq!(option("contextkey"), "context");
    assert_eq!(option("dalec.target"), "bookworm");
    assert_eq!(option("target"), "bookworm/deb");
    assert_eq!(option("build-arg:DALEC_TARGET"), "bookworm");
    assert_eq!(option("build-arg:TASTE"), "tastes sweet");
    assert_eq!(option("build-arg:FLAVOUR"), "sweet");
    assert_eq!(option("build-arg:KEY"), "of the client");
    assert!(manifest["inputs"].as_array().unwrap().contains(&json!("context")), "{manifest}");
    assert_eq!(manifest["files"], json!(["signed_1.0.0-debian12u1_all.deb"]));
    assert_eq!(manifest["named"], json!(["rules.txt"]));
    let digest = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";
    assert_eq!(manifest["secrets"], json!({ "password": digest }));
    let outputs = project.outputs();
    for suffix in [".deb", ".dsc", ".orig.tar.gz", ".debian.tar.xz", "manifest.json"] {
        assert!(outputs.iter().any(|name| name.ends_with(suffix)), "{suffix} is missing in {outputs:?}");
    }
}

/// SIGN-002
fn the_signer_of_the_target_goes_before(engine: Engine) {
    let project = package(&format!(
        "package_config:\n  signer:\n    image: dalec.example/nobody\ntargets:\n  bookworm:\n    package_config:\n      signer:\n        \
         image: {SIGNER}\n        cmdline: echo\n"
    ));
    let ran = build(engine, &project).args(args(&[UNCOMPARED])).succeeds();
    assert_eq!(manifest(&project)["options"]["source"], SIGNER);
    ran.says(&["Root signing spec overridden by target signing spec"]);
}

/// SIGN-003
fn a_target_signer_without_image_leaves_it_to_the_root(engine: Engine) {
    let project = package(&format!(
        "package_config:\n  signer:\n    image: {SIGNER}\n    cmdline: echo\ntargets:\n  bookworm:\n    package_config:\n      signer:\n        \
         cmdline: crash\n"
    ));
    build(engine, &project).args(args(&[UNCOMPARED])).succeeds();
    assert_eq!(manifest(&project)["options"]["cmdline"], "echo");
}

/// SIGN-004
fn signing_can_be_left_out(engine: Engine) {
    let project = signed_in("crash");
    let ran = build(engine, &project).args(args(&["DALEC_SKIP_SIGNING=true"])).succeeds();
    ran.says(&["Signing disabled by build-arg"]);
    assert!(project.output(".deb").exists());
    let project = signed_in("echo");
    build(engine, &project).args(args(&["DALEC_SKIP_SIGNING=perhaps", UNCOMPARED])).succeeds();
    assert_eq!(manifest(&project)["options"]["cmdline"], "echo");
}

/// SIGN-005, SIGN-006
fn a_file_can_say_who_signs(engine: Engine) {
    let config = |words: &str| format!("signer:\n  image: {SIGNER}\n  cmdline: echo {words}\n");
    let project = signed_in("crash");
    project.write("signing.yml", config("of the main context"));
    project.write("policy/signing.yml", config("of another context"));
    let path = ["DALEC_SIGNING_CONFIG_PATH=signing.yml", UNCOMPARED];
    let ran = build(engine, &project).args(args(&path)).succeeds();
    assert_eq!(manifest(&project)["options"]["cmdline"], "echo of the main context");
    ran.says(&["Spec signing config overwritten by config at path"]);
    let build =
        build(engine, &project).args(args(&path)).args(args(&["DALEC_SIGNING_CONFIG_CONTEXT_NAME=policy"]));
    build.args(["--build-context", "policy=policy"]).succeeds();
    assert_eq!(manifest(&project)["options"]["cmdline"], "echo of another context");
}

/// SIGN-015: a signer that fails is not asked.
fn source_packages_are_not_signed(engine: Engine) {
    let project = signed_in("crash");
    with_signer(engine.build(&project, "bookworm/dsc")).succeeds();
    assert!(project.output(".dsc").exists());
}

/// SIGN-014: a signer that fails keeps the container from being built, one that works does not.
fn a_container_has_signed_packages(engine: Engine) {
    let project = signed_in("refuse");
    let ran = with_signer(engine.build(&project, "bookworm/container")).fails(1);
    ran.says(&["the key is locked away"]);
    let project = signed_in("none");
    with_signer(engine.build(&project, "bookworm/container")).succeeds();
    assert!(project.path("out/usr/bin/signed").exists());
}

/// SIGN-016
fn what_a_signer_says_of_its_failure_is_said(engine: Engine) {
    let project = signed_in("refuse");
    let ran = build(engine, &project).fails(1);
    ran.says(&["the key is locked away", SIGNER]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}

/// SIGN-016
fn several_results_are_none(engine: Engine) {
    let project = signed_in("several");
    let ran = build(engine, &project).fails(1);
    ran.says(&[SIGNER]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}
