//! What the event parser complains about, in words that help.

use granit_parser::{ErrorKind, ScanError};

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::source_text::SourceText;
use crate::span::Span;

/// Returns `error` as a diagnostic at the character to blame; `open` is the place of the innermost bracket that is
/// open there.
pub(super) fn describe(source: &SourceText, error: &ScanError, open: Option<usize>) -> Diagnostic {
    let text = source.text();
    let mut at = error.marker().byte_offset().unwrap_or(0).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let (place, kind) = (Place { text, at }, error.kind());
    let code = match kind {
        ErrorKind::RecursionLimitExceeded => codes::NESTED_TOO_DEEP,
        _ => codes::YAML_SYNTAX,
    };
    let special =
        place.left_from_merge().or_else(|| place.text_too_far_left(kind)).or_else(|| place.glued(kind));
    let is_special = special.is_some();
    let (message, help) = special.unwrap_or_else(|| words(error, &place));
    let diagnostic = Diagnostic::error(code, place.blamed(kind), message).help(help);
    match open.filter(|_| is_about_brackets(kind) && !is_special) {
        Some(open) => diagnostic.label(Span::new(open, open + 1), "opened here"),
        None => diagnostic,
    }
}

/// Returns whether something does not fit into brackets that are open.
fn is_about_brackets(kind: &ErrorKind) -> bool {
    use ErrorKind as Is;
    matches!(
        kind,
        Is::ExpectedFlowMappingSeparator
            | Is::ExpectedFlowSequenceSeparator
            | Is::FlowMappingValueAdjacentCollection
            | Is::InvalidColonPlacement
            | Is::UnexpectedEofFlowMapping
            | Is::UnexpectedEofFlowSequence
            | Is::UnexpectedEofImplicitFlowMapping
    )
}

/// Returns what is wrong and what to write instead.
fn words(error: &ScanError, place: &Place<'_>) -> (String, String) {
    use ErrorKind as Is;
    let (message, help) = match error.kind() {
        kind if is_about_tabs(kind) => ("a tab cannot indent YAML", "indent with spaces"),
        Is::UnclosedQuotedScalar | Is::DocumentIndicatorInQuotedScalar => (
            "a quoted text is never closed",
            "look for the quote that opens it; inside double quotes write `\\\"`, inside single quotes `''`",
        ),
        Is::InvalidTrailingSingleQuotedScalar | Is::InvalidTrailingDoubleQuotedScalar => (
            "there is text behind the closing quote",
            "quote the whole value, or use a block: `key: |` with the text below it",
        ),
        kind if is_about_escapes(kind) => (
            "this backslash sequence means nothing inside double quotes",
            "write `\\\\` for a backslash, or use single quotes",
        ),
        Is::UnclosedFlowCollection { open: '[' } => ("`[` is never closed", "add `]`"),
        Is::UnclosedFlowCollection { .. } => ("`{` is never closed", "add `}`"),
        Is::MismatchedFlowCollectionEnd { open, close } => {
            let needed = if *open == '[' { ']' } else { '}' };
            return (format!("`{open}` is closed by `{close}`"), format!("close it with `{needed}`"));
        }
        kind if is_about_brackets(kind) && place.text[..place.at].ends_with('$') => (
            "inside of brackets a reference to an argument needs quotes",
            "write `\"${NAME}\"`, or one entry per line instead of the brackets",
        ),
        kind if is_about_brackets(kind) => (
            "a comma or the closing bracket is missing before this",
            "close the bracket, put a comma between the entries, or put the value in quotes",
        ),
        Is::MisplacedFlowCollectionEnd => {
            ("this bracket closes nothing", "remove it, or put the value in quotes")
        }
        Is::BlockEntryInFlowCollection => {
            ("`- ` begins no entry inside of brackets", "separate the entries by commas")
        }
        Is::RecursionLimitExceeded => {
            ("this is nested deeper than any spec needs", "look for brackets that are opened and not closed")
        }
        kind if is_about_keys(kind) && place.line().trim_start().starts_with("- ") => (
            "this entry of a list does not line up with the others",
            "give all `- ` of one list the same indentation",
        ),
        kind if is_about_keys(kind) && !place.line().contains(':') => (
            "expected `key: value` here",
            "put a colon and a blank behind the key, or indent the line if it belongs to the value above",
        ),
        kind if is_about_keys(kind) => (
            "expected `key: value` here",
            "check the indentation of this line against its neighbours, and the colon with a space behind the key",
        ),
        Is::ExpectedBlockSequenceEntry | Is::InvalidIndentation => (
            "this line does not line up with the lines around it",
            "give all entries of one list or mapping the same indentation",
        ),
        Is::BlockSequenceEntryNotAllowed => (
            "a list cannot begin on the line of its key",
            "put each `- ` on a line of its own below the key, or write `[...]`",
        ),
        Is::MappingValueNotAllowed if place.continues() => (
            "this line continues the value above it, which cannot hold `: `",
            "indent it like the keys it belongs to, check that the key above has its colon, or put the whole value in quotes",
        ),
        Is::MappingValueNotAllowed => ("a value cannot hold `: ` here", "put the value in quotes"),
        Is::UnexpectedCharacter { character: '`' } => {
            ("a backtick cannot begin a value", "put the value in quotes")
        }
        Is::UnexpectedCharacter { character } => {
            return (format!("`{character}` cannot begin a value"), "put the value in quotes".to_owned());
        }
        Is::MissingAnchorOrAliasName => (
            "`&` and `*` need a name behind them here: they mark a value and repeat it",
            "put the value in quotes if the character itself is meant",
        ),
        kind if is_about_tags(kind) => {
            ("`!` begins a tag, and this is none", "put the value in quotes if the character itself is meant")
        }
        Is::InvalidBlockScalarHeader | Is::ZeroBlockScalarIndent => (
            "this line cannot go on behind `|` or `>`",
            "begin the text on the next line, indented deeper than its key",
        ),
        Is::CommentInterceptedScalar => (
            "a comment cannot stand inside of a value",
            "check the indentation of the line below; a text of several lines goes below `key: |`",
        ),
        Is::CommentNotSeparated => (
            "a comment needs a blank before its `#`",
            "add the blank, or put the value in quotes if `#` belongs to it",
        ),
        Is::BomInsideDocument => ("a byte order mark stands inside the text", "remove it"),
        _ => {
            let message = format!("not YAML: {}", error.info().trim_end_matches('.').to_lowercase());
            return (message, "look for a missing quote, bracket or colon here and above".to_owned());
        }
    };
    (message.to_owned(), help.to_owned())
}

fn is_about_keys(kind: &ErrorKind) -> bool {
    use ErrorKind as Is;
    matches!(kind, Is::ExpectedBlockMappingKey | Is::SimpleKeyExpected | Is::InvalidSimpleKey)
}

fn is_about_tabs(kind: &ErrorKind) -> bool {
    use ErrorKind as Is;
    matches!(
        kind,
        Is::TabInIndentation
            | Is::TabInBlockIndentation
            | Is::TabNotAllowed
            | Is::TabInPlainScalar
            | Is::TabAtBlockScalarStart
    )
}

fn is_about_escapes(kind: &ErrorKind) -> bool {
    use ErrorKind as Is;
    matches!(
        kind,
        Is::UnknownQuotedScalarEscape
            | Is::InvalidQuotedScalarHexEscape
            | Is::InvalidLowSurrogateHexEscape
            | Is::InvalidLowSurrogate
            | Is::MissingLowSurrogate
            | Is::UnpairedLowSurrogate
            | Is::InvalidUnicodeEscape
    )
}

fn is_about_tags(kind: &ErrorKind) -> bool {
    use ErrorKind as Is;
    matches!(
        kind,
        Is::UndeclaredTagHandle
            | Is::InvalidTagTerminator
            | Is::MissingTagUri
            | Is::UnclosedVerbatimTag
            | Is::InvalidTagEscape
            | Is::InvalidTagUtf8LeadingByte
            | Is::InvalidTagUtf8TrailingByte
            | Is::InvalidTagUtf8
    )
}

/// Where parsing stopped.
struct Place<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Place<'t> {
    /// Returns the characters to blame: those where parsing stopped, or what made it stop.
    fn blamed(&self, kind: &ErrorKind) -> Span {
        let rest = &self.text[self.at..];
        if is_about_tabs(kind) {
            let before = self.text[..self.at].trim_end_matches('\t').len();
            let start =
                if before < self.at { Some(before) } else { rest.find('\t').map(|tab| self.at + tab) };
            if let Some(start) = start {
                let tabs = self.text[start..].bytes().take_while(|byte| *byte == b'\t').count();
                return Span::new(start, start + tabs);
            }
        }
        if matches!(kind, ErrorKind::UnknownQuotedScalarEscape)
            && let Some(escape) = unknown_escape(rest)
        {
            return Span::new(self.at + escape.start, self.at + escape.end);
        }
        let first = rest.chars().next().filter(|char| !matches!(char, '\n' | '\r'));
        Span::new(self.at, self.at + first.map_or(0, char::len_utf8))
    }

    /// Returns the part of the line before the place.
    fn before(&self) -> &'t str {
        &self.text[self.text[..self.at].rfind('\n').map_or(0, |end| end + 1)..self.at]
    }

    /// Returns the line of the place.
    fn line(&self) -> &'t str {
        let start = self.at - self.before().len();
        self.text[start..].lines().next().unwrap_or_default()
    }

    /// Returns the lines above the place that are not blank, the nearest first.
    fn above(&self) -> impl Iterator<Item = &'t str> {
        let lines = self.text[..self.at - self.before().len()].lines();
        lines.rev().filter(|line| !line.trim().is_empty())
    }

    /// Returns whether the colon at the place is the first of its line, so that the line continues the one above.
    fn continues(&self) -> bool {
        let key = self.before().trim_start().trim_start_matches("- ");
        !key.contains(": ") && self.above().next().is_some_and(|line| !line.trim_start().starts_with('#'))
    }

    /// Tells when only the blank between key and value is missing.
    fn glued(&self, kind: &ErrorKind) -> Option<(String, String)> {
        let (key, value) = self.line().trim().split_once(':').filter(|_| is_about_keys(kind))?;
        let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let is_key = !key.is_empty() && key.bytes().all(is_of_key);
        if !is_key || !(1..60).contains(&value.len()) || value.starts_with([' ', '/']) {
            return None;
        }
        Some(("a key needs a blank behind its colon".to_owned(), format!("write `{key}: {value}`")))
    }

    /// Tells when the line is what a merge leaves where it needs help.
    fn left_from_merge(&self) -> Option<(String, String)> {
        let is_mark = |mark: &&&str| self.line().starts_with(**mark);
        let mark = ["<<<<<<<", "=======", ">>>>>>>"].iter().find(is_mark)?;
        Some((
            format!("`{mark}` marks a conflict of a merge"),
            "keep one of the two versions and remove the three marks".to_owned(),
        ))
    }

    /// Tells when the line belongs to a text below `|` or `>`, but is not indented deep enough.
    fn text_too_far_left(&self, kind: &ErrorKind) -> Option<(String, String)> {
        if !is_about_keys(kind) {
            return None;
        }
        let indentation = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let begins_text = |line: &str| {
            let is_chomping = |char: char| char.is_ascii_digit() || "+-".contains(char);
            let header = line.trim_end().trim_end_matches(is_chomping);
            [": |", ": >", "- |", "- >"].iter().any(|end| header.ends_with(end))
        };
        let here = indentation(self.line());
        let nearest = self.above().next().filter(|line| begins_text(line));
        let outer = || self.above().find(|line| indentation(line) < here).filter(|line| begins_text(line));
        nearest.or_else(outer)?;
        Some((
            "this line is not part of the text above it".to_owned(),
            "indent all lines of a text below `|` or `>` at least as deep as its first, and deeper than its key"
                .to_owned(),
        ))
    }
}

/// Returns the first backslash of `quoted`, a text in double quotes, that begins no sequence, with what follows it.
fn unknown_escape(quoted: &str) -> Option<std::ops::Range<usize>> {
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        if char == '\\' {
            let (_, escaped) = chars.next()?;
            if !"0abtnvfre \"/\\N_LPxuU\t\r\n".contains(escaped) {
                return Some(at..at + 1 + escaped.len_utf8());
            }
        }
    }
    None
}
