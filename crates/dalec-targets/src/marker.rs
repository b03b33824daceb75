//! Lines by which a failing step says which line of the spec it is about.
//!
//! ```text
//! dalec: error: @2: build step 2 failed with exit code 3
//! dalec: error: no package was built
//! ```
//!
//! `@N` is the N-th range (from 1) of the failing op's source location. Lines and file names stay out of the
//! scripts on purpose: an edit elsewhere in the spec would otherwise build everything anew, and what the spec
//! file is called on the command line would end up in source packages.

use std::sync::Arc;

use dalec_llb::{Location, SourceMap};
use dalec_spec::span::Span;

use crate::locate::locate;

/// How every such line starts.
const PREFIX: &str = "dalec: error: ";

/// What such a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker<'a> {
    /// Index, from 0, into the ranges of the failing op's source location.
    pub range: Option<usize>,
    /// Words for people.
    pub message: &'a str,
}

/// Returns what one line of a build's output says, if it is such a line.
pub fn parse(line: &str) -> Option<Marker<'_>> {
    let text = line.trim_end().strip_prefix(PREFIX)?;
    let numbered = text.strip_prefix('@').and_then(|rest| rest.split_once(": "));
    let numbered = numbered.and_then(|(number, message)| {
        let range = number.parse::<usize>().ok()?.checked_sub(1)?;
        Some(Marker { range: Some(range), message })
    });
    Some(numbered.unwrap_or(Marker { range: None, message: text }))
}

/// The places that one op's scripts may name, in the order they were marked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    spans: Vec<Span>,
}

impl Marks {
    /// Notes `span` and returns what a script prints before its words: `dalec: error: @N: `.
    pub fn mark(&mut self, span: Span) -> String {
        if span.end <= span.start {
            return PREFIX.to_owned();
        }
        let index = self.spans.iter().position(|known| *known == span).unwrap_or_else(|| {
            self.spans.push(span);
            self.spans.len() - 1
        });
        format!("{PREFIX}@{}: ", index + 1)
    }

    /// Returns the location of the op whose scripts print the marks.
    pub fn location(&self, map: &Arc<SourceMap>) -> Option<Location> {
        locate(map, self.spans.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back() {
        let mut marks = Marks::default();
        let first = marks.mark(Span::new(3, 5));
        let second = marks.mark(Span::new(9, 12));
        assert_eq!(marks.mark(Span::new(3, 5)), first);
        let line = format!("{second}build step 2 failed: exit code 3\n");
        assert_eq!(
            parse(&line),
            Some(Marker { range: Some(1), message: "build step 2 failed: exit code 3" })
        );
    }

    #[test]
    fn a_place_that_was_not_written_has_no_number() {
        let text = format!("{}no: such", Marks::default().mark(Span::default()));
        assert_eq!(parse(&text), Some(Marker { range: None, message: "no: such" }));
        assert_eq!(parse("dalec: error: @0: x"), Some(Marker { range: None, message: "@0: x" }));
        assert_eq!(parse("hello"), None);
    }
}
