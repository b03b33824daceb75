//! Warnings about what is legal and probably wrong.
//!
//! Doubts about single values are collected where they are read or resolved; here are those that need the whole spec,
//! one kind per file.

mod literal_reference;
mod merge;
mod needs;
mod target;
mod unused_arg;

use std::collections::BTreeSet;

pub(crate) use self::needs::unmet_needs;
pub(crate) use self::target::unknown_targets;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::raw::RawRoot;
use crate::resolve::{Budget, ResolveOptions, VANISHED, resolve};
use crate::source_text::SourceText;

/// What resolving all targets may take together, in the units of [`Budget`], however large the spec is.
///
/// With 50,000 lines and 20 targets it is less than a quarter of this.
const ALL_TARGETS: usize = 1 << 30;

/// What is linted.
pub(crate) struct Lint<'a> {
    /// The spec.
    pub root: &'a RawRoot,
    /// Its text.
    pub source: &'a SourceText,
    /// What loading found doubtful.
    pub doubts: &'a [Diagnostic],
    /// Whether loading found errors, so that parts of the spec are missing.
    pub is_broken: bool,
    /// Size of the spec with all aliases written out, as text and as values, in bytes.
    pub weight: usize,
}

impl Lint<'_> {
    /// Returns the doubts of loading and everything that is wrong or doubtful for any target.
    pub fn run(&self, options: &ResolveOptions) -> Vec<Diagnostic> {
        let mut findings = Findings::default();
        findings.extend(self.doubts.iter().cloned());
        let used = self.resolve_all(options, &mut findings);
        findings.extend(literal_reference::check(self.root, self.source));
        findings.extend(merge::check(self.root, self.source));
        // What could not be read may refer to anything.
        if !findings.has_errors() && !self.is_broken {
            findings.extend(unused_arg::check(self.root, &used));
        }
        findings.into_sorted()
    }

    /// Resolves the root and every target, and returns the arguments that any of them refers to.
    ///
    /// Each target pays for reading the whole spec and for the copy that its keys are joined with, so that thousands of
    /// targets of a large spec, each cheap on its own, come to an end.
    fn resolve_all(&self, options: &ResolveOptions, findings: &mut Findings) -> BTreeSet<String> {
        let mut all = Budget::of(ALL_TARGETS);
        let mut used = BTreeSet::new();
        let targets = self.root.targets.entries.iter().map(|entry| Some(&entry.key));
        for target in std::iter::once(None).chain(targets) {
            if let Some(key) = target
                && !all.spend(self.weight)
            {
                let message = "checking this spec for all of its targets takes too long";
                let diagnostic = Diagnostic::error(codes::EXPANSION_BUDGET, key.span, message);
                findings.push(diagnostic.note("this one and those below are not checked"));
                break;
            }
            let target = target.map(|key| key.value.clone()).unwrap_or_default();
            let options = ResolveOptions { target, ..options.clone() };
            let resolved = all.lend(|budget| resolve(self.root, self.source, &options, budget));
            // An argument without a default is often given to every build, and nobody gives it here.
            findings.extend(resolved.findings.into_iter().filter(|finding| finding.note != VANISHED));
            findings.extend(resolved.doubts);
            used.extend(resolved.used);
        }
        used
    }
}
