//! What changed between two trees, as a layer.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::clone::Cloner;
use super::merged::{MergedNode, MergedTree};
use super::tree::{Kind, Tree};
use super::write::{self, Owners};
use crate::error::{IoContext, Result};

/// Fills the empty directory `layer` so that it makes `upper` out of `lower`. Returns whether it deletes
/// something.
///
/// # Errors
/// When a tree cannot be read or the layer cannot be written.
pub fn changes(lower: &MergedTree, upper: &MergedTree, layer: &Path, owners: Owners) -> Result<bool> {
    let root = std::fs::File::open(layer).at("open", layer)?;
    let cloner = Cloner::new(upper, owners);
    let mut compare = Compare { lower, upper, cloner, open: Vec::new(), deletes: false };
    let (below, above) = (lower.root()?, upper.root()?);
    compare.open.push(Level { name: Vec::new(), dir: Some(root.into()) });
    compare.entries(&below, &above)?;
    compare.leave(&above)?;
    Ok(compare.deletes)
}

struct Compare<'a> {
    lower: &'a MergedTree,
    upper: &'a MergedTree,
    cloner: Cloner<'a, MergedTree>,
    /// The directories from the top to the one being compared.
    open: Vec<Level>,
    deletes: bool,
}

/// A directory of the layer; made when the first change in it is found.
struct Level {
    name: Vec<u8>,
    dir: Option<OwnedFd>,
}

impl Compare<'_> {
    /// Compares two directories that both trees have.
    fn entries(&mut self, below: &MergedNode, above: &MergedNode) -> Result<()> {
        let mut old = self.lower.children(below)?.into_iter().peekable();
        for (name, node) in self.upper.children(above)? {
            while let Some((gone, _)) = old.next_if(|(old, _)| *old < name) {
                self.delete(&gone)?;
            }
            match old.next_if(|(old, _)| *old == name) {
                Some((_, before)) => self.both(&name, &before, &node)?,
                None => self.copy(&name, &node)?,
            }
        }
        for (gone, _) in old {
            self.delete(&gone)?;
        }
        Ok(())
    }

    fn both(&mut self, name: &[u8], before: &MergedNode, after: &MergedNode) -> Result<()> {
        if before.places() == after.places() {
            return Ok(());
        }
        let same = self.same(before, after)?;
        if !self.upper.meta(after).is_dir() || !self.lower.meta(before).is_dir() {
            return if same { Ok(()) } else { self.copy(name, after) };
        }
        self.open.push(Level { name: name.to_vec(), dir: None });
        if !same {
            self.current()?;
        }
        self.entries(before, after)?;
        self.leave(after)
    }

    fn leave(&mut self, node: &MergedNode) -> Result<()> {
        match self.open.pop() {
            Some(Level { dir: Some(dir), .. }) => self.cloner.attributes(node, dir.as_fd()),
            _ => Ok(()),
        }
    }

    fn copy(&mut self, name: &[u8], node: &MergedNode) -> Result<()> {
        let dir = current(&mut self.open)?;
        self.cloner.all(node, dir, name)
    }

    fn delete(&mut self, name: &[u8]) -> Result<()> {
        self.deletes = true;
        write::whiteout(self.current()?, name).at("delete", write::os(name))
    }

    fn current(&mut self) -> Result<BorrowedFd<'_>> {
        current(&mut self.open)
    }

    fn same(&self, before: &MergedNode, after: &MergedNode) -> Result<bool> {
        let (old, new) = (self.lower.meta(before), self.upper.meta(after));
        let seen = |meta: &super::tree::Meta| (meta.mode, meta.uid, meta.gid, meta.size);
        if old.kind != new.kind || seen(old) != seen(new) {
            return Ok(false);
        }
        if self.lower.xattrs(before)? != self.upper.xattrs(after)? {
            return Ok(false);
        }
        if new.kind != Kind::File {
            return Ok(true);
        }
        Ok(old.mtime == new.mtime && self.lower.content(before)? == self.upper.content(after)?)
    }
}

/// Returns the innermost directory, making it and those above it that are not there yet.
fn current(open: &mut [Level]) -> Result<BorrowedFd<'_>> {
    // The top directory is there from the start.
    let made = open.iter().rposition(|level| level.dir.is_some()).unwrap_or(0);
    for index in made + 1..open.len() {
        let (parents, rest) = open.split_at_mut(index);
        let Some(parent) = &parents[index - 1].dir else { continue };
        let dir = write::dir(parent, &rest[0].name);
        rest[0].dir = Some(dir.at("make the directory", write::os(&rest[0].name))?);
    }
    let innermost = open.last().and_then(|level| level.dir.as_ref());
    innermost.map(AsFd::as_fd).ok_or_else(|| crate::error::Error::op("a layer has no top directory"))
}
