//! Everything that is said about a spec, in one call.

use crate::allow::silence_and_check;
use crate::diagnostic::{Diagnostic, sort};
use crate::load::load;
use crate::resolve::ResolveOptions;
use crate::source_text::SourceText;

/// Returns everything that is wrong or doubtful in the spec in `source`, sorted by place.
///
/// The root and every target are resolved with the platforms and arguments of `options`; `targets` are the keys of the
/// targets that exist. What comments in the spec allow is left out. A spec that has errors is looked through all the
/// same, so that one run finds what there is to find.
pub fn check(source: &SourceText, options: &ResolveOptions, targets: &[&str]) -> Vec<Diagnostic> {
    let loaded = load(source);
    let mut found = loaded.diagnostics;
    if let Some(raw) = loaded.raw {
        found.extend(raw.lint(options));
        found.extend(raw.unknown_targets(targets));
    }
    let mut found = silence_and_check(source, found);
    sort(&mut found);
    found
}
