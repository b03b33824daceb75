//! Warnings about what is legal and probably wrong.
//!
//! Doubts about single values are collected where they are read; here are those that need the whole spec.

use std::collections::BTreeSet;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::raw::RawRoot;
use crate::resolve::{Budget, ResolveOptions, is_known, resolve};
use crate::source_text::SourceText;

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
    /// Size of the spec with all aliases written out, in bytes.
    pub weight: usize,
}

impl Lint<'_> {
    /// Returns the doubts of loading and everything that is wrong or doubtful for any target.
    pub fn run(&self, options: &ResolveOptions) -> Vec<Diagnostic> {
        let mut findings = Findings::default();
        self.doubts.iter().cloned().for_each(|doubt| findings.push(doubt));
        let used = self.resolve_all(options, &mut findings);
        // What could not be read may refer to anything.
        let args =
            if findings.has_errors() || self.is_broken { &[][..] } else { &self.root.args.entries[..] };
        for arg in args {
            let name = &arg.key.value;
            // Declaring a known argument may be all there is to do with it.
            if !used.contains(name) && !is_known(name) && name != crate::resolve::SOURCE_DATE_EPOCH {
                let message = format!("the argument `{name}` is declared and never used");
                let diagnostic = Diagnostic::warning(codes::UNUSED_ARG, arg.key.span, message);
                findings.push(diagnostic.help(format!("remove it, or refer to it as `${{{name}}}`")));
            }
        }
        findings.into_sorted()
    }

    /// Resolves the root and every target, and returns the arguments that any of them refers to.
    ///
    /// All share one budget, and each target pays for the whole spec: so thousands of targets of a large spec, each
    /// cheap on its own, come to an end.
    fn resolve_all(&self, options: &ResolveOptions, findings: &mut Findings) -> BTreeSet<String> {
        let mut budget = Budget::default();
        let mut used = BTreeSet::new();
        let targets = self.root.targets.entries.iter().map(|entry| Some(&entry.key));
        for target in std::iter::once(None).chain(targets) {
            if let Some(key) = target
                && !budget.spend(self.weight)
            {
                let message = "checking this spec for all of its targets takes too long";
                let diagnostic = Diagnostic::error(codes::EXPANSION_BUDGET, key.span, message);
                findings.push(diagnostic.note("this one and those below are not checked"));
                break;
            }
            let target = target.map(|key| key.value.clone()).unwrap_or_default();
            let options = ResolveOptions { target, ..options.clone() };
            let (_, found, used_here) = resolve(self.root, self.source, &options, &mut budget);
            found.into_iter().for_each(|diagnostic| findings.push(diagnostic));
            used.extend(used_here);
        }
        used
    }
}
