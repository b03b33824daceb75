//! The list that findings are collected in while a spec is read.

use std::collections::BTreeMap;

use crate::codes;
use crate::diagnostic::{Diagnostic, Severity};
use crate::span::Span;

/// More errors, or more warnings of one kind, than this help nobody; a hostile text could make millions.
const MAX_FINDINGS: usize = 200;

/// Findings in the order they were made. Errors and the kinds of warnings do not displace each other.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    errors: usize,
    warnings: BTreeMap<&'static str, usize>,
}

impl Findings {
    /// Adds a finding unless it is there already (a value reached through several aliases is read several times).
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => self.warnings.entry(diagnostic.code).or_default(),
        };
        if *count > MAX_FINDINGS || self.list.iter().any(|other| same(other, &diagnostic)) {
            return;
        }
        *count += 1;
        let diagnostic = match (diagnostic.severity, *count > MAX_FINDINGS) {
            (_, false) => diagnostic,
            (Severity::Error, true) => {
                let message = format!("there are more than {MAX_FINDINGS} errors; the others are not shown");
                Diagnostic::error_outside(codes::TOO_MANY_FINDINGS, message)
                    .help("correct the first ones and check again")
            }
            // It has the code of those it stands for, so that what allows them in the whole file allows it too.
            (Severity::Warning, true) => {
                let message = format!(
                    "there are more than {MAX_FINDINGS} warnings of this kind; the others are not shown"
                );
                Diagnostic::warning_outside(diagnostic.code, message).help(format!(
                    "correct the first ones and check again, or write `# dalec: allow-file {}`",
                    diagnostic.code
                ))
            }
        };
        self.list.push(diagnostic);
    }

    /// Returns whether further findings with `code` would be left out anyway.
    pub fn is_full(&self, code: &'static str) -> bool {
        let count = match codes::find(code).map(|code| code.severity) {
            Some(Severity::Warning) => self.warnings.get(code).copied().unwrap_or_default(),
            _ => self.errors,
        };
        count > MAX_FINDINGS
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
