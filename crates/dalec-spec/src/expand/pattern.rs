//! The shell patterns of `${NAME#pattern}` and its relatives: `*` and `?`, neither of which crosses a line break.
//!
//! Matching is done here and not by regular expressions, so that every step can be counted: a hostile pattern uses
//! up its budget instead of everybody's time.

/// What a step of matching costs, in bytes of text that could be copied meanwhile.
const STEP: usize = 4;

/// Why a pattern gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    /// A backslash before an ordinary character.
    #[error("`\\{0}` means nothing in a pattern")]
    Escape(char),
    /// A backslash at the end.
    #[error("the backslash at the end of the pattern has nothing to escape")]
    TrailingBackslash,
    /// Matching used up the budget.
    #[error("matching takes too long")]
    Exhausted,
}

/// One piece of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Any,
    One,
    Char(char),
}

/// Returns `value` without the shortest or longest start that matches `glob`; each step is taken from `budget`.
pub(super) fn trim_prefix(
    value: &str,
    glob: &str,
    longest: bool,
    budget: &mut usize,
) -> Result<String, PatternError> {
    let end = match_end(value, &pieces(glob)?, longest, budget)?;
    Ok(value[end.unwrap_or(0)..].to_owned())
}

/// Returns `value` without the shortest or longest end that matches `glob`; each step is taken from `budget`.
pub(super) fn trim_suffix(
    value: &str,
    glob: &str,
    longest: bool,
    budget: &mut usize,
) -> Result<String, PatternError> {
    // Matching goes forwards, so both are turned round.
    let reversed: String = value.chars().rev().collect();
    let mut pieces = pieces(glob)?;
    pieces.reverse();
    let end = match_end(&reversed, &pieces, longest, budget)?;
    Ok(value[..value.len() - end.unwrap_or(0)].to_owned())
}

/// Returns `value` with the first or all matches of `glob` replaced; each step and each byte of the result is taken
/// from `budget`.
///
/// Matches do not overlap, and each is as long as it can be. An empty match right behind another one does not count.
pub(super) fn replace(
    value: &str,
    glob: &str,
    replacement: &str,
    all: bool,
    budget: &mut usize,
) -> Result<String, PatternError> {
    let pieces = pieces(glob)?;
    let mut result = String::new();
    let mut last_end = None;
    let mut rest = value;
    loop {
        let at = value.len() - rest.len();
        let end = match_end(rest, &pieces, true, budget)?.map(|length| at + length);
        if let Some(end) = end.filter(|end| last_end != Some(*end)) {
            spend(budget, 1 + replacement.len())?;
            result.push_str(replacement);
            last_end = Some(end);
            rest = &value[end..];
            if !all {
                break;
            }
            if end > at {
                continue;
            }
        }
        let Some(char) = rest.chars().next() else { break };
        spend(budget, char.len_utf8())?;
        result.push(char);
        rest = &rest[char.len_utf8()..];
    }
    result.push_str(rest);
    Ok(result)
}

fn pieces(glob: &str) -> Result<Vec<Piece>, PatternError> {
    let mut pieces = Vec::new();
    let mut chars = glob.chars();
    while let Some(char) = chars.next() {
        pieces.push(match char {
            '*' if pieces.last() == Some(&Piece::Any) => continue,
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

/// Returns the end of the shortest or longest match at the start of `text`, in bytes; `pieces` has no two `*` in a row.
///
/// Follows all ways through the pattern at once: a state is the number of pieces that are done.
fn match_end(
    text: &str,
    pieces: &[Piece],
    longest: bool,
    budget: &mut usize,
) -> Result<Option<usize>, PatternError> {
    let mut states = Vec::new();
    let mut next = Vec::new();
    enter(0, pieces, &mut states);
    let mut found = None;
    let ends = text.char_indices().map(|(at, char)| (at, Some(char))).chain([(text.len(), None)]);
    for (at, char) in ends {
        spend(budget, STEP * states.len())?;
        if states.last() == Some(&pieces.len()) {
            found = Some(at);
            if !longest {
                break;
            }
        }
        let Some(char) = char.filter(|_| !states.is_empty()) else { break };
        for state in states.drain(..) {
            match pieces.get(state) {
                Some(Piece::Any) if char != '\n' => enter(state, pieces, &mut next),
                Some(Piece::One) if char != '\n' => enter(state + 1, pieces, &mut next),
                Some(Piece::Char(wanted)) if *wanted == char => enter(state + 1, pieces, &mut next),
                _ => {}
            }
        }
        std::mem::swap(&mut states, &mut next);
    }
    Ok(found)
}

/// Adds `state` to the ascending `states`, and the one behind a `*`, which may match nothing.
fn enter(state: usize, pieces: &[Piece], states: &mut Vec<usize>) {
    let behind = (pieces.get(state) == Some(&Piece::Any)).then_some(state + 1);
    for state in std::iter::once(state).chain(behind) {
        if states.last().is_none_or(|last| *last < state) {
            states.push(state);
        }
    }
}

fn spend(budget: &mut usize, steps: usize) -> Result<(), PatternError> {
    *budget = budget.checked_sub(steps).ok_or(PatternError::Exhausted)?;
    Ok(())
}
