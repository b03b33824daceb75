//! The entries of a mapping with its merge keys (`<<`) written out.
//!
//! A key written in the mapping itself beats a merged one wherever it stands. In a list of merged mappings the
//! first that has a key wins; of several `<<` keys the last.

use std::collections::{HashMap, HashSet};

use super::Decoder;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::yaml::{Entry, Kind, Node};

/// One entry of a mapping.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'n> {
    pub key: &'n Node,
    pub value: &'n Node,
    /// The alias under `<<` that brought the entry here.
    pub alias: Option<Span>,
}

/// Returns the entries of an object or a free mapping with merge keys written out, in the order written.
///
/// Where upstream would decide otherwise between a merged and an explicit key, that is a doubt.
pub(super) fn flatten<'n>(entries: &'n [Entry], owner: Owner, decoder: &mut Decoder<'_>) -> Vec<Item<'n>> {
    if entries.iter().any(|entry| entry.key.is_merge_key()) {
        doubt_overrides(entries, owner, decoder);
    }
    written_out(entries, decoder)
}

/// What the entries belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// An object of the language.
    Object,
    /// A mapping with keys of the author's choice.
    Map,
}

/// Reports explicit keys that upstream refuses beside merged ones, or lets the merged ones replace.
fn doubt_overrides(entries: &[Entry], owner: Owner, decoder: &mut Decoder<'_>) {
    // In a free mapping upstream lets the later one win, which is what is meant when that is the explicit one: there
    // only the keys before a `<<` count. Each is reported once.
    let mut explicit: HashMap<&str, Span> = HashMap::new();
    if owner == Owner::Object {
        explicit.extend(entries.iter().filter_map(explicit_key));
    }
    for entry in entries {
        if !entry.key.is_merge_key() {
            explicit.extend(explicit_key(entry).filter(|_| owner == Owner::Map));
            continue;
        }
        for key in merged_keys(&entry.value) {
            if decoder.doubts.is_full(codes::UPSTREAM_DIFFERS) {
                return;
            }
            if let Some(span) = explicit.remove(key) {
                doubt_override(key, span, owner, decoder);
            }
        }
    }
}

fn explicit_key(entry: &Entry) -> Option<(&str, Span)> {
    let key = key_text(&entry.key).filter(|_| !entry.key.is_merge_key())?;
    Some((key, entry.key.span()))
}

fn doubt_override(key: &str, span: Span, owner: Owner, decoder: &mut Decoder<'_>) {
    let (does, help) = match owner {
        Owner::Object => (
            "refuses it beside the same key in the merged mapping",
            "leave the key out of the merged mapping",
        ),
        Owner::Map => (
            "replaces it by the merged value, as `<<` stands behind it",
            "put `<<` before the keys that override it",
        ),
    };
    let message = format!("`{key}` is taken from here, but upstream Dalec {does}");
    decoder.doubt(Diagnostic::warning(codes::UPSTREAM_DIFFERS, span, message).help(help));
}

/// Returns the keys that merging `node` brings, one level deep.
fn merged_keys(node: &Node) -> Box<dyn Iterator<Item = &str> + '_> {
    match &node.value.kind {
        Kind::Mapping(entries) => Box::new(entries.iter().filter_map(|entry| key_text(&entry.key))),
        Kind::Sequence(nodes) => Box::new(nodes.iter().flat_map(merged_keys)),
        Kind::Scalar(_) => Box::new(std::iter::empty()),
    }
}

/// Returns `entries` with merge keys written out, in the order written.
pub(super) fn written_out<'n>(entries: &'n [Entry], decoder: &mut Decoder<'_>) -> Vec<Item<'n>> {
    if !entries.iter().any(|entry| entry.key.is_merge_key()) {
        return entries
            .iter()
            .map(|entry| Item { key: &entry.key, value: &entry.value, alias: None })
            .collect();
    }
    let mut taken: HashSet<&str> = entries
        .iter()
        .filter(|entry| !entry.key.is_merge_key())
        .filter_map(|entry| key_text(&entry.key))
        .collect();
    let mut groups: Vec<Vec<Item<'n>>> = Vec::new();
    for entry in entries.iter().rev() {
        groups.push(if entry.key.is_merge_key() {
            merged(&entry.value, decoder)
                .into_iter()
                .filter(|item| key_text(item.key).is_none_or(|key| taken.insert(key)))
                .collect()
        } else {
            vec![Item { key: &entry.key, value: &entry.value, alias: None }]
        });
    }
    groups.into_iter().rev().flatten().collect()
}

fn key_text(key: &Node) -> Option<&str> {
    key.scalar().map(|scalar| scalar.text.as_str())
}

fn merged<'n>(node: &'n Node, decoder: &mut Decoder<'_>) -> Vec<Item<'n>> {
    match &node.value.kind {
        Kind::Mapping(entries) => {
            let mut items = written_out(entries, decoder);
            for item in &mut items {
                item.alias = node.alias.or(item.alias);
            }
            items
        }
        Kind::Sequence(nodes) => nodes.iter().flat_map(|node| merged(node, decoder)).collect(),
        Kind::Scalar(_) if node.is_null() => Vec::new(),
        Kind::Scalar(_) => {
            let span = node.alias.unwrap_or(node.span());
            let message = format!("`<<` takes a mapping or a list of mappings, not {}", node.describe());
            decoder.report(
                Diagnostic::error(codes::BAD_MERGE, span, message)
                    .help("write `<<: *name` for a mapping marked `&name`"),
            );
            Vec::new()
        }
    }
}
