//! Source locations that ride along with ops, so that a failing op can show the line that caused it.

use std::sync::Arc;

use bollard_buildkit_proto::pb;

/// The text that locations point into.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceMap {
    /// File name to show.
    pub filename: String,
    /// Language of the file, for example `yaml`.
    pub language: String,
    /// The whole text.
    pub data: Vec<u8>,
}

/// A line (from 1) and a character in it (from 0), as BuildKit counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: i32,
    /// Character in the line, from 0.
    pub character: i32,
}

/// A stretch of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// First position.
    pub start: Position,
    /// Position behind the last character.
    pub end: Position,
}

/// The pieces of one text that caused an op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The text.
    pub map: Arc<SourceMap>,
    /// The pieces, in the order of importance.
    pub ranges: Vec<Range>,
}

impl SourceMap {
    /// Returns the text as BuildKit's messages carry it.
    pub fn to_pb(&self) -> pb::SourceInfo {
        pb::SourceInfo {
            filename: self.filename.clone(),
            data: self.data.clone(),
            definition: None,
            language: self.language.clone(),
        }
    }
}

impl Range {
    /// Returns the range as BuildKit's messages carry it.
    pub fn to_pb(self) -> pb::Range {
        let position = |at: Position| Some(pb::Position { line: at.line, character: at.character });
        pb::Range { start: position(self.start), end: position(self.end) }
    }
}
