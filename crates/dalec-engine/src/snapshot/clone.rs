//! Copies of parts of a tree into a directory that nobody else writes to.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::AtFlags;

use super::tree::{Kind, Meta, Tree};
use super::write::{self, Attributes, Owners};
use crate::error::{Error, IoContext, Result};

/// Copies files of `tree` one to one. Names of one file stay names of one file.
pub struct Cloner<'a, T> {
    /// Where the files are.
    pub tree: &'a T,
    /// Who may own the copies.
    pub owners: Owners,
    /// Directories and names of files that have more than one name.
    links: HashMap<(u64, u64), (OwnedFd, Vec<u8>)>,
}

impl<'a, T: Tree> Cloner<'a, T> {
    /// Returns a copier from `tree`.
    pub fn new(tree: &'a T, owners: Owners) -> Self {
        Self { tree, owners, links: HashMap::new() }
    }

    /// Copies `node` and everything below it to `name` in `dir`, where nothing is.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub fn all(&mut self, node: &T::Node, dir: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
        if !self.tree.meta(node).is_dir() {
            return self.leaf(node, dir, name);
        }
        let new = write::dir(dir, name).at("make the directory", write::os(name))?;
        for (name, child) in self.tree.children(node)? {
            self.all(&child, new.as_fd(), &name)?;
        }
        self.attributes(node, new.as_fd())
    }

    /// Copies `node`, which is no directory, to `name` in `dir`, where nothing is. Sockets are left out.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn leaf(&mut self, node: &T::Node, dir: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
        let meta = self.tree.meta(node).clone();
        if meta.kind == Kind::Socket || self.link(&meta, dir, name)? {
            return Ok(());
        }
        let attributes = Attributes::of(&meta, self.tree.xattrs(node)?);
        match &meta.kind {
            Kind::File => {
                let mut content = self.tree.open(node)?;
                write::file(dir, name, &mut content, &attributes, self.owners)
            }
            kind => write::special(dir, name, kind, &attributes, self.owners),
        }
        .map_err(|source| Error::Io {
            action: "write",
            path: String::from_utf8_lossy(name).into_owned(),
            source,
        })
    }

    /// Gives the copy `dir` of the directory `node` its attributes.
    ///
    /// # Errors
    /// When they cannot be read or set.
    pub fn attributes(&self, node: &T::Node, dir: BorrowedFd<'_>) -> Result<()> {
        let attributes = Attributes::of(self.tree.meta(node), self.tree.xattrs(node)?);
        write::set_on_file(dir, &attributes, self.owners).at("set the attributes of", "a directory")
    }

    fn link(&mut self, meta: &Meta, dir: BorrowedFd<'_>, name: &[u8]) -> Result<bool> {
        if !meta.has_other_names || meta.kind != Kind::File {
            return Ok(false);
        }
        if let Some((first_dir, first_name)) = self.links.get(&meta.inode) {
            let (from, to) = (write::os(first_name), write::os(name));
            rustix::fs::linkat(first_dir, from, dir, to, AtFlags::empty()).at("link", to)?;
            return Ok(true);
        }
        let handle = dir.try_clone_to_owned().at("keep open", "a directory")?;
        self.links.insert(meta.inode, (handle, name.to_vec()));
        Ok(false)
    }
}
