//! Several layers made one, so that a chain stays short.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::clone::Cloner;
use super::merged::{MergedTree, is_whiteout};
use super::tree::{Kind, Tree};
use super::write::Owners;
use crate::error::{IoContext, Result};

/// Fills the empty directory `layer` with what `layers` (from the bottom up) show together, deletions
/// included. Returns whether it deletes something.
///
/// # Errors
/// When a layer cannot be read or the new one cannot be written.
pub fn squash(layers: Vec<PathBuf>, layer: &Path, owners: Owners) -> Result<bool> {
    let tree = MergedTree::new(layers).with_whiteouts();
    let dir = std::fs::File::open(layer).at("open", layer)?;
    let root = tree.root()?;
    let mut cloner = Cloner::new(&tree, owners);
    for (name, node) in tree.children(&root)? {
        cloner.all(&node, dir.as_fd(), &name)?;
    }
    cloner.attributes(&root, dir.as_fd())?;
    deletes(&tree, &root)
}

fn deletes<T: Tree>(tree: &T, node: &T::Node) -> Result<bool> {
    for (_, child) in tree.children(node)? {
        let meta = tree.meta(&child);
        if is_whiteout(meta) || meta.kind == Kind::Dir && deletes(tree, &child)? {
            return Ok(true);
        }
    }
    Ok(false)
}
