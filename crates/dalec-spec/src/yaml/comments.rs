//! What the tree of nodes does not hold: comments, and which lines belong to one value.

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

use crate::source_text::SourceText;
use crate::span::Span;

/// Comments of a text, and its values of several lines.
#[derive(Debug, Default)]
pub(crate) struct Comments {
    /// From `#` to the end of the line.
    pub comments: Vec<Span>,
    /// Scalars and flow collections that do not end on the line where they begin. A block scalar begins with its
    /// header, the line with `|` or `>`.
    pub long_values: Vec<Span>,
}

/// Reads `source` once more, for its comments; of a text that is not YAML, those before the error.
pub(crate) fn comments(source: &SourceText) -> Comments {
    let mut options = granit_parser::options! { emit_unresolved_aliases: true };
    options.set_emit_comments(true);
    // The text is in memory already; its comments are no more than that.
    options.max_buffered_comment_events = usize::MAX;
    let mut found = Comments::default();
    let mut open = Vec::new();
    for (event, span) in Parser::new_from_str_with_options(source.text(), options).map_while(Result::ok) {
        let (first, last) = (span.start.line(), span.end.line());
        let Some(span) = span.byte_range().map(|range| Span::new(range.start, range.end)) else { continue };
        match event {
            Event::Comment(..) => found.comments.push(span),
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                found.long_values.push(trimmed(source, Span::new(header(source, span.start), span.end)));
            }
            Event::Scalar(..) if first < last => found.long_values.push(trimmed(source, span)),
            Event::SequenceStart(style, ..) | Event::MappingStart(style, ..) => {
                open.push((style == StructureStyle::Flow).then_some((first, span.start)));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((_, start)) = open.pop().flatten().filter(|(first, _)| *first < last) {
                    found.long_values.push(Span::new(start, span.end));
                }
            }
            _ => {}
        }
    }
    found
}

/// Returns a place on the last line before `content` that is not blank: the header of the block scalar.
fn header(source: &SourceText, content: usize) -> usize {
    let before = source.text().get(..content).unwrap_or_default().trim_end();
    before.char_indices().next_back().map_or(0, |(offset, _)| offset)
}

fn trimmed(source: &SourceText, span: Span) -> Span {
    Span::new(span.start, span.start + source.slice(span).trim_end().len())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        let source = SourceText::new("spec.yml", text);
        let found = comments(&source);
        let mut out = String::new();
        for span in found.comments {
            let _ = writeln!(out, "comment {:?}", source.slice(span));
        }
        for span in found.long_values {
            let _ = writeln!(out, "value {:?}", source.slice(span));
        }
        expected.assert_eq(&out);
    }

    #[test]
    fn text_that_looks_like_a_comment_is_none() {
        check(
            "\u{feff}# one\r\na: | # two\r\n  # text\r\nb: \"x\n  # text\"\nc: d#text #three\n#\n",
            expect![[r##"
                comment "# one"
                comment "# two"
                comment "#three"
                comment "#"
                value "o\r\n  # text"
                value "\"x\n  # text\""
            "##]],
        );
    }

    #[test]
    fn values_of_several_lines_are_known() {
        check(
            "a: >-\n\n  x\n\n  y\n\nb: [1, {c: 2,\n  d: 3}\n]\ne: f\n  g\nh: 'i\n\n'\nj: |\nk: |\n",
            expect![[r#"
                value "-\n\n  x\n\n  y"
                value "{c: 2,\n  d: 3}"
                value "[1, {c: 2,\n  d: 3}\n]"
                value "f\n  g"
                value "'i\n\n'"
                value "|"
                value ": |"
            "#]],
        );
    }

    #[test]
    fn broken_texts_give_what_comes_before() {
        check(
            "a: 1 # one\nb: [\n# two\n",
            expect![[r##"
            comment "# one"
            comment "# two"
        "##]],
        );
        let many = format!("{}a: 1\n", "# x\n".repeat(1000));
        assert_eq!(comments(&SourceText::new("spec.yml", many)).comments.len(), 1000);
    }
}
