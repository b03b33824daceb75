//! Lists and free mappings.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::marker::PhantomData;

use super::entries::{Owner, flatten};
use super::{AnyText, Decode, Decoder, Field, Place, Rule, Tracer, Wording};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::expand;
use crate::raw::hints;
use crate::resolve::Resolver;
use crate::shape::{Shape, TextShape};
use crate::span::{Span, Spanned};
use crate::yaml::{Kind, Node, Scalar, Style};

/// A list; absent and null are the empty list. A target's entries come after the root's.
#[derive(Debug, Clone)]
pub(crate) struct List<T> {
    /// The items in the order written.
    pub items: Vec<T>,
    /// Where it is written.
    pub span: Span,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), span: Span::default() }
    }
}

impl<T: Decode> Decode for List<T> {
    const TAKES: &'static str = "a list";

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        match &node.value.kind {
            Kind::Sequence(nodes) => {
                let mut list = Self { items: Vec::new(), span: node.span() };
                for node in nodes {
                    if !decoder.grow::<T>(node) {
                        break;
                    }
                    list.items.push(decoder.read_list_item(node));
                }
                list
            }
            _ if node.is_null() => Self::default(),
            Kind::Scalar(scalar) => {
                let line = decoder.source.slice(decoder.first_line(node.span()));
                let needs_quotes =
                    scalar.style != Style::Quoted && scalar.text.contains([',', '[', ']', '{', '}', '\n']);
                let help = match T::shape() {
                    Shape::Object(object) => {
                        format!("begin each entry with `- `: {}", hints::shape(object().name))
                    }
                    _ if needs_quotes => {
                        "write it as an entry of a list: put `- ` before it, on the next line".to_owned()
                    }
                    _ => format!("write `[{line}]`, or one entry per line after `- `"),
                };
                decoder.wrong_type(node, Self::TAKES, Some(help));
                Self::default()
            }
            Kind::Mapping(_) => {
                let help = match T::shape() {
                    Shape::Text(text) => format!("write one entry per line after `- `, each {}", text.takes),
                    _ => "put `- ` before the entry".to_owned(),
                };
                decoder.wrong_type(node, Self::TAKES, Some(help));
                Self::default()
            }
        }
    }

    fn shape() -> Shape {
        Shape::list(T::shape())
    }

    fn is_given(&self) -> bool {
        !self.items.is_empty()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(self.span, Wording::Other);
        for (index, item) in self.items.iter().enumerate() {
            tracer.index(index, |tracer| item.trace(tracer));
        }
    }

    fn merge(root: &Self, target: &Self) -> Self {
        let items = root.items.iter().chain(&target.items).cloned().collect();
        let span = if root.items.is_empty() { target.span } else { root.span };
        Self { items, span }
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

/// A mapping with keys of the author's choice; absent and null are the empty mapping. A target's entries replace
/// the root's of the same key.
#[derive(Debug, Clone)]
pub(crate) struct Map<T, K = AnyText> {
    /// The entries in the order written; keys are unique.
    pub entries: Vec<MapEntry<T>>,
    /// Where it is written.
    pub span: Span,
    rule: PhantomData<K>,
}

impl<T, K> Default for Map<T, K> {
    fn default() -> Self {
        Self { entries: Vec::new(), span: Span::default(), rule: PhantomData }
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
                decoder.wrong_type(node, Self::TAKES, Some(as_mapping(node)));
            }
            return Self::default();
        };
        let mut map = Self { span: node.span(), ..Self::default() };
        let mut taken: HashMap<String, Span> = HashMap::new();
        for item in flatten(entries, Owner::Map, decoder) {
            if !decoder.grow::<MapEntry<T>>(item.key) {
                break;
            }
            let Some(key) = key::<K>(item.key, decoder) else { continue };
            let place = Place::Entry(key.value.clone());
            let value = decoder.read_item(place, &item);
            // Keys that differ only in how they are written; equal ones are the parser's business.
            if let Some(first) = taken.insert(key.value.clone(), key.span) {
                let message = format!("`{}` is written twice in one mapping", key.value);
                let diagnostic = Diagnostic::error(codes::DUPLICATE_KEY, key.span, message);
                decoder.report(diagnostic.label(first, "first written here").help("keep one of them"));
                continue;
            }
            map.entries.push(MapEntry { key, value });
        }
        map
    }

    fn shape() -> Shape {
        Shape::Map { key: TextShape { expanded: K::EXPANDED_KEY, ..K::shape() }, value: Box::new(T::shape()) }
    }

    fn is_given(&self) -> bool {
        !self.entries.is_empty()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        tracer.value(self.span, Wording::Other);
        for MapEntry { key, value } in &self.entries {
            match K::EXPANDED_KEY {
                true => tracer.expanded_key(&key.value, |tracer| value.trace(tracer)),
                false => tracer.key(&key.value, |tracer| value.trace(tracer)),
            }
        }
    }

    fn merge(root: &Self, target: &Self) -> Self {
        if target.entries.is_empty() {
            return root.clone();
        }
        let replaced: HashSet<&str> = target.entries.iter().map(|entry| entry.key.value.as_str()).collect();
        let kept = root.entries.iter().filter(|entry| !replaced.contains(entry.key.value.as_str()));
        let entries = kept.chain(&target.entries).cloned().collect();
        Self { entries, span: target.span, rule: PhantomData }
    }
}

impl<T: Field, K: Rule> Field for Map<T, K> {
    type Output = BTreeMap<String, T::Output>;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> Self::Output {
        if K::EXPANDED_KEY {
            return self.resolve_keys(resolver);
        }
        self.entries.iter().map(|entry| (entry.key.value.clone(), entry.value.resolve(resolver))).collect()
    }

    fn emit(output: &Self::Output) -> Tree {
        let written = |key: &str| if K::EXPANDED_KEY { expand::escape(key) } else { key.to_owned() };
        Tree::Map(output.iter().map(|(key, value)| (written(key), T::emit(value))).collect())
    }

    fn is_absent(output: &Self::Output) -> bool {
        output.is_empty()
    }
}

impl<T: Field, K: Rule> Map<T, K> {
    /// Resolves the entries with their keys expanded, of which no two may become the same.
    fn resolve_keys(&self, resolver: &mut Resolver<'_>) -> BTreeMap<String, T::Output> {
        let mut output = BTreeMap::new();
        let mut taken: HashMap<String, Span> = HashMap::new();
        for entry in &self.entries {
            let span = &entry.key.span;
            let key = expanded_key::<K>(&entry.key, resolver);
            let value = entry.value.resolve(resolver);
            // What could not be expanded was reported, and routing does not know the arguments.
            if !key.is_empty()
                && !resolver.is_routing()
                && let Some(first) = taken.insert(key.clone(), *span)
            {
                let message = format!("two keys of this mapping are `{key}` with their arguments expanded");
                let diagnostic = Diagnostic::error(codes::DUPLICATE_KEY, *span, message);
                resolver.findings.push(
                    diagnostic.label(first, "the other one").help("keep one of them, or change an argument"),
                );
            }
            output.insert(key, value);
        }
        output
    }
}

/// Expands `key`, which may not become nothing.
fn expanded_key<K: Rule>(key: &Spanned<String>, resolver: &mut Resolver<'_>) -> String {
    let expanded = resolver.expand::<K>(&key.value, key.span);
    if expanded.is_empty() {
        resolver.report_vanished(key.span, format!("this key must be {}", K::TAKES));
    }
    expanded
}

/// Returns how `node`, which is no mapping, is written as one.
fn as_mapping(node: &Node) -> String {
    let first = match &node.value.kind {
        Kind::Sequence(nodes) => nodes.first(),
        _ => None,
    };
    match (first, first.and_then(Node::scalar)) {
        (Some(_), None) => "write the entries without `- ` or `[...]`, each key once".to_owned(),
        (_, Some(Scalar { text, .. })) if text.lines().count() == 1 => match text.split_once('=') {
            Some((key, value)) => format!("write each entry as a key with its value: `{key}: {value}`"),
            None => format!("write each entry as a key: `{text}:`"),
        },
        _ => "write `key: value` lines below it".to_owned(),
    }
}

/// Reads a key of the author's choice and checks it.
pub(super) fn key<K: Rule>(node: &Node, decoder: &mut Decoder<'_>) -> Option<Spanned<String>> {
    let span = node.span();
    let Some(scalar) = node.scalar().filter(|_| !node.is_null()) else {
        let message = format!("a key must be text, not {}", node.describe());
        decoder.report(Diagnostic::error(codes::WRONG_TYPE, span, message).help("put the key in quotes"));
        return None;
    };
    if K::EXPANDED_KEY && scalar.text.contains('$') {
        return Some(Spanned::new(scalar.text.clone(), span));
    }
    match K::check(&scalar.text) {
        Ok(()) => Some(Spanned::new(K::normalize(scalar.text.clone()), span)),
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

    fn shape() -> Shape {
        T::shape()
    }

    fn is_given(&self) -> bool {
        self.value.is_given()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.value.trace(tracer);
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

/// A value that a target replaces as a whole, even by an empty one; null leaves the root's.
#[derive(Debug, Clone)]
pub(crate) struct Whole<T>(pub Option<T>);

impl<T> Default for Whole<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Decode> Decode for Whole<T> {
    const TAKES: &'static str = T::TAKES;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Self {
        Self(Option::decode(node, decoder))
    }

    fn shape() -> Shape {
        Shape::Optional(Box::new(T::shape()))
    }

    fn is_given(&self) -> bool {
        self.0.is_some()
    }

    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.0.trace(tracer);
    }
}

impl<T: Field> Field for Whole<T> {
    type Output = T::Output;

    const EMPTY_IS_ABSENT: bool = true;

    fn resolve(&self, resolver: &mut Resolver<'_>) -> T::Output {
        match &self.0 {
            Some(value) => value.resolve(resolver),
            None => T::default().resolve(resolver),
        }
    }

    fn emit(output: &T::Output) -> Tree {
        T::emit(output)
    }

    fn is_absent(output: &T::Output) -> bool {
        T::is_absent(output)
    }
}
