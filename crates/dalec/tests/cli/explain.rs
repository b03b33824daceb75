//! `dalec resolve --explain` and `dalec schema`, as their users meet them.

use expect_test::{Expect, expect};

use super::{HELLO, Place};

/// A spec whose values come from everywhere.
const SPEC: &str = "\
name: tool
args:
  VERSION: 1.2.3
  CHANNEL: stable
  TARGETARCH:
version: ${VERSION}
sources:
  src: {context: {}}
build:
  env:
    A: ${TARGETARCH}-${CHANNEL}
    PLAIN: text
  steps:
    - command: make
dependencies:
  build: [make]
  runtime: {libc6: {version: [\">= 2.36\"]}}
image:
  env: [A=1]
  labels: {org.example.role: tool, b: two}
tests:
  - name: root
    steps: [{command: tool}]
targets:
  bookworm:
    dependencies: {runtime: [libfoo]}
    image: {env: [B=2], labels: {b: zwei}}
    tests:
      - name: own
        steps: [{command: tool --own}]
";

#[track_caller]
fn check(field: &str, args: &[&str], expected: Expect) {
    let place = Place::with("dalec.yml", SPEC);
    let all: Vec<&str> = ["resolve", "--platform", "linux/arm64", "--explain", field]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    let run = place.run(&all);
    let code = run.code.map_or("no code".to_owned(), |code| code.to_string());
    expected.assert_eq(&format!("{}{}exit code {code}\n", run.stdout, run.stderr));
}

#[test]
fn a_value_may_be_a_default_of_the_language() {
    check(
        "sources.src",
        &[],
        expect![[r#"
            sources.src.context.name: context
                default
            exit code 0
        "#]],
    );
    check(
        "vendor",
        &[],
        expect![[r#"
            vendor: not set
                nothing is written, and there is no default
            exit code 0
        "#]],
    );
}

#[test]
fn arguments_in_a_value_say_where_theirs_come_from() {
    check(
        "build.env",
        &["--build-arg", "CHANNEL=beta"],
        expect![[r#"
            build.env.A: arm64-beta
                root, dalec.yml:11:8
                CHANNEL=beta, given for the build
                TARGETARCH=arm64, of the platform
            build.env.PLAIN: text
                root, dalec.yml:12:12
            exit code 0
        "#]],
    );
    check(
        "version",
        &[],
        expect![[r#"
            version: "1.2.3"
                root, dalec.yml:6:10
                VERSION=1.2.3, its default in dalec.yml:3:12
            exit code 0
        "#]],
    );
    check(
        "args.CHANNEL",
        &["--build-arg", "CHANNEL=beta"],
        expect![[r#"
            args.CHANNEL: beta
                argument, given for the build
            exit code 0
        "#]],
    );
    check(
        "build.env.SOURCE_DATE_EPOCH",
        &["--build-arg", "SOURCE_DATE_EPOCH=17"],
        expect![[r#"
            build.env.SOURCE_DATE_EPOCH: "17"
                argument, given for the build
            exit code 0
        "#]],
    );
}

#[test]
fn a_target_is_told_from_the_root() {
    check(
        "dependencies",
        &["--target", "bookworm/deb"],
        expect![[r#"
            dependencies.build.make: {}
                root, dalec.yml:16:11
            dependencies.runtime.libfoo: {}
                target bookworm, dalec.yml:26:30
            exit code 0
        "#]],
    );
    check(
        "image",
        &["--target", "bookworm"],
        expect![[r#"
            image.env[0]: A=1
                root, dalec.yml:19:9
            image.env[1]: B=2
                target bookworm, dalec.yml:27:19
            image.labels.b: zwei
                target bookworm, dalec.yml:27:37
            image.labels.'org.example.role': tool
                root, dalec.yml:20:30
            exit code 0
        "#]],
    );
    check(
        "tests[1].steps",
        &["--target", "bookworm"],
        expect![[r#"
            tests[1].steps[0].command: tool --own
                target bookworm, dalec.yml:30:27
            exit code 0
        "#]],
    );
}

/// Keys may hold dots; quotes are not needed.
#[test]
fn keys_with_dots_are_found() {
    check(
        "image.labels.org.example.role",
        &[],
        expect![[r#"
            image.labels.'org.example.role': tool
                root, dalec.yml:20:30
            exit code 0
        "#]],
    );
}

#[test]
fn a_field_that_is_not_there_is_said_so() {
    check(
        "dependencies.runtme",
        &[],
        expect![[r#"
            error: --explain: the dependencies have no key `runtme`
             |
             = help: did you mean `dependencies.runtime`?
            exit code 2
        "#]],
    );
    check(
        "tests[7]",
        &[],
        expect![[r#"
            error: --explain: `tests` has no entry `7` for this target
            exit code 2
        "#]],
    );
    check(
        "sources.other",
        &[],
        expect![[r#"
            error: --explain: `sources` has no entry `other` for this target
            exit code 2
        "#]],
    );
}

#[test]
fn programs_get_explanations_as_a_list() {
    let run = Place::with("dalec.yml", SPEC).run(&["resolve", "--explain", "version", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        found,
        serde_json::json!([{
            "field": "version", "value": "1.2.3",
            "origin": "root", "file": "dalec.yml", "line": 6, "column": 10,
            "arguments": [{
                "name": "VERSION", "value": "1.2.3",
                "origin": "argument-default", "file": "dalec.yml", "line": 3, "column": 12,
            }],
        }])
    );
}

#[test]
fn targets_that_cannot_be_built_yet_resolve() {
    let run = Place::with("dalec.yml", HELLO).run(&["resolve", "--target", "azlinux3"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let run = Place::with("dalec.yml", HELLO).run(&["resolve", "--target", "azlinux33"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("did you mean `azlinux3`?"), "{}", run.stderr);
}

#[test]
fn the_schema_is_printed_for_editors() {
    let run = Place::new().run(&["schema"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let schema: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/dalec.schema.json");
    assert_eq!(run.stdout, std::fs::read_to_string(page).unwrap());
}
