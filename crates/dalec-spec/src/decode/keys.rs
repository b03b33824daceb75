//! Keys that an object does not have: typos, keys of another object, and keys that come later.

use super::object::is_extension;
use super::{Decoder, Object};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::raw::language;
use crate::yaml::Node;

/// Reports `node`, which is no key of the object `T`.
pub(super) fn report_unknown<T: Object>(node: &Node, decoder: &mut Decoder<'_>) {
    if decoder.findings.is_full() {
        return;
    }
    let Some(key) = node.scalar().map(|scalar| scalar.text.as_str()) else {
        let message = format!("a key of {} must be text, not {}", T::NAME, node.describe());
        decoder.report(Diagnostic::error(codes::WRONG_TYPE, node.span(), message));
        return;
    };
    if language::is_unsupported(T::NAME, key) {
        let message = format!(
            "`{key}` is part of the Dalec language, but this version of dalec does not support it yet"
        );
        decoder.report(Diagnostic::error(codes::UNSUPPORTED_KEY, node.span(), message));
        return;
    }
    let diagnostic =
        Diagnostic::error(codes::UNKNOWN_KEY, node.span(), format!("unknown key `{key}` in {}", T::NAME));
    let help = match (language::hint(T::NAME, key), suggest(key, T::KEYS.iter().copied())) {
        (Some(hint), _) => hint.to_owned(),
        (None, Some(known)) => format!("did you mean `{known}`?"),
        (None, None) if is_extension(key) => {
            format!("{} has no extension keys: put it one level up", T::NAME)
        }
        (None, None) => format!("known are {}", list(T::KEYS)),
    };
    decoder.report(diagnostic.help(help));
}

/// Nobody mistypes longer words than this, in characters; comparing two words takes time and memory for each pair of
/// their characters.
const MAX_WORD: usize = 100;

/// Returns the one of `known` that `word` was probably meant to be.
pub(crate) fn suggest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], "");
    let limit = (word.chars().count() / 3).max(1);
    let word = (word.len() <= MAX_WORD).then(|| plain(word))?;
    known
        .filter(|candidate| candidate.len() <= 2 * MAX_WORD)
        .map(|candidate| (strsim::damerau_levenshtein(&word, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn list(keys: &[&str]) -> String {
    let quoted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    match &quoted[..] {
        [] => "no keys".to_owned(),
        [only] => format!("only {only}"),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near() {
        let known = ["name", "version", "config_files", "is_dir"];
        for (word, expected) in [
            ("nmae", Some("name")),
            ("Version", Some("version")),
            ("configFiles", Some("config_files")),
            ("isdir", Some("is_dir")),
            ("x", None),
            ("branding", None),
        ] {
            assert_eq!(suggest(word, known.into_iter()), expected, "{word}");
        }
    }
}
