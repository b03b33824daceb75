//! The entries of a mapping with its merge keys (`<<`) written out.
//!
//! A key written in the mapping itself beats a merged one wherever it stands. In a list of merged mappings the
//! first that has a key wins; of several `<<` keys the last.

use std::collections::HashSet;

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

/// Returns `entries` with merge keys written out, in the order written.
pub(super) fn flatten<'n>(entries: &'n [Entry], decoder: &mut Decoder<'_>) -> Vec<Item<'n>> {
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
            let mut items = flatten(entries, decoder);
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
