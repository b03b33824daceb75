//! What the terminal can show: colour, size, and text that is safe to show on it.
//!
//! Nothing here prints.

use std::io::IsTerminal;

/// One of the two streams that a command writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Data.
    Stdout,
    /// Progress and words.
    Stderr,
}

/// Returns whether people look at `stream`.
pub fn is_terminal(stream: Stream) -> bool {
    match stream {
        Stream::Stdout => std::io::stdout().is_terminal(),
        Stream::Stderr => std::io::stderr().is_terminal(),
    }
}

/// Returns whether `stream` takes colours: a terminal that is not dumb, and `NO_COLOR` is unset or empty.
pub fn takes_color(stream: Stream) -> bool {
    let unset = |name: &str| std::env::var_os(name).is_none_or(|value| value.is_empty());
    is_terminal(stream) && unset("NO_COLOR") && !is_dumb()
}

/// Returns whether the terminal understands no control sequences.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty())
}

/// Width and height of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

/// Returns the size of the terminal behind standard error; 80 by 24 when it does not say.
pub fn size() -> Size {
    let known = rustix::termios::tcgetwinsize(rustix::stdio::stderr()).ok();
    match known.filter(|size| size.ws_col > 0 && size.ws_row > 0) {
        Some(size) => Size { width: size.ws_col.into(), height: size.ws_row.into() },
        None => Size { width: 80, height: 24 },
    }
}

/// Returns the width that text for people is laid out in, none when nobody's terminal limits it.
pub fn text_width(stream: Stream) -> Option<usize> {
    is_terminal(stream).then(|| size().width.clamp(40, 140))
}

/// Which control sequences survive [`clean`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// None at all.
    Nothing,
    /// Colours and text attributes; the text ends with a reset when it has any.
    Style,
}

/// Returns one line of foreign text without anything that could move the cursor, retitle the window, answer
/// for the user, or reorder what is read.
///
/// Tabs become spaces, bytes that are no UTF-8 become replacement characters, line breaks drop out.
pub fn clean(line: &[u8], keep: Keep) -> String {
    let text = String::from_utf8_lossy(line);
    let mut out = String::with_capacity(text.len());
    let mut styled = false;
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        match char {
            '\x1b' => styled |= escape(&mut rest, keep, &mut out),
            // The eight-bit form of `ESC [`.
            '\u{9b}' => styled |= control_sequence(&mut rest, keep, &mut out),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut rest),
            '\t' => out.push_str("    "),
            char if char.is_control() || reorders(char) => {}
            char => out.push(char),
        }
    }
    if styled {
        out.push_str("\x1b[0m");
    }
    out
}

/// Handles what follows an escape character; returns whether it kept a style.
fn escape(rest: &mut std::str::Chars<'_>, keep: Keep, out: &mut String) -> bool {
    match rest.clone().next() {
        Some('[') => {
            rest.next();
            return control_sequence(rest, keep, out);
        }
        // Device control, start of string, operating system command, privacy message, application command.
        Some('P' | 'X' | ']' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        _ => {
            // Intermediate bytes and one final byte.
            while let Some(char @ '\x20'..='\x7e') = rest.clone().next() {
                rest.next();
                if char >= '\x30' {
                    break;
                }
            }
        }
    }
    false
}

/// Handles what follows `ESC [`; returns whether it kept a style.
fn control_sequence(rest: &mut std::str::Chars<'_>, keep: Keep, out: &mut String) -> bool {
    let mut parameters = String::new();
    while let Some(char @ '\x20'..='\x7e') = rest.clone().next() {
        rest.next();
        if char < '\x40' {
            parameters.push(char);
            continue;
        }
        let harmless = parameters.len() <= 32
            && parameters.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':'));
        if char == 'm' && keep == Keep::Style && harmless {
            out.push_str("\x1b[");
            out.push_str(&parameters);
            out.push('m');
            return true;
        }
        return false;
    }
    false
}

/// Skips a control string up to its end: BEL, `ESC \` or the end of the line.
fn skip_string(rest: &mut std::str::Chars<'_>) {
    while let Some(char) = rest.next() {
        match char {
            '\x07' | '\u{9c}' => return,
            '\x1b' => {
                if rest.clone().next() == Some('\\') {
                    rest.next();
                }
                return;
            }
            _ => {}
        }
    }
}

/// Returns whether `char` changes the direction of what is around it, so that text does not read as it is.
fn reorders(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns at most `width` characters of `text`, the last one an ellipsis when something is missing.
///
/// Styles of [`clean`] take no room; a cut text ends with a reset when it has any.
pub fn cut(text: &str, width: usize) -> String {
    let plain = text.split('\x1b').enumerate().map(|(index, part)| match index {
        0 => part,
        _ => part.split_once('m').map_or("", |(_, behind)| behind),
    });
    if plain.map(|part| part.chars().count()).sum::<usize>() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let (mut left, mut inside) = (width.saturating_sub(1), false);
    for char in text.chars() {
        if char == '\x1b' || inside {
            inside = char != 'm';
            out.push(char);
        } else if left == 0 {
            break;
        } else {
            left -= 1;
            out.push(char);
        }
    }
    if width > 0 {
        out.push('…');
    }
    if text.contains('\x1b') {
        out.push_str("\x1b[0m");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hostile: &str, plain: &str, styled: &str) {
        assert_eq!(clean(hostile.as_bytes(), Keep::Nothing), plain);
        assert_eq!(clean(hostile.as_bytes(), Keep::Style), styled);
    }

    #[test]
    fn hostile_text_cannot_steer_the_terminal() {
        check("a\x1b[2Jb\x1b[1;1Hc", "abc", "abc");
        check("\x1b]0;title\x07a\x1b]52;c;ZXZpbA==\x1b\\b", "ab", "ab");
        check("\x1bP1$r\x1b\\x", "x", "x");
        check("\x1bc\x1b(0x", "x", "x");
        check("a\u{9b}31mb", "ab", "a\x1b[31mb\x1b[0m");
        check("\x1b[?1049hx\x1b[>4;1mx", "xx", "xx");
        check("a\rb\x08\x07\0c\u{202e}d", "abcd", "abcd");
        check("unfinished \x1b[31", "unfinished ", "unfinished ");
        check("unfinished \x1b]0;title", "unfinished ", "unfinished ");
        check("\x1b", "", "");
    }

    #[test]
    fn colours_stay_where_they_are_wanted_and_end_with_the_line() {
        check("\x1b[1;32mok\x1b[m", "ok", "\x1b[1;32mok\x1b[m\x1b[0m");
        check("a\tb", "a    b", "a    b");
        assert_eq!(clean(b"caf\xe9 \xc3\xa9", Keep::Nothing), "caf\u{fffd} é");
    }

    #[test]
    fn a_cut_counts_what_is_seen() {
        assert_eq!(cut("hello", 5), "hello");
        assert_eq!(cut("hello!", 5), "hell…");
        assert_eq!(cut("\x1b[31mhello\x1b[0m", 5), "\x1b[31mhello\x1b[0m");
        assert_eq!(cut("\x1b[31mhello!\x1b[0m", 5), "\x1b[31mhell…\x1b[0m");
        assert_eq!(cut("ééééé", 3), "éé…");
        assert_eq!(cut("x", 0), "");
    }
}
