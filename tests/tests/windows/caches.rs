//! Caches of builds of programs for Windows.

use std::fs;

use dalec_e2e::caches;
use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;

use crate::greet::{build, greet};

on_both_engines!(
    root:
    steps_find_what_they_left,
    programs_are_the_same_without,
    a_cache_may_be_in_the_build_directory
);

fn steps_find_what_they_left(engine: Engine) {
    caches::survive(&|project| build(engine, project, "windowscross/zip"), "x86_64-w64-mingw32-gcc");
}

fn programs_are_the_same_without(engine: Engine) {
    caches::change_nothing(&|project| build(engine, project, "windowscross/zip"), ".zip");
}

/// BLD-006: a cache among the sources; what it holds stays when the build directory goes.
fn a_cache_may_be_in_the_build_directory(engine: Engine) {
    let project = greet();
    let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
    let key = project.path("").display().to_string();
    let with = |step: &str| {
        let cache = format!("build:\n  caches:\n    - dir: {{dest: /build/src/objects, key: \"{key}\"}}\n");
        spec.replace("build:\n", &cache).replace("mkdir out\n", &format!("mkdir out\n        {step}\n"))
    };
    project.write("spec.yml", with("test ! -e src/objects/seen && echo first >src/objects/seen"));
    build(engine, &project, "windowscross/zip").succeeds();
    project.write("spec.yml", with("test \"$(cat src/objects/seen)\" = first"));
    build(engine, &project, "windowscross/zip").succeeds();
}
