//! A layer put on another base than it was made on.
//!
//! A whiteout for something that is not below it is not always hidden by the kernel: in a directory that only
//! one layer has, it is listed as an entry that cannot be opened. So a layer with deletions is looked
//! through when its base changes, and copied without the ones that mean nothing.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::AtFlags;

use super::clone::Cloner;
use super::merged::{MergedNode, MergedTree, is_whiteout};
use super::tree::Tree;
use super::write::{self, Owners};
use super::{LayerId, Snapshot};
use crate::error::{IoContext, Result};
use crate::store::Store;

/// Returns `snapshot` with every layer that was taken off its base put on what is below it here.
///
/// # Errors
/// When a layer cannot be read or a new one cannot be written.
pub fn rebase(store: &Store, snapshot: &Snapshot, owners: Owners) -> Result<Snapshot> {
    let mut based = Snapshot::default();
    for layer in snapshot.layers() {
        let layer = match layer.is_detached() {
            true => rebase_layer(store, layer, &based, owners)?,
            false => layer.clone(),
        };
        based = based.with(layer);
    }
    Ok(based)
}

fn rebase_layer(store: &Store, layer: &LayerId, below: &Snapshot, owners: Owners) -> Result<LayerId> {
    let tree = MergedTree::new(vec![store.layer_path(layer)]).with_whiteouts();
    let below = below.tree(store);
    let (root, base) = (tree.root()?, below.root()?);
    let mut pruned = Prune { tree: &tree, below: &below, cloner: Cloner::new(&tree, owners), deletes: false };
    if !pruned.has_dangling(&root, Some(&base))? {
        return Ok(layer.attached());
    }
    let work = store.work_dir()?;
    let dir = std::fs::File::open(work.path()).at("open", work.path())?;
    pruned.entries(&root, Some(&base), dir.as_fd())?;
    pruned.cloner.attributes(&root, dir.as_fd())?;
    let deletes = pruned.deletes;
    store.publish_layer(work.path(), deletes)
}

struct Prune<'a> {
    tree: &'a MergedTree,
    below: &'a MergedTree,
    cloner: Cloner<'a, MergedTree>,
    deletes: bool,
}

impl Prune<'_> {
    fn has_dangling(&self, node: &MergedNode, base: Option<&MergedNode>) -> Result<bool> {
        for (name, child) in self.tree.children(node)? {
            let under = self.under(base, &name)?;
            let dangling = match is_whiteout(self.tree.meta(&child)) {
                true => under.is_none(),
                false => self.has_dangling(&child, under.as_ref())?,
            };
            if dangling {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn entries(&mut self, node: &MergedNode, base: Option<&MergedNode>, dir: BorrowedFd<'_>) -> Result<()> {
        for (name, child) in self.tree.children(node)? {
            let under = self.under(base, &name)?;
            let meta = self.tree.meta(&child);
            if is_whiteout(meta) {
                if under.is_some() {
                    self.deletes = true;
                    write::whiteout(dir, &name).at("delete", write::os(&name))?;
                }
            } else if meta.is_dir() {
                let new = write::dir(dir, &name).at("make the directory", write::os(&name))?;
                self.entries(&child, under.as_ref(), new.as_fd())?;
                self.cloner.attributes(&child, new.as_fd())?;
            } else {
                // Layers never change, so they may share files.
                let linked = rustix::fs::linkat(
                    rustix::fs::CWD,
                    child.path(),
                    dir,
                    write::os(&name),
                    AtFlags::empty(),
                );
                if linked.is_err() {
                    self.cloner.leaf(&child, dir, &name)?;
                }
            }
        }
        Ok(())
    }

    fn under(&self, base: Option<&MergedNode>, name: &[u8]) -> Result<Option<MergedNode>> {
        match base {
            Some(base) => self.below.child(base, name),
            None => Ok(None),
        }
    }
}
