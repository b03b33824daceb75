//! Overrides of targets that upstream understands in another way.

use crate::codes;
use crate::decode::{Decode, Whole};
use crate::diagnostic::Diagnostic;
use crate::raw::{Packages, RawRoot};
use crate::source_text::SourceText;
use crate::span::Span;

/// Returns a warning for each override of a target that does not do the same upstream.
pub(super) fn check(root: &RawRoot, source: &SourceText) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for target in &root.targets.entries {
        let (key, of_target) = (&target.key.value, &target.value.spec);
        let (lists, root_lists) = (&of_target.dependencies, &root.dependencies);
        let has_dependencies = lists.span != Span::default();
        if has_dependencies && root_lists.sysext.is_given() && !lists.sysext.is_given() {
            let message = format!(
                "upstream Dalec forgets the root's `sysext` here, as `{key}` has dependencies of its own"
            );
            let span = first_line(source, lists.span);
            let diagnostic = Diagnostic::warning(codes::UPSTREAM_DIFFERS, span, message);
            found.push(diagnostic.help("repeat `sysext` here if the spec must mean the same there"));
        }
        let lists = [
            ("build", &lists.build, &root_lists.build, true),
            ("runtime", &lists.runtime, &root_lists.runtime, true),
            ("recommends", &lists.recommends, &root_lists.recommends, true),
            ("test", &lists.test, &root_lists.test, true),
            ("conflicts", &of_target.conflicts, &root.conflicts, false),
            ("replaces", &of_target.replaces, &root.replaces, false),
            ("provides", &of_target.provides, &root.provides, false),
        ];
        for (name, list, root_list, even_as_mapping) in lists {
            let Some(packages) = cleared(list, root_list) else { continue };
            if even_as_mapping || source.slice(packages.span).starts_with('[') {
                let message =
                    format!("upstream Dalec takes the empty list as not given: the root's `{name}` stays");
                found.push(Diagnostic::warning(codes::UPSTREAM_DIFFERS, packages.span, message).help(
                    match even_as_mapping {
                        true => "upstream Dalec has no way to clear this list",
                        false => "write `{}`, which clears the list in upstream Dalec as well",
                    },
                ));
            }
        }
    }
    found
}

/// Returns the target's list when it is empty and the root's is not.
fn cleared<'p>(target: &'p Whole<Packages>, root: &Whole<Packages>) -> Option<&'p Packages> {
    let root_has_some = root.0.as_ref().is_some_and(Decode::is_given);
    target.0.as_ref().filter(|packages| root_has_some && !packages.is_given())
}

fn first_line(source: &SourceText, span: Span) -> Span {
    let line = source.slice(span).lines().next().unwrap_or_default().trim_end();
    Span::new(span.start, span.start + line.len())
}
