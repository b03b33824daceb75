//! The acceptance list of the language: each row that speaks of loading, checking, defaults, arguments or overrides has a
//! test here, in the corpus, or beside the code, and each such test quotes its row.
//!
//! `tests/acceptance.tsv` in the repository's root says where every row is tested.

mod arguments;
mod explain;
mod loading;
mod overrides;
mod packaging;
mod places;
mod sources;
mod spec_tests;
mod validation;

use dalec_spec::target_spec::TargetSpec;
use dalec_spec::{
    Diagnostic, RenderOptions, ResolveOptions, SourceText, has_errors, load, render, sort, to_yaml,
};

/// What loading and resolving a text gave.
struct Outcome {
    source: SourceText,
    found: Vec<Diagnostic>,
    spec: Option<TargetSpec>,
}

impl Outcome {
    fn of(text: &str, options: &ResolveOptions) -> Self {
        let source = SourceText::new("spec.yml", text);
        let loaded = load(&source);
        let mut found = loaded.diagnostics;
        let mut spec = None;
        if let Some(raw) = loaded.raw {
            let resolved = raw.resolve(options);
            spec = resolved.0;
            found.extend(resolved.1);
        }
        sort(&mut found);
        Self { source, found, spec }
    }

    fn show(&self) -> String {
        format!("{}\n{}", self.source.text(), render(&self.source, &self.found, RenderOptions::default()))
    }

    /// Returns each finding as its code and the text that it points at.
    fn findings(&self) -> Vec<(&'static str, &str)> {
        let at = |finding: &Diagnostic| finding.span.map_or("", |span| self.source.slice(span));
        self.found.iter().map(|finding| (finding.code, at(finding))).collect()
    }
}

/// Returns what `text` resolves to for the root alone.
#[track_caller]
fn resolved(text: &str) -> TargetSpec {
    resolved_with(text, &ResolveOptions::default())
}

/// Returns what `text` resolves to.
#[track_caller]
fn resolved_with(text: &str, options: &ResolveOptions) -> TargetSpec {
    let outcome = Outcome::of(text, options);
    assert!(!has_errors(&outcome.found), "{}", outcome.show());
    outcome.spec.expect("no errors")
}

/// Returns options for the target `key`.
fn target(key: &str) -> ResolveOptions {
    ResolveOptions { target: key.to_owned(), ..ResolveOptions::default() }
}

/// Returns options with build arguments.
fn build_args(args: &[(&str, &str)]) -> ResolveOptions {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    ResolveOptions { build_args: args.iter().map(pair).collect(), ..ResolveOptions::default() }
}

/// Checks that `text` is refused, with one finding for each of `expected`: its code and the text it points at.
#[track_caller]
fn check_refused(text: &str, expected: &[(&str, &str)]) {
    let outcome = Outcome::of(text, &ResolveOptions::default());
    assert!(outcome.spec.is_none() && has_errors(&outcome.found), "{}", outcome.show());
    assert_eq!(outcome.findings(), expected, "{}", outcome.show());
}

/// Checks that two texts mean the same.
#[track_caller]
fn check_same(a: &str, b: &str) {
    assert_eq!(to_yaml(&resolved(a)), to_yaml(&resolved(b)), "{a}\nis not the same as\n{b}");
}
