//! Findings as text for people and as data for programs, one format per file.
//!
//! All formats show the same findings in the same order. Nothing here looks at a terminal or the environment.

mod github;
mod json;
mod sarif;
mod text;

use std::borrow::Cow;

use crate::diagnostic::{Diagnostic, sort};
use crate::source_text::SourceText;
use crate::span::{Position, Span};

pub use github::render_github;
pub use json::render_json;
pub use sarif::render_sarif;
pub use text::{RenderOptions, render};

/// Returns `diagnostics` sorted by position, repetitions left out.
fn sorted(diagnostics: &[Diagnostic]) -> Vec<Diagnostic> {
    let mut sorted = diagnostics.to_vec();
    sort(&mut sorted);
    sorted
}

/// Returns whether `char` may move a cursor, end a line or change the direction of text.
fn is_harmful(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns `text` with a replacement character for each harmful one, line breaks included.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.contains(is_harmful) { text.replace(is_harmful, "\u{fffd}").into() } else { text.into() }
}

/// Returns the name of the file as tools that look it up in a folder need it: without `./` in front.
fn path(source: &SourceText) -> &str {
    let mut path = source.name();
    while let Some(rest) = path.strip_prefix("./").filter(|rest| !rest.is_empty()) {
        path = rest;
    }
    path
}

/// Where a piece of text begins, and where the character behind it stands, as editors count.
struct Region {
    start: Position,
    end: Position,
}

impl Region {
    /// Returns the region of `span`. A byte order mark takes no column.
    fn new(source: &SourceText, span: Span) -> Self {
        let has_mark = source.text().starts_with('\u{feff}');
        let position = |offset| {
            let Position { line, column } = source.position(offset);
            let column = if has_mark && line == 1 { column.saturating_sub(1).max(1) } else { column };
            Position { line, column }
        };
        Self { start: position(span.start), end: position(span.end.max(span.start)) }
    }
}
