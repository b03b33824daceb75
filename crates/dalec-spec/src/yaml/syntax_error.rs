//! What the event parser complains about, in words that help.

use granit_parser::{ErrorKind, ScanError};

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::source_text::SourceText;
use crate::span::Span;

/// Returns `error` as a diagnostic at the character where parsing stopped.
pub(super) fn describe(source: &SourceText, error: &ScanError) -> Diagnostic {
    let text = source.text();
    let mut at = error.marker().byte_offset().unwrap_or(0).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let length =
        text[at..].chars().next().filter(|char| !matches!(char, '\n' | '\r')).map_or(0, char::len_utf8);
    let span = Span::new(at, at + length);
    let code = match error.kind() {
        ErrorKind::RecursionLimitExceeded => codes::NESTED_TOO_DEEP,
        _ => codes::YAML_SYNTAX,
    };
    let (message, help) = words(error);
    let diagnostic = Diagnostic::error(code, span, message);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn words(error: &ScanError) -> (String, Option<&'static str>) {
    let (message, help) = match error.kind() {
        ErrorKind::TabInIndentation | ErrorKind::TabInBlockIndentation | ErrorKind::TabNotAllowed => {
            ("a tab cannot indent YAML", Some("indent with spaces"))
        }
        ErrorKind::UnclosedQuotedScalar => (
            "a quoted text is never closed",
            Some(
                "look for the quote that opens it; inside double quotes write `\\\"`, inside single quotes `''`",
            ),
        ),
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            "there is text behind the closing quote",
            Some("quote the whole value, or use a block: `key: |` with the text below it"),
        ),
        ErrorKind::UnknownQuotedScalarEscape => (
            "this backslash sequence means nothing inside double quotes",
            Some("write `\\\\` for a backslash, or use single quotes"),
        ),
        ErrorKind::UnclosedFlowCollection { open: '[' } => ("`[` is never closed", Some("add `]`")),
        ErrorKind::UnclosedFlowCollection { .. } => ("`{` is never closed", Some("add `}`")),
        ErrorKind::RecursionLimitExceeded => ("this is nested deeper than any spec needs", None),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => (
            "expected `key: value` here",
            Some(
                "check the indentation of this line against its neighbours, and the colon with a space behind the key",
            ),
        ),
        ErrorKind::ExpectedBlockSequenceEntry | ErrorKind::InvalidIndentation => (
            "this line does not line up with the lines around it",
            Some("give all entries of one list or mapping the same indentation"),
        ),
        ErrorKind::MappingValueNotAllowed => (
            "a value cannot hold `: ` here",
            Some("put the value in quotes, or check the indentation of this line"),
        ),
        ErrorKind::UnexpectedCharacter { .. } => {
            ("this character cannot begin a value", Some("put the value in quotes"))
        }
        ErrorKind::BomInsideDocument => ("a byte order mark stands inside the text", Some("remove it")),
        _ => return (format!("not YAML: {}", error.info().trim_end_matches('.').to_lowercase()), None),
    };
    (message.to_owned(), help)
}
