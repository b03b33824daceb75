//! Findings as workflow commands, which GitHub Actions shows beside the lines of a change.
//!
//! The runner reads one command per line of output: `::error file=…,line=…::message`. Escaping follows the runner's own
//! parser (`ActionCommand.cs` in github.com/actions/runner): `%`, carriage return and line feed everywhere, `:` and `,`
//! in properties too.

use std::fmt::Write as _;

use super::{Region, harmless, path, sorted};
use crate::diagnostic::Diagnostic;
use crate::source_text::SourceText;

/// Returns `diagnostics` as workflow commands, one line each, sorted by position, repetitions left out.
///
/// Nothing that the spec says can end a line or begin another command. Columns are left out for findings of several
/// lines: GitHub takes them within one line only.
pub fn render_github(source: &SourceText, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in &sorted(diagnostics) {
        let data = data(&lines(source, diagnostic).join("\n"));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "::{} {}::{data}", diagnostic.severity, properties(source, diagnostic));
    }
    out
}

fn properties(source: &SourceText, diagnostic: &Diagnostic) -> String {
    let mut properties = vec![format!("file={}", property(path(source)))];
    if let Some(Region { start, end }) = diagnostic.span.map(|span| Region::new(source, span)) {
        properties.push(format!("line={},endLine={}", start.line, end.line));
        if start.line == end.line {
            properties.push(format!("col={},endColumn={}", start.column, end.column));
        }
    }
    properties.push(format!("title={}", property(&format!("dalec {}", diagnostic.code))));
    properties.join(",")
}

/// Returns what is said about the finding, line by line.
fn lines(source: &SourceText, diagnostic: &Diagnostic) -> Vec<String> {
    let mut lines = vec![harmless(&diagnostic.message).into_owned()];
    if !diagnostic.note.is_empty() {
        lines.push(format!("note: {}", harmless(&diagnostic.note)));
    }
    for label in &diagnostic.labels {
        let line = Region::new(source, label.span).start.line;
        lines.push(format!("line {line}: {}", harmless(&label.text)));
    }
    if let Some(help) = &diagnostic.help {
        lines.push(format!("help: {}", harmless(help)));
    }
    lines
}

/// Returns `text` as the value of a property.
fn property(text: &str) -> String {
    data(&harmless(text)).replace(':', "%3A").replace(',', "%2C")
}

/// Returns `text` as the data of a command; its line breaks are those of the message that people see.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::{TestCaseError, prop_assert, prop_assert_eq};

    use super::*;
    use crate::codes;
    use crate::span::Span;

    #[track_caller]
    fn check(name: &str, text: &str, diagnostics: &[Diagnostic], expected: Expect) {
        expected.assert_eq(&render_github(&SourceText::new(name, text), diagnostics));
    }

    #[test]
    fn findings_are_commands() {
        let text = "name: x\nargs:\n  A: 1\nname: [\n  y]\n";
        let findings = [
            Diagnostic::warning(codes::UNUSED_ARG, Span::new(16, 17), "`A` is never used").help("remove it"),
            Diagnostic::error(codes::DUPLICATE_KEY, Span::new(21, 25), "`name` is written twice")
                .note("100% sure")
                .label(Span::new(0, 4), "first written here"),
            Diagnostic::error(codes::WRONG_TYPE, Span::new(27, 33), "several lines"),
            Diagnostic::error_outside(codes::UNKNOWN_BUILD_ARG, "no argument `B`"),
        ];
        check(
            "./specs/a.yml",
            text,
            &findings,
            expect![[r#"
            ::warning file=specs/a.yml,line=3,endLine=3,col=3,endColumn=4,title=dalec unused-arg::`A` is never used%0Ahelp: remove it
            ::error file=specs/a.yml,line=4,endLine=4,col=1,endColumn=5,title=dalec duplicate-key::`name` is written twice%0Anote: 100%25 sure%0Aline 1: first written here
            ::error file=specs/a.yml,line=4,endLine=5,title=dalec wrong-type::several lines
            ::error file=specs/a.yml,title=dalec unknown-build-arg::no argument `B`
        "#]],
        );
        check("a.yml", text, &[], expect![""]);
    }

    #[test]
    fn a_spec_cannot_forge_commands() {
        let message = "x\r\n::add-mask::y %0A\u{1b}[31m\u{85}\u{2028}::error::z";
        let finding =
            Diagnostic::error(codes::UNKNOWN_KEY, Span::new(0, 1), message).help("a\n::stop-commands::b");
        check(
            "a,line=9::warning::b%\n.yml",
            "x",
            &[finding],
            expect![[r#"
            ::error file=a%2Cline=9%3A%3Awarning%3A%3Ab%25�.yml,line=1,endLine=1,col=1,endColumn=2,title=dalec unknown-key::x��::add-mask::y %250A�[31m��::error::z%0Ahelp: a�::stop-commands::b
        "#]],
        );
    }

    #[test]
    fn columns_count_characters_and_no_byte_order_mark() {
        let findings = [
            Diagnostic::error(codes::UNKNOWN_KEY, Span::new(3, 5), "one"),
            Diagnostic::error(codes::UNKNOWN_KEY, Span::new(7, 12), "two"),
        ];
        check(
            "a.yml",
            "\u{feff}ü: \u{1f600}x",
            &findings,
            expect![[r#"
            ::error file=a.yml,line=1,endLine=1,col=1,endColumn=2,title=dalec unknown-key::one
            ::error file=a.yml,line=1,endLine=1,col=4,endColumn=6,title=dalec unknown-key::two
        "#]],
        );
    }

    /// Kind, properties, data.
    type Command<'a> = (&'a str, Vec<(&'a str, String)>, String);

    /// Reads a command as the runner does.
    fn parse(line: &str) -> Option<Command<'_>> {
        let (head, data) = line.strip_prefix("::")?.split_once("::")?;
        let (kind, properties) = head.split_once(' ')?;
        let unescape = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n");
        let value = |text: &str| unescape(text).replace("%3A", ":").replace("%2C", ",").replace("%25", "%");
        let pairs =
            properties.split(',').map(|pair| pair.split_once('=').map(|(key, text)| (key, value(text))));
        Some((kind, pairs.collect::<Option<_>>()?, unescape(data).replace("%25", "%")))
    }

    proptest::proptest! {
        /// Whatever a spec makes a finding say, it stays one command with the properties that were meant.
        #[test]
        fn one_line_per_finding(
            texts in proptest::collection::vec("(::error::|%0A|%25|\\PC|[:,=%#\\[\\] \t\r\n\u{0}\u{1b}\u{85}\u{2028}\u{202e}]){0,8}", 4),
            name in "x\\PC{0,8}",
            start in 0_usize..40,
            length in 0_usize..20,
        ) {
            let source = SourceText::new(&*name, "a: é\nb: [c,\r\n d]\ne: \u{1f600}f\n");
            let finding = Diagnostic::warning(codes::UNUSED_ARG, Span::new(start, start + length), &*texts[0])
                .note(&*texts[1])
                .label(Span::new(length, start), &*texts[2])
                .help(&*texts[3]);
            let outside = Diagnostic { span: None, ..finding.clone() };
            let out = render_github(&source, &[finding, outside]);
            prop_assert_eq!(out.matches('\n').count(), 2);
            prop_assert!(out.ends_with('\n'));
            for line in out.split_terminator('\n') {
                prop_assert!(!line.contains(super::super::is_harmful), "{:?}", line);
                let (kind, properties, data) = parse(line).ok_or_else(|| TestCaseError::fail(line.to_owned()))?;
                prop_assert_eq!(kind, "warning");
                let (first, rest) = properties.split_first().ok_or_else(|| TestCaseError::fail("no file"))?;
                let (last, middle) = rest.split_last().ok_or_else(|| TestCaseError::fail("no title"))?;
                prop_assert_eq!(first, &("file", harmless(&name).into_owned()));
                prop_assert_eq!(last, &("title", "dalec unused-arg".to_owned()));
                for (key, value) in middle {
                    prop_assert!(["line", "endLine", "col", "endColumn"].contains(key), "{}", key);
                    prop_assert!(value.parse::<usize>().is_ok_and(|number| number > 0), "{}", value);
                }
                prop_assert_eq!(data.split('\n').next(), Some(&*harmless(&texts[0])));
                prop_assert_eq!(data.split('\n').count(), 3 + usize::from(!texts[1].is_empty()));
            }
        }
    }
}
