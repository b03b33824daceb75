//! What holds for packages of every family, of RPM's.

use dalec_e2e::basics;
use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;

use crate::specs::build;

on_both_engines!(root: steps_ask_for_the_network, sources_alone_are_a_package);

/// BLD-004
fn steps_ask_for_the_network(engine: Engine) {
    basics::steps_ask_for_the_network(&|project| build(engine, project, "azlinux3/rpm"));
}

/// BLD-005
fn sources_alone_are_a_package(engine: Engine) {
    basics::sources_alone_are_a_package(&|project| build(engine, project, "azlinux3/rpm"));
}
