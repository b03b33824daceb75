//! Rules of the language: what a spec resolves to, and what is said about it.

use std::fmt::Write as _;

use dalec_spec::span::Span;
use dalec_spec::target_spec::{Build, BuildStep, Image, TargetSpec};
use dalec_spec::{
    Platform, RenderOptions, ResolveOptions, SourceText, UnknownArgs, check as check_all, load, render,
    render_json, to_json, to_yaml,
};
use expect_test::{Expect, expect};

/// Checks what `spec` resolves to, or what is wrong with it.
#[track_caller]
fn check_with(spec: &str, options: &ResolveOptions, expected: Expect) {
    let source = SourceText::new("spec.yml", spec);
    let loaded = load(&source);
    let mut diagnostics = loaded.diagnostics;
    let mut out = String::new();
    if let Some(raw) = loaded.raw {
        let (spec, found) = raw.resolve(options);
        diagnostics.extend(found);
        out.push_str(&spec.map(|spec| to_yaml(&spec)).unwrap_or_default());
    }
    out.push_str(&render(&source, &diagnostics, RenderOptions::default()));
    expected.assert_eq(&out);
}

#[track_caller]
fn check(spec: &str, expected: Expect) {
    check_with(spec, &ResolveOptions::default(), expected);
}

fn target(key: &str) -> ResolveOptions {
    ResolveOptions { target: key.to_owned(), ..ResolveOptions::default() }
}

// SPEC-009: upstream lets the later of two entries win, or refuses; here the explicit one always wins.
#[test]
fn explicit_keys_beat_merged_ones() {
    check(
        "\
x-a: &a {A: merged, B: merged}
x-b: &b {B: second, C: second}
args:
  A: explicit before
  <<: [*a, *b]
  C: explicit after
",
        expect![[r#"
            args:
              A: explicit before
              B: merged
              C: explicit after
            x-a:
              A: merged
              B: merged
            x-b:
              B: second
              C: second
        "#]],
    );
    check(
        "\
x-base: &base {subpath: merged, name: merged}
artifacts:
  binaries:
    a: {name: explicit, <<: *base}
    b: {<<: *base, name: explicit}
    c: *base
",
        expect![[r#"
            artifacts:
              binaries:
                a:
                  subpath: merged
                  name: explicit
                b:
                  subpath: merged
                  name: explicit
                c:
                  subpath: merged
                  name: merged
            x-base:
              subpath: merged
              name: merged
        "#]],
    );
}

// SPEC-008
#[test]
fn permissions_are_octal_where_they_look_like_it() {
    check(
        "\
artifacts:
  binaries:
    a: {permissions: 0644}
    b: {permissions: 0o644}
    c: {permissions: \"0644\"}
    d: {permissions: 0x1a4}
    e: {permissions: 644}
    f: {permissions: 0}
    g: {permissions: }
",
        expect![[r#"
            artifacts:
              binaries:
                a:
                  permissions: 0644
                b:
                  permissions: 0644
                c:
                  permissions: 0644
                d:
                  permissions: 0644
                e:
                  permissions: 01204
                f:
                  permissions: 0000
                g: {}
        "#]],
    );
}

// SPEC-007: text stays as written.
#[test]
fn text_stays_as_written() {
    check(
        "\
version: 1.10
revision: 010
args: {A: 1e3, B: True, C: ~, D: !!str 1.10, E: .inf, F: 0x10, G: 1_000, H: null, I: '', J: yes, 1: x, true: y}
",
        expect![[r#"
            version: "1.10"
            revision: "010"
            args:
              "1": x
              A: "1e3"
              B: "True"
              C: ""
              D: "1.10"
              E: ".inf"
              F: "0x10"
              G: "1_000"
              H: ""
              I: ""
              J: "yes"
              "true": "y"
        "#]],
    );
}

// SPEC-018: routing happens before the arguments are known.
#[test]
fn routing_leaves_references() {
    let options = ResolveOptions {
        unknown_args: UnknownArgs::Allow,
        build_args: [("OTHER".to_owned(), "x".to_owned())].into(),
        ..ResolveOptions::default()
    };
    check_with(
        "version: 1.${X}\nbuild: {steps: [{command: a}], env: {A: '${Y:-z}'}}\n",
        &options,
        expect![[r#"
            version: "1.\\${X}"
            build:
              env:
                A: "\\${Y:-z}"
              steps:
                - command: a
        "#]],
    );
    // Keys that become one with these arguments may be two with those of the build.
    let auth = "{'${A}': {token: x}, '${B}': {token: x}}";
    let text = format!(
        "args: {{A: a, B: a}}\nsources: {{s: {{context: {{}}, generate: [{{gomod: {{auth: {auth}}}}}]}}}}\n"
    );
    let raw = load(&SourceText::new("spec.yml", text)).raw.expect("a spec");
    assert!(raw.resolve(&options).1.is_empty());
    assert_eq!(raw.resolve(&ResolveOptions::default()).1.len(), 1);
    let source = SourceText::new("spec.yml", "targets: {trixie: , bookworm: {}, other: {x-y: 1}}\n");
    assert_eq!(load(&source).raw.expect("a spec").target_keys(), ["trixie", "bookworm", "other"]);
}

// SPEC-015, SPEC-016
#[test]
fn platforms_come_from_the_options() {
    let options = ResolveOptions {
        target: "trixie".to_owned(),
        platform: "linux/arm/v7".parse().expect("a platform"),
        build_platform: Platform::new("linux", "arm64"),
        build_args: [
            ("TARGETARCH".to_owned(), "mine".to_owned()),
            ("DALEC_TARGET".to_owned(), "mine".to_owned()),
        ]
        .into(),
        ..ResolveOptions::default()
    };
    check_with(
        "\
args: {TARGETOS: , TARGETARCH: , TARGETVARIANT: , TARGETPLATFORM: , BUILDARCH: , BUILDVARIANT: , BUILDPLATFORM: , DALEC_TARGET: }
",
        &options,
        expect![[r#"
            args:
              BUILDARCH: arm64
              BUILDPLATFORM: linux/arm64
              BUILDVARIANT: ""
              DALEC_TARGET: trixie
              TARGETARCH: arm
              TARGETOS: linux
              TARGETPLATFORM: linux/arm/v7
              TARGETVARIANT: v7
        "#]],
    );
}

// SPEC-043, SPEC-045: what a target writes counts, also when it is nothing.
#[test]
fn targets_override_lists() {
    let spec = "\
dependencies: {build: [a], runtime: [b], test: [c]}
provides: [p]
conflicts: [q]
targets:
  t:
    dependencies: {build: [x], runtime: [], test: }
    provides: []
    conflicts:
";
    check_with(
        spec,
        &target("t"),
        expect![[r#"
        conflicts:
          q: {}
        dependencies:
          build:
            x: {}
          test:
            c: {}
    "#]],
    );
    check_with(
        spec,
        &target("other"),
        expect![[r#"
        conflicts:
          q: {}
        provides:
          p: {}
        dependencies:
          build:
            a: {}
          runtime:
            b: {}
          test:
            c: {}
    "#]],
    );
}

// SPEC-023
#[test]
fn source_date_epoch_reaches_the_steps() {
    let epoch = || ResolveOptions {
        build_args: [("SOURCE_DATE_EPOCH".to_owned(), "17".to_owned())].into(),
        ..ResolveOptions::default()
    };
    check_with(
        "build: {steps: [{command: a}]}\n",
        &epoch(),
        expect![[r#"
        build:
          env:
            SOURCE_DATE_EPOCH: "17"
          steps:
            - command: a
    "#]],
    );
    check_with(
        "build: {steps: [{command: a}], env: {SOURCE_DATE_EPOCH: 5}}\n",
        &epoch(),
        expect![[r#"
        build:
          env:
            SOURCE_DATE_EPOCH: "5"
          steps:
            - command: a
    "#]],
    );
    check_with(
        "args: {SOURCE_DATE_EPOCH: 3}\n",
        &ResolveOptions::default(),
        expect![[r#"
        args:
          SOURCE_DATE_EPOCH: "3"
        build:
          env:
            SOURCE_DATE_EPOCH: "3"
    "#]],
    );
}

#[test]
fn spans_point_at_what_was_written() {
    let text = "\
sources: {a: {inline: {file: {contents: x}}}}
build:
  steps:
    - command: |
        make
        make install
tests:
  - steps:
      - command: a b
        stdout: {contains: [first, second], empty: true}
    files:
      /a: {permissions: 0644}
      /b:
targets:
  t:
    dependencies:
      build: {gcc: {version: [\">= 1\"]}}
      runtime: [x]
";
    let source = SourceText::new("spec.yml", text);
    let spec = load(&source).raw.expect("a spec").resolve(&target("t")).0.expect("no errors");
    let mut out = String::new();
    let mut show = |what: &str, span| writeln!(out, "{what}: {:?}", source.slice(span)).expect("memory");
    show("source", spec.sources["a"].span);
    show("build step", spec.build.steps[0].span);
    show("test step", spec.tests[0].steps[0].span);
    show("second text", spec.tests[0].steps[0].stdout.contains[1].span);
    show("empty", spec.tests[0].steps[0].stdout.empty.expect("a check"));
    show("file", spec.tests[0].files["/a"].span);
    show("is_dir", spec.tests[0].files["/b"].is_dir.span);
    show("gcc", spec.dependencies.build["gcc"].span);
    show("x", spec.dependencies.runtime["x"].span);
    expect![[r#"
        source: "inline: {file: {contents: x}}"
        build step: "make\n        make install"
        test step: "a b"
        second text: "second"
        empty: "true"
        file: "/a: {permissions: 0644}"
        is_dir: "/b"
        gcc: "gcc: {version: [\">= 1\"]}"
        x: "x"
    "#]]
    .assert_eq(&out);
}

#[test]
fn findings_are_available_as_json() {
    let source = SourceText::new("spec.yml", "name: hello\nnmae: x\nname: twice\n");
    let json = render_json(&source, &load(&source).diagnostics);
    expect![[r#"
        [
          {
            "code": "unknown-key",
            "severity": "error",
            "message": "unknown key `nmae` in a spec",
            "help": "did you mean `name`?",
            "file": "spec.yml",
            "range": {
              "start": {
                "line": 2,
                "column": 1,
                "byte": 12
              },
              "end": {
                "line": 2,
                "column": 5,
                "byte": 16
              }
            },
            "labels": []
          },
          {
            "code": "duplicate-key",
            "severity": "error",
            "message": "`name` is written twice in one mapping",
            "help": "keep one of them",
            "file": "spec.yml",
            "range": {
              "start": {
                "line": 3,
                "column": 1,
                "byte": 20
              },
              "end": {
                "line": 3,
                "column": 5,
                "byte": 24
              }
            },
            "labels": [
              {
                "range": {
                  "start": {
                    "line": 1,
                    "column": 1,
                    "byte": 0
                  },
                  "end": {
                    "line": 1,
                    "column": 5,
                    "byte": 4
                  }
                },
                "text": "first written here"
              }
            ]
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&json).expect("JSON"));
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let source = SourceText::new("spec.yml", "name: \"\\e[31m\u{9b}x\"\nb\u{202e}ad: 1\n");
    let text = render(&source, &load(&source).diagnostics, RenderOptions { color: false, width: Some(80) });
    assert!(text.chars().all(|char| char == '\n' || !char.is_control() && char != '\u{202e}'), "{text:?}");
    let colored = render(&source, &load(&source).diagnostics, RenderOptions { color: true, width: None });
    assert!(colored.contains("\u{1b}[1m"));
}

#[test]
fn deep_nesting_is_an_error() {
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        format!("a: {}", "[{b: ".repeat(60)),
    ] {
        let source = SourceText::new("spec.yml", text);
        let loaded = load(&source);
        assert!(loaded.raw.is_none() && loaded.has_errors());
    }
    let mut text = String::from("x-0: &a0 [x]\n");
    for level in 1..200 {
        writeln!(text, "x-{level}: &a{level} [*a{}]", level - 1).expect("memory");
    }
    let loaded = load(&SourceText::new("spec.yml", text));
    assert_eq!(loaded.diagnostics[0].code, dalec_spec::codes::NESTED_TOO_DEEP);
}

#[test]
fn many_mistakes_are_cut_off() {
    let text: String = (0..5000).map(|number| format!("key{number}: 1\n")).collect();
    let diagnostics = load(&SourceText::new("spec.yml", text)).diagnostics;
    assert_eq!(diagnostics.len(), 201);
    assert_eq!(diagnostics[200].code, dalec_spec::codes::TOO_MANY_FINDINGS);
}

/// Upstream puts such names into Debian packages as they are, where they mean this.
#[test]
fn debian_relations_become_constraints() {
    check(
        "dependencies:\n  runtime: [\"libc6 (>= 2.36)\", bash]\n  build: {\"gcc (<< 15)\": {arch: [amd64]}, make: }\n",
        expect![[r#"
            dependencies:
              build:
                gcc:
                  version:
                    - "<< 15"
                  arch:
                    - amd64
                make: {}
              runtime:
                bash: {}
                libc6:
                  version:
                    - ">= 2.36"
        "#]],
    );
    check(
        "dependencies: {runtime: [\"libc6 (>=2.36)\", \"libc6 (<< 3)\", libc6]}\n",
        expect![[r#"
        dependencies:
          runtime:
            libc6:
              version:
                - ">= 2.36"
                - "<< 3"
    "#]],
    );
    check(
        "dependencies: {runtime: {\"libc6 (>= 2.36)\": {arch: [amd64]}, libc6: }}\n",
        expect![[r#"
        error[duplicate-key]: the package `libc6` is listed twice
         --> spec.yml:1:62
          |
        1 | dependencies: {runtime: {"libc6 (>= 2.36)": {arch: [amd64]}, libc6: }}
          |                          ----------------- first listed here ^^^^^
          |
          = help: list it once, with all its versions
    "#]],
    );
    check(
        "dependencies: {runtime: [\"libc6 >= 2.36\"]}\n",
        expect![[r#"
        error[invalid-value]: a package name cannot hold `>`
         --> spec.yml:1:33
          |
        1 | dependencies: {runtime: ["libc6 >= 2.36"]}
          |                                 ^
          |
          = help: versions stand in the value: `name: {version: [">= 1.2"]}`
    "#]],
    );
}

/// Errors and the kinds of warnings leave each other their place, and what is allowed takes none.
#[test]
fn many_warnings_hide_nothing_else() {
    let args: String = (0..500).map(|number| format!("  A{number}: 010\n")).collect();
    let codes = |text: String| -> Vec<&str> {
        let found = check_all(&SourceText::new("spec.yml", text), &ResolveOptions::default(), &[]);
        found.iter().map(|diagnostic| diagnostic.code).collect()
    };
    let found = codes(format!("args:\n{args}version: ${{NOPE}}\n"));
    assert!(found.contains(&dalec_spec::codes::UNDECLARED_ARG));
    assert_eq!(found.iter().filter(|code| **code == "number-like-text").count(), 201);
    let found = codes(format!("# dalec: allow-file number-like-text\nargs:\n{args}"));
    assert_eq!((found.len(), found[0]), (201, dalec_spec::codes::UNUSED_ARG));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let error = SourceText::from_bytes("spec.yml", b"a: 1\nb: \xff\n".to_vec()).expect_err("no UTF-8");
    assert_eq!(error.to_string(), "spec.yml is not UTF-8 text: line 2, byte 8 of the file");
}

#[test]
fn expansion_is_bounded() {
    let mut text =
        format!("args: {{A: {}}}\nbuild:\n  steps: [{{command: a}}]\n  env:\n", "x".repeat(1 << 20));
    for number in 0..100 {
        writeln!(text, "    V{number}: $A").expect("memory");
    }
    let (spec, diagnostics) =
        load(&SourceText::new("spec.yml", text)).raw.expect("a spec").resolve(&ResolveOptions::default());
    assert!(spec.is_none());
    let codes: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [dalec_spec::codes::EXPANSION_BUDGET]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    /// Any text survives being written and read again, in literal and in expanded fields.
    #[test]
    fn written_text_is_read_back(text in "(yes|~|0|1\\.10|- |: |[-:{}&*<>'\"|#$ \n\\\\]|\\PC|[\t\r\u{1}\u{85}\u{2028}\u{feff}]){0,12}", key in "[A-Z_]{1,8}") {
        let spec = TargetSpec {
            args: [(key.clone(), text.clone())].into(),
            build: Build {
                steps: vec![BuildStep {
                    command: format!("x{text}"),
                    env: [(key, text.clone())].into(),
                    ..BuildStep::default()
                }],
                ..Build::default()
            },
            image: Image { labels: [(format!("k{text}"), text.clone())].into(), ..Image::default() },
            ..TargetSpec::default()
        };
        for written in [to_yaml(&spec), to_json(&spec).to_string()] {
            let source = SourceText::new("spec.yml", written);
            let loaded = load(&source);
            let mut diagnostics = loaded.diagnostics;
            let (again, found) = loaded.raw.expect("a spec").resolve(&ResolveOptions::default());
            diagnostics.extend(found);
            let mut again = again.unwrap_or_else(|| panic!("{}{}", source.text(), render(&source, &diagnostics, RenderOptions::default())));
            again.build.steps[0].span = Span::default();
            proptest::prop_assert_eq!(again, spec.clone());
        }
    }

    /// Whatever happens to the text of a spec, loading and linting it ends in findings, not in a panic.
    #[test]
    fn broken_texts_never_panic(cuts in proptest::collection::vec((0.0..1.0, 0_usize..12, "[-:{}&*<>'\"|#$ \n\\\\a0\u{e9}]{0,3}"), 1..6)) {
        let mut text = include_str!("ok/everything.yml").to_owned();
        for (place, length, insert) in cuts {
            let mut start = (text.len() as f64 * place) as usize;
            let mut end = (start + length).min(text.len());
            while !text.is_char_boundary(start) { start -= 1; }
            while !text.is_char_boundary(end) { end += 1; }
            text.replace_range(start..end, &insert);
        }
        let source = SourceText::new("spec.yml", text);
        let loaded = load(&source);
        let mut diagnostics = loaded.diagnostics;
        if let Some(raw) = loaded.raw {
            diagnostics.extend(raw.lint(&ResolveOptions::default()));
        }
        render(&source, &diagnostics, RenderOptions::default());
        render_json(&source, &diagnostics);
    }
}

// Found by fuzzing: YAML readers look for the colon of a plain key within 1024 characters.
#[test]
fn long_keys_are_written_so_that_they_load() {
    let key = "k".repeat(2000);
    let spec = format!(
        "args:\n  ? {key}\n  : v\nbuild:\n  steps:\n  - command: x\n    env:\n      ? {key}\n      : v\n"
    );
    let source = SourceText::new("spec.yml", spec);
    let resolve = |source: &SourceText| {
        let loaded = load(source);
        assert!(!loaded.has_errors(), "{}", render(source, &loaded.diagnostics, RenderOptions::default()));
        loaded.raw.and_then(|raw| raw.resolve(&ResolveOptions::default()).0).expect("no errors")
    };
    let written = to_yaml(&resolve(&source));
    assert_eq!(to_yaml(&resolve(&SourceText::new("again.yml", written.as_str()))), written);
}
