//! What cannot be built, and where the error points.

use dalec_e2e::engine::Engine;
use dalec_e2e::run::Project;
use dalec_e2e::windows::bases;

use crate::greet::{BASES, build, file, greet, greeting};

on_both_engines!(
    runtime_dependencies_have_nowhere_to_go,
    one_platform_at_a_time,
    images_of_one_version_are_one_too_many,
    a_failing_step_is_named
);
on_the_embedded_engine!(
    artifacts_that_are_not_there_are_named,
    a_patch_that_does_not_apply_is_named,
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

/// What is left out of the result is said.
fn what_is_not_packaged_is_said() {
    let project = file(
        "{tool.exe: {}}",
        "  docs: {tool.exe: {}}\ntests:\n  - name: a\n    steps: [{command: 'true'}]\n",
    );
    let ran = build(Engine::Embedded, &project, "windowscross/zip").succeeds();
    ran.says(&[
        "the spec's tests are not run",
        "only `binaries` of the artifacts are packaged for Windows, not docs",
    ]);
}
