//! The JSON schema of the language, for editors.
//!
//! Made from the same descriptions that the loader is made of. It accepts every spec that the loader accepts; what it
//! cannot say, such as whether an argument is declared, is listed in the manual.

mod conditions;

use serde_json::{Map, Value, json};

use crate::decode::{Decode, Decoder, extension_tree};
use crate::raw::RawRoot;
use crate::shape::{Choice, Key, ObjectShape, Shape, TextShape, objects};
use crate::source_text::SourceText;
use crate::yaml;

/// What text holds that is not taken as it stands: a reference, a quote or a backslash.
const EXPANDED: &str = r#"[$\\'"]"#;

/// Returns the schema, in the 2020-12 dialect of JSON Schema.
pub fn schema() -> Value {
    let definitions: Map<String, Value> =
        objects(RawRoot::shape()).iter().map(|object| (slug(object.name), of_object(object))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Dalec spec",
        "$ref": reference(&RawRoot::shape()),
        "$defs": definitions,
    })
}

/// Returns the name of an object's definition: `a git source` becomes `git-source`.
fn slug(name: &str) -> String {
    without_article(name).to_ascii_lowercase().replace(' ', "-")
}

/// Returns what an object is called, without the article.
pub(crate) fn without_article(name: &str) -> &str {
    ["a ", "an ", "the "].iter().find_map(|article| name.strip_prefix(article)).unwrap_or(name)
}

fn reference(shape: &Shape) -> Value {
    match shape {
        Shape::Object(object) => json!(format!("#/$defs/{}", slug(object().name))),
        _ => Value::Null,
    }
}

fn of_object(object: &ObjectShape) -> Value {
    let properties: Map<String, Value> =
        object.keys.iter().map(|key| (key.name.to_owned(), of_key(key))).collect();
    let mut schema = json!({
        "description": words(object.docs),
        "type": if can_be_empty(object) { json!(["object", "null"]) } else { json!("object") },
        "properties": properties,
        "additionalProperties": false,
    });
    if object.extensible {
        schema["patternProperties"] = json!({"^[xX]-": true});
    }
    let mut all: Vec<Value> = object.needs.iter().map(|key| given(key)).collect();
    all.extend(object.choice.map(|choice| of_choice(&choice)));
    all.extend(conditions::of_object(object.name));
    if !all.is_empty() {
        schema["allOf"] = Value::Array(all);
    }
    schema
}

/// Returns whether the object may have no keys at all, so that nothing may stand in its place.
fn can_be_empty(object: &ObjectShape) -> bool {
    object.needs.is_empty() && !object.choice.is_some_and(|choice| choice.needed)
}

fn of_choice(choice: &Choice) -> Value {
    let given: Vec<Value> = choice.keys.iter().map(|key| given(key)).collect();
    match (choice.needed, choice.exclusive) {
        (true, true) => json!({"oneOf": given}),
        (true, false) => json!({"anyOf": given}),
        (false, _) => json!({"not": {"allOf": given}}),
    }
}

/// Returns the condition that `key` has a value: nothing and empty values count as absent.
fn given(key: &str) -> Value {
    json!({"type": "object", "required": [key], "properties": {key: {"not": {"enum": [null, "", []]}}}})
}

fn of_key(key: &Key) -> Value {
    let shape = (key.shape)();
    let mut schema = of_shape(&shape);
    schema["description"] = json!(key.summary());
    if let Some(default) = default(&shape) {
        schema["default"] = default;
    }
    if let Some(example) = key.example().and_then(value) {
        schema["examples"] = json!([example]);
    }
    schema
}

fn of_shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text(text) => of_text(text),
        Shape::Flag => json!({"type": ["boolean", "null"]}),
        Shape::Number { .. } => json!({
            "type": ["integer", "string", "null"],
            "minimum": 0,
            "maximum": u32::MAX,
            "pattern": r"^\+?(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*(\.0*)?)$",
        }),
        // An editor reads 0755 as seven hundred and fifty-five.
        Shape::Mode { .. } => json!({
            "type": ["integer", "string", "null"],
            "minimum": 0,
            "maximum": 7777,
            "pattern": r"^\+?(0[xX][0-9a-fA-F_]+|0[bB][01_]+|(0[oO])?[0-7_]+)$",
        }),
        Shape::List(item) => json!({"type": ["array", "null"], "items": of_shape(item)}),
        Shape::Map { key, value } => {
            let mut schema = json!({"type": ["object", "null"], "additionalProperties": of_shape(value)});
            if let Some(pattern) = key.pattern {
                schema["propertyNames"] = json!({"pattern": or_expanded(pattern, key)});
            }
            schema
        }
        Shape::Object(_) => json!({"$ref": reference(shape)}),
        Shape::Optional(shape) => match of_shape(shape) {
            Value::Object(schema) if schema.contains_key("$ref") => {
                json!({"anyOf": [schema, {"type": "null"}]})
            }
            schema => schema,
        },
        Shape::Either(shapes) => json!({"anyOf": shapes.iter().map(of_shape).collect::<Vec<_>>()}),
        Shape::Nothing => json!({"type": ["object", "null"], "maxProperties": 0}),
    }
}

/// Numbers and truth values are text too, where text is wanted.
fn of_text(text: &TextShape) -> Value {
    let mut schema = json!({"type": ["string", "number", "boolean", "null"]});
    if !text.words.is_empty() {
        let words = json!({"enum": text.words});
        let mut allowed = vec![words, json!({"enum": ["", null]})];
        if text.expanded {
            allowed.push(json!({"type": "string", "pattern": EXPANDED}));
        }
        return json!({"anyOf": allowed});
    }
    if let Some(pattern) = text.pattern {
        schema["pattern"] = json!(format!("^$|{}", or_expanded(pattern, text)));
    }
    schema
}

/// Returns `pattern`, which nobody can tell of a text before its arguments are expanded.
fn or_expanded(pattern: &str, text: &TextShape) -> String {
    if text.expanded { format!("{pattern}|{EXPANDED}") } else { pattern.to_owned() }
}

fn default(shape: &Shape) -> Option<Value> {
    match shape {
        Shape::Text(text) if !text.default.is_empty() => Some(json!(text.default)),
        Shape::Flag => Some(json!(false)),
        Shape::Number { default } => Some(json!(default)),
        // Editors insert defaults as text.
        Shape::Mode { default: Some(mode) } => Some(json!(format!("0{mode:o}"))),
        _ => None,
    }
}

/// Returns what a piece of YAML stands for.
pub(crate) fn value(yaml: &str) -> Option<Value> {
    let source = SourceText::new("", yaml);
    let (node, _) = yaml::parse(&source);
    Some(extension_tree(&node?, &mut Decoder::new(&source)).to_json())
}

fn words(docs: &[&str]) -> String {
    docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
