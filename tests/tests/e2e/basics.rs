//! What holds for packages of every family, of Debian's.

use dalec_e2e::basics;
use dalec_e2e::run::{Invocation, Project};

fn build(project: &Project) -> Invocation {
    project.build("bookworm/deb")
}

/// BLD-004. Downloads of modules for such steps are in `modules`.
#[test]
fn steps_ask_for_the_network() {
    basics::steps_ask_for_the_network(&build);
}

/// BLD-005
#[test]
fn sources_alone_are_a_package() {
    basics::sources_alone_are_a_package(&build);
}

/// SPEC-046
#[test]
fn both_lists_of_tests_run() {
    basics::both_lists_of_tests_run(&build, "bookworm");
}

/// TEST-017
#[test]
fn tests_count_on_every_engine() {
    basics::tests_count_on_every_engine(&build, ".deb");
}
