//! Containers by installroot, from nothing and on top of a base image.

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::probe::Probe;
use dalec_e2e::run::Project;
use dalec_e2e::specs::{example, hello, script};

use crate::specs::{build, on_base};

on_both_engines!(
    root: a_container_of_what_the_package_needs,
    the_targets_that_signing_names,
    documents_are_kept_where_a_spec_has_them,
    what_the_package_depends_on_alone,
    on_top_of_a_base_image,
    packages_of_a_context_are_not_built_again,
    a_failing_test_keeps_the_package,
);

/// TGT-002, TGT-013: no shell, no package manager, but the database for scanners.
pub fn a_container_of_what_the_package_needs(engine: Engine) {
    for route in ["azlinux3/container", "azlinux3"] {
        let project = hello();
        build(engine, &project, route).succeeds();
        for path in ["usr/bin/hello", "usr/lib/os-release", "var/lib/rpm"] {
            assert!(project.path("out").join(path).exists(), "{path}");
        }
        for path in ["usr/bin/dnf", "usr/bin/bash", "usr/bin/sh"] {
            assert!(!project.path("out").join(path).exists(), "{path}");
        }
        let left: Vec<_> = std::fs::read_dir(project.path("out/tmp")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// What the signing page names builds, with a base image that only a name of the distribution's gives.
fn the_targets_that_signing_names(engine: Engine) {
    let project = hello();
    build(engine, &project, "mariner2/rpm").succeeds();
    let expected =
        ["RPMS/x86_64/hello-dalec-1.0.0-1.cm2.x86_64.rpm", "SRPMS/hello-dalec-1.0.0-1.cm2.src.rpm"];
    assert_eq!(project.outputs(), expected);
    let project = hello();
    build(engine, &project, "mariner2/container").succeeds();
    let release = std::fs::read_to_string(project.path("out/usr/lib/os-release")).unwrap();
    assert!(release.contains("ID=mariner"), "{release}");
}

/// TGT-013: dnf leaves documents out where the spec has none.
fn documents_are_kept_where_a_spec_has_them(engine: Engine) {
    let project = Project::new(include_str!("../../specs/all-artifacts.yml"));
    build(engine, &project, "azlinux3/container").succeeds();
    for path in ["usr/share/man/man1/everything.1.gz", "usr/share/doc/everything/README"] {
        assert!(project.path("out").join(path).exists(), "{path}");
    }
}

/// TGT-018, TEST-001: a test of the package, which is not there, is not run.
pub fn what_the_package_depends_on_alone(engine: Engine) {
    let tests = "tests:\n  - name: it is there\n    files:\n      /usr/bin/alone: {}\n";
    let dependencies = "dependencies:\n  runtime:\n    bash: {}\n";
    let project = Project::new(&script("alone", &format!("{dependencies}{tests}")));
    build(engine, &project, "azlinux3/container/depsonly").succeeds();
    assert!(project.path("out/usr/bin/bash").exists());
    assert!(!project.path("out/usr/bin/alone").exists());
    let project = Project::new(&script("alone", ""));
    // Of what our image says there BuildKit's client knows no more than that it failed.
    let code = if engine == Engine::Inside { 1 } else { 2 };
    let ran = build(engine, &project, "azlinux3/container/depsonly").fails(code);
    ran.says(&["runtime"]);
}

/// TGT-009, TGT-013: with a base image of the spec nothing but the package is added.
fn on_top_of_a_base_image(engine: Engine) {
    let probe =
        Probe::new(&on_base("")).says("rpm -q atop", "atop-1.0.0-1.azl3.noarch").says("atop", "I am atop");
    let project = probe.project("atop");
    build(engine, &project, "azlinux3/container").succeeds();
    assert!(project.path("out/usr/bin/dnf").exists() || project.path("out/usr/bin/dnf-3").exists());
    assert!(project.path("out/usr/bin/atop").exists());
}

/// TGT-023
fn a_failing_test_keeps_the_package(engine: Engine) {
    let project = hello();
    let spec = example("hello.yml").replace("equals: \"Hello, world!\\n\"", "equals: \"Good night!\\n\"");
    project.write("spec.yml", spec);
    let ran = build(engine, &project, "azlinux3/rpm").fails(1);
    ran.says(&["Good night!", "spec.yml:"]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}

/// TGT-021: packages that were built before are taken as they are.
fn packages_of_a_context_are_not_built_again(engine: Engine) {
    for context in ["azlinux3-pkg", "pkg"] {
        let project = Project::new(&script("prebuilt", ""));
        build(engine, &project, "azlinux3/rpm").succeeds();
        std::fs::rename(project.path("out"), project.path("built")).unwrap();
        let spec = std::fs::read_to_string(project.path("spec.yml")).unwrap();
        project.write("spec.yml", spec.replace("echo I am prebuilt", "echo I am not"));
        let given = format!("--build-context={context}={}", project.path("built").display());
        let ran = build(engine, &project, "azlinux3/container").arg(given).succeeds();
        ran.says(&[&format!("the packages come from the build context \"{context}\"")]);
        let script = std::fs::read_to_string(project.path("out/usr/bin/prebuilt")).unwrap();
        assert!(script.contains("echo I am prebuilt"), "{script}");
    }
}
