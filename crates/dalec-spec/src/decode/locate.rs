//! From a part of a scalar's text to the place where that part is written.

use std::ops::Range;

use crate::source_text::SourceText;
use crate::span::Span;

/// Returns where `part` (bytes) of `text` is written, `text` being the scalar at `span`.
///
/// Follows indentation and folding of blocks and plain scalars, and doubled single quotes. Returns none when
/// escapes in double quotes or anything else makes text and source differ.
pub(crate) fn locate(source: &SourceText, span: Span, text: &str, part: Range<usize>) -> Option<Span> {
    let written = source.slice(span);
    let quote = written.chars().next().filter(|char| matches!(char, '"' | '\''));
    let mut at = quote.map_or(0, char::len_utf8);
    let (mut start, mut end) = (None, None);
    for (offset, char) in text.char_indices() {
        if offset >= part.end {
            break;
        }
        let rest = skip_layout(&written[at..], char)?;
        at = written.len() - rest.len();
        if offset == part.start {
            start = Some(span.start + at);
        }
        at += rest.chars().next()?.len_utf8();
        if quote == Some('\'') && char == '\'' {
            at += 1;
        }
        end = Some(span.start + at);
    }
    Some(Span::new(start?, end?))
}

/// Returns the rest of the source that begins with `char`, skipping line breaks and indentation.
fn skip_layout(written: &str, char: char) -> Option<&str> {
    // A folded line break reads as a blank.
    let folded = char == ' ' && written.starts_with(['\n', '\r']);
    if written.starts_with(char) || folded {
        return Some(written);
    }
    if char == '\n' {
        return written.strip_prefix('\r').filter(|rest| rest.starts_with('\n'));
    }
    let rest = written.trim_start_matches([' ', '\t', '\r', '\n']);
    rest.starts_with(char).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    /// Returns what is written where `part` of the document's only scalar is found.
    fn written<'a>(source: &'a SourceText, part: &str) -> Option<&'a str> {
        let (root, _) = parse(source);
        let root = root?;
        let text = &root.scalar()?.text;
        let start = text.find(part)?;
        Some(source.slice(locate(source, root.span(), text, start..start + part.len())?))
    }

    #[test]
    fn finds_parts_of_scalars() {
        for (text, part, expected) in [
            ("a ${X} b", "${X}", Some("${X}")),
            ("'a ${X} b'", "${X}", Some("${X}")),
            ("'it''s ${X}'", "${X}", Some("${X}")),
            ("\"a ${X} b\"", "${X}", Some("${X}")),
            ("\"a\\t${X} b\"", "${X}", None),
            ("|\n  one\n    two ${X}\n", "${X}", Some("${X}")),
            (">\n  one\n  two ${X}\n", "${X}", Some("${X}")),
            ("one\n  two ${X}\n", "${X}", Some("${X}")),
            ("ü ${Ü} é", "${Ü}", Some("${Ü}")),
        ] {
            let source = SourceText::new("spec.yml", text);
            assert_eq!(written(&source, part), expected, "{text}");
        }
    }
}
