//! Everything that is said about a spec, in one call.

use crate::allow::silence_and_check;
use crate::diagnostic::{Diagnostic, sort};
use crate::load::load;
use crate::resolve::ResolveOptions;
use crate::source_text::SourceText;

/// A target that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Its key below `targets`.
    pub key: &'static str,
    /// Keys of the spec without which nothing is packaged for it.
    pub needs: &'static [&'static str],
}

/// Returns everything that is wrong or doubtful in the spec in `source`, sorted by place.
///
/// The root and every target are resolved with the platforms and arguments of `options`; `targets` are those
/// that exist. What comments in the spec allow is left out. A spec that has errors is looked through all the
/// same, so that one run finds what there is to find.
pub fn check(source: &SourceText, options: &ResolveOptions, targets: &[Target]) -> Vec<Diagnostic> {
    let loaded = load(source);
    let mut found = loaded.diagnostics;
    if let Some(raw) = loaded.raw {
        found.extend(raw.lint(options));
        found.extend(raw.doubts_about_targets(targets));
    }
    let mut found = silence_and_check(source, found);
    sort(&mut found);
    found
}
