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

use std::borrow::Cow;
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

/// Returns `line` for people: without the number, which says nothing to them.
pub fn without_number(line: &[u8]) -> Cow<'_, [u8]> {
    let Some(start) = line.windows(PREFIX.len()).position(|part| part == PREFIX.as_bytes()) else {
        return line.into();
    };
    let words = start + PREFIX.len();
    let marked =
        std::str::from_utf8(&line[start..]).ok().and_then(parse).filter(|marker| marker.range.is_some());
    match marked {
        Some(marker) => [&line[..words], marker.message.as_bytes()].concat().into(),
        None => line.into(),
    }
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
    fn people_see_no_numbers() {
        let shown = |line: &str| String::from_utf8(without_number(line.as_bytes()).into_owned()).unwrap();
        assert_eq!(shown("dalec: error: @12: step failed"), "dalec: error: step failed");
        assert_eq!(shown("  dalec: error: @1: no: such"), "  dalec: error: no: such");
        for plain in ["dalec: error: no: such", "dalec: error: @home: x", "mail a@1: b", ""] {
            assert_eq!(shown(plain), plain);
        }
        assert_eq!(without_number(b"dalec: error: @1: \xff").as_ref(), b"dalec: error: @1: \xff");
    }

    #[test]
    fn a_place_that_was_not_written_has_no_number() {
        let text = format!("{}no: such", Marks::default().mark(Span::default()));
        assert_eq!(parse(&text), Some(Marker { range: None, message: "no: such" }));
        assert_eq!(parse("dalec: error: @0: x"), Some(Marker { range: None, message: "@0: x" }));
        assert_eq!(parse("hello"), None);
    }
}
