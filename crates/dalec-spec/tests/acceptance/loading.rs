//! From text to values: documents, keys, anchors, scalars, the author's own keys (SPEC-001 to SPEC-011).

use dalec_spec::target_spec::{Date, TargetSpec};
use dalec_spec::{ResolveOptions, SourceText, codes, load, to_json, to_yaml};

use crate::{Outcome, check_refused, check_same, resolved};

/// Returns what lint says of `text`, as codes.
fn doubts(text: &str) -> Vec<&'static str> {
    let raw = load(&SourceText::new("spec.yml", text)).raw.expect("YAML");
    raw.lint(&ResolveOptions::default()).iter().map(|finding| finding.code).collect()
}

/// SPEC-001: nothing is a spec without anything; a list or a text is none.
#[test]
fn a_spec_is_a_mapping_or_nothing() {
    for text in [
        "",
        "\n",
        " \n\n",
        "# only a comment\n",
        "null",
        "~",
        "Null",
        "---\n",
        "---\n...\n",
        "{}",
        "\u{feff}",
    ] {
        assert_eq!(resolved(text), TargetSpec::default(), "{text:?}");
    }
    for text in ["[]", "- name: hello", "hello", "3", "true", "''", "|\n  text\n"] {
        let outcome = Outcome::of(text, &ResolveOptions::default());
        assert_eq!(outcome.found.len(), 1, "{}", outcome.show());
        assert_eq!(outcome.found[0].code, codes::WRONG_TYPE, "{}", outcome.show());
    }
    assert_eq!(resolved("\n\n# first\nname: hello # behind\n\n# last\n\n").name, "hello");
}

/// SPEC-002: both places of a repeated key are shown; it does not matter how the key is quoted.
#[test]
fn keys_are_written_once() {
    for text in
        ["name: a\nversion: 1\nname: b\n", "name: a\nversion: 1\n\"name\": b\n", "name: a\n? name\n: b\n"]
    {
        let outcome = Outcome::of(text, &ResolveOptions::default());
        let [finding] = &outcome.found[..] else { panic!("{}", outcome.show()) };
        assert_eq!((finding.code, finding.labels.len()), (codes::DUPLICATE_KEY, 1), "{}", outcome.show());
        assert_eq!(outcome.source.position(finding.labels[0].span.start).line, 1, "{}", outcome.show());
    }
    check_refused(
        "build:\n  env: {A: 1, B: 2, A: 3}\n  steps: [{command: make}]\n",
        &[(codes::DUPLICATE_KEY, "A")],
    );
    check_refused("x-mine: {a: 1, a: 2}\n", &[(codes::DUPLICATE_KEY, "a")]);
    check_refused("x-mine: 1\nx-mine: 2\n", &[(codes::DUPLICATE_KEY, "x-mine")]);
}

/// SPEC-002: keys are exact.
#[test]
fn keys_are_exact() {
    for key in ["Name", "NAME", " name ", "noArch", "config_files", "x", "_x-a", "y-a"] {
        check_refused(&format!("\"{key}\": a\n"), &[(codes::UNKNOWN_KEY, &format!("\"{key}\""))]);
    }
}

/// SPEC-003: the first document counts; the others must be YAML whose aliases are known.
#[test]
fn the_first_document_counts() {
    assert_eq!(resolved("name: a\n---\nname: b\n").name, "a");
    assert_eq!(resolved("---\nname: a\n---\nnmae: [b\n  ]\n...\n").name, "a");
    check_refused("name: a\n---\nname: [b\n", &[(codes::YAML_SYNTAX, "[")]);
    check_refused("name: a\n---\nname: *b\n", &[(codes::UNKNOWN_ANCHOR, "*b")]);
    // An anchor of one document is none of the next.
    check_refused("x-a: &a b\n---\nname: *a\n", &[(codes::UNKNOWN_ANCHOR, "*a")]);
}

/// SPEC-004: the author's own keys come out as they went in, as YAML and not as JSON.
#[test]
fn own_keys_are_kept() {
    let text = "\
name: hello
x-text: '1'
X-Number: 0x10
x-list: [~, yes, {a: ''}]
x-block: |
  one
  two
";
    let spec = resolved(text);
    assert_eq!(
        to_yaml(&spec),
        "name: hello\nx-text: \"1\"\nX-Number: 0x10\nx-list:\n  - null\n  - yes\n  - a: \"\"\nx-block: |\n  one\n  two\n"
    );
    assert_eq!(to_json(&spec).to_string(), r#"{"name":"hello"}"#);
    check_same(text, &to_yaml(&spec));
    // Those of other objects are looked over.
    assert_eq!(
        to_yaml(&resolved("build: {x-a: 1, steps: [{command: make}]}\n")),
        "build:\n  steps:\n    - command: make\n"
    );
}

/// SPEC-006: reading one of them into a type.
#[test]
fn own_keys_are_read_into_types() {
    let extensions = resolved("x-team: {name: tools, size: 3}\n").extensions;
    let team: std::collections::BTreeMap<String, serde_json::Value> =
        extensions.get("x-team").expect("a mapping");
    assert_eq!((team["name"].as_str(), team["size"].as_u64()), (Some("tools"), Some(3)));
    assert_eq!(
        extensions.get::<u32>("x-tem").expect_err("no such key").to_string(),
        "the spec has no key `x-tem`"
    );
    assert!(extensions.get::<Vec<u32>>("x-team").is_err());
}

/// SPEC-007: text stays as it is written. Upstream reads some plain scalars as numbers; lint says so of each of them.
#[test]
fn text_stays_as_written() {
    for (written, text, upstream_differs) in [
        ("1.10", "1.10", true),
        ("1.0", "1.0", true),
        ("5.", "5.", true),
        (".5", ".5", true),
        ("010", "010", true),
        ("01", "01", true),
        ("08", "08", false),
        ("0o17", "0o17", true),
        ("0x10", "0x10", true),
        ("0b11", "0b11", true),
        ("1_000", "1_000", true),
        ("+5", "+5", true),
        ("True", "True", true),
        (".inf", ".inf", true),
        ("1e3", "1e3", false),
        ("1e-3", "1e-3", false),
        ("1.2.3", "1.2.3", false),
        ("1:30", "1:30", false),
        ("2024-01-05", "2024-01-05", false),
        ("true", "true", false),
        ("18446744073709551616", "18446744073709551616", false),
        ("17", "17", false),
        ("'1.10'", "1.10", false),
        ("\"010\"", "010", false),
        ("yes", "yes", false),
        ("plain text", "plain text", false),
        ("", "", false),
        ("~", "", false),
        ("null", "", false),
        ("''", "", false),
        ("'~'", "~", false),
        ("\"\\x41\\n\"", "A\n", false),
        ("|\n    a\n    b", "a\nb\n", false),
        (">-\n    a\n    b", "a b", false),
    ] {
        let spec = format!("args:\n  A: {written}\nimage:\n  labels:\n    l: \"$A\"\n");
        assert_eq!(resolved(&spec).args["A"], text, "{written}");
        let expected: &[&str] = if upstream_differs { &[codes::NUMBER_LIKE_TEXT] } else { &[] };
        assert_eq!(doubts(&spec), expected, "{written}");
    }
}

/// SPEC-007: a tag protects nothing that is not protected anyway.
#[test]
fn tags_and_names_change_no_text() {
    for (written, text) in
        [("!!str 1.10", "1.10"), ("!!str ~", "~"), ("True", "True"), (".inf", ".inf"), (".nan", ".nan")]
    {
        assert_eq!(resolved(&format!("args: {{A: {written}}}\n")).args["A"], text, "{written}");
    }
    check_refused("args: {A: [1]}\n", &[(codes::WRONG_TYPE, "[1]")]);
    check_refused("args: {A: {b: c}}\n", &[(codes::WRONG_TYPE, "{b: c}")]);
}

/// SPEC-007: every kind of text field is text: names, list entries, values and keys of mappings.
#[test]
fn all_text_is_text() {
    let spec = resolved(
        "\
version: 1.10
revision: 1.0
image: {user: 1000, env: [A=1], labels: {1: 2, true: false, 1.0: 1e3}}
build: {env: {A: 010}, steps: [{command: true}]}
dependencies: {runtime: {7zip: {version: [1.20]}, 1: }}
",
    );
    assert_eq!(
        (spec.version.as_str(), spec.revision.as_str(), spec.image.user.as_str()),
        ("1.10", "1.0", "1000")
    );
    let labels: Vec<(&str, &str)> =
        spec.image.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("1", "2"), ("1.0", "1e3"), ("true", "false")]);
    assert_eq!((spec.build.env["A"].as_str(), spec.build.steps[0].command.as_str()), ("010", "true"));
    assert_eq!(spec.dependencies.runtime["7zip"].version, ["1.20"]);
    assert!(spec.dependencies.runtime.contains_key("1"));
}

/// SPEC-007: whole numbers may be quoted or end in `.0`; upstream cuts fractions off, here they are mistakes.
#[test]
fn whole_numbers_are_whole() {
    let strip = |written: &str| {
        format!(
            "sources: {{a: {{context: {{}}}}}}\npatches: {{a: [{{source: a, path: b, strip: {written}}}]}}\n"
        )
    };
    for (written, expected) in
        [("2", 2), ("0", 0), ("\"3\"", 3), ("'4'", 4), ("5.0", 5), ("0x10", 16), ("~", 1), ("", 1)]
    {
        assert_eq!(resolved(&strip(written)).patches["a"][0].strip, expected, "{written}");
    }
    for written in ["2.7", "many", "true", "1e2"] {
        check_refused(&strip(written), &[(codes::WRONG_TYPE, written)]);
    }
    for written in ["-1", "4294967296"] {
        check_refused(&strip(written), &[(codes::INVALID_VALUE, written)]);
    }
}

/// SPEC-008: a mode is octal where it looks like it, also in quotes; decimal ones are said to be.
#[test]
fn modes_look_like_what_they_are() {
    let spec = |written: &str| format!("artifacts: {{binaries: {{a: {{permissions: {written}}}}}}}\n");
    for (written, bits, doubts_expected) in [
        ("0644", Some(0o644), &[][..]),
        ("0o644", Some(0o644), &[]),
        ("0x1a4", Some(0o644), &[]),
        ("\"0644\"", Some(0o644), &[codes::UPSTREAM_DIFFERS]),
        ("644", Some(0o1204), &[codes::DECIMAL_MODE]),
        ("420", Some(0o644), &[codes::DECIMAL_MODE]),
        ("0", Some(0), &[codes::UPSTREAM_DIFFERS]),
        ("04755", Some(0o4755), &[]),
        ("", None, &[]),
        ("~", None, &[]),
    ] {
        let text = spec(written);
        assert_eq!(resolved(&text).artifacts.binaries["a"].permissions, bits, "{written}");
        assert_eq!(doubts(&text), doubts_expected, "{written}");
    }
    for written in ["-1", "010000", "40755"] {
        check_refused(&spec(written), &[(codes::INVALID_VALUE, written)]);
    }
    for written in ["u+x", "rwxr-xr-x", "0o8", "6.44"] {
        check_refused(&spec(written), &[(codes::WRONG_TYPE, written)]);
    }
}

/// SPEC-009: an alias is its value; it comes after its anchor.
#[test]
fn aliases_are_their_values() {
    check_same(
        "x-deps: &deps {make: , gcc: {version: [\">= 12\"]}}\ndependencies: {build: *deps, test: *deps}\n",
        "dependencies: {build: {make: , gcc: {version: [\">= 12\"]}}, test: {make: , gcc: {version: [\">= 12\"]}}}\nx-deps: {make: , gcc: {version: [\">= 12\"]}}\n",
    );
    // Text, keys and list entries can be aliases too.
    let spec = resolved(
        "args: {&key A: &value v, B: *value}\nbuild: {env: {*key : a}, steps: [&step {command: make}, *step]}\n",
    );
    assert_eq!(
        (spec.args["B"].as_str(), spec.build.env["A"].as_str(), spec.build.steps.len()),
        ("v", "a", 2)
    );
    // The last anchor of a name counts.
    assert_eq!(resolved("args: {A: &a one, B: &a two, C: *a}\n").args["C"], "two");
    check_refused("name: *later\nx-name: &later hello\n", &[(codes::UNKNOWN_ANCHOR, "*later")]);
    check_refused("x-a: &a {b: *a}\n", &[(codes::ALIAS_CYCLE, "*a")]);
}

/// SPEC-009: `<<` adds what is not there; an explicit key wins wherever it stands, in objects and in free mappings.
#[test]
fn merges_add_what_is_not_there() {
    let base = "x-base: &base {subpath: of base, name: of base}\n";
    let explicit = format!("{base}artifacts: {{docs: {{a: {{subpath: of base, name: own}}}}}}\n");
    for merged in ["{<<: *base, name: own}", "{name: own, <<: *base}", "{<<: [*base], name: own}"] {
        check_same(&format!("{base}artifacts: {{docs: {{a: {merged}}}}}\n"), &explicit);
    }
    let env = |merged: &str| {
        resolved(&format!(
            "x-one: &one {{A: 1, B: 1}}\nx-two: &two {{B: 2, C: 2, <<: *one}}\nargs: {merged}\n"
        ))
        .args
    };
    let values = |merged: &str| env(merged).into_values().collect::<Vec<_>>().join(" ");
    assert_eq!(values("{<<: *one}"), "1 1");
    assert_eq!(values("{B: own, <<: *one}"), "1 own");
    assert_eq!(values("{<<: *one, B: own}"), "1 own");
    assert_eq!(values("{<<: [*one, *two]}"), "1 1 2");
    assert_eq!(values("{<<: [*two, *one]}"), "1 2 2");
    assert_eq!(values("{<<: {D: inline}, A: own}"), "own inline");
    assert_eq!(values("{<<: *two}"), "1 2 2");
    assert_eq!(values("{<<: , A: own}"), "own");
    // In quotes it is a key like others.
    assert_eq!(env("{\"<<\": text}")["<<"], "text");
    check_refused("args: {<<: text}\n", &[(codes::BAD_MERGE, "text")]);
    check_refused("args: {<<: [text]}\n", &[(codes::BAD_MERGE, "text")]);
}

/// SPEC-009: lint names what upstream refuses or decides otherwise.
#[test]
fn merges_that_upstream_decides_otherwise_are_doubted() {
    let base = "x-base: &base {A: 1}\nimage: {labels: {l: $A}}\n";
    assert_eq!(doubts(&format!("{base}args: {{<<: *base, A: 2}}\n")), [] as [&str; 0]);
    assert_eq!(doubts(&format!("{base}args: {{A: 2, <<: *base}}\n")), [codes::UPSTREAM_DIFFERS]);
    let base = "x-base: &base {name: a}\n";
    for merged in ["{<<: *base, name: b}", "{name: b, <<: *base}"] {
        assert_eq!(
            doubts(&format!("{base}artifacts: {{docs: {{a: {merged}}}}}\n")),
            [codes::UPSTREAM_DIFFERS],
            "{merged}"
        );
    }
}

/// SPEC-010: a list of names is a mapping of names to nothing, in every list of packages.
#[test]
fn package_lists_have_two_forms() {
    for list in ["build", "runtime", "recommends", "sysext", "test"] {
        let form = |value: &str| format!("dependencies: {{{list}: {value}}}\n");
        check_same(&form("[b, a]"), &form("{a: , b: }"));
        check_same(&form("[b, a]"), &form("{a: {}, b: {version: [], arch: }}"));
        check_same(&form("[]"), &form(""));
        check_refused(&form("a"), &[(codes::WRONG_TYPE, "a")]);
        check_refused(&form("[{a: }]"), &[(codes::WRONG_TYPE, "{a: }")]);
        check_refused(&form("{a: 1.2}"), &[(codes::WRONG_TYPE, "1.2")]);
        check_refused(&form("{a: {version: 1.2}}"), &[(codes::WRONG_TYPE, "1.2")]);
    }
    for list in ["conflicts", "replaces", "provides"] {
        check_same(&format!("{list}: [b, a]\n"), &format!("{list}: {{a: , b: }}\n"));
    }
}

/// SPEC-011: a date is a day of the calendar, written with all digits; it comes out as it went in.
#[test]
fn dates_are_days_of_the_calendar() {
    let spec = |date: &str| format!("changelog: [{{date: {date}, author: me, changes: [a]}}]\n");
    for (written, date) in [
        ("2024-01-05", Date { year: 2024, month: 1, day: 5 }),
        ("\"2024-02-29\"", Date { year: 2024, month: 2, day: 29 }),
        ("1999-12-31", Date { year: 1999, month: 12, day: 31 }),
    ] {
        let found = resolved(&spec(written));
        assert_eq!(found.changelog[0].date, date, "{written}");
        let text = written.trim_matches('"');
        assert!(to_yaml(&found).contains(&format!("date: \"{text}\"\n")), "{}", to_yaml(&found));
        assert_eq!(to_json(&found)["changelog"][0]["date"], text);
        check_same(&spec(written), &to_yaml(&found));
    }
    for written in [
        "2024-1-5",
        "2024-01-5",
        "05-01-2024",
        "2024/01/05",
        "2023-02-29",
        "2024-13-01",
        "2024-01-05T00:00:00Z",
        "20240105",
        "today",
    ] {
        check_refused(&spec(written), &[(codes::INVALID_VALUE, written)]);
    }
}
