//! A resolved spec as YAML or JSON in the spec language's own keys.
//!
//! Values are escaped where the loader would expand them again, so the output loads to the same spec. Maps are
//! sorted, objects keep the order of the language: equal specs give equal bytes. Overrides are applied already, so
//! there is no `targets`.

mod yaml_text;

pub(crate) use self::yaml_text::quoted;

use serde_json::{Map as JsonMap, Value as Json};

use crate::decode::Field;
use crate::raw::RawRoot;
use crate::target_spec::TargetSpec;

/// A value of the language, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    /// Nothing.
    Null,
    /// Text.
    Text(String),
    /// A scalar as it is written without quotes: a number, a truth value, or text.
    Plain(String),
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(u32),
    /// Permission bits.
    Mode(u32),
    /// A list.
    List(Vec<Tree>),
    /// Keys and values in order.
    Map(Vec<(String, Tree)>),
}

/// Returns `spec` in the keys of the spec language; permission bits are decimal numbers. Extensions are left out.
pub fn to_json(spec: &TargetSpec) -> Json {
    RawRoot::emit(spec).to_json()
}

/// Returns `spec` as YAML that loads again to the same spec; permission bits are octal.
pub fn to_yaml(spec: &TargetSpec) -> String {
    yaml_text::write(&tree(spec))
}

/// Returns `spec` in the keys of the language, extensions last.
pub(crate) fn tree(spec: &TargetSpec) -> Tree {
    match RawRoot::emit(spec) {
        Tree::Map(mut entries) => {
            entries.extend(spec.extensions.entries().iter().cloned());
            Tree::Map(entries)
        }
        tree => tree,
    }
}

/// Adds `key` with `output` to `entries` unless leaving it out means the same.
pub(crate) fn entry<T: Field>(entries: &mut Vec<(String, Tree)>, key: &str, output: &T::Output) {
    if T::is_absent(output) {
        return;
    }
    let tree = T::emit(output);
    let is_empty = matches!(&tree, Tree::Map(entries) if entries.is_empty());
    if !(is_empty && T::EMPTY_IS_ABSENT) {
        entries.push((key.to_owned(), tree));
    }
}

impl Tree {
    /// Returns the value as JSON; plain scalars by the core schema of YAML 1.2.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Text(text) => Json::from(text.as_str()),
            Self::Plain(text) => plain(text),
            Self::Bool(value) => Json::from(*value),
            Self::Number(number) | Self::Mode(number) => Json::from(*number),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(entries) => Json::Object(
                entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect::<JsonMap<_, _>>(),
            ),
        }
    }

    /// Returns the value as a document.
    #[cfg(test)]
    pub fn to_text(&self) -> String {
        yaml_text::write(self)
    }

    /// Returns a value without entries as one line of YAML.
    pub fn to_line(&self) -> String {
        yaml_text::line(self)
    }
}

/// Reads a plain scalar by the core schema of YAML 1.2.
fn plain(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" => return Json::Bool(true),
        "false" | "False" | "FALSE" => return Json::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    // Only decimal numbers have a sign, in front of the digits.
    let radix = |digits: &str, radix| match digits.starts_with(['+', '-']) {
        true => None,
        false => i64::from_str_radix(digits, radix).ok(),
    };
    let integer = match text.get(..2) {
        Some("0x") => radix(&text[2..], 16),
        Some("0o") => radix(&text[2..], 8),
        _ if digits.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    if let Some(integer) = integer {
        return Json::from(integer);
    }
    let is_float = digits.starts_with(|char: char| char.is_ascii_digit() || char == '.')
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    match text.parse::<f64>() {
        Ok(number) if is_float && number.is_finite() => Json::from(number),
        _ => Json::from(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_are_read_by_the_core_schema() {
        for (text, expected) in [
            ("0x10", json!(16)),
            ("0o10", json!(8)),
            ("-0x10", json!("-0x10")),
            ("+0o7", json!("+0o7")),
            ("0x-1", json!("0x-1")),
            ("-10", json!(-10)),
            ("+10", json!(10)),
            ("010", json!(10)),
            ("-1.5", json!(-1.5)),
            ("nan", json!("nan")),
            ("True", json!(true)),
            ("", json!(null)),
        ] {
            assert_eq!(Tree::Plain(text.to_owned()).to_json(), expected, "{text}");
        }
    }
}
