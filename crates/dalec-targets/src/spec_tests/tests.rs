//! Graphs of tests, from spec text.

use std::collections::BTreeMap;

use dalec_llb::{ImageRef, Local, Platform, State, describe, pb};
use dalec_spec::target_spec::TargetSpec;
use dalec_spec::{ResolveOptions, SourceText, load};
use expect_test::{Expect, expect};

use super::{mounted, plan, skip_warning};
use crate::containers::Container;
use crate::fixture;
use crate::image_config::{ImageConfig, RunConfig};
use crate::request::{Answers, Options, Request};
use crate::sources;

fn image(name: &str) -> State {
    State::image(ImageRef { reference: name.into(), ..ImageRef::default() })
}

fn spec(text: &str) -> TargetSpec {
    let options = ResolveOptions { target: "bookworm".into(), ..ResolveOptions::default() };
    let loaded = load(&SourceText::new("spec.yml", text));
    let (spec, diagnostics) = loaded.raw.expect("a spec").resolve(&options);
    spec.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

/// Plans the tests of `text`, in a container whose base image has an environment.
fn leaves(text: &str, options: Options) -> Vec<State> {
    let spec = spec(text);
    let context = State::local(Local { name: "context".into(), ..Local::default() });
    let answers = Answers { contexts: BTreeMap::from([("context".into(), context)]), ..Answers::default() };
    let request = Request { frontend: image("frontend"), options, ..fixture::request(&spec, &answers, text) };
    let config = RunConfig { env: vec!["PATH=/base/bin".into(), "A=base".into()], ..RunConfig::default() };
    let container = Container {
        root: image("unused"),
        base: Some(ImageConfig { config, ..ImageConfig::default() }),
        test_root: image("container"),
    };
    plan(&request, &container).expect("a plan")
}

fn definition(text: &str) -> pb::Definition {
    let all = State::merge(&leaves(text, Options::default()), "all");
    all.marshal(&Platform::linux("amd64"))
}

#[track_caller]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&describe(&definition(text)));
}

/// Compares what each op is called with the text in the spec that it points at.
#[track_caller]
fn check_places(text: &str, expected: Expect) {
    let definition = definition(text);
    let locations = definition.source.clone().unwrap_or_default().locations;
    let mut places = String::new();
    for encoded in &definition.def {
        let digest = dalec_llb::digest_of(encoded);
        let Some(range) = locations.get(&digest).and_then(|at| at.locations.first()?.ranges.first()) else {
            continue;
        };
        let (start, end) = (range.start.unwrap(), range.end.unwrap());
        let line = text.lines().nth(start.line as usize - 1).unwrap();
        let end = if end.line == start.line { end.character as usize } else { line.len() };
        let name = &definition.metadata[&digest].description["llb.customname"];
        places.push_str(&format!("{name}\n    {}: {}\n", start.line, &line[start.character as usize..end]));
    }
    expected.assert_eq(&places);
}

const HELLO: &str = "\
name: hello
tests:
  - name: it greets
    env: {A: test, B: test}
    steps:
      - command: hello -x \"a b\"
        env: {B: step}
        stdin: in
        stdout:
          equals: Hello
    files:
      /etc/hello.conf:
        permissions: 0644
";

// TEST-003, TEST-006, TEST-007, TEST-008
#[test]
fn a_step_and_its_checks() {
    check(
        HELLO,
        expect![[r##"
            #0 source docker-image://frontend
            #1 source docker-image://container
            #2 file
                scratch mkfile 444 /data
                | {"command":"hello -x \"a b\"","stdin":"in","capture_stdout":true,"capture_stderr":false}
                name Write a file for the test runner
            #3 exec network=UNSET
                arg /tmp/internal/dalec/testrunner/frontend
                arg test-runner
                arg step-runner
                arg /tmp/internal/dalec/testrunner/step/step.json
                arg /tmp/internal/dalec/testrunner/step/output
                env A=test
                env B=step
                env PATH=/base/bin
                cwd /
                mount / #1
                mount /tmp/internal/dalec/testrunner/frontend #0 [/frontend] ro
                mount /tmp/internal/dalec/testrunner/step/step.json #2 [/data] ro
                mount /tmp/internal/dalec/testrunner/step/output scratch
                name hello -x "a b"
            #4 exec network=NONE
                arg /frontend
                arg test-runner
                arg check-file-equals
                arg /tmp/internal/dalec/testrunner/step/output/stdout
                arg Hello
                cwd /
                mount / #0 ro
                mount /tmp/internal/dalec/testrunner/step/output #3.1 ro
                mount /tmp/internal/dalec/testrunner/result scratch
                name Check stdout: equals Hello
            #5 exec network=NONE
                arg /tmp/internal/dalec/testrunner/frontend
                arg test-runner
                arg check-file-isdir
                arg --not=true
                arg --no-follow-symlinks=false
                arg /etc/hello.conf
                cwd /
                mount / #3 ro
                mount /tmp/internal/dalec/testrunner/frontend #0 [/frontend] ro
                mount /tmp/internal/dalec/testrunner/result scratch
                name Check /etc/hello.conf: is no directory
            #6 exec network=NONE
                arg /tmp/internal/dalec/testrunner/frontend
                arg test-runner
                arg check-file-perms
                arg --no-follow-symlinks=false
                arg /etc/hello.conf
                arg 644
                cwd /
                mount / #3 ro
                mount /tmp/internal/dalec/testrunner/frontend #0 [/frontend] ro
                mount /tmp/internal/dalec/testrunner/result scratch
                name Check /etc/hello.conf: perms 644
            #7 merge #4 #5 #6
                name all
            #8 result #7
        "##]],
    );
}

// TEST-015
#[test]
fn every_check_points_at_its_own_line() {
    check_places(
        "\
name: hello
tests:
  - name: many
    steps:
      - command: hello
        stdout:
          contains:
            - one
            - two
          matches: [three]
        stderr:
          empty: true
      - command: >-
          hello
          --again
    files:
      /a:
        link_target: b
        no_follow: true
      /b:
        not_exist: true
      /c: {}
      /d:
        is_dir: true
        permissions: 0755
      /e:
        equals: e
        starts_with: e
        ends_with: e
",
        expect![[r#"
            hello
                5: hello
            Check stdout: contains one
                8: one
            Check stdout: contains two
                9: two
            Check stdout: matches three
                10: three
            Check stderr: empty
                12: true
            hello --again
                14: hello
            Check /a: is no directory
                17: /a:
            Check /a: link-target b
                18: b
            Check /b: not-exists
                21: true
            Check /c: is no directory
                22: /c: {}
            Check /d: is a directory
                24: true
            Check /d: perms 755
                25: 0755
            Check /e: is no directory
                26: /e:
            Check /e: equals e
                27: e
            Check /e: starts-with e
                28: e
            Check /e: endswith e
                29: e
        "#]],
    );
}

// TEST-008: the second step waits for what is checked of the first one.
#[test]
fn steps_follow_each_other() {
    let graph = describe(&definition(
        "name: x\ntests:\n- name: t\n  steps:\n  - {command: one, stdout: {empty: true}}\n  - command: two\n",
    ));
    let two = graph.split("\n#").find(|op| op.contains("name two")).expect("the second step");
    expect![[r#"
        6 exec network=UNSET
            arg /tmp/internal/dalec/testrunner/frontend
            arg test-runner
            arg step-runner
            arg /tmp/internal/dalec/testrunner/step/step.json
            arg /tmp/internal/dalec/testrunner/step/output
            env A=base
            env PATH=/base/bin
            cwd /
            mount / #3
            mount /tmp/internal/dalec/testrunner/frontend #1 [/frontend] ro
            mount /tmp/internal/dalec/testrunner/step/step.json #4 [/data] ro
            mount /tmp/internal/dalec/testrunner/checked/0 #5 ro
            name two"#]]
    .assert_eq(two);
}

// TEST-003: independent tests start from the same root, and each yields something to evaluate.
#[test]
fn tests_know_nothing_of_each_other() {
    let text =
        "name: x\ntests:\n- name: a\n  steps: [{command: one}]\n- name: b\n  steps: [{command: two}]\n";
    assert_eq!(leaves(text, Options::default()).len(), 2);
    let graph = describe(&definition(text));
    assert_eq!(graph.matches("mount / #0\n").count(), 2, "{graph}");
}

// TEST-016
#[test]
fn mounts_are_seen_by_steps_and_file_checks() {
    let text = "\
name: x
tests:
  - name: t
    mounts:
      - dest: /data
        spec: {context: {}}
      - dest: /etc/x.conf
        spec: {inline: {file: {contents: x}}}
    steps:
      - {command: ls /data, stdout: {contains: [x]}}
    files:
      /data/x: {}
";
    assert_eq!(sources::contexts(mounted(&spec(text))), ["context"]);
    let graph = describe(&definition(text));
    let mounts =
        graph.lines().map(str::trim).filter(|line| line.contains("/data") || line.contains("/etc/x.conf"));
    expect![[r#"
            scratch mkfile 444 /data
            | {"command":"ls /data","capture_stdout":true,"capture_stderr":false}
            mount /data #2
            mount /etc/x.conf #3 [/mount1] ro
            mount /tmp/internal/dalec/testrunner/step/step.json #4 [/data] ro
            name ls /data
            arg /data/x
            mount /data #2 ro
            mount /etc/x.conf #3 [/mount1] ro
            name Check /data/x: is no directory"#]]
    .assert_eq(&mounts.collect::<Vec<_>>().join("\n"));
}

// TEST-004
#[test]
fn skipped_tests_leave_a_warning() {
    let options = Options { skip_tests: true, ..Options::default() };
    assert!(leaves(HELLO, options.clone()).is_empty());
    let spec = spec(HELLO);
    let answers = Answers::default();
    let mut request = Request { options, ..fixture::request(&spec, &answers, HELLO) };
    assert_eq!(
        skip_warning(&request).as_deref(),
        Some("the spec's tests are skipped because of the build argument DALEC_SKIP_TESTS")
    );
    request.options.skip_tests = false;
    assert_eq!(skip_warning(&request), None);
}

// TGT-012
#[test]
fn tests_run_again_on_demand() {
    let options = Options { no_cache: Some(vec!["Dalec.Tests".into()]), ..Options::default() };
    let all = State::merge(&leaves(HELLO, options), "all");
    let graph = describe(&all.marshal(&Platform::linux("amd64")));
    assert_eq!(graph.matches("ignore-cache").count(), graph.matches(" exec ").count(), "{graph}");
}

#[test]
fn a_text_that_is_no_argument_is_mounted() {
    let long = "x".repeat(100_000);
    let text = format!("name: x\ntests:\n- name: t\n  files:\n    /f: {{equals: {long}}}\n");
    let graph = describe(&definition(&text));
    assert!(graph.contains("arg --value-file=/tmp/internal/dalec/testrunner/value\n"));
    assert!(graph.contains("mount /tmp/internal/dalec/testrunner/value #"));
}

// The same spec gives the same bytes, whatever order maps have today.
#[test]
fn graphs_are_deterministic() {
    let first = definition(HELLO).def;
    for _ in 0..25 {
        assert_eq!(definition(HELLO).def, first);
    }
}
