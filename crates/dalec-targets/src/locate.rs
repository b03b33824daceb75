//! Spans of the spec as locations of the graph.

use std::sync::Arc;

use dalec_llb::{Location, Position, Range, SourceMap};
use dalec_spec::span::{Span, position};

/// Returns the location of `spans` in the spec text of `map`; empty spans drop out.
pub fn locate(map: &Arc<SourceMap>, spans: impl IntoIterator<Item = Span>) -> Option<Location> {
    let text = String::from_utf8_lossy(&map.data);
    let ranges: Vec<Range> = spans
        .into_iter()
        .filter(|span| span.end > span.start)
        .map(|span| Range { start: at(&text, span.start), end: at(&text, span.end) })
        .collect();
    (!ranges.is_empty()).then(|| Location { map: map.clone(), ranges })
}

fn at(text: &str, offset: usize) -> Position {
    let position = position(text, offset);
    let number = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    Position { line: number(position.line), character: number(position.column - 1) }
}
