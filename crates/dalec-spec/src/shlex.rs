//! Splits a command line into words the way `google/shlex` does.
//!
//! Spec tests and the image's `entrypoint` and `cmd` are written as one line and run without a shell:
//! `$`, `*`, `~`, `|` and `;` mean themselves. Only quotes, backslashes, blanks and `#` are special.

/// Why a command line cannot be split. Offsets are bytes into the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShlexError {
    /// A quote is never closed.
    #[error("the quote `{quote}` is never closed")]
    UnclosedQuote {
        /// The quote character.
        quote: char,
        /// Where it opens.
        at: usize,
    },
    /// The last character is a backslash with nothing to escape.
    #[error("the backslash at the end has nothing to escape")]
    TrailingBackslash {
        /// Where it stands.
        at: usize,
    },
}

impl ShlexError {
    /// Returns the offset of the character to blame.
    pub fn at(&self) -> usize {
        match *self {
            Self::UnclosedQuote { at, .. } | Self::TrailingBackslash { at } => at,
        }
    }
}

/// Splits `line` into words.
///
/// Blanks (space, tab, CR, LF) separate words. `#` at the start of a word begins a comment up to the end of
/// the line. Single quotes keep everything; inside double quotes and outside of quotes a backslash keeps
/// the next character. `""` is an empty word.
///
/// # Errors
/// [`ShlexError`] when a quote stays open or a backslash ends the line.
pub fn split(line: &str) -> Result<Vec<String>, ShlexError> {
    let mut words = Vec::new();
    let mut chars = line.char_indices().peekable();
    while let Some(&(_, char)) = chars.peek() {
        match char {
            ' ' | '\t' | '\r' | '\n' => {
                chars.next();
            }
            '#' => while chars.next_if(|(_, char)| *char != '\n').is_some() {},
            _ => words.push(word(&mut chars)?),
        }
    }
    Ok(words)
}

type Chars<'a> = std::iter::Peekable<std::str::CharIndices<'a>>;

fn word(chars: &mut Chars<'_>) -> Result<String, ShlexError> {
    let mut word = String::new();
    while let Some((at, char)) = chars.next_if(|(_, char)| !matches!(char, ' ' | '\t' | '\r' | '\n')) {
        match char {
            '\\' => word.push(escaped(chars, at)?),
            '\'' => quoted(chars, &mut word, '\'', at)?,
            '"' => quoted(chars, &mut word, '"', at)?,
            char => word.push(char),
        }
    }
    Ok(word)
}

fn quoted(chars: &mut Chars<'_>, word: &mut String, quote: char, open: usize) -> Result<(), ShlexError> {
    while let Some((at, char)) = chars.next() {
        match char {
            char if char == quote => return Ok(()),
            '\\' if quote == '"' => word.push(escaped(chars, at)?),
            char => word.push(char),
        }
    }
    Err(ShlexError::UnclosedQuote { quote, at: open })
}

fn escaped(chars: &mut Chars<'_>, at: usize) -> Result<char, ShlexError> {
    chars.next().map(|(_, char)| char).ok_or(ShlexError::TrailingBackslash { at })
}

#[cfg(test)]
mod tests {
    use super::*;

    // TEST-005: command splitting without a shell.
    #[test]
    fn splits_without_a_shell() {
        for (line, expected) in [
            ("", &[][..]),
            (" \t\r\n", &[]),
            ("# only a comment", &[]),
            ("a b\tc\r\nd", &["a", "b", "c", "d"]),
            ("a # rest\nb", &["a", "b"]),
            ("a#b c", &["a#b", "c"]),
            (r"'a\b $c' d", &[r"a\b $c", "d"]),
            (r#""a\n\$\" b" "#, &["an$\" b"]),
            (r"a\ b \# c", &["a b", "#", "c"]),
            (r#"a "" '' b"#, &["a", "", "", "b"]),
            (r#"pre"mid"'post'"#, &["premidpost"]),
            ("echo $HOME *.c ~ | cat; ls > x", &["echo", "$HOME", "*.c", "~", "|", "cat;", "ls", ">", "x"]),
            ("é 'ü ß'", &["é", "ü ß"]),
        ] {
            assert_eq!(
                split(line).as_deref(),
                Ok(&expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
                "{line}"
            );
        }
    }

    #[test]
    fn names_the_character_to_blame() {
        assert_eq!(split("echo it's"), Err(ShlexError::UnclosedQuote { quote: '\'', at: 7 }));
        assert_eq!(split("a \"b"), Err(ShlexError::UnclosedQuote { quote: '"', at: 2 }));
        assert_eq!(split("a \"b\\"), Err(ShlexError::TrailingBackslash { at: 4 }));
        assert_eq!(split("a\\"), Err(ShlexError::TrailingBackslash { at: 1 }));
    }
}
