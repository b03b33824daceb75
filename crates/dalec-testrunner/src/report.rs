//! How a failure is put into words.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::protocol::{OUTPUT_DIR, UsageError};

/// Why a step or a check did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments are wrong.
    Usage(UsageError),
    /// There is no such subcommand.
    UnknownSubcommand(UsageError),
    /// The step description cannot be read.
    Description { path: PathBuf, reason: String },
    /// A file could not be examined.
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// The command of a step cannot be run.
    Command { command: String, reason: String },
    /// A regular expression is wrong.
    Pattern { pattern: String, reason: String },
    /// A file is not what it should be.
    Metadata(Mismatch),
    /// Content is not what it should be.
    Content(Mismatch),
}

/// What was expected and what was found.
#[derive(Debug)]
pub(crate) struct Mismatch {
    pub path: PathBuf,
    pub kind: &'static str,
    pub expected: Vec<u8>,
    pub actual: Vec<u8>,
}

impl Failure {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    pub(crate) fn metadata(
        path: &Path,
        kind: &'static str,
        expected: impl Into<Vec<u8>>,
        actual: impl Into<Vec<u8>>,
    ) -> Self {
        Self::Metadata(Mismatch {
            path: path.to_owned(),
            kind,
            expected: expected.into(),
            actual: actual.into(),
        })
    }

    /// Returns one sentence for the headline, if the failure is one of the package and not of the runner.
    pub(crate) fn headline(&self) -> Option<String> {
        match self {
            Self::Metadata(mismatch) | Self::Content(mismatch) => Some(mismatch.in_words()),
            Self::Command { reason, .. } => Some(format!("cannot run the command: {reason}")),
            _ => None,
        }
    }

    pub(crate) fn exit_code(&self) -> i32 {
        match self {
            Self::Usage(_) | Self::Description { .. } => 1,
            Self::Io { .. } | Self::Command { .. } | Self::Pattern { .. } | Self::Metadata(_) => 2,
            Self::Content(_) => 3,
            Self::UnknownSubcommand(_) => 70,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) | Self::UnknownSubcommand(error) => write!(formatter, "{error}"),
            Self::Description { path, reason } => {
                write!(formatter, "cannot read the step description {}: {reason}", path.display())
            }
            Self::Io { doing, path, source } => {
                write!(formatter, "{}: cannot {doing}: {source}", quote_path(path))
            }
            Self::Command { command, reason } => {
                let command = quote(command.as_bytes());
                write!(formatter, "cannot run {command}: {reason}")
            }
            Self::Pattern { pattern, reason } => {
                let pattern = quote(pattern.as_bytes());
                write!(formatter, "{pattern} is no regular expression: {reason}")
            }
            Self::Metadata(mismatch) | Self::Content(mismatch) => write!(
                formatter,
                "{}: check_type={} expected: {}, got {}",
                quote_path(&mismatch.path),
                mismatch.kind,
                quote(&mismatch.expected),
                quote(&mismatch.actual)
            ),
        }
    }
}

impl Mismatch {
    /// Returns one sentence about it.
    fn in_words(&self) -> String {
        let path = self.path.strip_prefix(OUTPUT_DIR).unwrap_or(&self.path);
        let path = quote(path.as_os_str().as_encoded_bytes());
        let path = path.trim_matches('"');
        let (expected, actual) = (clip(quote(&self.expected)), clip(quote(&self.actual)));
        match self.kind {
            "equals" => format!("{path} should be {expected}, but is {actual}"),
            "contains" => format!("{path} does not contain {expected}; it is {actual}"),
            "matches" => format!("{path} does not match {expected}; it is {actual}"),
            "starts_with" => format!("{path} does not start with {expected}; it is {actual}"),
            "ends_with" => format!("{path} does not end with {expected}; it is {actual}"),
            "empty" => format!("{path} should be empty, but is {actual}"),
            "permissions" => format!("{path} should have the permissions {expected}, but has {actual}"),
            "link_target_path" => format!("{path} should link to {expected}, but links to {actual}"),
            "is_dir" if self.expected == b"is_dir=true" => format!("{path} is no directory"),
            "is_dir" => format!("{path} is a directory; write `is_dir: true` if it should be one"),
            "not_exist" if self.expected == b"exists=true" => format!("{path} does not exist"),
            "not_exist" => format!("{path} exists, but should not"),
            kind => format!("{path}: {kind} should be {expected}, but is {actual}"),
        }
    }
}

/// Returns the beginning of `text`, as much as a headline can bear.
fn clip(text: String) -> String {
    const MOST: usize = 120;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Returns `path` in quotes; a captured stream goes by its name alone.
fn quote_path(path: &Path) -> String {
    let shown = path.strip_prefix(OUTPUT_DIR).unwrap_or(path);
    quote(shown.as_os_str().as_encoded_bytes())
}

/// Returns `bytes` in double quotes, as Go's `strconv.Quote` writes them: what is not printable, or would
/// change how a terminal shows the line, becomes an escape.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|char| push_escaped(&mut text, char));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text.push('"');
    text
}

fn push_escaped(text: &mut String, char: char) {
    match char {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        '\u{7}' => text.push_str("\\a"),
        '\u{8}' => text.push_str("\\b"),
        '\u{c}' => text.push_str("\\f"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\u{b}' => text.push_str("\\v"),
        '\0'..' ' | '\u{7f}' => text.push_str(&format!("\\x{:02x}", char as u32)),
        char if printable(char) => text.push(char),
        char if (char as u32) < 0x1_0000 => text.push_str(&format!("\\u{:04x}", char as u32)),
        char => text.push_str(&format!("\\U{:08x}", char as u32)),
    }
}

fn printable(char: char) -> bool {
    let format = matches!(char, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{f0000}'..);
    !(char.is_control() || format || char != ' ' && char.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn quotes_as_go_does() {
        for (bytes, expected) in [
            (&b"a \"b\" \\ c"[..], r#""a \"b\" \\ c""#),
            (b"\x07\x08\x0c\n\r\t\x0b", r#""\a\b\f\n\r\t\v""#),
            (b"\x00\x1b[31m\x7f", r#""\x00\x1b[31m\x7f""#),
            ("é 😀".as_bytes(), r#""é 😀""#),
            ("\u{a0}\u{202e}\u{f0000}".as_bytes(), r#""\u00a0\u202e\U000f0000""#),
            (b"\xff\xc3a", r#""\xff\xc3a""#),
        ] {
            assert_eq!(quote(bytes), expected);
        }
    }
}
