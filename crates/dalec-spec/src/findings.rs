//! The list that findings are collected in while a spec is read.

use crate::codes;
use crate::diagnostic::{Diagnostic, Severity};
use crate::span::Span;

/// More findings than this help nobody; a hostile text could make millions.
const MAX_FINDINGS: usize = 200;

/// Findings in the order they were made.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    cut: bool,
}

impl Findings {
    /// Adds a finding unless it is there already (a value reached through several aliases is read several times).
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.cut || self.list.iter().any(|other| same(other, &diagnostic)) {
            return;
        }
        if self.list.len() >= MAX_FINDINGS {
            self.cut = true;
            let message = format!("there are more than {MAX_FINDINGS} findings; the others are not shown");
            let diagnostic = Diagnostic::error_outside(codes::TOO_MANY_FINDINGS, message);
            self.list.push(diagnostic.help("correct the first ones and check again"));
            return;
        }
        self.list.push(diagnostic);
    }

    /// Adds findings unless they are there already.
    pub fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// Returns whether further findings would be left out anyway.
    pub fn is_full(&self) -> bool {
        self.cut
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
