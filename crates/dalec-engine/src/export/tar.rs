//! Results as one tar archive.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{ExportSummary, check, unwritable};
use crate::error::Result;
use crate::snapshot::write::os;
use crate::snapshot::{Kind, MergedNode, MergedTree, Meta, Tree};
use crate::tarball::{self, Entry, Writer};
use crate::{CONSTANT_MTIME, Cancel};

/// Writes the trees to `out`.
pub fn export(
    trees: &[(Vec<u8>, MergedTree)],
    out: Box<dyn Write + Send>,
    cancel: &Cancel,
) -> Result<ExportSummary> {
    let mut archive = Archive { writer: Writer::new(out), cancel, summary: ExportSummary::default() };
    for (folder, tree) in trees {
        let root = tree.root()?;
        let mut links = HashMap::new();
        if !folder.is_empty() {
            archive.member(tree, &root, folder, &mut links)?;
        }
        archive.entries(tree, &root, &mut folder.clone(), &mut links)?;
    }
    let mut out = archive.writer.finish().map_err(failed)?;
    out.flush().map_err(failed)?;
    Ok(archive.summary)
}

struct Archive<'a> {
    writer: Writer<Box<dyn Write + Send>>,
    cancel: &'a Cancel,
    summary: ExportSummary,
}

type Links = HashMap<(u64, u64), Vec<u8>>;

impl Archive<'_> {
    fn entries(
        &mut self,
        tree: &MergedTree,
        node: &MergedNode,
        path: &mut Vec<u8>,
        links: &mut Links,
    ) -> Result<()> {
        for (name, child) in tree.children(node)? {
            check(self.cancel)?;
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(&name);
            self.member(tree, &child, path, links)?;
            self.entries(tree, &child, path, links)?;
            path.truncate(length);
        }
        Ok(())
    }

    fn member(&mut self, tree: &MergedTree, node: &MergedNode, path: &[u8], links: &mut Links) -> Result<()> {
        let meta = tree.meta(node);
        let Some(kind) = kind(meta, path, links) else { return Ok(()) };
        let is_file = kind == tarball::Kind::File;
        if !meta.is_dir() {
            self.summary.files.push(PathBuf::from(os(path)));
            self.summary.written += 1;
        }
        let mut entry = Entry::new(path, kind, meta.mode, CONSTANT_MTIME);
        entry.uid = u64::from(meta.uid);
        entry.gid = u64::from(meta.gid);
        if !is_file {
            return self.writer.append(&entry, &mut io::empty()).map_err(failed);
        }
        entry.size = meta.size;
        entry.xattrs = tree.xattrs(node)?;
        self.summary.bytes += meta.size;
        self.writer.append(&entry, &mut tree.open(node)?).map_err(failed)
    }
}

/// Returns what the member is; none for a socket, which an archive cannot hold.
fn kind(meta: &Meta, path: &[u8], links: &mut Links) -> Option<tarball::Kind> {
    Some(match &meta.kind {
        Kind::Dir => tarball::Kind::Directory,
        Kind::Symlink(target) => tarball::Kind::Symlink(target.clone()),
        Kind::Fifo => tarball::Kind::Fifo,
        Kind::Socket => return None,
        Kind::Char(device) => tarball::Kind::Char(rustix::fs::major(*device), rustix::fs::minor(*device)),
        Kind::Block(device) => tarball::Kind::Block(rustix::fs::major(*device), rustix::fs::minor(*device)),
        Kind::File if meta.has_other_names => match links.get(&meta.inode) {
            Some(first) => tarball::Kind::Hardlink(first.clone()),
            None => {
                links.insert(meta.inode, path.to_vec());
                tarball::Kind::File
            }
        },
        Kind::File => tarball::Kind::File,
    })
}

fn failed(error: io::Error) -> crate::error::Error {
    unwritable(Path::new("the archive"), error)
}
