//! What people and programs read about errors.

use bollard_buildkit_proto::pb;
use dalec_frontend::FrontendError;
use dalec_gateway::{Excerpt, GatewayError, SolveFailure};
use dalec_spec::span::Span;
use dalec_spec::{Diagnostic, SourceText, codes};
use expect_test::{Expect, expect};

use super::{CommandError, SpecName, Style};
use crate::summary::Summary;

const SPEC: &str = "\
name: hello
build:
  steps:
    - command: |
        cc -o hello hello.c
        strip hello
dependencies:
  build:
    gcc: {}
    nope: {version: [\">= 2\"]}
";

fn spec() -> SpecName {
    SpecName { in_build: "hello.yml".into(), shown: "examples/hello.yml".into() }
}

#[track_caller]
fn check(error: CommandError, code: i32, expected: Expect) {
    let words = error.words().expect("there is something to say");
    expected.assert_eq(&words.text(Style::default()));
    assert_eq!(error.exit().code(), code);
}

fn gateway(error: GatewayError) -> CommandError {
    CommandError::Frontend { error: Box::new(error.into()), spec: spec() }
}

fn range(start: (i32, i32), end: (i32, i32)) -> pb::Range {
    let position = |(line, character)| Some(pb::Position { line, character });
    pb::Range { start: position(start), end: position(end) }
}

fn failure(log: &[&str]) -> SolveFailure {
    SolveFailure {
        vertex: "sha256:00".into(),
        name: "Build hello 1.0.0".into(),
        message: "exit code 2".into(),
        hint: None,
        exit_code: Some(2),
        log: log.iter().map(|line| (*line).to_owned()).collect(),
        excerpts: vec![Excerpt {
            info: pb::SourceInfo {
                filename: "hello.yml".into(),
                data: SPEC.into(),
                ..pb::SourceInfo::default()
            },
            ranges: vec![range((4, 15), (6, 19)), range((9, 4), (9, 7)), range((10, 4), (10, 8))],
        }],
        details: Vec::new(),
        cause: None,
    }
}

fn io(words: &str) -> Box<dyn std::error::Error + Send + Sync> {
    std::io::Error::other(words.to_owned()).into()
}

#[test]
fn a_failed_step_shows_its_log_and_the_lines_that_caused_it() {
    let log = ["cc -o hello hello.c", "\x1b[31mhello.c:1: error\x1b[0m: \x1b[2Joops"];
    let error = gateway(GatewayError::Solve(Box::new(failure(&log))));
    check(
        error,
        1,
        expect![[r#"
            the end of the log of Build hello 1.0.0:
              | cc -o hello hello.c
              | hello.c:1: error: oops

            error: Build hello 1.0.0: exit code 2
              --> examples/hello.yml:5:9
               |
             5 |         cc -o hello hello.c
               |         ^^^^^^^^^^^^^^^^^^^
            ...
             9 |     gcc: {}
               |     ---
            10 |     nope: {version: [">= 2"]}
               |     ----
        "#]],
    );
}

#[test]
fn what_a_generated_script_says_is_the_headline() {
    let log = [
        "E: Unable to locate package nope",
        "dalec: error: @3: dependency \"nope (>= 2)\" cannot be installed",
        "dalec: error: @2: dependency \"gcc\" cannot be installed, but it is held",
    ];
    let error = gateway(GatewayError::Solve(Box::new(failure(&log))));
    check(
        error,
        1,
        expect![[r#"
        the end of the log of Build hello 1.0.0:
          | E: Unable to locate package nope
          | dalec: error: dependency "nope (>= 2)" cannot be installed
          | dalec: error: dependency "gcc" cannot be installed, but it is held

        error: dependency "nope (>= 2)" cannot be installed
          --> examples/hello.yml:10:5
           |
        10 |     nope: {version: [">= 2"]}
           |     ^^^^
           |
           = note: Build hello 1.0.0: exit code 2
           = note: examples/hello.yml:9: dependency "gcc" cannot be installed, but it is held
    "#]],
    );
}

#[test]
fn a_long_log_is_shown_from_its_end() {
    let log: Vec<String> = (1..=50).map(|line| format!("line {line}")).collect();
    let log: Vec<&str> = log.iter().map(String::as_str).collect();
    let error = gateway(GatewayError::Solve(Box::new(failure(&log))));
    let text = error.words().unwrap().text(Style::default());
    assert!(
        !text.contains("line 10\n") && text.contains("  | line 11\n") && text.contains("  | line 50\n"),
        "{text}"
    );
}

#[test]
fn a_step_without_process_shows_its_causes_and_what_to_do() {
    let failure = SolveFailure {
        name: "download https://example.org/a.tar.gz".into(),
        message: "https://example.org/a.tar.gz has digest sha256:aa, but the spec says sha256:bb".into(),
        hint: Some("check that the URL still serves the same file".into()),
        exit_code: None,
        cause: Some(io("digest mismatch")),
        ..failure(&[])
    };
    check(
        gateway(GatewayError::Solve(Box::new(failure))),
        1,
        expect![[r#"
            error: download https://example.org/a.tar.gz: https://example.org/a.tar.gz has digest sha256:aa, but the spec says sha256:bb
              --> examples/hello.yml:5:9
               |
             5 |         cc -o hello hello.c
               |         ^^^^^^^^^^^^^^^^^^^
            ...
             9 |     gcc: {}
               |     ---
            10 |     nope: {version: [">= 2"]}
               |     ----
               |
               = cause: digest mismatch
               = help: check that the URL still serves the same file
        "#]],
    );
}

#[test]
fn findings_come_with_their_places_under_the_name_that_was_typed() {
    let error = FrontendError::Spec {
        source_text: SourceText::new("hello.yml", SPEC),
        diagnostics: vec![
            Diagnostic::error(codes::UNKNOWN_KEY, Span::new(12, 17), "unknown key `build`").help("remove it"),
        ],
    };
    let error = CommandError::Frontend { error: Box::new(error), spec: spec() };
    check(
        error,
        2,
        expect![[r#"
        error[unknown-key]: unknown key `build`
         --> examples/hello.yml:2:1
          |
        2 | build:
          | ^^^^^
          |
          = help: remove it

        error: examples/hello.yml has an error
    "#]],
    );
}

#[test]
fn a_spec_that_cannot_be_built_shows_the_piece_that_is_to_blame() {
    let error = FrontendError::Plan {
        message: "the binary `hello` is not made by any step".into(),
        hint: Some("name a path below the sources".into()),
        source_text: SourceText::new("hello.yml", SPEC),
        spans: vec![Span::new(6, 11)],
    };
    let error = CommandError::Frontend { error: Box::new(error), spec: spec() };
    check(
        error,
        2,
        expect![[r#"
        error: the binary `hello` is not made by any step
         --> examples/hello.yml:1:7
          |
        1 | name: hello
          |       ^^^^^
          |
          = help: name a path below the sources
    "#]],
    );
}

#[test]
fn what_the_machine_lacks_ends_with_three() {
    let error = GatewayError::Environment {
        message: "no space left in /var/cache/dalec".into(),
        hint: "free some space, or choose another place with --state-dir".into(),
        source: Some(io("write failed: No space left on device")),
    };
    check(
        CommandError::Engine { error: Box::new(error), spec: spec() },
        3,
        expect![[r#"
        error: no space left in /var/cache/dalec
         |
         = cause: write failed: No space left on device
         = help: free some space, or choose another place with --state-dir
    "#]],
    );
    let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    check(
        CommandError::unwritable("/out", denied),
        3,
        expect![[r#"
        error: cannot write /out
         |
         = cause: permission denied
         = help: choose a place that you may write to
    "#]],
    );
}

#[test]
fn an_image_that_is_nowhere_says_what_was_tried() {
    let error = GatewayError::Image {
        reference: "docker.io/library/debian:bookworm".into(),
        hint: "choose another mirror with --apt-mirror".into(),
        source: Some(io("cannot reach http://mirror.example/debian")),
    };
    check(
        gateway(error),
        1,
        expect![[r#"
        error: cannot find the image docker.io/library/debian:bookworm
         |
         = cause: cannot reach http://mirror.example/debian
         = help: choose another mirror with --apt-mirror
    "#]],
    );
}

#[test]
fn a_conflict_of_packages_keeps_its_tree() {
    let message = "bookworm cannot provide nope:\n  nope depends on b\n    b does not exist".to_owned();
    let error = CommandError::Environment { message, help: None, source: None };
    check(
        error,
        3,
        expect![[r#"
        error: bookworm cannot provide nope:
         |
         = note:   nope depends on b
                     b does not exist
    "#]],
    );
}

#[test]
fn stopping_says_so_and_ends_as_shells_expect() {
    check(
        CommandError::Interrupted { signal: 2, what: "the build was cancelled" },
        130,
        expect![[r#"
        error: the build was cancelled
    "#]],
    );
    assert_eq!(CommandError::Interrupted { signal: 15, what: "the build was cancelled" }.exit().code(), 143);
}

#[test]
fn programs_get_places_and_logs() {
    let log = ["dalec: error: @3: dependency \"nope (>= 2)\" cannot be installed"];
    let error = gateway(GatewayError::Solve(Box::new(failure(&log))));
    let json = serde_json::to_string_pretty(&error.words().unwrap().json()).unwrap();
    expect![[r#"
        {
          "exitCode": 1,
          "message": "dependency \"nope (>= 2)\" cannot be installed",
          "places": [
            {
              "file": "examples/hello.yml",
              "line": 10,
              "column": 5
            }
          ],
          "notes": [
            "Build hello 1.0.0: exit code 2"
          ],
          "causes": [],
          "step": {
            "name": "Build hello 1.0.0",
            "log": [
              "dalec: error: @3: dependency \"nope (>= 2)\" cannot be installed"
            ]
          }
        }"#]]
    .assert_eq(&json);
}

fn targets(failed: &[(&str, &dyn Fn() -> CommandError)]) -> CommandError {
    let failed = failed.iter().map(|(target, error)| ((*target).to_owned(), error())).collect();
    let built = Summary {
        engine: serde_json::Value::Null,
        builds: Vec::new(),
        elapsed: std::time::Duration::ZERO,
        stats: dalec_engine::Stats::default(),
    };
    CommandError::Targets { failed, built: Box::new(built) }
}

#[test]
fn targets_that_fail_of_the_same_are_named_together() {
    let failed = || gateway(GatewayError::Solve(Box::new(failure(&[]))));
    let absent = || CommandError::usage("there is no such thing");
    check(
        targets(&[("a/deb", &absent), ("b/deb", &absent)]),
        2,
        expect![[r#"
        error: a/deb, b/deb: there is no such thing
    "#]],
    );
    check(
        targets(&[("a/deb", &absent), ("b/deb", &failed), ("c/deb", &absent)]),
        1,
        expect![[r#"
        error: a/deb, c/deb: there is no such thing

        error: b/deb: Build hello 1.0.0: exit code 2
          --> examples/hello.yml:5:9
           |
         5 |         cc -o hello hello.c
           |         ^^^^^^^^^^^^^^^^^^^
        ...
         9 |     gcc: {}
           |     ---
        10 |     nope: {version: [">= 2"]}
           |     ----

        error: 3 targets failed: a/deb, b/deb, c/deb
    "#]],
    );
    let many = ["a", "b", "c", "d", "e"].map(|name| (name, &absent as &dyn Fn() -> CommandError));
    check(
        targets(&many),
        2,
        expect![[r#"
        error: a and 4 more targets: there is no such thing
    "#]],
    );
    let json = targets(&[("a/deb", &absent), ("b/deb", &failed)]).words().unwrap().json();
    assert_eq!(json["errors"][0]["targets"][0], "a/deb");
    assert_eq!(json["errors"][1]["step"]["name"], "Build hello 1.0.0");
    assert_eq!(json["exitCode"], 1);
}

/// SIGN-016: every difference, who signed, and where that stands.
#[test]
fn a_signer_that_changed_too_much() {
    let text = "name: hello\npackage_config:\n  signer: {image: example.org/signer:1}\n";
    let start = text.find("{image").expect("the signer");
    let error = GatewayError::Frontend {
        image: "example.org/signer:1".into(),
        message:
            "it changed more than signatures\na.deb is missing\nb.deb: its member data.tar.xz was changed"
                .into(),
        hint: Some("take it as it is".into()),
        log: Vec::new(),
    };
    let place = Some((SourceText::new("hello.yml", text), Span::new(start, text.len() - 1)));
    let error =
        FrontendError::Signing { image: "example.org/signer:1".into(), place, error: Box::new(error) };
    check(
        CommandError::Frontend { error: Box::new(error), spec: spec() },
        1,
        expect![[r#"
        error: error signing packages: it changed more than signatures
         --> examples/hello.yml:3:11
          |
        3 |   signer: {image: example.org/signer:1}
          |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = note: a.deb is missing
                  b.deb: its member data.tar.xz was changed
          = note: the signer is example.org/signer:1
          = help: take it as it is
    "#]],
    );
}
