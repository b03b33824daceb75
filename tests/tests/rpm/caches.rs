//! Caches of builds in RPM packages.

use dalec_e2e::caches;
use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;

use crate::specs::build;

on_both_engines!(
    root:
    steps_find_what_they_left,
    packages_are_the_same_without,
    distributions_have_caches_of_their_own
);

fn steps_find_what_they_left(engine: Engine) {
    caches::survive(&|project| build(engine, project, "azlinux3/rpm"), "gcc");
}

fn packages_are_the_same_without(engine: Engine) {
    caches::change_nothing(&|project| build(engine, project, "azlinux3/rpm"), ".rpm");
}

fn distributions_have_caches_of_their_own(engine: Engine) {
    caches::stay_apart(&|project| build(engine, project, "azlinux3/rpm"), &|project| {
        build(engine, project, "rockylinux9/rpm")
    });
}
