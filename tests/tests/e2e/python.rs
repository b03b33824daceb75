//! Python packages, downloaded for builds that have no network.

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::python::{index, project};

on_both_engines!(packages_are_there_for_the_build);

/// SRC-028, SRC-029, SRC-032, DEB-016: they are installed beside the requirements, where Python finds them.
fn packages_are_there_for_the_build(engine: Engine) {
    let server = index();
    let project = project(&server.url("simple"));
    engine.build(&project, "bookworm/deb").succeeds();
    project.output(".deb");
}

/// SRC-034.
#[test]
fn a_failing_download_is_shown_in_the_spec() {
    let server = index();
    let project = project(&server.url("simple"));
    project.write("app/needs.txt", "no-such-package\n");
    project.build("bookworm/deb").fails(1).says(&["- subpath: app", "no-such-package"]);
}
