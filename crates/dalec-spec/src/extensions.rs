//! The author's own keys: everything at the top level that begins with `x-` or `X-`.
//!
//! They are kept as they are written, come out again when a spec is printed as YAML, and can be read into a type of
//! the caller's. Nothing in a build looks at them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::decode::is_extension;
use crate::emit::Tree;

/// The author's own keys, in the order written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extensions {
    entries: Vec<(String, Tree)>,
}

/// Why an extension key cannot be read or added.
#[derive(Debug, thiserror::Error)]
pub enum ExtensionError {
    /// The spec has no such key.
    #[error("the spec has no key `{key}`")]
    NotFound {
        /// The key.
        key: String,
    },
    /// The key's value is something else.
    #[error("cannot read the value of `{key}`")]
    WrongType {
        /// The key.
        key: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The key does not begin with `x-` or `X-`.
    #[error("`{key}` is no extension key: those begin with `x-`")]
    Prefix {
        /// The key.
        key: String,
    },
    /// The value cannot be written in a spec.
    #[error("cannot write the value of `{key}`")]
    Unwritable {
        /// The key.
        key: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl Extensions {
    /// Returns the keys, in the order written.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(key, _)| key.as_str())
    }

    /// Reads the value of `key`.
    ///
    /// Plain scalars are read by the core schema of YAML 1.2: `1` is a number, `true` a truth value, `~` nothing.
    ///
    /// # Errors
    /// [`ExtensionError::NotFound`] when there is no such key, [`ExtensionError::WrongType`] when its value is no `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<T, ExtensionError> {
        let Some((_, tree)) = self.entries.iter().find(|(name, _)| name == key) else {
            return Err(ExtensionError::NotFound { key: key.to_owned() });
        };
        serde_json::from_value(tree.to_json())
            .map_err(|source| ExtensionError::WrongType { key: key.to_owned(), source })
    }

    /// Adds `key`, or replaces its value.
    ///
    /// # Errors
    /// [`ExtensionError::Prefix`] when the key does not begin with `x-` or `X-`, [`ExtensionError::Unwritable`] when
    /// the value has no form in JSON.
    pub fn insert(&mut self, key: &str, value: &impl Serialize) -> Result<(), ExtensionError> {
        if !is_extension(key) {
            return Err(ExtensionError::Prefix { key: key.to_owned() });
        }
        let json = serde_json::to_value(value)
            .map_err(|source| ExtensionError::Unwritable { key: key.to_owned(), source })?;
        self.entries.retain(|(name, _)| name != key);
        self.entries.push((key.to_owned(), tree(json)));
        Ok(())
    }

    /// Returns the keys with their values, for writing.
    pub(crate) fn entries(&self) -> &[(String, Tree)] {
        &self.entries
    }
}

impl FromIterator<(String, Tree)> for Extensions {
    fn from_iter<I: IntoIterator<Item = (String, Tree)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

fn tree(json: Json) -> Tree {
    match json {
        Json::Null => Tree::Null,
        Json::Bool(value) => Tree::Bool(value),
        Json::Number(number) => Tree::Plain(number.to_string()),
        Json::String(text) => Tree::Text(text),
        Json::Array(items) => Tree::List(items.into_iter().map(tree).collect()),
        Json::Object(entries) => {
            Tree::Map(entries.into_iter().map(|(key, value)| (key, tree(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{ResolveOptions, SourceText, load, to_json, to_yaml};

    fn extensions(text: &str) -> Extensions {
        let loaded = load(&SourceText::new("spec.yml", text));
        assert!(loaded.diagnostics.is_empty());
        loaded.raw.and_then(|raw| raw.resolve(&ResolveOptions::default()).0).expect("a spec").extensions
    }

    // SPEC-006
    #[test]
    fn extensions_are_read_into_types() {
        let extensions = extensions("x-count: 3\nx-names: {a: one, b: two}\nX-flag: true\nx-text: \"3\"\n");
        assert_eq!(extensions.keys().collect::<Vec<_>>(), ["x-count", "x-names", "X-flag", "x-text"]);
        assert_eq!(extensions.get::<u32>("x-count").expect("a number"), 3);
        assert_eq!(extensions.get::<BTreeMap<String, String>>("x-names").expect("a mapping")["b"], "two");
        assert!(extensions.get::<bool>("X-flag").expect("a truth value"));
        assert_eq!(extensions.get::<String>("x-text").expect("text"), "3");
        assert!(matches!(extensions.get::<u32>("x-none"), Err(ExtensionError::NotFound { .. })));
        assert!(matches!(extensions.get::<u32>("x-names"), Err(ExtensionError::WrongType { .. })));
    }

    // SPEC-006
    #[test]
    fn only_extension_keys_can_be_added() {
        let mut extensions = Extensions::default();
        extensions.insert("x-list", &["a", "b"]).expect("a good key");
        extensions.insert("x-list", &[1, 2]).expect("a good key");
        assert_eq!(extensions.get::<Vec<u32>>("x-list").expect("numbers"), [1, 2]);
        assert!(matches!(extensions.insert("name", &1), Err(ExtensionError::Prefix { .. })));
    }

    // SPEC-004
    #[test]
    fn extensions_are_in_yaml_and_not_in_json() {
        let source = SourceText::new("spec.yml", "x-mode: 0644\nname: a\nx-b: {c: [1, \"1\", '']}\n");
        let raw = load(&source).raw.expect("a spec");
        let spec = raw.resolve(&ResolveOptions::default()).0.expect("no errors");
        assert_eq!(to_yaml(&spec), "name: a\nx-mode: 0644\nx-b:\n  c:\n    - 1\n    - \"1\"\n    - \"\"\n");
        assert_eq!(to_json(&spec).to_string(), r#"{"name":"a"}"#);
    }
}
