//! The view for programs: one JSON object per line, close to BuildKit's `rawjson`; see `docs/progress-json.md`.

use std::time::SystemTime;

use dalec_gateway::{Event, LogStream, VertexEvent, Warning};
use serde_json::{Value, json};

use crate::progress::View;

/// Prints every event as it comes.
#[derive(Debug, Default)]
pub struct Json;

impl View for Json {
    fn event(&mut self, event: &Event, out: &mut String) {
        line(&record(event), out);
    }

    fn note(&mut self, topic: &str, text: &str, out: &mut String) {
        line(&json!({ "notes": [{ "topic": topic, "text": text }] }), out);
    }
}

/// Appends `record` as one line.
pub fn line(record: &Value, out: &mut String) {
    out.push_str(&record.to_string());
    out.push('\n');
}

fn record(event: &Event) -> Value {
    match event {
        Event::Vertex(vertex) => json!({ "vertexes": [of_vertex(vertex)] }),
        Event::Status { vertex, id, current, total, at, completed } => {
            let mut status = json!({
                "id": id, "vertex": vertex, "current": current, "total": total, "timestamp": time(*at),
            });
            if *completed {
                status["completed"] = json!(time(*at));
            }
            json!({ "statuses": [status] })
        }
        Event::Log { vertex, stream, data, at } => {
            let stream = match stream {
                LogStream::Stdout => 1,
                LogStream::Stderr => 2,
            };
            let log =
                json!({ "vertex": vertex, "stream": stream, "data": base64(data), "timestamp": time(*at) });
            json!({ "logs": [log] })
        }
        Event::Warning(warning) => json!({ "warnings": [of_warning(warning)] }),
    }
}

fn of_vertex(vertex: &VertexEvent) -> Value {
    let mut record = json!({ "digest": vertex.digest, "inputs": vertex.inputs, "name": vertex.name });
    if let Some(started) = vertex.started {
        record["started"] = json!(time(started));
    }
    if let Some(completed) = vertex.completed {
        record["completed"] = json!(time(completed));
    }
    if vertex.cached {
        record["cached"] = json!(true);
    }
    if let Some(error) = &vertex.error {
        record["error"] = json!(error);
    }
    if !vertex.group.is_empty() {
        record["progressGroup"] = json!({ "id": vertex.group, "name": vertex.group });
    }
    record
}

fn of_warning(warning: &Warning) -> Value {
    let detail: Vec<String> = warning.detail.iter().map(|line| base64(line.as_bytes())).collect();
    let mut record = json!({ "short": base64(warning.short.as_bytes()), "detail": detail });
    if let Some(excerpt) = &warning.excerpt {
        record["info"] = json!({ "filename": excerpt.info.filename });
        let position = |at: Option<bollard_buildkit_proto::pb::Position>| {
            let at = at.unwrap_or_default();
            json!({ "line": at.line, "character": at.character })
        };
        let ranges = excerpt
            .ranges
            .iter()
            .map(|range| json!({ "start": position(range.start), "end": position(range.end) }));
        record["range"] = ranges.collect();
    }
    record
}

/// Returns a time as RFC 3339 writes it.
fn time(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map(|at| at.to_string()).unwrap_or_default()
}

/// Returns `data` in the standard alphabet of RFC 4648 with padding, as JSON carries bytes in BuildKit.
fn base64(data: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(data.len().div_ceil(3) * 4);
    for chunk in data.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            match position <= chunk.len() {
                true => out.push(ALPHABET[(bits >> (18 - 6 * position) & 63) as usize].into()),
                false => out.push('='),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn bytes_are_written_as_rfc_4648_says() {
        let pairs = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("\u{ff}", "w78="),
        ];
        for (data, text) in pairs {
            assert_eq!(base64(data.as_bytes()), text);
        }
    }
}
