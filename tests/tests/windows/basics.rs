//! What holds for packages of every family, of programs for Windows.

use std::fs;

use dalec_e2e::basics;
use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::windows::unpacked;

use crate::greet::{build, file};

on_both_engines!(root: steps_ask_for_the_network, sources_alone_are_a_package);

/// BLD-004
fn steps_ask_for_the_network(engine: Engine) {
    basics::steps_ask_for_the_network(&|project| build(engine, project, "windowscross/zip"));
}

/// BLD-005
fn sources_alone_are_a_package(engine: Engine) {
    let project = file("{tool.exe: {}}", "");
    build(engine, &project, "windowscross/zip").succeeds();
    assert_eq!(fs::read_to_string(unpacked(&project.output(".zip")).join("tool.exe")).unwrap(), "MZ");
}
