//! npm packages, installed into sources for builds that have no network.

use std::process::Command;

use dalec_e2e::engine::Engine;
use dalec_e2e::node::{project, registry};
use dalec_e2e::on_both_engines;

on_both_engines!(packages_are_in_the_source);

/// SRC-030, SRC-033: they are there because of a patch, which is applied once; the source package has them, too.
fn packages_are_in_the_source(engine: Engine) {
    let server = registry();
    let project = project(&server.url(""));
    engine.build(&project, "bookworm/deb").succeeds();
    project.output(".deb");
    let sources = Command::new("tar").arg("-tf").arg(project.output(".orig.tar.gz")).output();
    let sources = String::from_utf8(sources.expect("tar starts").stdout).expect("names of files");
    assert!(sources.contains("src/web/node_modules/is-number/index.js\n"), "{sources}");
}

/// SRC-034.
#[test]
fn a_failing_installation_is_shown_in_the_spec() {
    let server = registry();
    let project = project(&server.url(""));
    project.write(
        "fix.patch",
        std::fs::read_to_string(project.path("fix.patch")).unwrap().replace("7.0.0\"}}", "8.0.0\"}}"),
    );
    project.build("bookworm/deb").fails(1).says(&["- subpath: web", "is-number@8.0.0"]);
}
