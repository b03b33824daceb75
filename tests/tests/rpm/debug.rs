//! What a build starts from, without the build.

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::run::Project;
use dalec_e2e::specs::hello;
use std::process::Command;

use crate::specs::build;

on_both_engines!(root: the_spec_file_alone, sources_and_build_root, the_package_follows_from_the_build_root);

const SPEC: &str = "SPECS/hello-dalec/hello-dalec.spec";

fn outputs(engine: Engine, route: &str) -> Project {
    let project = hello();
    build(engine, &project, route).succeeds();
    project
}

/// RPM-012: rpm itself can read it.
fn the_spec_file_alone(engine: Engine) {
    let project = outputs(engine, "azlinux3/rpm/debug/spec");
    assert_eq!(project.outputs(), [SPEC]);
    let path = project.path("out").join(SPEC);
    let parsed =
        Command::new("rpmspec").args(["--parse", "--define", "dist .azl3"]).arg(path).output().unwrap();
    let text = String::from_utf8(parsed.stdout).unwrap();
    assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
    assert!(text.contains("Release: 1.azl3"), "{text}");
}

/// RPM-010, RPM-012
fn sources_and_build_root(engine: Engine) {
    let sources = ["SOURCES/build.sh", "SOURCES/src.tar.gz"];
    assert_eq!(outputs(engine, "azlinux3/rpm/debug/sources").outputs(), sources);
    let project = outputs(engine, "azlinux3/rpm/debug/buildroot");
    assert_eq!(project.outputs(), [&sources[..], &[SPEC]].concat());
    let tar = Command::new("tar").arg("-tf").arg(project.output("src.tar.gz")).output().unwrap();
    let listed = String::from_utf8(tar.stdout).unwrap();
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["./src/", "./src/hello.c"]);
}

/// RPM-004: nothing of a build is hidden from whoever has the build root.
pub fn the_package_follows_from_the_build_root(engine: Engine) {
    let project = outputs(engine, "azlinux3/rpm/debug/buildroot");
    let script = std::fs::read_to_string(project.output("build.sh")).unwrap();
    assert!(script.starts_with("#!") && script.contains("cc -O2 -g -Wall -o hello src/hello.c"), "{script}");
    let spec = std::fs::read_to_string(project.path("out").join(SPEC)).unwrap();
    assert!(spec.contains("%{_sourcedir}/build.sh"), "{spec}");
}
