//! Findings as text for people and as data for programs, one format per file.
//!
//! All formats show the same findings in the same order. Nothing here looks at a terminal or the environment.

mod json;
mod text;

use crate::diagnostic::{Diagnostic, sort};

pub use json::render_json;
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
