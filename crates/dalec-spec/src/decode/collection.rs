//! Lists and free mappings.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::entries::flatten;
use super::{AnyText, Decode, Decoder, Field, Place, Rule};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::resolve::Resolver;
use crate::span::{Span, Spanned};
use crate::yaml::{Kind, Node};

/// A list; absent and null are the empty list.
#[derive(Debug, Clone)]
pub(crate) struct List<T> {
    /// The items in the order written.
    pub items: Vec<T>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T: Decode> Decode for List<T> {
    const TAKES: &'static str = "a list";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        match &node.value.kind {
            Kind::Sequence(nodes) => {
                Self { items: nodes.iter().map(|node| decoder.read_list_item(node)).collect() }
            }
            _ if node.is_null() => Self::default(),
            Kind::Scalar(_) => {
                let line = decoder.source.slice(decoder.first_line(node.span()));
                let help = format!("write `[{line}]`, or one entry per line after `- `");
                decoder.wrong_type(node, Self::TAKES, Some(help));
                Self::default()
            }
            Kind::Mapping(_) => {
                decoder.wrong_type(node, Self::TAKES, Some("put `- ` before the entry".to_owned()));
                Self::default()
            }
        }
    }
}

impl<T: Field> Field for List<T> {
    type Output = Vec<T::Output>;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Self::Output {
        self.items.iter().map(|item| item.resolve(resolver)).collect()
    }

    fn emit(output: &Self::Output) -> Tree {
        Tree::List(output.iter().map(T::emit).collect())
    }

    fn is_absent(output: &Self::Output) -> bool {
        output.is_empty()
    }
}

/// One entry of a [`Map`].
#[derive(Debug, Clone)]
pub(crate) struct MapEntry<T> {
    /// The key.
    pub key: Spanned<String>,
    /// The value.
    pub value: T,
}

/// A mapping with keys of the author's choice; absent and null are the empty mapping.
#[derive(Debug, Clone)]
pub(crate) struct Map<T, K = AnyText> {
    /// The entries in the order written; keys are unique.
    pub entries: Vec<MapEntry<T>>,
    rule: PhantomData<K>,
}

impl<T, K> Default for Map<T, K> {
    fn default() -> Self {
        Self { entries: Vec::new(), rule: PhantomData }
    }
}

impl<T, K> Map<T, K> {
    /// Returns the value of `key`.
    pub fn get(&self, key: &str) -> Option<&T> {
        self.entries.iter().find(|entry| entry.key.value == key).map(|entry| &entry.value)
    }
}

impl<T: Decode, K: Rule> Decode for Map<T, K> {
    const TAKES: &'static str = "a mapping";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        let Kind::Mapping(entries) = &node.value.kind else {
            if !node.is_null() {
                decoder.wrong_type(node, Self::TAKES, Some("write `key: value` lines below it".to_owned()));
            }
            return Self::default();
        };
        let mut map = Self::default();
        for item in flatten(entries, decoder) {
            let Some(key) = key::<K>(item.key, decoder) else { continue };
            let place = Place::Entry(key.value.clone());
            let value = decoder.read_item(place, &item);
            map.entries.push(MapEntry { key, value });
        }
        map
    }
}

impl<T: Field, K: Rule> Field for Map<T, K> {
    type Output = BTreeMap<String, T::Output>;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Self::Output {
        self.entries.iter().map(|entry| (entry.key.value.clone(), entry.value.resolve(resolver))).collect()
    }

    fn emit(output: &Self::Output) -> Tree {
        Tree::Map(output.iter().map(|(key, value)| (key.clone(), T::emit(value))).collect())
    }

    fn is_absent(output: &Self::Output) -> bool {
        output.is_empty()
    }
}

/// Reads a key of the author's choice and checks it.
pub(super) fn key<K: Rule>(node: &Node, decoder: &mut Decoder<'_>) -> Option<Spanned<String>> {
    let span = node.span();
    let Some(scalar) = node.scalar().filter(|_| !node.is_null()) else {
        let message = format!("a key must be text, not {}", node.describe());
        decoder.report(Diagnostic::error(codes::WRONG_TYPE, span, message));
        return None;
    };
    match K::check(&scalar.text) {
        Ok(()) => Some(Spanned::new(scalar.text.clone(), span)),
        Err(complaint) => {
            let diagnostic = complaint.at(decoder.source, span, &scalar.text);
            decoder.report(diagnostic);
            None
        }
    }
}

/// A value that keeps the place it was written at when it is resolved.
#[derive(Debug, Clone, Default)]
pub(crate) struct At<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub span: Span,
}

impl<T: Decode> Decode for At<T> {
    const TAKES: &'static str = T::TAKES;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        Self { span: node.span(), value: T::decode(node, decoder) }
    }
}

impl<T: Field> Field for At<T> {
    type Output = Spanned<T::Output>;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Self::Output {
        Spanned::new(self.value.resolve(resolver), self.span)
    }

    fn emit(output: &Self::Output) -> Tree {
        T::emit(&output.value)
    }

    fn is_absent(output: &Self::Output) -> bool {
        T::is_absent(&output.value)
    }
}
