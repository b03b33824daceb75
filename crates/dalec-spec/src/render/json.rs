//! Findings as a JSON array, the format of `dalec lint --format json`.

use serde::Serialize;

use super::{Region, sorted};
use crate::diagnostic::Diagnostic;
use crate::source_text::SourceText;
use crate::span::{Position, Span};

/// Returns `diagnostics` as a JSON array, sorted by position, repetitions left out.
///
/// Each entry has `code`, `severity`, `message`, `file`, `labels` (each with `range` and `text`) and, where there is one,
/// `note`, `help` and `range`. A range has `start` and `end`, the latter exclusive, with `line` and `column` counted
/// from 1 as editors do, and `byte`, the offset into the file; a byte order mark takes no column, but three bytes.
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
        let Region { start, end } = Region::new(source, span);
        let position = |Position { line, column }, byte| JsonPosition { line, column, byte };
        Self { start: position(start, span.start), end: position(end, span.end.max(span.start)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::codes;

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        let source = SourceText::new("a.yml", "\u{feff}ü: 1\nx: 2\n");
        let findings = [
            Diagnostic::error(codes::UNKNOWN_KEY, Span::new(3, 5), "one"),
            Diagnostic::error(codes::UNKNOWN_KEY, Span::new(9, 10), "two"),
        ];
        let found = render_json(&source, &findings);
        let position =
            |line: usize, column: usize, byte: usize| json!({ "line": line, "column": column, "byte": byte });
        assert_eq!(found[0]["range"], json!({ "start": position(1, 1, 3), "end": position(1, 2, 5) }));
        assert_eq!(found[1]["range"], json!({ "start": position(2, 1, 9), "end": position(2, 2, 10) }));
    }
}
