//! The same spec inside BuildKit and on the embedded engine: the same files.

use std::fs;

use dalec_e2e::bases;
use dalec_e2e::crates;
use dalec_e2e::engine::Engine;
use dalec_e2e::extensions::KIT;
use dalec_e2e::layout::Layout;
use dalec_e2e::modules;
use dalec_e2e::repositories::Repository;
use dalec_e2e::run::Project;
use dalec_e2e::specs::{example, hello, script};

/// Builds `target` of both projects, one on each engine, and compares what comes out, file by file.
fn same(make: impl Fn() -> Project, target: &str) {
    same_with(make, target, &[]);
}

/// The same with further flags.
fn same_with(make: impl Fn() -> Project, target: &str, flags: &[&str]) {
    let (here, there) = (make(), make());
    Engine::Embedded.build(&here, target).args(flags).succeeds();
    Engine::Inside.build(&there, target).args(flags).succeeds();
    assert_eq!(here.outputs(), there.outputs());
    assert!(!here.outputs().is_empty());
    for name in here.outputs() {
        let read = |project: &Project| fs::read(project.path("out").join(&name)).unwrap();
        assert!(read(&here) == read(&there), "{name} differs");
    }
}

#[test]
fn a_c_program() {
    same(hello, "bookworm/deb");
}

#[test]
fn a_script_with_all_kinds_of_files() {
    same(|| Project::new(&example("shell-tool.yml")), "bookworm/deb");
}

/// TGT-024.
#[test]
fn a_system_extension() {
    let context = |name: &str, layout: &Layout| format!("--build-context={name}={}", layout.context());
    let flags = [
        context("dalec-noble-worker", &bases::worker("bookworm")),
        context("docker.io/library/ubuntu:noble", &bases::base("bookworm")),
    ];
    same_with(|| Project::new(KIT), "flatcar/testing/sysext", &flags.each_ref().map(String::as_str));
}

/// SRC-001.
#[test]
fn files_of_a_git_repository() {
    let repository = Repository::new(&[
        ("tool/run.sh", "#!/bin/sh\necho hello\n"),
        ("tool/notes.txt", "one\ntwo\n"),
        (".gitattributes", "*.txt eol=crlf\n"),
    ]);
    let (server, commit) = (repository.over_http(None), repository.commit());
    let source = format!("  tool: {{git: {{url: \"{}\", commit: {commit}}}, path: tool}}", server.url());
    let spec = script("from-git", "    tool/run.sh: {}\n  docs:\n    tool/notes.txt: {}\n");
    let spec = spec.replace("sources:\n", &format!("sources:\n{source}\n"));
    same(|| Project::new(&spec), "bookworm/deb");
}

/// SRC-020, SRC-025.
#[test]
fn programs_with_go_modules() {
    let server = modules::proxy();
    let proxy = format!("DALEC_GOMOD_PROXY={}", server.url(""));
    same_with(modules::edited_project, "bookworm/deb", &["--build-arg", &proxy]);
}

/// SRC-027.
#[test]
fn programs_with_rust_crates() {
    let registry = crates::Registry::start();
    same(|| registry.project(), "bookworm/deb");
}

/// TGT-027, TGT-028: with a worker of the client's.
#[test]
fn debug_routes() {
    let registry = crates::Registry::start();
    let worker = format!("--build-context=patched-sources-worker={}", bases::worker("bookworm").context());
    for route in ["debug/resolve", "debug/sources", "debug/patched-sources"] {
        same_with(|| registry.project(), route, &[&worker]);
    }
}

/// TGT-021: packages that were built before are taken as they are.
#[test]
fn packages_of_a_context() {
    let built = Project::new(&script("prebuilt", ""));
    Engine::Inside.build(&built, "bookworm/deb").succeeds();
    let other = script("prebuilt", "").replace("echo I am prebuilt", "echo I am not");
    for (engine, name) in [(Engine::Inside, "bookworm-pkg"), (Engine::Against, "pkg")] {
        let project = Project::new(&other);
        let context = format!("--build-context={name}={}", built.path("out").display());
        let ran = engine.build(&project, "bookworm/testing/container").arg(context).succeeds();
        ran.says(&[&format!("the packages come from the build context \"{name}\"")]);
        let script = fs::read_to_string(project.path("out/usr/bin/prebuilt")).unwrap();
        assert!(script.contains("echo I am prebuilt"), "{script}");
    }
}

#[test]
fn a_source_package() {
    same(|| Project::new(&script("source", "")), "bookworm/dsc");
}

/// TGT-010.
#[test]
fn a_package_for_another_processor() {
    let spec = script("elsewhere", "").replace("noarch: true\n", "");
    same_with(
        || Project::new(&spec),
        "bookworm/deb",
        &["--platform", "linux/arm64", "--build-arg", "DALEC_DISABLE_EMULATION=1"],
    );
}

/// TGT-010, TGT-015: BuildKit's sandbox lets the same steps put a container for another processor together.
#[test]
fn a_container_for_another_processor() {
    let spec = script("elsewhere", "").replace("noarch: true\n", "");
    let build = |engine: Engine| {
        let project = Project::new(&spec);
        let flags = ["--platform", "linux/arm64", "--build-arg", "DALEC_DISABLE_EMULATION=1"];
        engine.build(&project, "bookworm/container").args(flags).succeeds();
        project
    };
    let (here, there) = (build(Engine::Embedded), build(Engine::Inside));
    assert_eq!(here.outputs(), there.outputs());
    assert!(here.outputs().contains(&"usr/bin/elsewhere".to_owned()), "{:?}", here.outputs());
    for name in here.outputs() {
        let read = |project: &Project| {
            let path = project.path("out").join(&name);
            fs::read_link(&path)
                .map_or_else(|_| fs::read(&path).unwrap(), |link| link.into_os_string().into_encoded_bytes())
        };
        assert!(read(&here) == read(&there), "{name} differs");
    }
}
