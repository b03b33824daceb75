//! A chain of layers read as one tree, without mounting it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::tree::{Kind, Meta, Tree};
use crate::cachekey::Key;
use crate::error::{IoContext, Result};

/// A chain of layers read as one tree.
///
/// The layers must not change meanwhile; then paths of nodes never pass through a symbolic link, since each
/// component was looked at before.
#[derive(Debug, Clone)]
pub struct MergedTree {
    /// Layers from the top down.
    layers: Vec<PathBuf>,
    keep_whiteouts: bool,
}

/// A file of a [`MergedTree`].
#[derive(Debug, Clone)]
pub struct MergedNode {
    meta: Meta,
    /// Where the file is; for a directory every layer's part of it, from the top down.
    places: Vec<PathBuf>,
}

impl MergedNode {
    /// Returns where the topmost layer has the file.
    pub fn path(&self) -> &Path {
        // Nodes are only made with at least one place, but an empty tree's root has none.
        self.places.first().map_or(Path::new("/"), PathBuf::as_path)
    }

    /// Returns where the file is; for a directory every layer's part of it, from the top down.
    pub fn places(&self) -> &[PathBuf] {
        &self.places
    }
}

impl MergedTree {
    /// Returns a view of `layers`, given from the bottom up.
    pub fn new(mut layers: Vec<PathBuf>) -> Self {
        layers.reverse();
        Self { layers, keep_whiteouts: false }
    }

    /// Returns a view that shows whiteouts as the character devices that they are, where nothing on top
    /// hides them.
    pub fn with_whiteouts(mut self) -> Self {
        self.keep_whiteouts = true;
        self
    }

    /// Collects what the layers have as `name` in `dirs`, from the top down, up to what hides the rest.
    fn stack(&self, dirs: &[PathBuf], name: &[u8]) -> Result<Option<MergedNode>> {
        let mut found: Option<MergedNode> = None;
        for dir in dirs {
            let path = dir.join(OsStr::from_bytes(name));
            let Some(meta) = lstat(&path)? else { continue };
            if let Some(node) = &mut found {
                if !meta.is_dir() {
                    break;
                }
                node.places.push(path);
                continue;
            }
            if is_whiteout(&meta) && !self.keep_whiteouts {
                return Ok(None);
            }
            let is_dir = meta.is_dir();
            found = Some(MergedNode { meta, places: vec![path] });
            if !is_dir {
                break;
            }
        }
        Ok(found)
    }
}

impl Tree for MergedTree {
    type Node = MergedNode;

    fn root(&self) -> Result<MergedNode> {
        let meta = match self.layers.first() {
            Some(top) => stat_of(top)?.at("look at", top)?,
            None => empty_root(),
        };
        Ok(MergedNode { meta, places: self.layers.clone() })
    }

    fn meta<'a>(&self, node: &'a MergedNode) -> &'a Meta {
        &node.meta
    }

    fn child(&self, node: &MergedNode, name: &[u8]) -> Result<Option<MergedNode>> {
        if !node.meta.is_dir() {
            return Ok(None);
        }
        self.stack(&node.places, name)
    }

    fn children(&self, node: &MergedNode) -> Result<Vec<(Vec<u8>, MergedNode)>> {
        if !node.meta.is_dir() {
            return Ok(Vec::new());
        }
        let mut names: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for (index, dir) in node.places.iter().enumerate() {
            for name in list(dir)? {
                names.entry(name).or_insert(index);
            }
        }
        let mut children = Vec::with_capacity(names.len());
        for (name, first) in names {
            if let Some(child) = self.stack(&node.places[first..], &name)? {
                children.push((name, child));
            }
        }
        Ok(children)
    }

    fn xattrs(&self, node: &MergedNode) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        match node.places.first() {
            Some(path) => read_xattrs(path),
            None => Ok(BTreeMap::new()),
        }
    }

    fn content(&self, node: &MergedNode) -> Result<Key> {
        let mut hasher = blake3::Hasher::new();
        let file = self.open(node)?;
        hasher.update_reader(file).at("read", node.path())?;
        Ok(Key(*hasher.finalize().as_bytes()))
    }

    fn open(&self, node: &MergedNode) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::openat(CWD, node.path(), flags, Mode::empty());
        Ok(File::from(file.at("open", node.path())?))
    }
}

/// Returns whether `meta` marks a deletion.
pub fn is_whiteout(meta: &Meta) -> bool {
    meta.kind == Kind::Char(0)
}

/// Returns what `lstat` tells about `path`; none when there is nothing.
///
/// # Errors
/// When it cannot be looked at.
pub fn lstat(path: &Path) -> Result<Option<Meta>> {
    match stat_of(path)? {
        Ok(meta) => Ok(Some(meta)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error).at("look at", path),
    }
}

fn stat_of(path: &Path) -> Result<std::result::Result<Meta, Errno>> {
    let stat = match rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(error) => return Ok(Err(error)),
    };
    let link = if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
        rustix::fs::readlinkat(CWD, path, Vec::new()).at("read the link", path)?.into_bytes()
    } else {
        Vec::new()
    };
    Ok(Ok(Meta::new(&stat, link)))
}

/// Returns the names in the directory `dir`, in no order.
///
/// # Errors
/// When it cannot be read.
pub fn list(dir: &Path) -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).at("read the directory", dir)? {
        names.push(entry.at("read the directory", dir)?.file_name().as_bytes().to_vec());
    }
    Ok(names)
}

/// Returns the extended attributes of `path` that count as content: capabilities and `user.*`.
///
/// # Errors
/// When they cannot be read.
pub fn read_xattrs(path: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let names = match read_list(path) {
        Ok(names) => names,
        Err(Errno::OPNOTSUPP) => return Ok(found),
        Err(error) => return Err(error).at("read the attributes of", path),
    };
    for name in names.split(|byte| *byte == 0).filter(|name| counts(name)) {
        let value = match read_value(path, name) {
            Ok(value) => value,
            Err(Errno::NODATA) => continue,
            Err(error) => return Err(error).at("read the attributes of", path),
        };
        found.insert(name.to_vec(), portable(name, value));
    }
    Ok(found)
}

fn read_list(path: &Path) -> std::result::Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; 256];
    loop {
        match rustix::fs::llistxattr(path, &mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(Errno::RANGE) => buffer.resize(buffer.len() * 4, 0),
            Err(error) => return Err(error),
        }
    }
}

fn read_value(path: &Path, name: &[u8]) -> std::result::Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; 256];
    loop {
        match rustix::fs::lgetxattr(path, OsStr::from_bytes(name), &mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(Errno::RANGE) => buffer.resize(buffer.len() * 4, 0),
            Err(error) => return Err(error),
        }
    }
}

fn counts(name: &[u8]) -> bool {
    name == b"security.capability" || name.starts_with(b"user.") && !name.starts_with(b"user.overlay.")
}

/// Takes from a capability the root of the user namespace that it was set in: inside the build it is just root.
fn portable(name: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    const VERSION_3_BYTES: usize = 24;
    if name == b"security.capability" && value.len() == VERSION_3_BYTES && value[3] == 3 {
        value.truncate(VERSION_3_BYTES - 4);
        value[3] = 2;
    }
    value
}

fn empty_root() -> Meta {
    Meta {
        kind: Kind::Dir,
        mode: 0o755,
        uid: 0,
        gid: 0,
        size: 0,
        mtime: (crate::CONSTANT_MTIME, 0),
        inode: (0, 0),
        has_other_names: false,
    }
}
