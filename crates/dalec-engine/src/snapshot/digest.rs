//! Digests of file trees: what something that reads a tree can see of it.
//!
//! A directory's digest covers the names and digests of its entries, so equal parts of trees have equal
//! digests. Times, inode numbers and link counts are left out; types, permission bits, owners, sizes, link
//! texts, device numbers, extended attributes and content are in.

use super::tree::{Kind, Meta, Tree};
use crate::cachekey::{Hasher, Key};
use crate::error::Result;

/// Says which entries below a directory count.
pub trait Filter {
    /// Returns whether the entry at `path` (relative to where the digest began) counts by itself.
    fn includes(&self, path: &[u8]) -> bool;

    /// Returns whether something below the directory `path` may count.
    fn may_include_below(&self, path: &[u8]) -> bool;
}

impl Filter for dalec_files::Selection {
    fn includes(&self, path: &[u8]) -> bool {
        self.includes(path)
    }

    fn may_include_below(&self, path: &[u8]) -> bool {
        self.may_include_below(path)
    }
}

/// Counts everything.
pub struct Everything;

impl Filter for Everything {
    fn includes(&self, _path: &[u8]) -> bool {
        true
    }

    fn may_include_below(&self, _path: &[u8]) -> bool {
        true
    }
}

/// Returns the digest of `node` and everything below it.
///
/// # Errors
/// When something cannot be read, or `check` says to stop.
pub fn digest<T: Tree>(tree: &T, node: &T::Node, check: &dyn Fn() -> Result<()>) -> Result<Key> {
    let walk = Walk { tree, filter: &Everything, check };
    Ok(walk.node(node, &mut Vec::new(), true)?.unwrap_or_else(|| Key::hasher("nothing").finish()))
}

/// Returns the digest of `node` and what below it passes `filter`. A directory that does not pass counts
/// when something below it does.
///
/// # Errors
/// As [`digest`].
pub fn filtered<T: Tree>(
    tree: &T,
    node: &T::Node,
    filter: &dyn Filter,
    check: &dyn Fn() -> Result<()>,
) -> Result<Key> {
    let walk = Walk { tree, filter, check };
    Ok(walk.node(node, &mut Vec::new(), true)?.unwrap_or_else(|| Key::hasher("nothing").finish()))
}

struct Walk<'a, T> {
    tree: &'a T,
    filter: &'a dyn Filter,
    check: &'a dyn Fn() -> Result<()>,
}

impl<T: Tree> Walk<'_, T> {
    fn node(&self, node: &T::Node, path: &mut Vec<u8>, included: bool) -> Result<Option<Key>> {
        let meta = self.tree.meta(node);
        if !meta.is_dir() {
            return if included { self.leaf(node, meta).map(Some) } else { Ok(None) };
        }
        (self.check)()?;
        let mut hasher = self.header("dir", node, meta)?;
        let mut counts = included;
        if path.is_empty() || self.filter.may_include_below(path) {
            for (name, child) in self.tree.children(node)? {
                let length = path.len();
                if length > 0 {
                    path.push(b'/');
                }
                path.extend_from_slice(&name);
                let included = self.filter.includes(path);
                if let Some(digest) = self.node(&child, path, included)? {
                    hasher.field(&name).field(&digest.0);
                    counts = true;
                }
                path.truncate(length);
            }
        }
        Ok(counts.then(|| hasher.finish()))
    }

    fn leaf(&self, node: &T::Node, meta: &Meta) -> Result<Key> {
        let mut hasher = match &meta.kind {
            Kind::File => {
                let mut hasher = self.header("file", node, meta)?;
                hasher.field(&meta.size.to_le_bytes()).field(&self.tree.content(node)?.0);
                hasher
            }
            Kind::Symlink(target) => {
                let mut hasher = Key::hasher("symlink");
                hasher.field(&meta.uid.to_le_bytes()).field(&meta.gid.to_le_bytes()).field(target);
                hasher
            }
            Kind::Dir | Kind::Fifo => self.header("fifo", node, meta)?,
            Kind::Socket => self.header("socket", node, meta)?,
            Kind::Char(device) => {
                let mut hasher = self.header("char", node, meta)?;
                hasher.field(&device.to_le_bytes());
                hasher
            }
            Kind::Block(device) => {
                let mut hasher = self.header("block", node, meta)?;
                hasher.field(&device.to_le_bytes());
                hasher
            }
        };
        hasher.field(b"");
        Ok(hasher.finish())
    }

    fn header(&self, kind: &str, node: &T::Node, meta: &Meta) -> Result<Hasher> {
        let mut hasher = Key::hasher(kind);
        for number in [meta.mode, meta.uid, meta.gid] {
            hasher.field(&number.to_le_bytes());
        }
        let xattrs = self.tree.xattrs(node)?;
        hasher.field(&xattrs.len().to_le_bytes());
        for (name, value) in xattrs {
            hasher.field(&name).field(&value);
        }
        Ok(hasher)
    }
}
