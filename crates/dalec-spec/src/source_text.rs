//! The text of one spec file and the name people know it by.
//!
//! The text is kept exactly as it was read, byte order mark and line endings included, so that a span
//! into it is a span into the author's file. This room never opens the file itself.

use std::sync::{Arc, OnceLock};

use crate::span::{Position, Span};

/// Bytes between two marks in one line, at most; counting the characters from a mark reads no more than this.
const STRIDE: usize = 1 << 10;

/// The exact text of one spec file with its name; cloning shares the text.
#[derive(Debug, Clone)]
pub struct SourceText {
    name: Arc<str>,
    text: Arc<str>,
    /// Known places, in order: the start of each line, and some more in long lines. Made when the first is asked for.
    marks: Arc<OnceLock<Vec<Mark>>>,
}

/// A byte offset with its position.
#[derive(Debug, Clone, Copy)]
struct Mark {
    offset: usize,
    position: Position,
}

impl PartialEq for SourceText {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.text) == (&other.name, &other.text)
    }
}

impl Eq for SourceText {}

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
        Self { name: name.into(), text: text.into(), marks: Arc::default() }
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

    /// Returns line and column of byte `offset`; an offset behind the end gives the end.
    pub fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let marks = self.marks.get_or_init(|| marks(&self.text));
        // The first mark is the start of the text, so there is one.
        let Mark { offset: start, position } = marks[marks.partition_point(|mark| mark.offset <= offset) - 1];
        let column = position.column + self.text[start..offset].chars().count();
        Position { column, ..position }
    }
}

fn marks(text: &str) -> Vec<Mark> {
    let mut last = Mark { offset: 0, position: Position { line: 1, column: 1 } };
    let mut marks = vec![last];
    let mut position = last.position;
    for (offset, char) in text.char_indices() {
        if offset - last.offset >= STRIDE {
            last = Mark { offset, position };
            marks.push(last);
        }
        position.column += 1;
        if char == '\n' {
            position = Position { line: position.line + 1, column: 1 };
            last = Mark { offset: offset + 1, position };
            marks.push(last);
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::position;

    #[test]
    fn columns_are_characters_in_lines_of_any_length() {
        let long = "a\u{e9}\u{20ac}".repeat(STRIDE);
        let text = format!("\u{feff}a: \u{e9}\r\n\n{long}\n  b: {long}");
        let source = SourceText::new("spec.yml", text.as_str());
        for (offset, char) in text.char_indices() {
            for inside in offset..offset + char.len_utf8() {
                assert_eq!(source.position(inside), position(&text, offset), "{inside}");
            }
        }
        assert_eq!(source.position(usize::MAX), position(&text, usize::MAX));
        assert_eq!(SourceText::new("spec.yml", "").position(7), Position { line: 1, column: 1 });
    }
}
