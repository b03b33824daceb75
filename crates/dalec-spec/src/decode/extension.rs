//! Values that are left to the author, kept as they are written.

use super::Decoder;
use super::entries::written_out;
use crate::emit::Tree;
use crate::yaml::{Kind, Node, Style};

/// Returns `node` as it is written, with aliases and merge keys written out.
///
/// A key that is not a scalar cannot be written again and is left out.
pub(crate) fn tree(node: &Node, decoder: &mut Decoder<'_>) -> Tree {
    match &node.value.kind {
        Kind::Scalar(_) if node.is_null() => Tree::Null,
        Kind::Scalar(scalar) if scalar.style == Style::Plain && node.core_tag() != Some("str") => {
            Tree::Plain(scalar.text.clone())
        }
        Kind::Scalar(scalar) => Tree::Text(scalar.text.clone()),
        Kind::Sequence(nodes) => Tree::List(nodes.iter().map(|node| tree(node, decoder)).collect()),
        Kind::Mapping(entries) => Tree::Map(
            written_out(entries, decoder)
                .into_iter()
                .filter_map(|item| Some((item.key.scalar()?.text.clone(), tree(item.value, decoder))))
                .collect(),
        ),
    }
}
