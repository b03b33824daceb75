//! Findings as text for people, with the lines they point at. Colour and width are the caller's decision.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

use super::sorted;
use crate::codes;
use crate::diagnostic::{Diagnostic, Severity};
use crate::source_text::SourceText;
use crate::span::Span;

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RenderOptions {
    /// Terminal colours.
    pub color: bool,
    /// Width in columns to which long lines are cut; none for 140.
    pub width: Option<usize>,
}

/// Returns `diagnostics` with the lines they point at, sorted by position, repetitions left out.
///
/// The text ends with a line break unless it is empty. Control characters of the spec never reach it.
pub fn render(source: &SourceText, diagnostics: &[Diagnostic], options: RenderOptions) -> String {
    let renderer = if options.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(options.width.unwrap_or(140));
    let secrets = secret_lines(source, diagnostics);
    let mut out = String::new();
    for diagnostic in &sorted(diagnostics) {
        // Groups in one report would be joined by an empty margin.
        let groups = report(source, diagnostic, &secrets).into_iter().map(|group| renderer.render(&[group]));
        out.push_str(&groups.collect::<Vec<_>>().join("\n"));
        out.push_str("\n\n");
    }
    out.pop();
    without_controls(out, options.color)
}

/// Returns `text` without the control characters that the renderer lets through.
///
/// It replaces escape characters of the spec itself, so that those left are its own colours.
fn without_controls(text: String, color: bool) -> String {
    let is_own = |char: char| char == '\n' || color && char == '\u{1b}';
    let is_harmful = |char: char| super::is_harmful(char) && !is_own(char);
    if text.contains(is_harmful) { text.replace(is_harmful, "\u{fffd}") } else { text }
}

/// Returns the numbers of the lines that hold secrets: no finding shows them.
fn secret_lines(source: &SourceText, diagnostics: &[Diagnostic]) -> BTreeSet<usize> {
    let secrets = diagnostics.iter().filter(|diagnostic| diagnostic.code == codes::SECRET_IN_SPEC);
    secrets.filter_map(|diagnostic| diagnostic.span).flat_map(|span| lines(source, span)).collect()
}

fn lines(source: &SourceText, span: Span) -> RangeInclusive<usize> {
    source.position(span.start).line..=source.position(span.end).line
}

/// Returns whether the lines from the first to the last that `diagnostic` points at hold a secret.
fn shows_secret(source: &SourceText, diagnostic: &Diagnostic, secrets: &BTreeSet<usize>) -> bool {
    let spans = diagnostic.span.into_iter().chain(diagnostic.labels.iter().map(|label| label.span));
    let shown = spans
        .map(|span| lines(source, span))
        .reduce(|all, lines| *all.start().min(lines.start())..=*all.end().max(lines.end()));
    shown.is_some_and(|shown| secrets.range(shown).next().is_some())
}

fn report<'a>(
    source: &'a SourceText,
    diagnostic: &'a Diagnostic,
    secrets: &BTreeSet<usize>,
) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(shown(&diagnostic.message)).id(diagnostic.code);
    let mut group = Group::with_title(title);
    if let Some(span) = diagnostic.span
        && shows_secret(source, diagnostic, secrets)
    {
        // The place is enough to find it.
        let place = source.position(span.start);
        let origin = Origin::path(shown(source.name())).line(place.line).char_column(place.column);
        group = group.element(origin);
    } else if let Some(span) = diagnostic.span {
        let range = visible(source, span);
        let mut primary = AnnotationKind::Primary.span(range);
        if !diagnostic.note.is_empty() {
            primary = primary.label(shown(&diagnostic.note));
        }
        let labels = diagnostic
            .labels
            .iter()
            .map(|label| AnnotationKind::Context.span(visible(source, label.span)).label(shown(&label.text)));
        group = group.element(
            Snippet::source(source.text()).path(shown(source.name())).annotation(primary).annotations(labels),
        );
    }
    let Some(help) = diagnostic.help.as_deref().map(shown) else { return vec![group] };
    if diagnostic.span.is_some() {
        return vec![group.element(Level::HELP.message(help))];
    }
    vec![group, Group::with_title(Level::HELP.secondary_title(help))]
}

/// Returns `text` on one line, with pictures of control characters.
///
/// A line of its own could be a command to whoever reads the output, such as `::error::` to GitHub Actions.
fn shown(text: &str) -> String {
    normalize_untrusted_str(text).replace('\n', "␊")
}

/// Returns the part of `span` that is worth underlining: its first line, on character boundaries.
fn visible(source: &SourceText, span: Span) -> std::ops::Range<usize> {
    let text = source.text();
    let floor = |mut offset: usize| {
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    };
    let start = floor(span.start.min(text.len()));
    let end = floor(span.end.clamp(start, text.len()));
    let line = text[start..end].lines().next().unwrap_or_default();
    start..start + line.trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;

    #[test]
    fn no_finding_shows_the_line_of_a_secret() {
        let source = SourceText::new("a", "x: 1\n{b: hunter2, c: d}\ny: 2\n");
        let secret = Diagnostic::error(codes::SECRET_IN_SPEC, Span::new(9, 16), "a secret");
        let beside = Diagnostic::error(codes::UNKNOWN_KEY, Span::new(18, 19), "beside");
        let around =
            Diagnostic::error(codes::UNKNOWN_KEY, Span::new(24, 25), "around").label(Span::new(0, 1), "x");
        let text = render(&source, &[secret, beside, around], RenderOptions::default());
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("a:2:14") && text.contains("a:3:1"), "{text}");
    }

    #[test]
    fn what_a_spec_says_begins_no_line() {
        let source = SourceText::new("a\n::b::", "x: 1");
        let finding = Diagnostic::error(codes::UNKNOWN_KEY, Span::new(0, 1), "`a\r\n::error::b`")
            .note("c\n::error::d")
            .label(Span::new(3, 4), "e\n::error::f")
            .help("g\n::error::h");
        let outside = Diagnostic { span: None, ..finding.clone() };
        let text = render(&source, &[finding, outside], RenderOptions::default());
        assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
        expect_test::expect![[r#"
            error[unknown-key]: `a␍␊::error::b`
             --> a␊::b:::1:1
              |
            1 | x: 1
              | ^  - e␊::error::f
              | |
              | c␊::error::d
              |
              = help: g␊::error::h

            error[unknown-key]: `a␍␊::error::b`
            help: g␊::error::h
        "#]]
        .assert_eq(&text);
    }
}
