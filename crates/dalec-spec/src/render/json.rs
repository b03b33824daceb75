//! Findings as a JSON array, the format of `dalec lint --format json`.

use serde::Serialize;

use super::sorted;
use crate::diagnostic::Diagnostic;
use crate::source_text::SourceText;
use crate::span::Span;

/// Returns `diagnostics` as a JSON array, sorted by position, repetitions left out.
///
/// Each entry has `code`, `severity`, `message`, `labels` and, where known, `help`, `file` and `range` (lines and
/// columns counted from 1, the end exclusive).
pub fn render_json(source: &SourceText, diagnostics: &[Diagnostic]) -> serde_json::Value {
    let diagnostics = sorted(diagnostics);
    let entries = diagnostics.iter().map(|diagnostic| {
        let entry = JsonDiagnostic {
            code: diagnostic.code,
            severity: diagnostic.severity.to_string(),
            message: &diagnostic.message,
            note: &diagnostic.note,
            help: diagnostic.help.as_deref(),
            file: source.name(),
            range: diagnostic.span.map(|span| JsonRange::new(source, span)),
            labels: diagnostic
                .labels
                .iter()
                .map(|label| JsonLabel { range: JsonRange::new(source, label.span), text: &label.text })
                .collect(),
        };
        serde_json::to_value(entry).unwrap_or_default()
    });
    serde_json::Value::Array(entries.collect())
}

#[derive(Serialize)]
struct JsonDiagnostic<'a> {
    code: &'static str,
    severity: String,
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<JsonRange>,
    labels: Vec<JsonLabel<'a>>,
}

#[derive(Serialize)]
struct JsonLabel<'a> {
    range: JsonRange,
    text: &'a str,
}

#[derive(Serialize)]
struct JsonRange {
    start: JsonPosition,
    end: JsonPosition,
}

#[derive(Serialize)]
struct JsonPosition {
    line: usize,
    column: usize,
    byte: usize,
}

impl JsonRange {
    fn new(source: &SourceText, span: Span) -> Self {
        let position = |byte| {
            let position = source.position(byte);
            JsonPosition { line: position.line, column: position.column, byte }
        };
        Self { start: position(span.start), end: position(span.end) }
    }
}
