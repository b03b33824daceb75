//! The shell patterns of `${NAME#pattern}` and its relatives: `*` and `?`, neither of which crosses a line break.

use regex::Regex;

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    /// A backslash before an ordinary character.
    #[error("`\\{0}` means nothing in a pattern")]
    Escape(char),
    /// A backslash at the end.
    #[error("the backslash at the end of the pattern has nothing to escape")]
    TrailingBackslash,
    /// More wildcards than the matcher takes.
    #[error("the pattern is too large")]
    TooLarge,
}

/// One piece of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Any,
    One,
    Char(char),
}

/// Returns `value` without the shortest or longest start that matches `glob`.
pub(super) fn trim_prefix(value: &str, glob: &str, longest: bool) -> Result<String, PatternError> {
    let regex = regex(&pieces(glob)?, longest, true)?;
    Ok(regex.find(value).map_or(value, |found| &value[found.end()..]).to_owned())
}

/// Returns `value` without the shortest or longest end that matches `glob`.
pub(super) fn trim_suffix(value: &str, glob: &str, longest: bool) -> Result<String, PatternError> {
    // Matching forwards cannot find the shortest end, so both are turned round.
    let reversed: String = value.chars().rev().collect();
    let pieces: Vec<Piece> = pieces(glob)?.into_iter().rev().collect();
    let regex = regex(&pieces, longest, true)?;
    let rest = regex.find(&reversed).map_or(reversed.as_str(), |found| &reversed[found.end()..]);
    Ok(rest.chars().rev().collect())
}

/// Returns `value` with the first or all matches of `glob` replaced; none when the result passes `limit` bytes.
pub(super) fn replace(
    value: &str,
    glob: &str,
    replacement: &str,
    all: bool,
    limit: usize,
) -> Result<Option<String>, PatternError> {
    let regex = regex(&pieces(glob)?, true, false)?;
    let mut result = String::new();
    let mut rest = 0;
    for found in regex.find_iter(value).take(if all { usize::MAX } else { 1 }) {
        result.push_str(&value[rest..found.start()]);
        result.push_str(replacement);
        rest = found.end();
        if result.len() > limit {
            return Ok(None);
        }
    }
    result.push_str(&value[rest..]);
    Ok(Some(result))
}

fn pieces(glob: &str) -> Result<Vec<Piece>, PatternError> {
    let mut pieces = Vec::new();
    let mut chars = glob.chars();
    while let Some(char) = chars.next() {
        pieces.push(match char {
            '*' => Piece::Any,
            '?' => Piece::One,
            '\\' => match chars.next() {
                // The braces and slashes of the surrounding expression are escaped too.
                Some(char @ ('*' | '?' | '\\' | '}' | '/')) => Piece::Char(char),
                Some(char) => return Err(PatternError::Escape(char)),
                None => return Err(PatternError::TrailingBackslash),
            },
            char => Piece::Char(char),
        });
    }
    Ok(pieces)
}

fn regex(pieces: &[Piece], longest: bool, anchored: bool) -> Result<Regex, PatternError> {
    let mut text = String::from(if anchored { "^" } else { "" });
    for piece in pieces {
        match piece {
            Piece::Any => text.push_str(if longest { ".*" } else { ".*?" }),
            Piece::One => text.push('.'),
            Piece::Char(char) => text.push_str(&regex::escape(char.encode_utf8(&mut [0; 4]))),
        }
    }
    Regex::new(&text).map_err(|_| PatternError::TooLarge)
}
