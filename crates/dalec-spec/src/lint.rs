//! Warnings about what is legal and probably wrong.
//!
//! Doubts about single values are collected where they are read; here are those that need the whole spec.

use std::collections::BTreeSet;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::raw::RawRoot;
use crate::resolve::{ResolveOptions, is_known, resolve};
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
    doubts.iter().cloned().for_each(|doubt| findings.push(doubt));
    let mut used = BTreeSet::new();
    let targets = root.targets.entries.iter().map(|entry| entry.key.value.clone());
    for target in std::iter::once(String::new()).chain(targets) {
        let (_, found, used_here) = resolve(root, source, &ResolveOptions { target, ..options.clone() });
        found.into_iter().for_each(|diagnostic| findings.push(diagnostic));
        used.extend(used_here);
    }
    // What could not be read may refer to anything.
    let args = if findings.has_errors() || is_broken { &[][..] } else { &root.args.entries[..] };
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
