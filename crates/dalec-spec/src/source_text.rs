//! The text of one spec file and the name people know it by.
//!
//! The text is kept exactly as it was read, byte order mark and line endings included, so that a span
//! into it is a span into the author's file. This room never opens the file itself.

use std::sync::Arc;

use crate::span::{Position, Span, position};

/// The exact text of one spec file with its name; cloning shares the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    name: Arc<str>,
    text: Arc<str>,
}

/// Bytes that are not UTF-8 text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is not UTF-8 text: line {line}, byte {byte} of the file")]
pub struct NotUtf8 {
    /// Name of the file.
    pub name: String,
    /// Line of the first bad byte, counted from 1.
    pub line: usize,
    /// Offset of the first bad byte.
    pub byte: usize,
}

impl SourceText {
    /// Returns `text` under `name`, the name that messages show.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Returns the text in `bytes` under `name`.
    ///
    /// # Errors
    /// [`NotUtf8`] with the place of the first byte that is no UTF-8.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, NotUtf8> {
        String::from_utf8(bytes).map(|text| Self::new(name, text)).map_err(|error| {
            let byte = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..byte].iter().filter(|byte| **byte == b'\n').count() + 1;
            NotUtf8 { name: name.to_owned(), line, byte }
        })
    }

    /// Returns the name that messages show.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the text exactly as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns what the author wrote at `span`; empty for a span outside the text.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// Returns line and column of byte `offset`.
    pub fn position(&self, offset: usize) -> Position {
        position(&self.text, offset)
    }
}
