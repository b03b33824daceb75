//! Where values come from, in words and as JSON.

use std::fmt::Write as _;

use dalec_spec::{ArgOrigin, Explanation, Origin, SourceText};
use serde_json::{Value, json};

/// Returns the explanations as text: two lines for a value, and one for each argument in it.
pub(super) fn text(source: &SourceText, target: &str, explanations: &[Explanation]) -> String {
    let mut out = String::new();
    for explanation in explanations {
        let value = explanation.text.as_deref().unwrap_or("not set");
        let origin = match explanation.origin {
            Origin::Default if explanation.text.is_none() => {
                "nothing is written, and there is no default".to_owned()
            }
            Origin::Default => "default".to_owned(),
            Origin::Root(span) => format!("root, {}", place(source, span)),
            Origin::Target(span) => format!("target {target}, {}", place(source, span)),
            Origin::Argument(origin) => format!("argument, {}", argument(source, origin)),
        };
        let _ = writeln!(out, "{}: {value}\n    {origin}", explanation.path);
        for used in &explanation.arguments {
            let _ = writeln!(out, "    {}={}, {}", used.name, used.value, argument(source, used.origin));
        }
    }
    out
}

/// Returns the explanations as a list of objects: `field`, `value`, `origin` with `line` and `column`, `arguments`.
pub(super) fn json(source: &SourceText, explanations: &[Explanation]) -> Value {
    let entry = |explanation: &Explanation| {
        let arguments: Vec<Value> = explanation
            .arguments
            .iter()
            .map(|used| {
                let mut entry = json!({"name": used.name, "value": used.value});
                merge(&mut entry, argument_json(source, used.origin));
                entry
            })
            .collect();
        let mut entry = json!({"field": explanation.path, "value": explanation.value});
        merge(
            &mut entry,
            match explanation.origin {
                Origin::Default => json!({"origin": "default"}),
                Origin::Root(span) => at(source, "root", span),
                Origin::Target(span) => at(source, "target", span),
                Origin::Argument(origin) => argument_json(source, origin),
            },
        );
        entry["arguments"] = Value::Array(arguments);
        entry
    };
    Value::Array(explanations.iter().map(entry).collect())
}

fn argument(source: &SourceText, origin: ArgOrigin) -> String {
    match origin {
        ArgOrigin::Default(span) => format!("its default in {}", place(source, span)),
        ArgOrigin::Given => "given for the build".to_owned(),
        ArgOrigin::Platform => "of the platform".to_owned(),
        ArgOrigin::Target => "the target".to_owned(),
    }
}

fn argument_json(source: &SourceText, origin: ArgOrigin) -> Value {
    match origin {
        ArgOrigin::Default(span) => at(source, "argument-default", span),
        ArgOrigin::Given => json!({"origin": "argument"}),
        ArgOrigin::Platform => json!({"origin": "platform"}),
        ArgOrigin::Target => json!({"origin": "target-key"}),
    }
}

fn at(source: &SourceText, origin: &str, span: dalec_spec::span::Span) -> Value {
    let position = source.position(span.start);
    json!({"origin": origin, "file": source.name(), "line": position.line, "column": position.column})
}

fn merge(entry: &mut Value, more: Value) {
    if let (Value::Object(entry), Value::Object(more)) = (entry, more) {
        entry.extend(more);
    }
}

fn place(source: &SourceText, span: dalec_spec::span::Span) -> String {
    let position = source.position(span.start);
    format!("{}:{}:{}", source.name(), position.line, position.column)
}
