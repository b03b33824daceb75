//! Patterns that choose files, with the meaning they have in `.dockerignore` and in BuildKit.
//!
//! `*` and `?` stay within one name, `**` crosses names, `[a-z]` is a class, `\` takes the next character as
//! it is. A pattern that matches a directory matches all in it. In a list a later pattern wins over an
//! earlier one, and one that starts with `!` takes back. Follows `github.com/moby/patternmatcher`.

use crate::{BadPattern, clean};

/// One pattern, ready to match.
#[derive(Debug, Clone)]
pub struct Pattern {
    tokens: Vec<Token>,
    negated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// This byte.
    Byte(u8),
    /// One byte that is no slash.
    Any,
    /// A byte of a class that is no slash.
    Class { negated: bool, ranges: Vec<(u8, u8)> },
    /// Any bytes but slashes.
    Star,
    /// Any bytes.
    Everything,
    /// Nothing, or any bytes that end with a slash.
    Directories,
}

impl Pattern {
    /// Reads a pattern; none when it is empty.
    ///
    /// # Errors
    /// When a class is not closed, a `\` stands at the end, or a `!` alone.
    pub fn parse(text: &str) -> Result<Option<Self>, BadPattern> {
        let text = text.trim();
        let (negated, text) = match text.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, text),
        };
        if text.is_empty() {
            return if negated { Err(bad("!")) } else { Ok(None) };
        }
        let cleaned = clean(text.as_bytes());
        Ok(Some(Self { tokens: tokens(&cleaned).ok_or_else(|| bad(text))?, negated }))
    }

    /// Returns whether the pattern matches exactly `path`.
    pub fn matches(&self, path: &[u8]) -> bool {
        let mut states = self.start();
        for byte in path {
            states = self.step(&states, *byte);
        }
        states[self.tokens.len()]
    }

    /// Returns whether the pattern can match something below the directory `path`.
    fn may_match_below(&self, path: &[u8]) -> bool {
        let mut states = self.start();
        for byte in path.iter().chain(b"/") {
            states = self.step(&states, *byte);
        }
        states.contains(&true)
    }

    /// Returns whether the pattern matches `path` or a directory it is in.
    fn matches_or_parent(&self, path: &[u8]) -> bool {
        let mut states = self.start();
        for byte in path {
            if *byte == b'/' && states[self.tokens.len()] {
                return true;
            }
            states = self.step(&states, *byte);
        }
        states[self.tokens.len()]
    }

    /// The pattern as a machine: state `n` means that the tokens before `n` have matched so far.
    fn start(&self) -> Vec<bool> {
        let mut states = vec![false; self.tokens.len() + 1];
        self.enter(&mut states, 0);
        states
    }

    /// Reaches `state`, and on from there what needs no byte.
    fn enter(&self, states: &mut [bool], state: usize) {
        for (next, reached) in states.iter_mut().enumerate().skip(state) {
            *reached = true;
            if !matches!(self.tokens.get(next), Some(Token::Star | Token::Everything | Token::Directories)) {
                break;
            }
        }
    }

    fn step(&self, states: &[bool], byte: u8) -> Vec<bool> {
        let mut next = vec![false; states.len()];
        for (index, token) in self.tokens.iter().enumerate().filter(|(index, _)| states[*index]) {
            match token {
                Token::Byte(expected) if *expected == byte => self.enter(&mut next, index + 1),
                Token::Any if byte != b'/' => self.enter(&mut next, index + 1),
                Token::Class { negated, ranges } if byte != b'/' => {
                    let inside = ranges.iter().any(|(low, high)| (*low..=*high).contains(&byte));
                    if inside != *negated {
                        self.enter(&mut next, index + 1);
                    }
                }
                Token::Star if byte != b'/' => self.enter(&mut next, index),
                Token::Everything => self.enter(&mut next, index),
                Token::Directories if byte == b'/' => self.enter(&mut next, index),
                // In the middle of a directory's name: what follows may only begin after a slash.
                Token::Directories => next[index] = true,
                _ => {}
            }
        }
        next
    }
}

/// Reads the tokens; none when the pattern is malformed.
fn tokens(text: &[u8]) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'*' if rest.first() == Some(&b'*') => {
                while let [b'*', tail @ ..] = rest {
                    rest = tail;
                }
                match rest {
                    [b'/', tail @ ..] => {
                        rest = tail;
                        tokens.push(Token::Directories);
                    }
                    _ => tokens.push(Token::Everything),
                }
            }
            b'*' => tokens.push(Token::Star),
            b'?' => tokens.push(Token::Any),
            b'[' => {
                let (class, tail) = class(rest)?;
                rest = tail;
                tokens.push(class);
            }
            b'\\' => {
                let (escaped, tail) = rest.split_first()?;
                rest = tail;
                tokens.push(Token::Byte(*escaped));
            }
            byte => tokens.push(Token::Byte(*byte)),
        }
    }
    Some(tokens)
}

fn class(text: &[u8]) -> Option<(Token, &[u8])> {
    let (negated, mut rest) = match text {
        [b'^' | b'!', tail @ ..] => (true, tail),
        _ => (false, text),
    };
    let mut ranges = Vec::new();
    loop {
        let low = match rest {
            [b']', tail @ ..] if !ranges.is_empty() => return Some((Token::Class { negated, ranges }, tail)),
            [b'\\', byte, tail @ ..] | [byte, tail @ ..] => {
                rest = tail;
                *byte
            }
            [] => return None,
        };
        let high = match rest {
            [b'-', b'\\', byte, tail @ ..] => {
                rest = tail;
                *byte
            }
            [b'-', byte, tail @ ..] if *byte != b']' => {
                rest = tail;
                *byte
            }
            _ => low,
        };
        ranges.push((low, high));
    }
}

fn bad(pattern: &str) -> BadPattern {
    BadPattern(pattern.to_owned())
}

/// Patterns to take and to leave out. Without patterns to take, everything is taken.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    takes_all: bool,
}

impl Selection {
    /// Reads the patterns.
    ///
    /// # Errors
    /// When one is malformed.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, BadPattern> {
        let parse = |patterns: &[String]| -> Result<Vec<Pattern>, BadPattern> {
            patterns.iter().filter_map(|text| Pattern::parse(text).transpose()).collect()
        };
        Ok(Self { takes_all: include.is_empty(), include: parse(include)?, exclude: parse(exclude)? })
    }

    /// Returns whether every path passes.
    pub fn is_everything(&self) -> bool {
        self.takes_all && self.exclude.is_empty()
    }

    /// Returns whether the file at `path`, which has no leading slash, passes.
    pub fn includes(&self, path: &[u8]) -> bool {
        (self.takes_all || verdict(&self.include, path)) && !verdict(&self.exclude, path)
    }

    /// Returns whether something below the directory at `path` may pass.
    pub fn may_include_below(&self, path: &[u8]) -> bool {
        let wanted = self.takes_all
            || verdict(&self.include, path)
            || self.include.iter().any(|pattern| !pattern.negated && pattern.may_match_below(path));
        let back = || self.exclude.iter().any(|pattern| pattern.negated && pattern.may_match_below(path));
        wanted && (!verdict(&self.exclude, path) || back())
    }
}

/// Returns what the last pattern that matches `path`, or a directory it is in, says.
fn verdict(patterns: &[Pattern], path: &[u8]) -> bool {
    let last = patterns.iter().rev().find(|pattern| pattern.matches_or_parent(path));
    last.is_some_and(|pattern| !pattern.negated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::parse(pattern).unwrap().unwrap().matches(path.as_bytes())
    }

    #[test]
    fn wildcards_mean_what_they_mean_in_dockerignore() {
        for (pattern, path, expected) in [
            ("*.c", "a.c", true),
            ("*.c", "d/a.c", false),
            ("**/*.c", "a.c", true),
            ("**/*.c", "d/e/a.c", true),
            ("**/a", "da", false),
            ("d/**", "d/e/f", true),
            ("d/**", "d", false),
            ("**", "x/y", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/xb", false),
            ("f?o", "foo", true),
            ("f?o", "f/o", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "/x", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("/abs/", "abs", true),
            ("./dot", "dot", true),
            ("a**b", "a/x/b", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
        assert!(Pattern::parse("[a").is_err());
        assert!(Pattern::parse("a\\").is_err());
        assert!(Pattern::parse("!").is_err());
        assert!(Pattern::parse("  ").unwrap().is_none());
    }

    #[test]
    fn a_selection_takes_what_is_in_a_matching_directory_and_later_patterns_win() {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let selection =
            Selection::new(&list(&["src", "*.md"]), &list(&["src/gen", "!src/gen/keep"])).unwrap();
        for (path, expected) in [
            ("src", true),
            ("src/a.c", true),
            ("readme.md", true),
            ("other", false),
            ("src/gen", false),
            ("src/gen/x", false),
            ("src/gen/keep", true),
            ("src/gen/keep/deep", true),
        ] {
            assert_eq!(selection.includes(path.as_bytes()), expected, "{path}");
        }
        assert!(selection.may_include_below(b"src/gen"));
        assert!(!selection.may_include_below(b"other"));
        let plain = Selection::new(&[], &list(&["target"])).unwrap();
        assert!(!plain.may_include_below(b"target"));
        assert!(plain.may_include_below(b"x"));
    }

    #[test]
    fn many_stars_cost_no_more_than_few() {
        let pattern = "*a".repeat(200);
        assert!(!matches(&pattern, &format!("{}b", "a".repeat(2000))));
    }
}
