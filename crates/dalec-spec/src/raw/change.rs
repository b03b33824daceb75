//! Changelog entries and their dates.

use crate::codes;
use crate::decode::{Decode, Decoder, Field, List, Text, Tracer, Wording, object};
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::raw::rules::{Line, Prose};
use crate::resolve::Resolver;
use crate::shape::{Shape, TextShape};
use crate::span::Span;
use crate::target_spec::Date;
use crate::yaml::Node;

object! {
    /// One changelog entry.
    RawChange: "a changelog entry", open, needs ["date"] => ChangelogEntry {
        /// The day, as `YYYY-MM-DD`.
        /// Example: 2026-01-31
        "date" date: Day,
        /// Who made the changes.
        /// Example: Tool Maintainers <tool@example.org>
        "author" author: Text<Line>,
        /// What changed.
        /// Example: [New release]
        "changes" changes: List<Text<Prose>>,
    }
}

/// A day written as `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Day {
    date: Option<Date>,
    span: Span,
}

impl Decode for Day {
    const TAKES: &'static str = "a date such as 2026-01-31";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let Some(scalar) = node.scalar() else {
            decoder.wrong_type(node, Self::TAKES, Some("write `date: 2026-01-31`".to_owned()));
            return Self::default();
        };
        if node.is_null() || scalar.text.is_empty() {
            return Self::default();
        }
        let date = parse(&scalar.text);
        if date.is_none() {
            let (message, help) = match is_shaped(&scalar.text) {
                true => (
                    format!("there is no day `{}` in the calendar", scalar.text),
                    "dates are written year-month-day; check that the month has such a day",
                ),
                false => (
                    format!("`{}` is no date", scalar.text),
                    "write year, month and day with all digits, and nothing else: 2026-01-31",
                ),
            };
            decoder.report(Diagnostic::error(codes::INVALID_VALUE, node.span(), message).help(help));
        }
        Self { date, span: node.span() }
    }

    fn shape() -> Shape {
        Shape::Text(TextShape {
            takes: Self::TAKES,
            pattern: Some("^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"),
            code: codes::INVALID_VALUE,
            expanded: false,
            words: Vec::new(),
            default: "",
        })
    }

    fn is_given(&self) -> bool {
        self.date.is_some()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(self.span, Wording::Other);
    }
}

impl Field for Day {
    type Output = Date;

    fn resolve(&self, _resolver: &mut Resolver<'_>) -> Date {
        // A missing date was reported; the value is never seen.
        self.date.unwrap_or_default()
    }

    fn emit(output: &Date) -> Tree {
        Tree::Text(format!("{:04}-{:02}-{:02}", output.year, output.month, output.day))
    }
}

fn parse(text: &str) -> Option<Date> {
    if !is_shaped(text) {
        return None;
    }
    let (year, month, day) = (text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?);
    ((1..=12).contains(&month) && (1..=days(year, month)).contains(&day)).then_some(Date { year, month, day })
}

fn is_shaped(text: &str) -> bool {
    let fits =
        |(at, byte): (usize, u8)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(fits)
}

fn days(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // SPEC-011
    #[test]
    fn dates_are_strict() {
        for text in ["2024-01-05", "2024-02-29", "2000-02-29", "0001-12-31"] {
            assert!(parse(text).is_some(), "{text}");
        }
        for text in [
            "2024-1-5",
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-32",
            "24-01-05",
            "2024/01/05",
            "2024-01-05T00:00:00Z",
            "２０２４-01-05",
            "",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
