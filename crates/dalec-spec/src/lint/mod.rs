//! Warnings about what is legal and probably wrong.
//!
//! Doubts about single values are collected where they are read or resolved; here are those that need the whole spec,
//! one kind per file.

mod literal_reference;
mod merge;
mod target;
mod unused_arg;

use std::collections::BTreeSet;

pub(crate) use self::target::unknown_targets;

use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::raw::RawRoot;
use crate::resolve::{ResolveOptions, resolve};
use crate::source_text::SourceText;

/// Returns the `doubts` of loading and everything that is wrong or doubtful for any target.
///
/// `is_broken` tells that loading found errors, so that parts of the spec are missing.
pub(crate) fn lint(
    root: &RawRoot,
    source: &SourceText,
    doubts: &[Diagnostic],
    is_broken: bool,
    options: &ResolveOptions,
) -> Vec<Diagnostic> {
    let mut findings = Findings::default();
    findings.extend(doubts.iter().cloned());
    let mut used = BTreeSet::new();
    let targets = root.targets.entries.iter().map(|entry| entry.key.value.clone());
    for target in std::iter::once(String::new()).chain(targets) {
        let resolved = resolve(root, source, &ResolveOptions { target, ..options.clone() });
        findings.extend(resolved.findings);
        findings.extend(resolved.doubts);
        used.extend(resolved.used);
    }
    findings.extend(literal_reference::check(root, source));
    findings.extend(merge::check(root, source));
    // What could not be read may refer to anything.
    if !findings.has_errors() && !is_broken {
        findings.extend(unused_arg::check(root, &used));
    }
    findings.into_sorted()
}
