//! What the store holds, entry by entry.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use dalec_gateway::GatewayError;

use super::Store;
use super::disk::Usage;
use super::results::Row;
use crate::error::{IoContext, Result};
use crate::snapshot::LayerId;

/// A kind of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Files that a step of a build made, as a layer of results.
    Layer,
    /// What a cache mount holds.
    Cache,
    /// A distribution's package or index.
    Package,
    /// A download, or a part of an image.
    Blob,
    /// What was fetched of a git repository.
    Repository,
    /// What a server said about a file, an image or packages.
    Record,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Layer, Self::Cache, Self::Package, Self::Blob, Self::Repository, Self::Record];

    /// Returns the word for one of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::Cache => "cache",
            Self::Package => "package",
            Self::Blob => "blob",
            Self::Repository => "repository",
            Self::Record => "record",
        }
    }

    /// Returns the directories, below that of the store, whose entries are of this kind.
    pub(super) fn directories(self) -> &'static [&'static str] {
        match self {
            Self::Layer => &["layers"],
            Self::Cache => &["caches"],
            Self::Package => &["bootstrap/by-sha256"],
            Self::Blob => &["blobs/sha256", "blobs/sha512"],
            Self::Repository => &["git"],
            Self::Record => &["downloads", "images", "bootstrap/recipes"],
        }
    }

    /// Returns whether builds make it of what they have, with no download.
    pub(super) fn is_made(self) -> bool {
        self == Self::Layer
    }
}

/// One thing that can be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name in the store.
    pub id: String,
    /// What it is called elsewhere; empty when there is no such name.
    pub name: String,
    /// Bytes that it takes.
    pub size: u64,
    /// When it was last used, as far as that is known, in seconds since 1970. Uses are noted once an hour.
    pub used: i64,
    pub(super) path: PathBuf,
}

impl Entry {
    /// Compares two entries for a list: by kind, what was used last first.
    pub(super) fn in_order(a: &Self, b: &Self) -> Ordering {
        (a.kind, -a.used, &a.id).cmp(&(b.kind, -b.used, &b.id))
    }
}

impl Store {
    /// Returns everything that the store holds, by kind, what was used last first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, GatewayError> {
        self.list().map_err(|error| error.into_gateway(self.root()))
    }

    pub(super) fn list(&self) -> Result<Vec<Entry>> {
        let used = layers_used(&self.rows()?);
        let caches = self.cache_names()?;
        let mut usage = Usage::default();
        let mut entries = Vec::new();
        for kind in Kind::ALL {
            for directory in kind.directories() {
                let directory = self.root().join(directory);
                let Ok(found) = fs::read_dir(&directory) else { continue };
                for file in found {
                    let file = file.at("read the directory", &directory)?;
                    // Others may remove it at this time.
                    let Ok(metadata) = file.metadata() else { continue };
                    let id = file.file_name().to_string_lossy().into_owned();
                    // Keys of hosts that were believed once are believed no second time.
                    if kind == Kind::Repository && !metadata.is_dir() {
                        continue;
                    }
                    let (name, noted) = match kind {
                        Kind::Layer => (String::new(), used.get(&id).copied()),
                        Kind::Cache => caches
                            .get(&id)
                            .cloned()
                            .map_or_else(Default::default, |(name, at)| (name, Some(at))),
                        _ => (String::new(), None),
                    };
                    let used = noted.unwrap_or(metadata.mtime());
                    let size = usage.of(&file.path());
                    entries.push(Entry { kind, id, name, size, used, path: file.path() });
                }
            }
        }
        entries.sort_by(Entry::in_order);
        Ok(entries)
    }
}

/// Returns when each layer was last used, by the name of its directory.
pub(super) fn layers_used(rows: &[Row]) -> BTreeMap<String, i64> {
    let mut used = BTreeMap::new();
    for row in rows {
        for layer in row.outputs.iter().flat_map(|output| output.layers()).map(LayerId::directory) {
            let last = used.entry(layer.to_owned()).or_insert(row.used);
            *last = row.used.max(*last);
        }
    }
    used
}
