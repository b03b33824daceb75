//! Our image inside BuildKit: what its clients show, and what they get.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dalec_e2e::binary::{dalec, xtask};
use dalec_e2e::buildkit::Buildkit;
use dalec_e2e::engine::{Engine, base_contexts, frontend, inside};
use dalec_e2e::registry::{PASSWORD, Registry, USER};
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::specs::{hello, script};
use serde_json::Value;

/// Returns the member `name` of the OCI archive `archive`.
fn member(project: &Project, archive: &str, name: &str) -> Value {
    let tar = Command::new("tar").arg("-xOf").arg(project.path(archive)).arg(name).output().unwrap();
    serde_json::from_slice(&tar.stdout).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn blob(project: &Project, archive: &str, descriptor: &Value) -> Value {
    let digest = descriptor["digest"].as_str().expect("a descriptor has a digest").replace(':', "/");
    member(project, archive, &format!("blobs/{digest}"))
}

/// FE-001: `# syntax=` with an image that was made and pushed by us, in a registry with a password.
#[test]
fn the_image_is_pushed_and_started_by_the_first_line_of_a_spec() {
    let registry = Registry::with_password();
    let reference = registry.reference("dalec/frontend:1");
    let project = hello();
    let spec = std::fs::read_to_string(project.path("spec.yml")).unwrap();
    project.write("spec.yml", format!("# syntax={reference}\n{spec}"));
    let login = serde_json::json!({ "auths": { registry.reference("").trim_end_matches('/'): {
        "auth": STANDARD.encode(format!("{USER}:{PASSWORD}")),
    }}});
    project.write("login/config.json", login.to_string());
    // Debug information is most of it.
    let binary = project.path("dalec");
    let stripped = Command::new("strip").arg("-o").arg(&binary).arg(dalec()).status();
    assert!(stripped.unwrap().success());
    let image = Invocation::other(xtask(), &project.path(""));
    // The same program for another platform: it is not started there.
    let both = ["--platform", "linux/amd64,linux/arm64", "--binary", "dalec", "--binary", "dalec"];
    let mut image = image.args(["image", "--push", &reference, "--oci", "image"]).args(both);
    image.command.env("DOCKER_CONFIG", project.path("login"));
    image.succeeds();

    let index: Value =
        serde_json::from_slice(&std::fs::read(project.path("image/index.json")).unwrap()).unwrap();
    let read = |descriptor: &Value| -> Value {
        let digest = descriptor["digest"].as_str().unwrap().replace(':', "/");
        serde_json::from_slice(&std::fs::read(project.path(&format!("image/blobs/{digest}"))).unwrap())
            .unwrap()
    };
    let index = read(&index["manifests"][0]);
    let platforms = index["manifests"].as_array().expect("it is an index").iter();
    let platforms: Vec<&Value> = platforms.map(|entry| &entry["platform"]["architecture"]).collect();
    assert_eq!(platforms, ["amd64", "arm64"]);
    let manifest = read(&index["manifests"][1]);
    let config = read(&manifest["config"]);
    assert_eq!(config["architecture"], "arm64");
    assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/frontend"]));
    let labels = &config["config"]["Labels"];
    assert_eq!(labels["moby.buildkit.frontend.network.none"], "true");
    for capability in ["inputs", "subrequests", "contexts", "gitquerystring"] {
        let capabilities = labels["moby.buildkit.frontend.caps"].as_str().unwrap();
        assert!(capabilities.contains(&format!("moby.buildkit.frontend.{capability}")), "{capabilities}");
    }

    let mut build = Buildkit::shared().buildx(&project.path(""));
    // The client's own settings are where the login is; the builder is named by its address.
    std::fs::create_dir_all(project.path("login/buildx")).unwrap();
    let create = ["create", "--name", "login", "--driver", "remote", &Buildkit::shared().address()];
    let mut builder = Buildkit::shared().bare_buildx(&project.path(""));
    for invocation in [&mut build, &mut builder] {
        let login = project.path("login");
        invocation.command.env("DOCKER_CONFIG", &login).env("BUILDX_CONFIG", login.join("buildx"));
    }
    builder.args(create).succeeds();
    let build = build.args(["--builder", "login", "-f", "spec.yml", "--target", "bookworm/deb", "-o", "out"]);
    build.args(base_contexts()).arg(".").succeeds();
    project.output("_amd64.deb");
}

/// FE-002: the executable needs nothing of the file system that it is in.
#[test]
fn the_executable_runs_where_nothing_else_is() {
    let project = Project::new(&script("alone", ""));
    project.write("Dockerfile", "FROM dalec.example/frontend\nRUN [\"/frontend\", \"unheard-of\"]\n");
    let image = frontend().context();
    let build = Buildkit::shared().buildx(&project.path(""));
    let ran = build.args(["--build-context", &format!("dalec.example/frontend={image}"), "."]).run();
    assert_eq!(ran.code, Some(1));
    ran.says(&["this program has no part called `unheard-of`", "exit code: 64"]);
}

/// FE-011, FE-012: several platforms become an index; images say when they were made.
#[test]
fn several_platforms_become_an_index() {
    let project = Project::new(&script("many", ""));
    let build = Engine::Inside.build(&project, "bookworm/container");
    let build =
        build.args(["--platform", "linux/amd64,linux/386", "--build-arg", "SOURCE_DATE_EPOCH=1000000000"]);
    build.args(["--output", "type=oci,dest=image.tar", "--provenance=false"]).succeeds();
    let index = member(&project, "image.tar", "index.json");
    let index = blob(&project, "image.tar", &index["manifests"][0]);
    let manifests = index["manifests"].as_array().expect("it is an index");
    let architectures: Vec<&str> =
        manifests.iter().map(|entry| entry["platform"]["architecture"].as_str().unwrap()).collect();
    assert_eq!(architectures, ["amd64", "386"]);
    for (entry, architecture) in manifests.iter().zip(architectures) {
        let manifest = blob(&project, "image.tar", entry);
        let config = blob(&project, "image.tar", &manifest["config"]);
        assert_eq!(config["architecture"], architecture);
        assert_eq!(config["created"], "2001-09-09T01:46:40Z");
    }
    let folders = project.outputs();
    assert!(folders.iter().any(|name| name.starts_with("linux_386/")), "{folders:?}");
}

/// FE-015: what the frontend warns of reaches the client, and phases have names.
#[test]
fn warnings_and_phases_are_shown() {
    let project = hello();
    let build = Engine::Inside.build(&project, "bookworm/deb");
    let ran = build.args(["--build-arg", "DALEC_SKIP_TESTS=1"]).succeeds();
    ran.says(&["1 warning found", "the spec's tests are skipped", "DALEC_SKIP_TESTS"]);
    ran.says(&["bookworm: sources", "bookworm: build"]);
}

/// FE-016: the client prints the lines of the step that failed.
#[test]
fn a_failed_step_shows_its_lines() {
    let project = hello();
    let spec = std::fs::read_to_string(project.path("spec.yml")).unwrap();
    project.write("spec.yml", spec.replace("command: cc", "command: exit 7; cc"));
    let ran = Engine::Inside.build(&project, "bookworm/deb").fails(1);
    ran.says(&[">>>     - command: exit 7; cc", "build step 1 failed with exit code 7"]);
    let last = ran.stderr.lines().find(|line| line.starts_with("ERROR: failed to build")).unwrap_or_default();
    assert!(last.contains("did not complete successfully: exit code: 2"), "{last}");
    assert!(!last.contains("/bin/sh"), "the whole script is said: {last}");
}

/// FE-016: a dependency that does not exist.
#[test]
fn a_missing_package_shows_its_line() {
    let project = hello();
    let spec = std::fs::read_to_string(project.path("spec.yml")).unwrap();
    let dependencies = "dependencies:\n  build:\n    gcc: {}\n    no-such-package-at-all: {}\n\nbuild:";
    project.write("spec.yml", spec.replacen("build:", dependencies, 1));
    let ran = Engine::Inside.build(&project, "bookworm/deb").fails(1);
    ran.says(&[">>>     no-such-package-at-all: {}"]);
}

/// An error of the spec: its words, and the lines in the client's own way.
#[test]
fn an_error_of_the_spec_shows_its_line() {
    let project = Project::new(&script("wrong", "").replace("version:", "versoin:"));
    let ran = Engine::Inside.build(&project, "bookworm/deb").fails(1);
    ran.says(&[">>> versoin: 1.0.0", "spec.yml:2:1", "unknown key `versoin`", "did you mean `version`?"]);
}

/// FE-007, FE-008, FE-010: questions instead of builds.
#[test]
fn questions_are_answered() {
    let project = Project::new(&script("asked", ""));
    let ask = |what: &str| inside(&project).args(["-f", "spec.yml", "--call", what, "."]).run();
    let targets = ask("targets");
    assert!(targets.stdout.contains("bookworm/deb (default)"), "{}\n{}", targets.stdout, targets.stderr);
    let schema = ask("dalec.schema");
    assert!(schema.stdout.contains("\"$schema\""), "{}\n{}", schema.stdout, schema.stderr);
    let listed = ask("subrequests.describe");
    assert!(listed.stdout.contains("dalec.schema"), "{}\n{}", listed.stdout, listed.stderr);
}

/// Only the phases that are named are built again.
#[test]
fn a_filter_of_the_cache_names_phases() {
    let project = hello();
    Engine::Inside.build(&project, "bookworm/deb").succeeds();
    let again = Engine::Inside.build(&project, "bookworm/deb");
    let ran = again.args(["--no-cache-filter", "dalec.tests"]).succeeds();
    ran.says(&["Hello, world!"]);
    assert!(!ran.stderr.contains("dh binary"), "the package is built again:\n{}", ran.stderr);
}
