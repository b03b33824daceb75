//! What must hold for any bytes that are given as a spec or as a command line.
//!
//! Only the public interface of `dalec-spec` is used, and nothing of the fuzzer: a test of `dalec-spec` includes this
//! file to replay the corpus with the stable compiler. Each function panics when something does not hold.

use dalec_spec::span::Span;
use dalec_spec::target_spec::TargetSpec;
use dalec_spec::{
    Diagnostic, Origin, RenderOptions, ResolveOptions, Severity, SourceText, UnknownArgs, has_errors, render,
    render_github, render_json, render_sarif, silence, silence_and_check, to_json, to_yaml,
};

/// Targets that are resolved one by one; linting resolves them all.
const TARGETS: usize = 3;

/// Bytes above which a resolved spec is not read again.
const LARGE: usize = 1 << 20;

/// Loads `bytes` as a spec, lints, resolves and explains it, prints the findings, and loads again what it resolves to.
///
/// # Panics
/// When a finding points outside of the text or between the bytes of a character, when an error is silenced, or when a
/// resolved spec cannot be written and read again.
pub fn load(bytes: &[u8]) {
    let Ok(source) = SourceText::from_bytes("spec.yml", bytes.to_vec()) else { return };
    show(&source, &dalec_spec::load_source_filter(&source).1);
    show(&source, &dalec_spec::load_signing_config(&source).1);
    let loaded = dalec_spec::load(&source);
    show(&source, &loaded.diagnostics);
    let Some(raw) = loaded.raw else {
        assert!(has_errors(&loaded.diagnostics), "there is no spec, and nobody says why");
        return;
    };
    let mut linted = raw.lint(&ResolveOptions::default());
    show(&source, &linted);
    linted.extend(loaded.diagnostics.iter().cloned());
    check_silence(&source, linted);
    let routing = ResolveOptions { unknown_args: UnknownArgs::Allow, ..ResolveOptions::default() };
    show(&source, &raw.resolve(&routing).1);
    for target in std::iter::once("").chain(raw.target_keys()).take(1 + TARGETS) {
        let options = ResolveOptions { target: target.to_owned(), ..ResolveOptions::default() };
        let (spec, findings) = raw.resolve(&options);
        show(&source, &findings);
        let is_broken = has_errors(&loaded.diagnostics) || has_errors(&findings);
        assert_eq!(spec.is_none(), is_broken, "a spec comes exactly where there are no errors");
        for explanation in raw.explain(&options, "").unwrap_or_default() {
            if let Origin::Root(span) | Origin::Target(span) = explanation.origin {
                check_place(&source, span, &explanation);
            }
        }
        if let Some(spec) = spec {
            check_round_trip(&spec, &options);
        }
    }
}

/// Prints `findings` in every form, and checks where they point.
fn show(source: &SourceText, findings: &[Diagnostic]) {
    for finding in findings {
        let labels = finding.labels.iter().map(|label| label.span);
        finding.span.into_iter().chain(labels).for_each(|span| check_place(source, span, finding));
    }
    let mut sorted = findings.to_vec();
    dalec_spec::sort(&mut sorted);
    for color in [false, true] {
        let text = render(source, findings, RenderOptions { color, width: None });
        assert_eq!(text.is_empty(), findings.is_empty(), "every finding is shown");
    }
    let entries = render_json(source, findings);
    assert_eq!(entries.as_array().map(Vec::len), Some(sorted.len()), "one entry for each finding");
    assert_eq!(render_github(source, findings).lines().count(), sorted.len(), "one line for each finding");
    let log = render_sarif(&[(source.clone(), findings.to_vec())]);
    let results = log["runs"][0]["results"].as_array();
    assert_eq!(results.map(Vec::len), Some(sorted.len()), "one result for each finding");
}

/// Checks that `span`, which `what` points at, is a part of the text.
fn check_place(source: &SourceText, span: Span, what: &dyn std::fmt::Debug) {
    let Span { start, end } = span;
    assert!(source.text().get(start..end).is_some(), "{start}..{end} is no part of the text: {what:?}");
}

/// Checks that comments silence no errors.
fn check_silence(source: &SourceText, findings: Vec<Diagnostic>) {
    let errors = |findings: &[Diagnostic]| {
        findings.iter().filter(|finding| finding.severity == Severity::Error).cloned().collect::<Vec<_>>()
    };
    let before = errors(&findings);
    assert_eq!(errors(&silence(source, findings.clone())), before);
    let checked = silence_and_check(source, findings);
    show(source, &checked);
    assert!(errors(&checked).len() >= before.len(), "an error was silenced");
}

/// Checks that `spec`, written as YAML and as JSON, means the same again.
///
/// A spec that aliases blow up is left alone. JSON with a key of more than 1024 characters is no YAML, which has
/// another way to write such a key.
fn check_round_trip(spec: &TargetSpec, options: &ResolveOptions) {
    let yaml = to_yaml(spec);
    if yaml.len() > LARGE {
        return;
    }
    assert_eq!(to_yaml(&read_again(&yaml, options)), yaml, "what was written means something else");
    let has_long_key = yaml.lines().any(|line| line.trim_start_matches([' ', '-']).starts_with("? "));
    if !has_long_key {
        let json = to_json(spec).to_string();
        assert_eq!(
            to_json(&read_again(&json, options)).to_string(),
            json,
            "what was written means something else"
        );
    }
}

fn read_again(text: &str, options: &ResolveOptions) -> TargetSpec {
    let source = SourceText::new("resolved.yml", text);
    let loaded = dalec_spec::load(&source);
    let mut findings = loaded.diagnostics;
    let (spec, more) = loaded.raw.map(|raw| raw.resolve(options)).unwrap_or_default();
    findings.extend(more);
    spec.unwrap_or_else(|| {
        let shown = render(&source, &findings, RenderOptions::default());
        panic!("what was written does not load:\n{shown}\n{text}")
    })
}

/// Splits `bytes` as a command line, and splits the words again after quoting them.
///
/// # Panics
/// When an error does not point at a quote or backslash, or when quoted words come out differently.
pub fn shlex(bytes: &[u8]) {
    let Ok(line) = std::str::from_utf8(bytes) else { return };
    match dalec_spec::shlex::split(line) {
        Ok(words) => {
            assert!(
                words.iter().map(String::len).sum::<usize>() <= line.len(),
                "words hold what is not there"
            );
            for quote in [single_quoted, double_quoted, backslashed] {
                let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
                assert_eq!(dalec_spec::shlex::split(&quoted.join(" ")).as_ref(), Ok(&words));
            }
        }
        Err(error) => {
            let blamed = line.get(error.at()..).and_then(|rest| rest.chars().next());
            assert!(matches!(blamed, Some('\'' | '"' | '\\')), "{error:?} blames {blamed:?}");
        }
    }
}

fn single_quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn double_quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\""))
}

fn backslashed(word: &str) -> String {
    let escaped: String = word.chars().flat_map(|char| ['\\', char]).collect();
    if word.is_empty() { "''".to_owned() } else { escaped }
}
