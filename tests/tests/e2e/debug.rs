//! What a spec becomes on the way to packages.

use std::fs;

use dalec_e2e::crates::Registry;
use dalec_e2e::python;
use dalec_e2e::run::{Invocation, Project, Who};
use dalec_e2e::specs::hello;

/// TGT-027: what is written is what `dalec resolve` says, and a spec again.
#[test]
fn the_resolved_spec() {
    let project = hello();
    project.build("debug/resolve").args(["--build-arg", "DALEC_SKIP_TESTS=1"]).succeeds();
    assert_eq!(project.outputs(), ["spec.yml"]);
    let spec = fs::read_to_string(project.path("out/spec.yml")).unwrap();
    let resolve = Invocation::new(Who::Me, &project.path(""));
    assert_eq!(spec, resolve.args(["resolve", "-f", "spec.yml"]).succeeds().stdout);
    let lint = Invocation::new(Who::Me, &project.path("out"));
    lint.args(["lint", "-f", "spec.yml"]).succeeds();
}

/// Returns what a file of the output says.
fn text(project: &Project, name: &str) -> String {
    let path = project.path("out").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// TGT-028: as they are fetched, and as the build steps get them.
#[test]
fn sources_with_and_without_patches() {
    let project = Registry::start().project();
    project.build("debug/sources").succeeds();
    assert!(!text(&project, "src/Cargo.toml").contains("hex"));
    assert!(text(&project, "fixes/fix.patch").contains("+hex"));
    let unpatched = project.outputs();
    project.build("debug/patched-sources").succeeds();
    assert!(text(&project, "src/Cargo.toml").contains("hex"));
    assert_eq!(project.outputs(), unpatched);
}

/// TGT-028: a patch that does not apply is shown where the spec names it.
#[test]
fn a_patch_that_does_not_apply() {
    let project = Registry::start().project();
    project.write("Cargo.toml", "[workspace]\n");
    let failed = project.build("debug/patched-sources").fails(1);
    failed.says(&["{source: fixes, path: fix.patch}", "does not apply to source \"src\""]);
}

/// TGT-029: what the patched sources need, and nothing where they need nothing of the kind.
#[test]
fn downloads_of_one_kind() {
    let registry = Registry::start();
    let project = registry.project();
    project.build("debug/cargohome").succeeds();
    let crates: Vec<String> = project.outputs().into_iter().filter(|name| name.ends_with(".crate")).collect();
    for name in ["hex-0.4.3.crate", "itoa-1.0.5.crate"] {
        assert!(crates.iter().any(|path| path.ends_with(name)), "{name} is missing in {crates:?}");
    }
    fs::remove_dir_all(project.path("out")).unwrap();
    let ran = project.build("debug/gomods").succeeds();
    ran.says(&["no source of the spec asks for the Go modules"]);
    assert!(project.outputs().is_empty());
}

/// TGT-029: likewise for Python, with the tools to build the packages.
#[test]
fn python_packages() {
    let server = python::index();
    let project = python::project(&server.url("simple"));
    project.build("debug/pip").succeeds();
    let downloads = [
        "flit_core-3.9.0-py3-none-any.whl",
        "setuptools-68.2.2-py3-none-any.whl",
        "six-1.16.0.tar.gz",
        "tomli-2.0.1.tar.gz",
        "wheel-0.41.3-py3-none-any.whl",
    ];
    assert_eq!(project.outputs(), downloads);
}
