//! Regular expressions as the spec language means them: the syntax of Go's `regexp`, matched on bytes.
//!
//! The `regex` crate is of the same family, so only where the two read a pattern differently it is rewritten:
//! `\d`, `\w`, `\s` and `\b` are ASCII, `\Q...\E` is literal, octal escapes exist, a `{` that begins no
//! repetition is literal, and a class knows no nesting and no set operations. Two differences stay: `.` does
//! not match a byte that is no UTF-8, and the flag `x` is accepted.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

use regex::bytes::Regex;

/// Why a text is no regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidPattern {
    /// The reason, on one line.
    pub reason: String,
}

/// Returns `pattern`, written in Go's syntax, ready to be matched.
///
/// # Errors
/// [`InvalidPattern`] if it is no regular expression, or one that is too large.
pub fn compile(pattern: &str) -> Result<Regex, InvalidPattern> {
    Regex::new(&translate(pattern)).map_err(|error| {
        let text = match error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            // The crate draws the pattern over several lines; the reason is the last of them.
            error => error.to_string(),
        };
        let reason = text.lines().last().unwrap_or_default();
        InvalidPattern { reason: reason.trim_start_matches("error: ").to_owned() }
    })
}

/// Returns `pattern`, written in Go's syntax, in that of the `regex` crate.
pub(crate) fn translate(pattern: &str) -> String {
    let mut result = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => escape(&mut chars, &mut result, false),
            '[' => class(&mut chars, &mut result),
            '{' if repeats(chars.clone()) => {
                result.push('{');
                result.extend(chars.by_ref().take_while(|char| *char != '}'));
                result.push('}');
            }
            '{' | '}' => literal(&mut result, char),
            char => result.push(char),
        }
    }
    result
}

/// Returns whether what follows a `{` is `N}`, `N,}` or `N,M}`.
fn repeats(mut chars: Peekable<Chars<'_>>) -> bool {
    let digits = |chars: &mut Peekable<Chars<'_>>| {
        let mut count = 0;
        while chars.next_if(char::is_ascii_digit).is_some() {
            count += 1;
        }
        count
    };
    if digits(&mut chars) == 0 {
        return false;
    }
    if chars.next_if_eq(&',').is_some() {
        digits(&mut chars);
    }
    chars.next() == Some('}')
}

/// Translates what follows a backslash.
fn escape(chars: &mut Peekable<Chars<'_>>, result: &mut String, in_class: bool) {
    let Some(char) = chars.next() else {
        // The regex crate has the words for a pattern that ends in a backslash.
        result.push('\\');
        return;
    };
    match char {
        'd' => result.push_str("[0-9]"),
        'D' => result.push_str("[^0-9]"),
        'w' => result.push_str("[0-9A-Za-z_]"),
        'W' => result.push_str("[^0-9A-Za-z_]"),
        's' => result.push_str("[\\t\\n\\f\\r ]"),
        'S' => result.push_str("[^\\t\\n\\f\\r ]"),
        'b' if !in_class => result.push_str("(?-u:\\b)"),
        'B' if !in_class => result.push_str("(?-u:\\B)"),
        'Q' if !in_class => quoted(chars, result),
        '0' => octal(chars, result, 0),
        '1'..='7' if chars.peek().is_some_and(is_octal) => {
            octal(chars, result, char.to_digit(8).unwrap_or_default());
        }
        'p' | 'P' if chars.peek() == Some(&'{') => property(chars, result, char),
        char if char.is_ascii_alphanumeric() => result.extend(['\\', char]),
        char => literal(result, char),
    }
}

/// Translates the text between `\Q` and `\E` or the end.
fn quoted(chars: &mut Peekable<Chars<'_>>, result: &mut String) {
    while let Some(char) = chars.next() {
        if char == '\\' && chars.next_if_eq(&'E').is_some() {
            return;
        }
        literal(result, char);
    }
}

/// Translates an octal escape of up to three digits, the first of which is `value`.
fn octal(chars: &mut Peekable<Chars<'_>>, result: &mut String, mut value: u32) {
    for _ in 0..2 {
        let digit = chars.next_if(is_octal).and_then(|char| char.to_digit(8));
        let Some(digit) = digit else { break };
        value = value * 8 + digit;
    }
    code(result, value);
}

/// Translates `{Name}` or `{^Name}` behind `\p` or `\P`; the regex crate writes the negation as the other letter.
fn property(chars: &mut Peekable<Chars<'_>>, result: &mut String, letter: char) {
    chars.next();
    let negated = chars.next_if_eq(&'^').is_some();
    result.push('\\');
    result.push(match (letter, negated) {
        ('p', true) => 'P',
        ('P', true) => 'p',
        (letter, _) => letter,
    });
    result.push('{');
    result.extend(chars.by_ref().take_while(|char| *char != '}'));
    result.push('}');
}

/// Translates a class whose `[` was read.
fn class(chars: &mut Peekable<Chars<'_>>, result: &mut String) {
    result.push('[');
    if chars.next_if_eq(&'^').is_some() {
        result.push('^');
    }
    if chars.next_if_eq(&']').is_some() {
        literal(result, ']');
    }
    while let Some(char) = chars.next() {
        match char {
            ']' => {
                result.push(']');
                return;
            }
            '\\' => escape(chars, result, true),
            '[' if chars.peek() == Some(&':') => result.push('['),
            ':' if result.ends_with('[') => posix(chars, result),
            '[' | '&' | '~' => literal(result, char),
            '-' if result.ends_with('-') || chars.peek() == Some(&'-') => literal(result, char),
            char => result.push(char),
        }
    }
}

/// Copies the rest of `[:name:]` behind `[`.
fn posix(chars: &mut Peekable<Chars<'_>>, result: &mut String) {
    result.push(':');
    while let Some(char) = chars.next() {
        result.push(char);
        if char == ':' && chars.next_if_eq(&']').is_some() {
            result.push(']');
            return;
        }
    }
}

fn is_octal(char: &char) -> bool {
    ('0'..='7').contains(char)
}

fn literal(result: &mut String, char: char) {
    if char.is_alphanumeric() {
        result.push(char);
    } else {
        code(result, char as u32);
    }
}

fn code(result: &mut String, code: u32) {
    // Writing to a string cannot fail.
    let _ = write!(result, "\\x{{{code:x}}}");
}

#[cfg(test)]
mod tests {
    use super::*;

    // TEST-013: patterns are read as Go reads them.
    #[test]
    fn reads_patterns_as_go_does() {
        for (pattern, text, expected) in [
            ("^v1\\.[0-9]+$", "v1.20", true),
            ("^v1\\.[0-9]+$", "v1.20\n", false),
            ("(?m)^b$", "a\nb\nc", true),
            ("^b$", "a\nb\nc", false),
            ("a.c", "a\nc", false),
            ("(?s)a.c", "a\nc", true),
            ("(?i)HELLO", "say hello", true),
            ("\\d", "٣", false),
            ("\\w+", "é", false),
            ("^\\W$", "é", true),
            ("\\s", "\u{b}", false),
            ("[\\d_]{2}x", "a1_x", true),
            ("[^\\s]b", " b", false),
            ("\\bfoo\\b", "a foo b", true),
            ("éa\\b", "éa", true),
            ("\\Qa.b*\\E+", "a.b**", true),
            ("\\Qa.b", "axb", false),
            ("\\101\\x42\\x{43}", "ABC", true),
            ("a\\0b", "a\0b", true),
            ("{\"a\":1}", "{\"a\":1}", true),
            ("a{,2}", "a{,2}", true),
            ("a{2}b", "aab", true),
            ("a{2,3}?b", "aaab", true),
            ("[]a]+", "]a", true),
            ("[^]a]", "]", false),
            ("[[:digit:]]+", "12", true),
            ("[[]", "[", true),
            ("[a&&b]+$", "a&b", true),
            ("[a--]", "-", true),
            ("[a~~b]", "~", true),
            ("\\<b\\>", "<b>", true),
            ("\\_\\ \\-\\/", "_ -/", true),
            ("\\p{Greek}", "α", true),
            ("\\p{^Greek}", "α", false),
            ("\\pL\\PL", "é1", true),
            ("(?P<x>a)|b", "b", true),
            ("\\Aab\\z", "ab", true),
            ("", "", true),
        ] {
            let regex = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(regex.is_match(text.as_bytes()), expected, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn a_wrong_pattern_is_explained_on_one_line() {
        for (pattern, expected) in [
            ("a(b", "unclosed group"),
            ("(a)\\1", "backreferences are not supported"),
            ("a\\", "incomplete escape sequence, reached end of pattern prematurely"),
            ("[a", "unclosed character class"),
            ("(((a{1000}){1000}){1000})", "it is too large"),
        ] {
            assert_eq!(compile(pattern).unwrap_err().to_string(), expected);
        }
    }
}
