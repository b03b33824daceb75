//! Copies a scanned directory into a layer, making sure that it is still what was scanned.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{LocalNode, LocalTree};
use crate::cachekey::Key;
use crate::error::{IoContext, Result};
use crate::snapshot::Kind;
use crate::snapshot::write::{self, Attributes, Owners};

/// Outcome of [`copy`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copied {
    /// The copy is what was scanned.
    Same,
    /// This file of the host changed after it was scanned.
    Changed(PathBuf),
}

/// Copies `tree` into the empty directory `target`.
///
/// # Errors
/// When something cannot be read or written, or `check` says to stop.
pub fn copy(
    tree: &LocalTree,
    target: &Path,
    owners: Owners,
    check: &dyn Fn() -> Result<()>,
) -> Result<Copied> {
    let dir = File::open(target).at("open", target)?;
    let mut copier = Copier { owners, check, buffer: vec![0; 128 * 1024] };
    Ok(match copier.entries(&tree.root, dir.as_fd())? {
        Some(path) => Copied::Changed(path),
        None => Copied::Same,
    })
}

struct Copier<'a> {
    owners: Owners,
    check: &'a dyn Fn() -> Result<()>,
    buffer: Vec<u8>,
}

impl Copier<'_> {
    fn entries(&mut self, node: &Arc<LocalNode>, dir: BorrowedFd<'_>) -> Result<Option<PathBuf>> {
        (self.check)()?;
        for (name, child) in &node.children {
            let changed = match &child.meta.kind {
                Kind::Dir => {
                    let new = write::dir(dir, name).at("make the directory", write::os(name))?;
                    self.entries(child, new.as_fd())?
                }
                Kind::File => self.file(child, dir, name)?,
                kind => {
                    let attributes = self.attributes(child);
                    write::special(dir, name, kind, &attributes, self.owners).at("write", write::os(name))?;
                    None
                }
            };
            if changed.is_some() {
                return Ok(changed);
            }
        }
        write::set_on_file(dir, &self.attributes(node), self.owners).at("set the attributes of", "a copy")?;
        Ok(None)
    }

    fn file(&mut self, node: &LocalNode, dir: BorrowedFd<'_>, name: &[u8]) -> Result<Option<PathBuf>> {
        let Ok(source) = super::open(&node.path) else { return Ok(Some(node.path.clone())) };
        let mut target = write::create(dir, name).at("write", write::os(name))?;
        let copied = self.content(&source, &mut target).at("copy", &node.path)?;
        if Some(copied) != node.content {
            return Ok(Some(node.path.clone()));
        }
        let attributes = self.attributes(node);
        write::set_on_file(target.as_fd(), &attributes, self.owners)
            .at("set the attributes of", write::os(name))?;
        Ok(None)
    }

    fn content(&mut self, mut source: &File, target: &mut File) -> io::Result<Key> {
        let mut hasher = blake3::Hasher::new();
        loop {
            let length = source.read(&mut self.buffer)?;
            if length == 0 {
                return Ok(Key(*hasher.finalize().as_bytes()));
            }
            hasher.update(&self.buffer[..length]);
            target.write_all(&self.buffer[..length])?;
        }
    }

    fn attributes(&self, node: &LocalNode) -> Attributes {
        Attributes::of(&node.meta, Default::default())
    }
}
