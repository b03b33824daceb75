//! Snapshots: file systems as chains of overlay layers.
//!
//! A layer is the upper directory of an overlay, with whiteouts (character devices 0/0) for what it deletes
//! and no other overlay marks: opaque directories become plain whiteouts when a layer is finished, see
//! [`finish`]. So a layer means the same wherever it is stacked, and however it was mounted.
//!
//! Reading needs no mount: [`MergedTree`] looks through a chain in user space. This room runs nothing and
//! knows no cache key.

mod clone;
mod compare;
pub mod digest;
pub mod finish;
mod merged;
mod rebase;
pub mod resolve;
mod squash;
mod tree;
pub mod write;

use std::path::PathBuf;

use crate::cachekey::Key;
use crate::error::{IoContext, Result};
use crate::store::Store;

pub use clone::Cloner;
pub use compare::changes;
pub use merged::{MergedNode, MergedTree, list, lstat};
pub use rebase::rebase;
pub use squash::squash;
pub use tree::{Kind, Meta, Tree};

/// More layers than this are squashed into fewer: the kernel takes 500, and each one costs at every look-up.
pub const MAX_LAYERS: usize = 120;

/// Name of a layer in the store: random, 32 hexadecimal digits, then `w` when the layer deletes something.
///
/// A leading `~` marks a layer whose deletions refer to a base that is not below it; the directory's name is
/// without it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerId(String);

impl LayerId {
    /// Returns a new name.
    ///
    /// # Errors
    /// When the kernel has no random bytes.
    pub fn random(deletes: bool) -> Result<Self> {
        let mut name = random_hex(16)?;
        if deletes {
            name.push('w');
        }
        Ok(Self(name))
    }

    /// Returns a name that [`LayerId::as_str`] gave.
    pub fn from_stored(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Returns the name as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name of the layer's directory.
    pub fn directory(&self) -> &str {
        self.0.trim_start_matches('~')
    }

    /// Returns whether the layer deletes something.
    pub fn deletes(&self) -> bool {
        self.0.ends_with('w')
    }

    /// Returns whether what the layer deletes is not known to be below it.
    pub fn is_detached(&self) -> bool {
        self.0.starts_with('~')
    }

    /// Returns the same layer, taken off its base.
    pub fn detached(&self) -> Self {
        if self.deletes() && !self.is_detached() {
            return Self(format!("~{}", self.0));
        }
        self.clone()
    }

    /// Returns the same layer on a base that has everything it deletes.
    pub fn attached(&self) -> Self {
        Self(self.directory().to_owned())
    }
}

/// A file system: layers from the bottom up; none at all is the empty file system.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Snapshot {
    layers: Vec<LayerId>,
}

impl FromIterator<LayerId> for Snapshot {
    fn from_iter<T: IntoIterator<Item = LayerId>>(layers: T) -> Self {
        Self { layers: layers.into_iter().collect() }
    }
}

impl Snapshot {
    /// Returns the layers from the bottom up.
    pub fn layers(&self) -> &[LayerId] {
        &self.layers
    }

    /// Returns this file system with one more layer on top.
    pub fn with(&self, layer: LayerId) -> Self {
        self.layers.iter().cloned().chain([layer]).collect()
    }

    /// Returns what names the chain in the database.
    pub fn chain_key(&self) -> Key {
        let mut hasher = Key::hasher("chain");
        for layer in &self.layers {
            hasher.field(layer.as_str().as_bytes());
        }
        hasher.finish()
    }

    /// Returns where the layers are, from the bottom up.
    pub fn paths(&self, store: &Store) -> Vec<PathBuf> {
        self.layers.iter().map(|layer| store.layer_path(layer)).collect()
    }

    /// Returns a view of the files.
    pub fn tree(&self, store: &Store) -> MergedTree {
        MergedTree::new(self.paths(store))
    }
}

/// Returns `bytes` random bytes in hexadecimal.
///
/// # Errors
/// When the kernel has none.
pub fn random_hex(bytes: usize) -> Result<String> {
    dalec_wire::random_hex(bytes).at("read random bytes from", "the kernel")
}
