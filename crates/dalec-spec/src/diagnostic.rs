//! What is wrong or doubtful in a spec, as values.
//!
//! Parsing, resolving and linting never fail: they return what they could make of the text and a list of
//! these. Words for people are made in [`crate::render`]; exit codes elsewhere.

use std::fmt;

use crate::codes;
use crate::span::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The spec cannot be used.
    Error,
    /// The spec can be used, but probably does not do what was meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// A second place that belongs to a diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable name from [`codes::ALL`].
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: lower case, one line, no full stop.
    pub message: String,
    /// The smallest wrong piece of text; none when the cause is not in the file, for example an unknown
    /// build argument.
    pub span: Option<Span>,
    /// Words beside the underlined text; empty for none.
    pub note: String,
    /// Other places that explain the finding.
    pub labels: Vec<Label>,
    /// What to write or type instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Returns an error at `span`.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, Some(span), message.into())
    }

    /// Returns a warning at `span`.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, Some(span), message.into())
    }

    /// Returns an error whose cause is not in the file.
    pub fn error_outside(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, None, message.into())
    }

    /// Returns a warning whose cause is not in the file.
    pub fn warning_outside(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, None, message.into())
    }

    fn new(code: &'static str, severity: Severity, span: Option<Span>, message: String) -> Self {
        debug_assert!(
            codes::find(code).is_some_and(|known| known.severity == severity),
            "{code} is missing among the codes of {severity}s"
        );
        Self { code, severity, message, span, note: String::new(), labels: Vec::new(), help: None }
    }

    /// Adds words beside the underlined text.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Adds a second place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds what to write or type instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Returns whether any of `diagnostics` is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// Sorts by place in the file, those without a place last, and drops repetitions.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    let key = |diagnostic: &Diagnostic| (diagnostic.span.is_none(), diagnostic.span, diagnostic.severity);
    diagnostics
        .sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| (a.code, &a.message).cmp(&(b.code, &b.message))));
    diagnostics.dedup_by(|b, a| a.code == b.code && a.span == b.span && a.message == b.message);
}
