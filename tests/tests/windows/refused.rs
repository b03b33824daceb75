//! What cannot be built, and where the error points.

use dalec_e2e::bases::cross_worker;
use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::run::{Invocation, Project, Who};
use dalec_e2e::windows::bases;

use crate::greet::{BASES, build, file, greet, greet_with, greeting};

on_both_engines!(
    root: runtime_dependencies_have_nowhere_to_go,
    one_platform_at_a_time,
    an_image_of_linux_is_no_base,
    images_of_one_version_are_one_too_many,
    a_failing_step_is_named
);
on_the_embedded_engine!(
    artifacts_that_are_not_there_are_named,
    a_line_break_in_a_name_is_refused,
    a_patch_that_does_not_apply_is_named,
    an_openpgp_key_signs_no_programs,
    an_image_that_is_missing_says_which_contexts_would_do,
    what_is_not_packaged_is_said
);

/// Builds `target` of a project that cannot be, and expects each of `texts`; flags go along.
#[track_caller]
fn refused(engine: Engine, project: &Project, target: &str, flags: &[&str], texts: &[&str]) {
    let ran = build(engine, project, target).args(flags).run();
    assert!(matches!(ran.code, Some(1 | 2)), "{}", ran.stderr);
    ran.says(texts);
    assert_eq!(project.outputs(), Vec::<String>::new());
}

/// WIN-006
fn runtime_dependencies_have_nowhere_to_go(engine: Engine) {
    let project = file("{tool.exe: {}}", "dependencies:\n  runtime:\n    libfoo:\n");
    let words = "a container of Windows cannot have runtime dependencies: nothing there could install them";
    refused(engine, &project, "windowscross/container", &[], &[words, "spec.yml:13"]);
    build(engine, &project, "windowscross/zip").succeeds();
}

/// WIN-006
fn one_platform_at_a_time(engine: Engine) {
    let project = file("{tool.exe: {}}", "");
    let platforms = ["--platform", "windows/amd64,windows/arm64"];
    refused(
        engine,
        &project,
        "windowscross/container",
        &platforms,
        &["multi-platform output is not supported"],
    );
    build(engine, &project, "windowscross/zip").args(platforms).succeeds();
    let zips = ["windows_amd64/plain_1.0.0-1_amd64.zip", "windows_arm64/plain_1.0.0-1_arm64.zip"];
    assert_eq!(project.outputs(), zips);
}

/// A result for Linux with programs for Windows is of no use to anybody.
fn an_image_of_linux_is_no_base(engine: Engine) {
    let image = "registry.example.org/linux:1";
    let more = format!("image:\n  bases:\n    - rootfs: {{image: {{ref: \"{image}\"}}}}\n");
    let project = file("{tool.exe: {}}", &more);
    let context = format!("--build-context={image}={}", cross_worker().context());
    let words = ["is for linux, but the result is for windows", "spec.yml:13"];
    refused(engine, &project, "windowscross/container", &[&context], &words);
}

/// WIN-005
fn images_of_one_version_are_one_too_many(engine: Engine) {
    let other = "registry.example.org/other:1";
    let image = |name: &str| format!("    - rootfs: {{image: {{ref: \"{name}\"}}}}\n");
    let more = format!("image:\n  bases:\n{}{}", image(BASES[0]), image(other));
    let project = file("{tool.exe: {}}", &more);
    let context = format!("--build-context={other}={}", bases()[0].context());
    let words = [
        "multiple base images provided with the same platform value",
        "windows(10.0.17763.1)/amd64",
        "ref: \"registry.example.org/other:1\"",
    ];
    refused(engine, &project, "windowscross/container", &[&context], &words);
}

fn a_failing_step_is_named(engine: Engine) {
    let project = greet();
    greeting(&project, "\" broken");
    refused(
        engine,
        &project,
        "windowscross/zip",
        &[],
        &["build step 1 failed with exit code 1", "spec.yml:35"],
    );
    let signed = greet_with("package_config:\n  signer: {image: dalec-signer}\n");
    greeting(&signed, "\" broken");
    let ran = build(engine, &signed, "windowscross/zip").fails(1);
    ran.says(&["build step 1 failed with exit code 1", "spec.yml:35"]);
    assert!(!ran.stderr.contains("error signing"), "{}", ran.stderr);
}

/// Two kinds of keys: who gives the wrong one learns it before anything is built.
fn an_openpgp_key_signs_no_programs() {
    let project = greet();
    let owner = "Me <me@example.org>";
    Invocation::new(Who::Me, &project.path("")).args(["key", "new", owner]).succeeds();
    for target in ["windowscross/zip", "windowscross"] {
        let ran = build(Engine::Embedded, &project, target).args(["--sign-key", "key.asc"]).fails(2);
        ran.says(&["--sign-key is an OpenPGP key", "dalec-code-signing-key"]);
        assert!(!ran.stderr.contains("#1 "), "something was built: {}", ran.stderr);
    }
}

fn artifacts_that_are_not_there_are_named() {
    let refused = |binaries: &str, texts: &[&str]| {
        refused(Engine::Embedded, &file(binaries, ""), "windowscross/zip", &[], texts);
    };
    refused(
        "{out/tool.exe: {}}",
        &["artifact \"out/tool.exe\": no such file in the build directory", "spec.yml:10"],
    );
    let twice = "{tool.exe: {}, './tool.exe': {}}";
    refused(twice, &["another one is called \"tool.exe\", too"]);
    refused("{}", &["nothing but the programs"]);
}

/// A zip file cannot be told of such a name, and nothing may be left out without a word.
fn a_line_break_in_a_name_is_refused() {
    let steps = "build:\n  steps:\n    - command: \"mkdir -p out/sub; touch \\\"out/sub/$NAME\\\"\"\n      env: {NAME: \"a\\nb\"}\n";
    for key in ["out", "out/sub/*"] {
        let project = file(&format!("{{tool.exe: {{}}, '{key}': {{}}}}"), steps);
        let words = [&*format!("artifact \"{key}\": a name has a line break in it"), "spec.yml:10"];
        refused(Engine::Embedded, &project, "windowscross/zip", &[], &words);
    }
}

fn a_patch_that_does_not_apply_is_named() {
    let more = "patches:\n  tool.exe:\n    - source: tool.exe\n";
    let words = ["patch \"tool.exe\" does not apply to source \"tool.exe\"", "spec.yml:13"];
    refused(Engine::Embedded, &file("{tool.exe: {}}", more), "windowscross/zip", &[], &words);
}

/// What could have brought an image that is nowhere to be had is said.
fn an_image_that_is_missing_says_which_contexts_would_do() {
    let project = file(
        "{tool.exe: {}}",
        "image:\n  bases:\n    - rootfs: {image: {ref: registry.example.org/none:1}}\n",
    );
    let words = [
        "cannot find the image registry.example.org/none:1",
        "`--build-context registry.example.org/none:1=oci-layout://DIRECTORY`",
    ];
    refused(Engine::Embedded, &project, "windowscross/container", &[], &words);
}

/// TEST-001: what is left out of the result is said, and a test that would fail is not run.
fn what_is_not_packaged_is_said() {
    let project = file(
        "{tool.exe: {}}",
        "  docs: {tool.exe: {}}\n  links: [{source: a, dest: b}]\n  users: [{name: tool}]\n\
         tests:\n  - name: a\n    steps: [{command: 'false'}]\n",
    );
    let ran = build(Engine::Embedded, &project, "windowscross/zip").succeeds();
    ran.says(&[
        "the spec's tests are not run",
        "only `binaries` of the artifacts are packaged for Windows, not docs, links, users",
    ]);
}
