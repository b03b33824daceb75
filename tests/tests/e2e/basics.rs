//! What holds for packages of every family, of Debian's.

use dalec_e2e::basics;
use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;

const TARGET: &str = "bookworm/deb";

on_both_engines!(
    steps_ask_for_the_network,
    sources_alone_are_a_package,
    both_lists_of_tests_run,
    tests_count_on_every_engine,
);

/// BLD-004. Downloads of modules for such steps are in `modules`.
fn steps_ask_for_the_network(engine: Engine) {
    basics::steps_ask_for_the_network(&|project| engine.build(project, TARGET));
}

/// BLD-005
fn sources_alone_are_a_package(engine: Engine) {
    basics::sources_alone_are_a_package(&|project| engine.build(project, TARGET));
}

/// SPEC-046
fn both_lists_of_tests_run(engine: Engine) {
    basics::both_lists_of_tests_run(&|project| engine.build(project, TARGET), "bookworm");
}

/// TEST-017
fn tests_count_on_every_engine(engine: Engine) {
    basics::tests_count_on_every_engine(&|project| engine.build(project, TARGET), ".deb");
}
