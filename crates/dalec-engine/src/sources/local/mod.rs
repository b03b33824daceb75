//! Directories of the client, by name.
//!
//! A directory is looked at once per engine ([`scan`](scan())): the outcome is a tree in memory whose files have
//! digests, and that decides whether anything has to run. Files are copied into a layer only when an op
//! needs them ([`copy`]). Owners become root and times constant; permission bits stay. Sockets, pipes and
//! devices are left out.

mod copy;
mod index;
mod scan;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard_buildkit_proto::pb;
use dalec_files::Withheld;

use crate::cachekey::Key;
use crate::error::{Error, IoContext, Result};
use crate::snapshot::{Meta, Tree};

pub use copy::{Copied, copy};
pub use scan::scan;

/// What a local source op asks for.
#[derive(Debug, Clone)]
pub struct LocalRequest {
    /// The directory on the host.
    pub root: PathBuf,
    /// Patterns to take.
    pub include: Vec<String>,
    /// Patterns to leave out.
    pub exclude: Vec<String>,
    /// Paths to take, whose symbolic links are followed and their targets taken too.
    pub follow: Vec<String>,
    /// What to leave out beside that.
    pub withheld: Withheld,
}

impl LocalRequest {
    /// Reads the op `local://NAME`, with `dirs` saying where the names are; files in `withheld` are not there for it.
    ///
    /// # Errors
    /// When no such name was given, or an attribute is malformed.
    pub fn new(op: &pb::SourceOp, dirs: &BTreeMap<String, PathBuf>, withheld: &Withheld) -> Result<Self> {
        let name = op.identifier.strip_prefix("local://").unwrap_or(&op.identifier);
        let Some(root) = dirs.get(name) else {
            return Err(Error::Op {
                message: format!("no local directory called {name:?} was given"),
                hint: format!("name one with --build-context {name}=DIRECTORY"),
                source: None,
            });
        };
        let list = |key: &str| -> Result<Vec<String>> {
            let Some(text) = op.attrs.get(key) else { return Ok(Vec::new()) };
            serde_json::from_str(text)
                .map_err(|error| Error::Request(format!("{key} is no JSON list of strings: {error}")))
        };
        Ok(Self {
            root: root.clone(),
            include: list("local.includepattern")?,
            exclude: list("local.excludepatterns")?,
            follow: list("local.followpaths")?,
            withheld: withheld.clone(),
        })
    }

    /// Returns what names this view of the directory among all others.
    fn view(&self) -> Vec<u8> {
        let mut hasher = Key::hasher("local view");
        hasher.field(self.root.as_os_str().as_encoded_bytes());
        for list in [&self.include, &self.exclude, &self.follow] {
            hasher.field(&list.len().to_le_bytes());
            for text in list {
                hasher.field(text.as_bytes());
            }
        }
        hasher.finish().0.to_vec()
    }
}

/// A directory as it looked when it was scanned.
#[derive(Debug, Clone)]
pub struct LocalTree {
    root: Arc<LocalNode>,
}

/// A file of a [`LocalTree`].
#[derive(Debug)]
pub struct LocalNode {
    meta: Meta,
    /// Where it is on the host.
    path: PathBuf,
    /// Digest of a regular file's content.
    content: Option<Key>,
    /// Entries of a directory, sorted.
    children: Vec<(Vec<u8>, Arc<LocalNode>)>,
}

impl LocalNode {
    /// Returns where the file is on the host.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Tree for LocalTree {
    type Node = Arc<LocalNode>;

    fn root(&self) -> Result<Arc<LocalNode>> {
        Ok(self.root.clone())
    }

    fn meta<'a>(&self, node: &'a Arc<LocalNode>) -> &'a Meta {
        &node.meta
    }

    fn child(&self, node: &Arc<LocalNode>, name: &[u8]) -> Result<Option<Arc<LocalNode>>> {
        let found = node.children.binary_search_by(|(known, _)| known.as_slice().cmp(name));
        Ok(found.ok().map(|index| node.children[index].1.clone()))
    }

    fn children(&self, node: &Arc<LocalNode>) -> Result<Vec<(Vec<u8>, Arc<LocalNode>)>> {
        Ok(node.children.clone())
    }

    fn xattrs(&self, _node: &Arc<LocalNode>) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        Ok(BTreeMap::new())
    }

    fn content(&self, node: &Arc<LocalNode>) -> Result<Key> {
        node.content.ok_or_else(|| Error::op(format!("{} is no regular file", node.path.display())))
    }

    fn open(&self, node: &Arc<LocalNode>) -> Result<File> {
        open(&node.path).at("read", &node.path)
    }
}

/// Opens a file of the host for reading, but no symbolic link, and without waiting for a pipe's writer.
fn open(path: &Path) -> std::io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(File::from(rustix::fs::openat(CWD, path, flags, Mode::empty())?))
}
