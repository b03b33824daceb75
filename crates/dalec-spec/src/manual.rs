//! The reference manual of the language, as Markdown.
//!
//! Made from the same descriptions that the loader is made of, so it lists every key, and only those.

use std::fmt::Write as _;

use crate::codes;
use crate::decode::{Decode, quoted_list};
use crate::raw::RawRoot;
use crate::schema::without_article;
use crate::shape::{Key, ObjectShape, Shape, TextShape, objects};

/// What stands before the objects.
const PREFACE: &str = "\
# Reference of the spec

Every key of the language: what it takes, what it means when it is left out, an example, and findings that its kind
of value can have. This page is made from the program itself. [spec.md](spec.md) explains how a spec is read, how arguments are
expanded and how targets override; [findings](findings/README.md) explains every finding.

Each mapping can have the findings [`unknown-key`](findings/unknown-key.md) and
[`duplicate-key`](findings/duplicate-key.md), each value [`wrong-type`](findings/wrong-type.md), and each text that is
*expanded* [`undeclared-arg`](findings/undeclared-arg.md) and [`substitution-syntax`](findings/substitution-syntax.md);
they are not repeated below. A key without a default is empty, or not set, when it is left out.
";

/// Returns the manual.
pub fn manual() -> String {
    let all = objects(RawRoot::shape());
    let mut out = PREFACE.to_owned();
    for object in &all {
        section(object, &all, &mut out);
    }
    out
}

fn section(object: &ObjectShape, all: &[ObjectShape], out: &mut String) {
    let _ = write!(out, "\n## {}\n\n{}\n", title(object.name), prose(object.docs));
    let places = places(object, all);
    if !places.is_empty() {
        let _ = write!(out, "\nWritten at {}.\n", places.join(", "));
    }
    if let Some(choice) = object.choice {
        let keys = quoted_list(choice.keys, "and");
        let sentence = match (choice.needed, choice.exclusive) {
            (true, true) => format!("Exactly one of {keys} must be given."),
            (true, false) => format!("At least one of {keys} must be given."),
            (false, _) => format!("At most one of {keys} may be given."),
        };
        let _ = write!(out, "\n{sentence}\n");
    }
    if object.extensible {
        out.push_str("\nKeys that begin with `x-` are allowed.\n");
    }
    for key in object.keys {
        entry(object, key, out);
    }
}

fn entry(object: &ObjectShape, key: &Key, out: &mut String) {
    let shape = (key.shape)();
    let is_needed = object.needs.contains(&key.name);
    let _ = write!(out, "\n### `{}` of {}\n\n{}\n\n", key.name, object.name, key.summary());
    let _ = writeln!(out, "- Takes {}{}.", takes(&shape), if is_needed { "; must be given" } else { "" });
    let default = key.default_words().map(str::to_owned).or_else(|| default(&shape));
    if let Some(default) = default {
        let _ = writeln!(out, "- Default: {default}");
    }
    if let Some(example) = key.example() {
        let _ = writeln!(out, "- Example: `{}: {example}`", key.name);
    }
    let findings = findings(object, key, &shape);
    if !findings.is_empty() {
        let links: Vec<String> =
            findings.iter().map(|code| format!("[`{code}`](findings/{code}.md)")).collect();
        let _ = writeln!(out, "- Findings: {}", links.join(", "));
    }
}

/// Returns the keys whose values are or hold `object`, as links.
fn places(object: &ObjectShape, all: &[ObjectShape]) -> Vec<String> {
    let mut places = Vec::new();
    for owner in all {
        for key in owner.keys.iter().filter(|key| holds(&(key.shape)(), object.name)) {
            places.push(format!(
                "[`{}`](#{}-of-{}) of {}",
                key.name,
                anchor(key.name),
                anchor(owner.name),
                owner.name
            ));
        }
    }
    places
}

fn holds(shape: &Shape, name: &str) -> bool {
    match shape {
        Shape::Object(object) => object().name == name,
        Shape::List(inner) | Shape::Map { value: inner, .. } | Shape::Optional(inner) => holds(inner, name),
        Shape::Either(shapes) => shapes.iter().any(|shape| holds(shape, name)),
        Shape::Text(_) | Shape::Flag | Shape::Number { .. } | Shape::Mode { .. } | Shape::Nothing => false,
    }
}

/// Returns the anchor that Markdown renderers give to a heading.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

fn takes(shape: &Shape) -> String {
    match shape {
        Shape::Text(text) => text_takes(text),
        Shape::Flag => "`true` or `false`".to_owned(),
        Shape::Number { .. } => "a whole number from 0".to_owned(),
        Shape::Mode { .. } => "permission bits such as `0644`".to_owned(),
        Shape::List(item) => format!("a list; each entry {}", takes(item)),
        Shape::Map { key, value } => {
            format!("a mapping; each key is {}, each value {}", text_takes(key), takes(value))
        }
        Shape::Object(object) => {
            let name = object().name;
            format!("[{name}](#{})", anchor(&title(name)))
        }
        Shape::Optional(shape) => takes(shape),
        Shape::Either(shapes) => shapes.iter().map(takes).collect::<Vec<_>>().join("; or "),
        Shape::Nothing => "nothing: write `{}`".to_owned(),
    }
}

fn text_takes(text: &TextShape) -> String {
    let mut words = text.takes.to_owned();
    if !text.words.is_empty() {
        let _ = write!(words, ": {}", quoted_list(&text.words, "or"));
    }
    if text.expanded {
        words.push_str(", *expanded*");
    }
    words
}

fn default(shape: &Shape) -> Option<String> {
    match shape {
        Shape::Text(text) if !text.default.is_empty() => Some(format!("`{}`", text.default)),
        Shape::Flag => Some("`false`".to_owned()),
        Shape::Number { default } => Some(format!("`{default}`")),
        Shape::Mode { default: Some(mode) } => Some(format!("`0{mode:o}`")),
        Shape::Optional(shape) => default(shape),
        _ => None,
    }
}

/// Returns the codes of the findings that are about `key`, beside those that are about every key.
fn findings(object: &ObjectShape, key: &Key, shape: &Shape) -> Vec<&'static str> {
    let mut found = Vec::new();
    if object.needs.contains(&key.name) {
        found.push(codes::MISSING_KEY);
    }
    if object.choice.is_some_and(|choice| choice.exclusive && choice.keys.contains(&key.name)) {
        found.push(codes::CONFLICTING_KEYS);
    }
    collect(shape, &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

fn collect(shape: &Shape, found: &mut Vec<&'static str>) {
    match shape {
        Shape::Text(text) => {
            if text.takes != "text" {
                found.push(text.code);
            }
        }
        Shape::Mode { .. } => found.extend([codes::DECIMAL_MODE, codes::INVALID_VALUE]),
        Shape::Number { .. } => found.push(codes::INVALID_VALUE),
        Shape::List(inner) | Shape::Optional(inner) => collect(inner, found),
        Shape::Map { key, value } => {
            if key.takes != "text" {
                found.push(key.code);
            }
            collect(value, found);
        }
        Shape::Either(shapes) => shapes.iter().for_each(|shape| collect(shape, found)),
        Shape::Object(_) | Shape::Flag | Shape::Nothing => {}
    }
}

/// Returns the heading of an object's section: `a git source` becomes `Git source`.
fn title(name: &str) -> String {
    let name = without_article(name);
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + chars.as_str())
}

fn prose(docs: &[&str]) -> String {
    docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}
