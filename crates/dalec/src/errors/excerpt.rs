//! Pieces of the spec that an error or a warning is about, in the look of the spec room's own findings.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use bollard_buildkit_proto::pb;
use dalec_spec::SourceText;
use dalec_spec::span::Span;

use super::SpecName;
use super::words::Style;
use crate::terminal::{Keep, clean};

/// More places of one text than this hide what they should show.
const MAX_PLACES: usize = 5;

/// A text with the places in it, most important first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The text under the name that people know.
    pub source: SourceText,
    /// Byte ranges on character boundaries, each within one line.
    pub places: Vec<Range<usize>>,
}

impl Excerpt {
    /// Returns the excerpt of `source` at `spans`; none when there are none.
    pub fn of_spans(source: &SourceText, spans: &[Span]) -> Option<Self> {
        let places = spans.iter().map(|span| visible(source.text(), span.start..span.end));
        Self::new(source.clone(), places)
    }

    /// Returns the excerpt that rode along with an op; none when its text is no text.
    pub fn of_op(excerpt: &dalec_gateway::Excerpt, spec: &SpecName) -> Option<Self> {
        let source = source_of(&excerpt.info, spec)?;
        let places = excerpt.ranges.iter().map(|range| {
            let offset = |position: &Option<pb::Position>, default: usize| {
                position.as_ref().map_or(default, |position| offset_of(source.text(), position))
            };
            let start = offset(&range.start, 0);
            visible(source.text(), start..offset(&range.end, start))
        });
        let places: Vec<_> = places.collect();
        Self::new(source, places)
    }

    /// Returns the excerpt of range `number` (from 0) of an op's location; none when there is no such range.
    pub fn of_range(excerpt: &dalec_gateway::Excerpt, number: usize, spec: &SpecName) -> Option<Self> {
        let range = *excerpt.ranges.get(number)?;
        Self::of_op(&dalec_gateway::Excerpt { info: excerpt.info.clone(), ranges: vec![range] }, spec)
    }

    fn new(source: SourceText, places: impl IntoIterator<Item = Range<usize>>) -> Option<Self> {
        let mut kept: Vec<Range<usize>> = Vec::new();
        for place in places {
            if kept.len() < MAX_PLACES && !kept.contains(&place) {
                kept.push(place);
            }
        }
        (!kept.is_empty()).then_some(Self { source, places: kept })
    }

    /// Returns `FILE:LINE` of the most important place.
    pub fn place(&self) -> String {
        let line = self.places.first().map_or(1, |place| self.source.position(place.start).line);
        format!("{}:{line}", self.source.name())
    }

    fn snippet(&self) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
        let annotations = self.places.iter().enumerate().map(|(index, place)| {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            kind.span(place.clone())
        });
        Snippet::source(self.source.text()).path(self.source.name()).annotations(annotations)
    }
}

/// A headline with everything below it.
pub struct Report<'a> {
    /// `error` or `warning`.
    pub level: Level<'static>,
    /// One line.
    pub headline: &'a str,
    /// The pieces of text it is about.
    pub excerpts: &'a [Excerpt],
    /// Lines below, each with its name: `cause`, `note`, `help`.
    pub remarks: &'a [(&'static str, String)],
}

impl Report<'_> {
    /// Returns the report as text that ends with a line break.
    pub fn render(&self, style: Style) -> String {
        let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(style.width.unwrap_or(140));
        let headline = clean(self.headline.as_bytes(), Keep::Nothing);
        let mut group = Group::with_title(self.level.clone().primary_title(headline));
        for excerpt in self.excerpts {
            group = group.element(excerpt.snippet());
        }
        for (name, text) in self.remarks {
            let level = match *name {
                "help" => Level::HELP,
                name => Level::NOTE.with_name(name),
            };
            group = group.element(level.message(clean_lines(text)));
        }
        let mut text = renderer.render(&[group]);
        text.push('\n');
        text
    }
}

/// Returns the excerpts of a warning.
pub fn excerpts_of_warning(warning: &dalec_gateway::Warning, spec: &SpecName) -> Vec<Excerpt> {
    warning.excerpt.iter().filter_map(|excerpt| Excerpt::of_op(excerpt, spec)).collect()
}

fn clean_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| clean(line.as_bytes(), Keep::Nothing)).collect();
    lines.join("\n")
}

fn source_of(info: &pb::SourceInfo, spec: &SpecName) -> Option<SourceText> {
    let name = clean(spec.show(&info.filename).as_bytes(), Keep::Nothing);
    SourceText::from_bytes(&name, info.data.clone()).ok()
}

/// Returns the offset of a position as BuildKit counts it: lines from 1, characters from 0.
fn offset_of(text: &str, position: &pb::Position) -> usize {
    let line = usize::try_from(position.line).unwrap_or_default();
    let Some(start) = line_start(text, line.max(1)) else { return text.len() };
    let line = text[start..].lines().next().unwrap_or_default();
    let character = usize::try_from(position.character).unwrap_or_default();
    start + line.char_indices().nth(character).map_or(line.len(), |(offset, _)| offset)
}

/// Returns the offset of the first character of `line`, counted from 1.
fn line_start(text: &str, line: usize) -> Option<usize> {
    match line.checked_sub(1)? {
        0 => Some(0),
        before => text.match_indices('\n').nth(before - 1).map(|(offset, _)| offset + 1),
    }
}

/// Returns the part of `range` that is worth underlining, on character boundaries: its first line, or of a block of
/// text the first line behind the `|` or `>`.
fn visible(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(range.start.min(text.len()));
    let end = text.floor_char_boundary(range.end.clamp(start, text.len()));
    let mut offset = start;
    for (number, line) in text[start..end].split_inclusive('\n').enumerate() {
        let (from, shown) = (offset + line.len() - line.trim_start().len(), line.trim());
        offset += line.len();
        let is_header = number == 0 && shown.starts_with(['|', '>']) && shown.len() <= 3;
        let says_nothing = shown.is_empty() || (is_header && offset < end);
        if !says_nothing {
            return from..from + shown.len();
        }
    }
    start..start
}
