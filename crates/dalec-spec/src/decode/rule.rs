//! Rules for the text of values and keys.
//!
//! A rule is a type, so that a field's row in its table says which rule it follows. Rules of the language's own
//! stand in [`crate::raw::rules`].

use std::fmt::Debug;
use std::ops::Range;

use super::locate;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::shape::TextShape;
use crate::source_text::SourceText;
use crate::span::Span;

/// What text may stand somewhere. Empty values are not checked: they mean absent.
pub(crate) trait Rule: Debug + Clone + Copy + Default {
    /// What the text is, in words: "a package name".
    const TAKES: &'static str = "text";

    /// A regular expression that every allowed text matches, in the syntax that JSON Schema shares with RE2.
    const PATTERN: Option<&'static str> = None;

    /// Code of the finding about text that is not allowed.
    const CODE: &'static str = codes::INVALID_VALUE;

    /// What checking a text costs, in bytes that could be copied meanwhile; none when that is not worth a thought.
    const COST: Option<fn(&str) -> usize> = None;

    /// Whether arguments are expanded in keys that follow the rule.
    const EXPANDED_KEY: bool = false;

    /// Returns the words that the text is limited to; empty for no limit.
    fn words() -> Vec<&'static str> {
        Vec::new()
    }

    /// Checks `text`.
    fn check(text: &str) -> Result<(), Complaint>;

    /// Returns the text that is meant by `text`.
    fn normalize(text: String) -> String {
        text
    }

    /// Returns the rule as data, for literal text without a default.
    fn shape() -> TextShape {
        TextShape {
            takes: Self::TAKES,
            pattern: Self::PATTERN,
            code: Self::CODE,
            expanded: false,
            words: Self::words(),
            default: "",
        }
    }
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// Code of the diagnostic.
    pub code: &'static str,
    /// The message of the diagnostic.
    pub message: String,
    /// The part of the text to blame, in bytes; none for all of it.
    pub part: Option<Range<usize>>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Complaint {
    pub fn new(message: impl Into<String>) -> Self {
        Self { code: codes::INVALID_VALUE, message: message.into(), part: None, help: None }
    }

    pub fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    pub fn part(mut self, part: Range<usize>) -> Self {
        self.part = Some(part);
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Returns the complaint about `text`, which is written at `span`, as a diagnostic.
    pub fn at(self, source: &SourceText, span: Span, text: &str) -> Diagnostic {
        let place = self.part.and_then(|part| locate(source, span, text, part)).unwrap_or(span);
        let mut diagnostic = Diagnostic::error(self.code, place, self.message);
        diagnostic.help = self.help;
        diagnostic
    }
}

/// Any text at all, NUL excepted: no file, script or environment can hold that.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AnyText;

impl Rule for AnyText {
    fn check(text: &str) -> Result<(), Complaint> {
        match text.find('\0') {
            Some(at) => {
                let complaint = Complaint::new("the text holds a NUL character").part(at..at + 1);
                Err(complaint.help("remove it: no file, script or environment can hold it"))
            }
            None => Ok(()),
        }
    }
}
