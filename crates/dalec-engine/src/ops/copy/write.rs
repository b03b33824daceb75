//! Writing of copies.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use dalec_files::Selection;
use rustix::fs::{AtFlags, FileType};

use super::CopyTarget;
use crate::error::{Error, IoContext, Result};
use crate::ops::destination::Place;
use crate::snapshot::write::{self, Attributes, Owners, os};
use crate::snapshot::{Kind, Meta, Tree};

/// Writes copies of files of one tree. Names of one file stay names of one file.
pub struct Writer<'a, T: Tree> {
    tree: &'a T,
    target: &'a CopyTarget,
    owners: Owners,
    selection: Selection,
    check: &'a dyn Fn() -> Result<()>,
    /// The directories from the top of the copy to the one being filled.
    levels: Vec<Level<T::Node>>,
    links: HashMap<(u64, u64), (OwnedFd, Vec<u8>)>,
}

/// A directory of the copy; made when something goes into it.
struct Level<N> {
    name: Vec<u8>,
    node: N,
    dir: Option<OwnedFd>,
}

impl<'a, T: Tree> Writer<'a, T> {
    /// Returns a writer of what passes `selection`.
    pub fn new(
        tree: &'a T,
        target: &'a CopyTarget,
        owners: Owners,
        selection: Selection,
        check: &'a dyn Fn() -> Result<()>,
    ) -> Self {
        Self { tree, target, owners, selection, check, levels: Vec::new(), links: HashMap::new() }
    }

    /// Copies what is in the directory `node` to the directory `place`, made with the attributes of `node` when
    /// it is missing.
    ///
    /// # Errors
    /// When something is in the way, or cannot be read or written.
    pub fn directory(&mut self, node: &T::Node, place: Place) -> Result<()> {
        let existed = place.kind()? == Some(FileType::Directory);
        let dir = self.make_dir(&place)?;
        self.levels.push(Level { name: place.name, node: node.clone(), dir: Some(dir) });
        self.entries(node, &mut Vec::new())?;
        match self.levels.pop() {
            Some(Level { dir: Some(dir), .. }) if !existed => self.finish_dir(node, dir.as_fd()),
            _ => Ok(()),
        }
    }

    /// Copies `node`, which is no directory, to `place`.
    ///
    /// # Errors
    /// When something is in the way, or it cannot be read or written.
    pub fn single(&mut self, node: &T::Node, place: &Place) -> Result<()> {
        let meta = self.tree.meta(node).clone();
        if meta.kind == Kind::Socket {
            return Ok(());
        }
        if self.target.replace {
            place.remove()?;
        }
        place.clear()?;
        let (dir, name) = (place.dir.as_fd(), place.name.as_slice());
        if self.link(&meta, dir, name)? {
            return Ok(());
        }
        let attributes = self.attributes(node, &meta)?;
        match &meta.kind {
            Kind::File => {
                let mut content = self.tree.open(node)?;
                write::file(dir, name, &mut content, &attributes, self.owners)
            }
            kind => write::special(dir, name, kind, &attributes, self.owners),
        }
        .at("write", os(name))
    }

    fn entries(&mut self, node: &T::Node, path: &mut Vec<u8>) -> Result<()> {
        (self.check)()?;
        for (name, child) in self.tree.children(node)? {
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(&name);
            let included = self.selection.includes(path);
            if self.tree.meta(&child).is_dir() {
                self.subdirectory(name, &child, included, path)?;
            } else if included {
                let dir = self.current()?.try_clone_to_owned().at("keep open", os(&name))?;
                self.single(&child, &Place { dir, name })?;
            }
            path.truncate(length);
        }
        Ok(())
    }

    fn subdirectory(
        &mut self,
        name: Vec<u8>,
        node: &T::Node,
        included: bool,
        path: &mut Vec<u8>,
    ) -> Result<()> {
        self.levels.push(Level { name, node: node.clone(), dir: None });
        if included {
            self.current()?;
        }
        if self.selection.may_include_below(path) {
            self.entries(node, path)?;
        }
        match self.levels.pop() {
            Some(Level { dir: Some(dir), node, .. }) => self.finish_dir(&node, dir.as_fd()),
            _ => Ok(()),
        }
    }

    /// Returns the innermost directory, making it and those above it that are not there yet.
    fn current(&mut self) -> Result<BorrowedFd<'_>> {
        // The top of the copy is there from the start.
        let made = self.levels.iter().rposition(|level| level.dir.is_some()).unwrap_or(0);
        for index in made + 1..self.levels.len() {
            let Some(parent) = &self.levels[index - 1].dir else { continue };
            let dir = parent.try_clone().at("keep open", "a directory")?;
            let new = self.make_dir(&Place { dir, name: self.levels[index].name.clone() })?;
            self.levels[index].dir = Some(new);
        }
        let innermost = self.levels.last().and_then(|level| level.dir.as_ref());
        innermost.map(AsFd::as_fd).ok_or_else(|| Error::op("a copy has no top directory"))
    }

    /// Opens the directory at `place`, making it when there is none.
    fn make_dir(&self, place: &Place) -> Result<OwnedFd> {
        let opened = match place.kind()? {
            Some(FileType::Directory) => write::open_dir(&place.dir, &place.name),
            Some(_) if !self.target.replace => {
                let name = String::from_utf8_lossy(&place.name);
                return Err(Error::op(format!("cannot copy a directory to {name}, which is none")));
            }
            other => {
                if other.is_some() {
                    place.remove()?;
                }
                write::dir(&place.dir, &place.name)
            }
        };
        opened.at("open the directory", os(&place.name))
    }

    fn finish_dir(&self, node: &T::Node, dir: BorrowedFd<'_>) -> Result<()> {
        let attributes = self.attributes(node, self.tree.meta(node))?;
        write::set_on_file(dir, &attributes, self.owners).at("set the attributes of", "a directory")
    }

    fn attributes(&self, node: &T::Node, meta: &Meta) -> Result<Attributes> {
        let mut attributes = Attributes::of(meta, self.tree.xattrs(node)?);
        let target = self.target;
        attributes.mode = target.mode.unwrap_or(attributes.mode);
        attributes.uid = target.owner.uid.unwrap_or(attributes.uid);
        attributes.gid = target.owner.gid.unwrap_or(attributes.gid);
        attributes.mtime = target.mtime.unwrap_or(attributes.mtime);
        Ok(attributes)
    }

    fn link(&mut self, meta: &Meta, dir: BorrowedFd<'_>, name: &[u8]) -> Result<bool> {
        if !meta.has_other_names || meta.kind != Kind::File {
            return Ok(false);
        }
        if let Some((first_dir, first_name)) = self.links.get(&meta.inode) {
            let linked = rustix::fs::linkat(first_dir, os(first_name), dir, os(name), AtFlags::empty());
            // The first copy may have been replaced by a later one.
            return Ok(linked.is_ok());
        }
        let handle = dir.try_clone_to_owned().at("keep open", "a directory")?;
        self.links.insert(meta.inode, (handle, name.to_vec()));
        Ok(false)
    }
}
