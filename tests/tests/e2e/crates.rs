//! Rust crates, downloaded for builds that have no network.

use dalec_e2e::crates::Registry;

/// SRC-027, SRC-033, DEB-016: the build steps have what two programs need, one of them because of a patch, from the registry
/// that the source names; a second build asks it for nothing.
#[test]
fn programs_are_built_from_downloaded_crates() {
    let registry = Registry::start();
    let project = registry.project();
    project.build("bookworm/deb").succeeds();
    let asked = registry.requests();
    assert_ne!(asked, 0);
    project.build("bookworm/deb").succeeds().says(&["nothing has changed"]);
    assert_eq!(registry.requests(), asked);
    project.output(".deb");
}

/// SRC-034.
#[test]
fn a_failing_download_is_shown_in_the_spec() {
    let registry = Registry::start();
    let project = registry.project();
    project.write("tool/Cargo.toml", "this is no manifest\n");
    let failed = project.build("bookworm/deb").fails(1);
    failed.says(&["- cargohome: {paths: [., tool]}", "Cargo.toml"]);
}
