//! Python packages in RPM packages, downloaded for builds that have no network.

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::python::{index, project};

use crate::specs::build;

on_both_engines!(root: packages_are_there_for_the_build);

/// SRC-028, SRC-029, SRC-032: they are one of the sources, and installed beside the requirements, where Python finds them.
fn packages_are_there_for_the_build(engine: Engine) {
    let server = index();
    let project = project(&server.url("simple"));
    build(engine, &project, "azlinux3/rpm").succeeds();
    project.output("-1.azl3.x86_64.rpm");
    build(engine, &project, "azlinux3/rpm/debug/sources").succeeds();
    assert!(project.outputs().contains(&"SOURCES/__pipdeps.tar.gz".to_owned()), "{:?}", project.outputs());
}
