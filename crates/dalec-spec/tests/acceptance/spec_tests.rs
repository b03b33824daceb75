//! Tests of packages: what they resolve to (TEST-005 to TEST-019, as far as they speak of the spec).

use dalec_spec::codes;
use dalec_spec::target_spec::{FileCheck, OutputCheck, SourceKind, Test};

use crate::{check_refused, resolved};

#[track_caller]
fn test(test: &str) -> Test {
    resolved(&format!("args: {{V: '2'}}\ntests:\n  - {test}\n")).tests.remove(0)
}

fn values(texts: &[dalec_spec::span::Spanned<String>]) -> Vec<&str> {
    texts.iter().map(|text| text.value.as_str()).collect()
}

fn value(text: &Option<dalec_spec::span::Spanned<String>>) -> Option<&str> {
    text.as_ref().map(|text| text.value.as_str())
}

/// Checks every part of `check`, which was written with each of them.
fn check_all(check: &OutputCheck) {
    assert_eq!(value(&check.equals), Some("e2"));
    assert_eq!(values(&check.contains), ["c2", "d"]);
    assert_eq!(values(&check.matches), ["^m2$", r"\d+"]);
    assert_eq!((value(&check.starts_with), value(&check.ends_with)), (Some("s2"), Some("z2")));
    assert!(check.empty.is_some());
}

const CHECKS: &str = r#"equals: "e$V", contains: ["c$V", d], matches: ["^m${V}$", '\\d+'], starts_with: "s$V", ends_with: "z$V", empty: true"#;

/// TEST-005: a command is one line without a shell; what cannot be split, or holds no command, is said here already.
#[test]
fn commands_are_lines() {
    for command in [
        "tool",
        "tool 'two words' \"a \\\" b\" c\\ d",
        "echo $V *.c ~ | cat",
        "tool # comment",
        "''",
        "tool\n  more",
    ] {
        let quoted = serde_json::to_string(command).expect("JSON");
        assert_eq!(test(&format!("{{steps: [{{command: {quoted}}}]}}")).steps[0].command, command);
    }
    for (command, at) in [("echo it's", "'"), ("echo \"a", "\""), ("echo \\", "\\")] {
        check_refused(
            &format!("tests:\n  - steps:\n      - command: {command}\n"),
            &[(codes::COMMAND_SYNTAX, at)],
        );
    }
    for command in ["\"# comment\"", "\"  \"", "\"\\n#a\\n\""] {
        check_refused(
            &format!("tests: [{{steps: [{{command: {command}}}]}}]\n"),
            &[(codes::INVALID_VALUE, command)],
        );
    }
}

/// TEST-006, TEST-007, TEST-008: standard input, both streams, the environment of all steps and of one.
#[test]
fn steps() {
    let found = test(&format!(
        "{{name: n$V, dir: /d, env: {{A: \"a$V\", B: b}}, steps: [{{command: first}}, {{command: second, env: {{B: \"s$V\"}}, stdin: \"in $V\", stdout: {{{CHECKS}}}, stderr: {{{CHECKS}}}}}]}}"
    ));
    assert_eq!((found.name.as_str(), found.dir.as_str()), ("n$V", "/d"));
    assert_eq!((found.env["A"].as_str(), found.env["B"].as_str()), ("a2", "b"));
    let [first, second] = &found.steps[..] else { panic!("two steps") };
    assert_eq!((first.command.as_str(), first.stdin.as_str(), first.env.len()), ("first", "", 0));
    assert_eq!(first.stdout, OutputCheck::default());
    assert_eq!((second.stdin.as_str(), second.env["B"].as_str()), ("in 2", "s2"));
    check_all(&second.stdout);
    check_all(&second.stderr);
}

/// TEST-009, TEST-010, TEST-011, TEST-012, TEST-013: every check of a file; a path alone is a file that is there.
#[test]
fn files() {
    let found = test(&format!(
        "files: {{/all: {{{CHECKS}}}, /dir$V: {{is_dir: true, permissions: 0750}}, /gone: {{not_exist: true, no_follow: true}}, /link: {{link_target: ../a$V}}, /file: , rel/path: {{not_exist: false, is_dir: false, empty: false}}}}"
    ));
    let paths: Vec<&str> = found.files.keys().map(String::as_str).collect();
    assert_eq!(paths, ["/all", "/dir$V", "/file", "/gone", "/link", "/rel/path"]);
    let file = |path: &str| &found.files[path];
    check_all(&file("/all").content);
    let dir = file("/dir$V");
    assert_eq!((dir.is_dir.value, dir.permissions.as_ref().map(|mode| mode.value)), (true, Some(0o750)));
    let gone = file("/gone");
    assert!(gone.not_exist.is_some() && gone.no_follow);
    assert_eq!(value(&file("/link").link_target), Some("../a$V"));
    for path in ["/file", "/rel/path"] {
        let plain =
            FileCheck { is_dir: file(path).is_dir.clone(), span: file(path).span, ..FileCheck::default() };
        assert_eq!(file(path), &plain, "{path}");
        assert!(!file(path).is_dir.value);
    }
}

/// TEST-013: nothing written is nothing checked; the empty text is a text.
#[test]
fn empty_texts_are_texts() {
    let found = test("{steps: [{command: a, stdout: {equals: '', contains: [], matches: , starts_with: }}]}");
    let stdout = &found.steps[0].stdout;
    assert_eq!(value(&stdout.equals), Some(""));
    assert!(stdout.contains.is_empty() && stdout.matches.is_empty() && stdout.starts_with.is_none());
    assert_eq!(test("{steps: [{command: a, stdout: {equals: }}]}").steps[0].stdout.equals, None);
}

/// TEST-016: mounts of a test are sources.
#[test]
fn mounts() {
    let found = test(
        "{files: {/a: }, mounts: [{dest: /b, spec: {context: {name: \"c$V\"}}}, {dest: /a, spec: {inline: {file: {contents: \"$V\"}}}}]}",
    );
    let dests: Vec<&str> = found.mounts.iter().map(|mount| mount.dest.as_str()).collect();
    assert_eq!(dests, ["/b", "/a"]);
    let SourceKind::Context(context) = &found.mounts[0].source.kind else { panic!("a context") };
    assert_eq!(context.name, "c2");
}
