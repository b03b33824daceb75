//! Keys that an object does not have: typos and keys of another object.

use super::object::is_extension;
use super::{Decode, Decoder, Object};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::raw::{RawRoot, hints};
use crate::shape::objects;
use crate::yaml::Node;

/// Reports `node`, which is no key of the object `T`.
pub(super) fn report_unknown<T: Object>(node: &Node, decoder: &mut Decoder<'_>) {
    if decoder.findings.is_full(codes::UNKNOWN_KEY) {
        return;
    }
    let Some(key) = node.scalar().map(|scalar| scalar.text.as_str()) else {
        let message = format!("a key of {} must be text, not {}", T::NAME, node.describe());
        decoder
            .report(Diagnostic::error(codes::WRONG_TYPE, node.span(), message).help("put the key in quotes"));
        return;
    };
    let message = format!("unknown key `{key}` in {}", T::NAME);
    let diagnostic = match decoder.ignore_unknown_keys {
        true => Diagnostic::warning(codes::NO_EFFECT, node.span(), message + " is not looked at"),
        false => Diagnostic::error(codes::UNKNOWN_KEY, node.span(), message),
    };
    let names: Vec<&str> = T::keys().iter().map(|key| key.name).collect();
    let help = match (hints::hint(T::NAME, key), suggest(key, names.iter().copied())) {
        (Some(hint), _) => hint.to_owned(),
        (None, Some(known)) => format!("did you mean `{known}`?"),
        (None, None) if is_extension(key) => {
            format!("{} has no extension keys: put it one level up", T::NAME)
        }
        (None, None) => match owners(key).as_slice() {
            [] => format!("known are {}", quoted_list(&names, "and")),
            [owner] => format!("`{key}` is a key of {owner}; known here are {}", quoted_list(&names, "and")),
            [owners @ .., last] => {
                let owners = format!("{} and {last}", owners.join(", "));
                format!("`{key}` is a key of {owners}; known here are {}", quoted_list(&names, "and"))
            }
        },
    };
    match decoder.ignore_unknown_keys {
        true => decoder.doubt(diagnostic.help(help)),
        false => decoder.report(diagnostic.help(help)),
    }
}

/// Returns what the objects that have `key` are called, if they are few.
fn owners(key: &str) -> Vec<&'static str> {
    let mut owners: Vec<&str> = objects(RawRoot::shape())
        .iter()
        .filter(|object| object.keys.iter().any(|known| known.name == key))
        .map(|object| object.name)
        .collect();
    owners.dedup();
    if owners.len() > 3 { Vec::new() } else { owners }
}

/// Nobody mistypes longer words than this, in characters; comparing two words takes time and memory for each pair of
/// their characters.
const MAX_WORD: usize = 100;

/// Returns the one of `known` that `word` was probably meant to be; none when nothing is close.
///
/// Upper and lower case, `_` and `-` are not told apart.
pub fn suggest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], "");
    let limit = (word.chars().count() / 3).max(1);
    let word = (word.len() <= MAX_WORD).then(|| plain(word))?;
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= 2 * MAX_WORD)
        .map(|candidate| (strsim::damerau_levenshtein(&word, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns `words` in backticks, joined with commas and `joint`.
pub(crate) fn quoted_list(words: &[&str], joint: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match &quoted[..] {
        [] => "no keys".to_owned(),
        [only] => format!("only {only}"),
        [rest @ .., last] => format!("{} {joint} {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near() {
        let keys = ["name", "version", "config_files", "is_dir"];
        for (word, expected) in [
            ("nmae", Some("name")),
            ("Version", Some("version")),
            ("configFiles", Some("config_files")),
            ("isdir", Some("is_dir")),
            ("x", None),
            ("branding", None),
        ] {
            assert_eq!(suggest(word, keys), expected, "{word}");
        }
    }
    #[test]
    fn suggests_routes() {
        let routes = ["bookworm/deb", "bookworm/dsc", "trixie/deb"];
        for (word, expected) in [
            ("bookwrom/deb", Some("bookworm/deb")),
            ("bookworm/dbe", Some("bookworm/deb")),
            ("trixy/deb", Some("trixie/deb")),
            ("windowscross/zip", None),
            ("", None),
        ] {
            assert_eq!(suggest(word, routes), expected, "{word}");
        }
    }
}
