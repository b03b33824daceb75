//! References to arguments where no arguments are expanded.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::codes;
use crate::decode::{Decode, Leaf, PathStep, Tracer, Wording, locate};
use crate::diagnostic::Diagnostic;
use crate::findings::Findings;
use crate::raw::RawRoot;
use crate::shlex;
use crate::source_text::SourceText;

/// A reference as authors write it.
static REFERENCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}|([A-Za-z_][A-Za-z0-9_]*))").ok());

/// Returns a warning for each reference to a declared argument in literal text.
pub(super) fn check(root: &RawRoot, source: &SourceText) -> Vec<Diagnostic> {
    let declared: BTreeSet<&str> = root.args.entries.iter().map(|arg| arg.key.value.as_str()).collect();
    let mut found = Findings::default();
    // A text that aliases repeat is looked at once.
    let mut seen = BTreeSet::new();
    let Some(reference) = REFERENCE.as_ref().filter(|_| !declared.is_empty()) else { return Vec::new() };
    root.trace(&mut Tracer::new(&mut |path: &[PathStep], leaf: Leaf<'_>| {
        let Wording::Literal(text) = leaf.wording else { return };
        if !text.contains('$') || is_expanded_by_others(path, text) || !seen.insert(leaf.span) {
            return;
        }
        let names = reference.captures_iter(text).filter_map(|captures| {
            let name = captures.get(1).or(captures.get(2))?;
            declared.contains(name.as_str()).then_some((captures.get(0)?, name))
        });
        for (whole, name) in names {
            if found.is_full(codes::LITERAL_REFERENCE) {
                break;
            }
            let place = locate(source, leaf.span, text, whole.range()).unwrap_or(leaf.span);
            let message = format!("`{}` stays as text: arguments are not expanded here", whole.as_str());
            let diagnostic = Diagnostic::warning(codes::LITERAL_REFERENCE, place, message);
            found.push(diagnostic.help(help(path, name.as_str())));
        }
    }));
    found.into_sorted()
}

/// Returns whether `$` means something to whoever reads the text: a shell, or the reader of a file.
fn is_expanded_by_others(path: &[PathStep], text: &str) -> bool {
    let is_below = |name: &str| path.iter().any(|step| matches!(step, PathStep::Key(key) if key == name));
    match path.last() {
        Some(PathStep::Key(key)) if key == "contents" => true,
        Some(PathStep::Key(key)) if key == "command" && is_below("tests") => runs_a_shell(text),
        Some(PathStep::Key(key)) if key == "entrypoint" || key == "cmd" => runs_a_shell(text),
        Some(PathStep::Key(key)) if key == "command" => true,
        _ => false,
    }
}

/// The shells that expand `$` in the scripts they are given.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "zsh"];

/// Returns whether the program of the command line `text` is a shell.
fn runs_a_shell(text: &str) -> bool {
    let words = shlex::split(text).unwrap_or_default();
    let program = words.first().map(|program| program.rsplit('/').next().unwrap_or(program));
    program.is_some_and(|program| SHELLS.contains(&program))
}

fn help(path: &[PathStep], name: &str) -> String {
    match path.last() {
        Some(PathStep::Key(key)) if key == "command" => {
            format!(
                "no shell runs this command: put `{name}: ${{{name}}}` under `env` and write `sh -c '...'`"
            )
        }
        _ => "write the text itself".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load;
    use crate::resolve::ResolveOptions;

    /// Returns how many references of a spec with `rest` are warned about.
    fn count(rest: &str) -> usize {
        let source = SourceText::new("spec.yml", format!("args: {{PORT: 1}}\n{rest}\n"));
        let found = load(&source).raw.expect("a mapping").lint(&ResolveOptions::default());
        found.iter().filter(|finding| finding.code == codes::LITERAL_REFERENCE).count()
    }

    #[test]
    fn a_shell_expands_variables_itself() {
        for (command, expected) in [
            ("sh -c 'echo $PORT'", 0),
            ("/usr/bin/bash -c 'echo $PORT'", 0),
            ("zsh -c 'echo $PORT'", 0),
            ("echo $PORT", 1),
            ("/usr/bin/publish $PORT", 1),
            ("tools/sh/run $PORT", 1),
            ("rsh $PORT", 1),
        ] {
            for spec in [
                format!("image: {{entrypoint: \"{command}\"}}"),
                format!("image: {{cmd: \"{command}\"}}"),
                format!("tests: [{{name: a, steps: [{{command: \"{command}\"}}]}}]"),
            ] {
                assert_eq!(count(&spec), expected, "{spec}");
            }
        }
    }
}
