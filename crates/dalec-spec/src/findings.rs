//! The list that findings are collected in while a spec is read.

use crate::codes;
use crate::diagnostic::{Diagnostic, Severity};
use crate::span::Span;

/// More findings of one kind than this help nobody; a hostile text could make millions.
const MAX_FINDINGS: usize = 200;

/// Findings in the order they were made. Errors and warnings do not displace each other.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
}

impl Findings {
    /// Adds a finding unless it is there already (a value reached through several aliases is read several times).
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let severity = diagnostic.severity;
        if self.is_full(severity) || self.list.iter().any(|other| same(other, &diagnostic)) {
            return;
        }
        let count = self.count_mut(severity);
        *count += 1;
        let diagnostic = match (severity, *count > MAX_FINDINGS) {
            (_, false) => diagnostic,
            (Severity::Error, true) => {
                let message = format!("there are more than {MAX_FINDINGS} errors; the others are not shown");
                Diagnostic::error_outside(codes::TOO_MANY_FINDINGS, message)
                    .help("correct the first ones and check again")
            }
            (Severity::Warning, true) => {
                let message =
                    format!("there are more than {MAX_FINDINGS} warnings; the others are not shown");
                Diagnostic::warning_outside(codes::TOO_MANY_WARNINGS, message)
                    .help("correct or allow the first ones and check again")
            }
        };
        self.list.push(diagnostic);
    }

    /// Returns whether further findings of this severity would be left out anyway.
    pub fn is_full(&self, severity: Severity) -> bool {
        let count = match severity {
            Severity::Error => self.errors,
            Severity::Warning => self.warnings,
        };
        count > MAX_FINDINGS
    }

    fn count_mut(&mut self, severity: Severity) -> &mut usize {
        match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        }
    }

    /// Adds findings unless they are there already.
    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// Returns whether an error was found inside `span`.
    ///
    /// Checks for something missing ask this first: a key that could not be read is not a missing key.
    pub fn error_within(&self, span: Span) -> bool {
        self.list.iter().any(|diagnostic| {
            diagnostic.severity == Severity::Error
                && diagnostic.span.is_some_and(|inner| span.start <= inner.start && inner.end <= span.end)
        })
    }

    /// Returns whether there is an error.
    pub fn has_errors(&self) -> bool {
        crate::diagnostic::has_errors(&self.list)
    }

    /// Returns all findings, sorted by place.
    pub fn into_sorted(self) -> Vec<Diagnostic> {
        let mut list = self.list;
        crate::diagnostic::sort(&mut list);
        list
    }
}

fn same(a: &Diagnostic, b: &Diagnostic) -> bool {
    a.span == b.span && a.code == b.code && a.message == b.message
}
