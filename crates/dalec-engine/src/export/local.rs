//! Results into a directory of the host.

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use dalec_output::Unplaced;

use super::{ExportSummary, check, unwritable};
use crate::Cancel;
use crate::error::{Error, Result};
use crate::snapshot::write::os;
use crate::snapshot::{Kind, MergedNode, MergedTree, Meta, Tree};

/// Merges the trees into `dest`.
pub fn export(trees: &[(Vec<u8>, MergedTree)], dest: &Path, cancel: &Cancel) -> Result<ExportSummary> {
    std::fs::create_dir_all(dest).map_err(|error| unwritable(dest, error))?;
    let root = File::open(dest).map_err(|error| unwritable(dest, error))?;
    let mut summary = ExportSummary::default();
    for (folder, tree) in trees {
        let node = tree.root()?;
        let mut writer = Local { tree, dest, path: PathBuf::new(), cancel, summary: &mut summary };
        if folder.is_empty() {
            writer.entries(&node, &root.try_clone().map_err(|error| unwritable(dest, error))?.into())?;
        } else {
            writer.path.push(os(folder));
            writer.directory(
                &node,
                &root.try_clone().map_err(|error| unwritable(dest, error))?.into(),
                folder,
            )?;
        }
    }
    Ok(summary)
}

struct Local<'a> {
    tree: &'a MergedTree,
    dest: &'a Path,
    /// Where we are, below `dest`.
    path: PathBuf,
    cancel: &'a Cancel,
    summary: &'a mut ExportSummary,
}

impl Local<'_> {
    fn entries(&mut self, node: &MergedNode, dir: &OwnedFd) -> Result<()> {
        for (name, child) in self.tree.children(node)? {
            check(self.cancel)?;
            self.path.push(os(&name));
            match &self.tree.meta(&child).kind {
                Kind::Dir => self.directory(&child, dir, &name)?,
                Kind::File => self.file(&child, dir, &name)?,
                Kind::Symlink(target) => self.link(target, dir, &name)?,
                Kind::Socket => {}
                Kind::Fifo | Kind::Char(_) | Kind::Block(_) => {
                    let path = self.path.display();
                    return Err(Error::op(format!("the result holds {path}, which is no file to write out")));
                }
            }
            self.path.pop();
        }
        Ok(())
    }

    fn directory(&mut self, node: &MergedNode, dir: &OwnedFd, name: &[u8]) -> Result<()> {
        let mode = self.tree.meta(node).mode;
        let opened = dalec_output::directory(dir, os(name), mode).map_err(|error| self.failed(error))?;
        self.entries(node, &opened)
    }

    fn file(&mut self, node: &MergedNode, dir: &OwnedFd, name: &[u8]) -> Result<()> {
        let Meta { mode, size, mtime, .. } = *self.tree.meta(node);
        self.summary.bytes += size;
        self.summary.files.push(self.path.clone());
        let failed = |error| self.failed(error);
        let mut content = self.tree.open(node)?;
        if dalec_output::is_there(dir, os(name), mode, size, &mut content).map_err(failed)? {
            return Ok(());
        }
        let mut write = || {
            content.rewind()?;
            let mut file = Unplaced::create(dir)?;
            io::copy(&mut content, file.file())?;
            file.place(os(name), mode, mtime)
        };
        write().map_err(failed)?;
        self.summary.written += 1;
        Ok(())
    }

    fn link(&mut self, target: &[u8], dir: &OwnedFd, name: &[u8]) -> Result<()> {
        self.summary.files.push(self.path.clone());
        let written = dalec_output::symlink(dir, os(name), os(target)).map_err(|error| self.failed(error))?;
        self.summary.written += usize::from(written);
        Ok(())
    }

    fn failed(&self, error: impl Into<io::Error>) -> Error {
        unwritable(&self.dest.join(&self.path), error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn result() -> (tempfile::TempDir, MergedTree) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("sub")).unwrap();
        fs::write(dir.path().join("sub/file"), "content").unwrap();
        fs::set_permissions(dir.path().join("sub/file"), fs::Permissions::from_mode(0o4750)).unwrap();
        symlink("/etc/passwd", dir.path().join("link")).unwrap();
        let tree = MergedTree::new(vec![dir.path().to_owned()]);
        (dir, tree)
    }

    fn run(tree: &MergedTree, dest: &Path) -> Result<ExportSummary> {
        export(&[(Vec::new(), tree.clone())], dest, &Cancel::new())
    }

    #[test]
    fn files_are_merged_and_the_same_ones_left_alone() {
        let (_dir, tree) = result();
        let out = tempfile::tempdir().unwrap();
        let dest = out.path().join("new/dest");
        fs::create_dir_all(&dest).unwrap();
        fs::write(dest.join("other"), "stays").unwrap();
        assert_eq!(run(&tree, &dest).unwrap().written, 2);
        let inode = fs::metadata(dest.join("sub/file")).unwrap();
        assert_eq!(inode.mode() & 0o7777, 0o750);
        let again = run(&tree, &dest).unwrap();
        assert_eq!((again.written, again.bytes, again.files.len()), (0, 7, 2));
        assert_eq!(fs::metadata(dest.join("sub/file")).unwrap().ino(), inode.ino());
        fs::write(dest.join("sub/file"), "Content").unwrap();
        assert_eq!(run(&tree, &dest).unwrap().written, 1);
        let mut names: Vec<_> =
            fs::read_dir(&dest).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["link", "other", "sub"]);
        assert_eq!(fs::read_dir(dest.join("sub")).unwrap().count(), 1);
    }

    #[test]
    fn links_in_the_destination_are_not_followed() {
        let (_dir, tree) = result();
        let out = tempfile::tempdir().unwrap();
        let (dest, outside) = (out.path().join("dest"), out.path().join("outside"));
        fs::create_dir_all(&dest).unwrap();
        fs::create_dir_all(&outside).unwrap();
        symlink(&outside, dest.join("sub")).unwrap();
        let error = run(&tree, &dest).unwrap_err().to_string();
        assert_eq!(error, format!("cannot write {}", dest.join("sub").display()));
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_in_the_way_is_an_error_and_nothing_is_left() {
        let (_dir, tree) = result();
        let dest = tempfile::tempdir().unwrap();
        fs::create_dir_all(dest.path().join("sub/file/full")).unwrap();
        assert!(run(&tree, dest.path()).is_err());
        assert_eq!(fs::read_dir(dest.path().join("sub")).unwrap().count(), 1);
    }
}
