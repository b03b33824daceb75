//! Small specs that are made to take long: reading, linting and resolving each of them comes to an end soon.
//!
//! The fuzzer does not find these by itself. Crashes are its business; see `fuzz`.

use std::fmt::Write as _;

use dalec_spec::{Diagnostic, RenderOptions, ResolveOptions, SourceText, UnknownArgs, codes, load, render};

/// Returns what is found in `text`, by loading, linting and resolving it for routing.
#[track_caller]
fn findings(text: String) -> Vec<Diagnostic> {
    let source = SourceText::new("spec.yml", text);
    let loaded = load(&source);
    let mut findings = loaded.diagnostics;
    if let Some(raw) = loaded.raw {
        findings.extend(raw.lint(&ResolveOptions::default()));
        let routing = ResolveOptions { unknown_args: UnknownArgs::Allow, ..ResolveOptions::default() };
        findings.extend(raw.resolve(&routing).1);
    }
    assert!(!render(&source, &findings, RenderOptions::default()).contains('\t'));
    findings
}

#[track_caller]
fn check_gives(text: String, code: &str) {
    let findings = findings(text);
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&code), "{codes:?}");
}

/// Returns `count` lines made by `line`.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, index| {
        let _ = writeln!(text, "{}", line(index));
        text
    })
}

/// Returns a spec with the argument `A` of 7 kB, the empty `E`, and `text` in the environment of the build.
fn with_args(text: &str) -> String {
    format!("args:\n  A: {}\n  E: ''\nbuild:\n  env:\n    X: &x \"{text}\"\n", "a".repeat(7000))
}

#[test]
fn dropped_expansions_are_paid_for() {
    check_gives(with_args(&"${E:+${A//?/$A}}".repeat(3000)), codes::EXPANSION_BUDGET);
}

#[test]
fn explanations_take_no_longer_than_resolving() {
    let env = lines(1000, |index| format!("    X{index}: \"${{E:+${{A//?/$A}}}}\""));
    let loaded = load(&SourceText::new("spec.yml", with_args("") + &env));
    let explained = loaded.raw.expect("a spec").explain(&ResolveOptions::default(), "build.env");
    assert_eq!(explained.map(|explained| explained.len()).ok(), Some(1001));
}

#[test]
fn patterns_are_paid_for() {
    let again = lines(1800, |index| format!("    x{index}: *x"));
    let pattern = |pattern: String| with_args(&format!("${{A##{pattern}b}}")) + &again;
    check_gives(pattern("*a".repeat(1500)), codes::EXPANSION_BUDGET);
    findings(pattern("?".repeat(3000)));
}

#[test]
fn targets_share_one_budget() {
    let targets = format!("targets:\n{}", lines(2500, |index| format!("  t{index}: {{}}")));
    check_gives(with_args(&"$A".repeat(5000)) + &targets, codes::EXPANSION_BUDGET);
    let env = lines(2000, |index| format!("    X{index}: a"));
    check_gives(format!("build:\n  env:\n{env}{targets}"), codes::EXPANSION_BUDGET);
}

#[test]
fn unset_names_are_not_looked_for_in_vain() {
    let aliases = lines(200, |index| format!("    x{index}: *x"));
    findings(format!("build:\n  env:\n    X: &x '{}'\n{aliases}", "$Z".repeat(15_000)));
    let few = format!("{}{}", " ".repeat(30_000), "$Z".repeat(100));
    findings(format!("build:\n  env:\n    X: &x '{few}'\n{aliases}"));
}

#[test]
fn suggestions_are_for_people() {
    // Looking for the nearest of two names takes a table of all pairs of their characters.
    let name = "A".repeat(10_000);
    let env = lines(190, |index| format!("    X{index}: ${{{name}{index}}}"));
    check_gives(format!("args:\n  ? {name}\n  : b\nbuild:\n  env:\n{env}"), codes::UNDECLARED_ARG);
    let sources = lines(1500, |index| format!("  y{index}: {{context: {{}}}}"));
    let patches = lines(1500, |index| format!("  s{index}: [{{source: x{index}}}]"));
    check_gives(format!("sources:\n{sources}patches:\n{patches}"), codes::TOO_MANY_FINDINGS);
}

#[test]
fn regular_expressions_are_paid_for() {
    let spec = |patterns: &str| format!("tests:\n- files:\n    /a:\n      matches:\n{patterns}");
    let large = |index: usize| format!("      - '\\\\pL{{190}}{index}'");
    check_gives(spec(&lines(2500, large)), codes::EXPANSION_BUDGET);
    // The same one again costs nothing, here or for other targets.
    let again = lines(3000, |_| "      - *a".to_owned());
    let targets = lines(100, |index| format!("  t{index}: {{}}"));
    let found = findings(spec(&format!("      - &a '\\\\pL{{190}}'\n{again}targets:\n{targets}")));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn references_in_literal_texts_are_not_all_looked_for() {
    let references = "$A".repeat(30_000);
    check_gives(format!("args:\n  A: b\ndescription: \"{references}\"\n"), codes::LITERAL_REFERENCE);
    let again = lines(250, |index| format!("  x{index}: *x"));
    let few = format!("{}{}", " ".repeat(30_000), "$A".repeat(100));
    check_gives(format!("args:\n  A: b\n  X: &x '{few}'\n{again}"), codes::LITERAL_REFERENCE);
}

/// As deep as the text may be; tests have the small stack of a thread, and nothing is optimised.
#[test]
fn deep_sources_fit_the_stack() {
    let build = format!("{}{{context: {{}}}}{}", "{build: {source: ".repeat(47), "}}".repeat(47));
    check_gives(format!("sources: {{s: {build}}}\n"), codes::CONFLICTING_KEYS);
    let open = "{path: /a, image: {ref: a, cmd: {steps: [{command: x}], mounts: [{dest: /b, spec: ";
    let mount = format!("{}{{context: {{}}}}{}", open.repeat(19), "}]}}}".repeat(19));
    check_gives(format!("sources: {{s: {mount}}}\n"), codes::UNPINNED_SOURCE);
    let extension = format!("{}{}", "[".repeat(98), "]".repeat(98));
    assert!(findings(format!("x-deep: {extension}\n")).is_empty());
    check_gives(format!("x-deep: [[{extension}]]\n"), codes::NESTED_TOO_DEEP);
}

#[test]
fn positions_are_not_counted_from_the_start() {
    let text = format!("{}{}", "\u{e9}: a\n".repeat(200_000), "b, ".repeat(600_000));
    let source = SourceText::new("spec.yml", text.as_str());
    let last = (0..text.len()).step_by(3).map(|offset| source.position(offset)).max();
    assert_eq!(last.map(|last| (last.line, last.column)), Some((200_001, 1_799_998)));
}

#[test]
fn merge_keys_are_looked_up() {
    let args = lines(20_000, |index| format!("  A{index}:"));
    let merges = lines(20_000, |_| "  <<: *a".to_owned());
    check_gives(format!("x-a: &a {{Z: z}}\nargs:\n{args}{merges}"), codes::UNUSED_ARG);
}

#[test]
fn names_in_other_lists_are_looked_up() {
    let sources = lines(20_000, |index| format!("  s{index}: {{context: {{}}}}"));
    let patches = lines(20_000, |index| format!("  s{index}: [{{source: s{index}, path: p}}]"));
    assert!(findings(format!("sources:\n{sources}patches:\n{patches}")).is_empty());
    let packages = |name: &str| lines(20_000, |index| format!("    {name}{index}:"));
    let lists = format!("  runtime:\n{}  recommends:\n{}", packages("a"), packages("b"));
    assert!(findings(format!("dependencies:\n{lists}")).is_empty());
}

#[test]
fn empty_entries_take_memory_too() {
    // A mount is many times larger than the `~` it is written as, and a target than its key.
    let mounts =
        format!("x-m: &m [{}]\nx-t: &t [{}]\ntests: *t\n", "~, ".repeat(90), "{mounts: *m}, ".repeat(90));
    let targets = lines(60, |index| format!("  t{index}: {{tests: *t}}"));
    check_gives(format!("{mounts}targets:\n{targets}"), codes::ALIAS_BUDGET);
    let found = load(&SourceText::new(
        "spec.yml",
        format!("targets:\n{}", lines(60_000, |index| format!("  {index}:"))),
    ));
    let codes: Vec<&str> = found.diagnostics.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [codes::ALIAS_BUDGET]);
    assert!(found.raw.expect("a spec").target_keys().len() < 60_000);
}

#[test]
fn aliases_add_little_to_short_texts() {
    let repeated =
        |count: usize| format!("x-a: &a {}\nx-b: [{}]\n", "a".repeat(10_000), "*a, ".repeat(count));
    check_gives(repeated(1000), codes::ALIAS_BUDGET);
    assert!(findings(repeated(500)).is_empty());
    // A text that is long itself may repeat more.
    assert!(findings(format!("{}# {}\n", repeated(1000), "a".repeat(1 << 20))).is_empty());
}

#[test]
fn targets_of_large_specs_share_one_budget_too() {
    let targets = lines(60, |index| format!("  t{index}: {{}}"));
    let description = "a".repeat(20 << 20);
    check_gives(format!("description: {description}\ntargets:\n{targets}"), codes::EXPANSION_BUDGET);
}

/// Twice as large as the largest that are measured.
#[test]
fn large_specs_are_far_from_every_limit() {
    let sources = lines(5000, |index| {
        format!(
            "  source-{index}:\n    http:\n      url: https://example.org/${{V}}/{index}\n      digest: sha256:{index:064x}"
        )
    });
    let steps = lines(5000, |index| {
        format!("    - command: |\n        make part-{index}\n      env:\n        PART: \"{index} ${{V}}\"")
    });
    let packages = lines(10_000, |index| format!("    lib{index}-dev:\n      version: [\">= ${{V}}\"]"));
    let binaries = lines(10_000, |index| format!("    out/{index}:\n      permissions: 0755"));
    let tests = lines(4000, |index| {
        format!(
            "  - name: test {index}\n    steps:\n      - command: tool {index}\n        stdout:\n          contains:\n            - \"${{V}}\""
        )
    });
    let targets =
        lines(20, |index| format!("  target-{index}:\n    dependencies:\n      runtime: [lib{index}]"));
    let text = format!(
        "args: {{V: 1.2.3}}\nsources:\n{sources}build:\n  steps:\n{steps}dependencies:\n  build:\n{packages}artifacts:\n  binaries:\n{binaries}tests:\n{tests}targets:\n{targets}"
    );
    assert!(findings(text).is_empty());
}
