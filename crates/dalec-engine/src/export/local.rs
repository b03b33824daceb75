//! Results into a directory of the host.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{ExportSummary, check, unwritable};
use crate::Cancel;
use crate::error::{Error, Result};
use crate::snapshot::write::{open_dir, os, times};
use crate::snapshot::{Kind, MergedNode, MergedTree, Meta, Tree, random_hex};

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
        let mode = Mode::from_raw_mode(self.tree.meta(node).mode & 0o777 | 0o700);
        let made = match rustix::fs::mkdirat(dir, os(name), mode) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(self.failed(error)),
        };
        let opened = open_dir(dir, name).map_err(|error| self.failed(error))?;
        if made {
            // Not what the umask left of it.
            rustix::fs::fchmod(&opened, mode).map_err(|error| self.failed(error))?;
        }
        self.entries(node, &opened)
    }

    fn file(&mut self, node: &MergedNode, dir: &OwnedFd, name: &[u8]) -> Result<()> {
        let meta = self.tree.meta(node);
        self.summary.bytes += meta.size;
        self.summary.files.push(self.path.clone());
        if self.is_there(node, meta, dir, name)? {
            return Ok(());
        }
        let mut content = self.tree.open(node)?;
        self.write(&mut content, meta, dir, name).map_err(|error| self.failed(error))?;
        self.summary.written += 1;
        Ok(())
    }

    /// Returns whether the same file is there already.
    fn is_there(&self, node: &MergedNode, meta: &Meta, dir: &OwnedFd, name: &[u8]) -> Result<bool> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let Ok(there) = rustix::fs::openat(dir, os(name), flags, Mode::empty()) else { return Ok(false) };
        let stat = rustix::fs::fstat(&there).map_err(|error| self.failed(error))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile
            || stat.st_mode & 0o7777 != meta.mode
            || stat.st_size as u64 != meta.size
        {
            return Ok(false);
        }
        let (mut there, mut ours) = (File::from(there), self.tree.open(node)?);
        same_content(&mut there, &mut ours).map_err(|error| self.failed(error))
    }

    fn write(&self, content: &mut File, meta: &Meta, dir: &OwnedFd, name: &[u8]) -> io::Result<()> {
        let temporary = temporary_name()?;
        let mut fill = |mut file: &File| -> io::Result<()> {
            io::copy(content, &mut file)?;
            file.flush()?;
            rustix::fs::fchmod(file, Mode::from_raw_mode(meta.mode))?;
            Ok(rustix::fs::futimens(file, &times(meta.mtime))?)
        };
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        match rustix::fs::openat(dir, c".", flags, Mode::RUSR | Mode::WUSR) {
            // A file without a name cannot be left over.
            Ok(file) => {
                let file = File::from(file);
                fill(&file)?;
                let path = format!("/proc/self/fd/{}", file.as_raw_fd());
                rustix::fs::linkat(CWD, path, dir, temporary.as_str(), AtFlags::SYMLINK_FOLLOW)?;
            }
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let mode = Mode::RUSR | Mode::WUSR;
                let file = File::from(rustix::fs::openat(dir, temporary.as_str(), flags, mode)?);
                fill(&file).inspect_err(|_| remove(dir, &temporary))?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(rename(dir, &temporary, name)?)
    }

    fn link(&mut self, target: &[u8], dir: &OwnedFd, name: &[u8]) -> Result<()> {
        self.summary.files.push(self.path.clone());
        let there = rustix::fs::readlinkat(dir, os(name), Vec::new());
        if there.is_ok_and(|there| there.to_bytes() == target) {
            return Ok(());
        }
        let make = || -> io::Result<()> {
            let temporary = temporary_name()?;
            rustix::fs::symlinkat(os(target), dir, temporary.as_str())?;
            Ok(rename(dir, &temporary, name)?)
        };
        make().map_err(|error| self.failed(error))?;
        self.summary.written += 1;
        Ok(())
    }

    fn failed(&self, error: impl Into<io::Error>) -> Error {
        unwritable(&self.dest.join(&self.path), error.into())
    }
}

fn rename(dir: &OwnedFd, temporary: &str, name: &[u8]) -> Result<(), Errno> {
    rustix::fs::renameat(dir, temporary, dir, os(name)).inspect_err(|_| remove(dir, temporary))
}

fn remove(dir: &OwnedFd, name: &str) {
    // There is nothing more to do about a leftover that cannot be removed.
    let _ = rustix::fs::unlinkat(dir.as_fd(), name, AtFlags::empty());
}

fn temporary_name() -> io::Result<String> {
    let random = random_hex(8).map_err(io::Error::other)?;
    Ok(format!(".dalec-{random}"))
}

fn same_content(one: &mut File, other: &mut File) -> io::Result<bool> {
    let (mut first, mut second) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let length = one.read(&mut first)?;
        if length == 0 {
            return Ok(other.read(&mut second)? == 0);
        }
        match other.read_exact(&mut second[..length]) {
            Ok(()) if first[..length] == second[..length] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
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
        assert_eq!(inode.mode() & 0o7777, 0o4750);
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
