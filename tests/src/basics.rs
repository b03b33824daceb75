//! What holds for packages of every family, on each engine: the network of steps, packages without steps, and the spec's tests.

use std::fs;

use crate::http::{Response, Server};
use crate::run::{Invocation, Project};
use crate::specs::script;

/// A build of the project into its folder `out`.
pub type Build<'a> = &'a dyn Fn(&Project) -> Invocation;

/// BLD-004: steps reach a server of this machine if the spec says so, and else none.
///
/// # Panics
/// When one does that should not, or the other way round.
pub fn steps_ask_for_the_network(build: Build<'_>) {
    let server = Server::start(|_| Response::ok("here"));
    let url = server.url("");
    let port = url.trim_end_matches('/').rsplit(':').next().expect("it has a port");
    let project = |mode: &str, expected: &str| {
        let ask = format!("if bash -c ': </dev/tcp/127.0.0.1/{port}'; then said=yes; else said=no; fi");
        let check = format!("test \"$said\" = {expected}");
        let steps = format!("  steps:\n    - command: |\n        {ask}\n        {check}\n");
        Project::new(&script("network", &format!("build:\n{mode}{steps}")))
    };
    for mode in ["", "  network_mode: none\n"] {
        build(&project(mode, "no")).succeeds();
    }
    assert_eq!(server.requests(), 0);
    build(&project("  network_mode: sandbox\n", "yes")).succeeds();
    assert!(server.requests() > 0);
}

/// BLD-005: without build steps, sources are packaged as they are; the spec's test runs what was installed.
///
/// # Panics
/// When they are not.
pub fn sources_alone_are_a_package(build: Build<'_>) {
    let tests = "tests:\n  - name: it is the source\n    steps:\n      - command: unbuilt\n        stdout:\n          equals: \"I am unbuilt\\n\"\n";
    let project = Project::new(&script("unbuilt", tests));
    build(&project).succeeds();
    assert!(!project.outputs().is_empty());
}

/// SPEC-046: the tests of the root and those of the target run on the same container.
///
/// # Panics
/// When some do not.
pub fn both_lists_of_tests_run(build: Build<'_>, target: &str) {
    let ran = |root: u8, own: u8| {
        let test = |name: &str, code: u8| {
            let command = format!("sh -c \"{{ tested; echo of the {name}; exit {code}; }} >&2\"");
            format!("tests:\n- name: of the {name}\n  steps:\n  - command: '{command}'\n")
        };
        let own = test("target", own).replace('\n', "\n    ");
        let tests = format!("{}targets:\n  {target}:\n    {own}\n", test("root", root));
        build(&Project::new(&script("tested", tests.trim_end_matches(' ')))).run()
    };
    for (root, own, code, text) in
        [(0, 0, 0, "of the target"), (3, 0, 1, "of the root"), (0, 3, 1, "of the target")]
    {
        let ran = ran(root, own);
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(code == 0 || ran.stderr.contains(text), "{text:?} was not said:\n{}", ran.stderr);
    }
}

/// TEST-017: a failing test fails the build, whatever the engine could do to tie tests to results, and tests leave nothing in
/// packages.
///
/// # Panics
/// When it does not, or a package differs.
pub fn tests_count_on_every_engine(build: Build<'_>, suffix: &str) {
    let mut made = Vec::new();
    for disabled in ["0", "1"] {
        let built = |command: &str| {
            let tests = format!("tests:\n  - name: counts\n    steps:\n      - command: {command}\n");
            let project = Project::new(&script("counted", &tests));
            let passthrough = format!("DALEC_DISABLE_PASSTHROUGH={disabled}");
            let ran = build(&project).args(["--build-arg", &passthrough]).run();
            (project, ran)
        };
        let (_, failed) = built("sh -c \"exit 5\"");
        assert_eq!(failed.code, Some(1), "{}", failed.stderr);
        failed.says(&["counts"]);
        let (project, passed) = built("touch /left");
        assert_eq!(passed.code, Some(0), "{}", passed.stderr);
        made.push(fs::read(project.output(suffix)).expect("it is there"));
    }
    assert!(made[0] == made[1], "{suffix} differs");
}
