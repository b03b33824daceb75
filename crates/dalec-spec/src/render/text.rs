//! Findings as text for people, with the lines they point at. Colour and width are the caller's decision.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};

use super::sorted;
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
    let mut out = String::new();
    for diagnostic in &sorted(diagnostics) {
        // Groups in one report would be joined by an empty margin.
        let groups = report(source, diagnostic).into_iter().map(|group| renderer.render(&[group]));
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

fn report<'a>(source: &'a SourceText, diagnostic: &'a Diagnostic) -> Vec<Group<'a>> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(normalize_untrusted_str(&diagnostic.message)).id(diagnostic.code);
    let mut group = Group::with_title(title);
    if let Some(span) = diagnostic.span {
        let range = visible(source, span);
        let mut primary = AnnotationKind::Primary.span(range);
        if !diagnostic.note.is_empty() {
            primary = primary.label(normalize_untrusted_str(&diagnostic.note));
        }
        let labels = diagnostic.labels.iter().map(|label| {
            AnnotationKind::Context
                .span(visible(source, label.span))
                .label(normalize_untrusted_str(&label.text))
        });
        group = group.element(
            Snippet::source(source.text())
                .path(normalize_untrusted_str(source.name()))
                .annotation(primary)
                .annotations(labels),
        );
    }
    let Some(help) = diagnostic.help.as_deref().map(normalize_untrusted_str) else { return vec![group] };
    if diagnostic.span.is_some() {
        return vec![group.element(Level::HELP.message(help))];
    }
    vec![group, Group::with_title(Level::HELP.secondary_title(help))]
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
