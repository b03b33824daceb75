//! Targets that the spec is written for, and lacks something for.

use crate::check::Target;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::raw::RawRoot;
use crate::span::Span;

/// Returns a warning for what the targets that `root` names need and it does not have; what several lack is said once. A spec
/// without name is of no package, and what other programs build is their matter.
pub(crate) fn unmet_needs(root: &RawRoot, targets: &[Target]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut told: Vec<Vec<&str>> = Vec::new();
    if !is_written(root.name.span) {
        return found;
    }
    for entry in root.targets.entries.iter().filter(|entry| entry.value.frontend().is_none()) {
        let Some(target) = targets.iter().find(|target| target.key == entry.key.value) else { continue };
        let missing = target.needs.iter().copied().filter(|key| is_missing(root, key));
        let missing: Vec<&str> = missing.collect();
        if missing.is_empty() || told.contains(&missing) {
            continue;
        }
        let keys: Vec<String> = missing.iter().map(|key| format!("`{key}`")).collect();
        let keys = keys.join(" and ");
        let message = format!("packages for `{}` need {keys}, which the spec does not have", target.key);
        let diagnostic = Diagnostic::warning(codes::INCOMPLETE_FOR_TARGET, entry.key.span, message);
        let help = match missing[..] {
            ["packager"] => "add `packager: Your Name <you@example.com>`".to_owned(),
            _ => format!("add {keys}"),
        };
        found.push(diagnostic.help(help));
        told.push(missing);
    }
    found
}

fn is_missing(root: &RawRoot, key: &str) -> bool {
    let span = match key {
        "version" => root.version.span,
        "revision" => root.revision.span,
        "description" => root.description.span,
        "license" => root.license.span,
        "packager" => root.packager.span,
        _ => return false,
    };
    !is_written(span)
}

fn is_written(span: Span) -> bool {
    span.end > span.start
}
