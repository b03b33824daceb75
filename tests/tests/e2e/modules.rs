//! Go modules, downloaded for builds that have no network.

use dalec_e2e::modules::{project, proxy};

/// SRC-020, SRC-021, SRC-022, SRC-033: the build steps have what two programs need, one of them because of a patch, and
/// the proxy that is named is where it comes from, once.
#[test]
fn programs_are_built_from_downloaded_modules() {
    let server = proxy();
    let project = project();
    let build = || {
        let proxy = format!("DALEC_GOMOD_PROXY={}", server.url(""));
        project.build("bookworm/deb").args(["--build-arg", &proxy])
    };
    // The cache of downloads outlives this test, so its server may have nothing to do.
    build().succeeds();
    let asked = server.requests();
    build().succeeds().says(&["nothing has changed"]);
    assert_eq!(server.requests(), asked);
    project.output(".deb");
}

/// SRC-034.
#[test]
fn a_failing_download_is_shown_in_the_spec() {
    let project = project();
    project.write("tools/go.mod", "this is no module\n");
    let failed = project.build("bookworm/deb").fails(1);
    failed.says(&["- gomod: {paths: [., tools]}", "errors parsing go.mod"]);
}
