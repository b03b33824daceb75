//! Looks at a directory of the host and digests what it has not digested before.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use dalec_files::{PrivateKeys, Selection, Without, follow_links};
use rustix::fs::{AtFlags, CWD, FileType, Stat};

use super::index::{Index, Stamp};
use super::{LocalNode, LocalRequest, LocalTree, open};
use crate::CONSTANT_MTIME;
use crate::cachekey::Key;
use crate::error::{Error, IoContext, Result};
use crate::snapshot::{Kind, Meta, lstat};
use crate::store::Store;

/// Looks at the directory. Files whose size, times and inode are those of an earlier scan are not read.
/// Private keys among them are told to `keys`.
///
/// # Errors
/// When the directory is missing, or something in it cannot be read.
pub fn scan(
    store: &Store,
    request: &LocalRequest,
    keys: &PrivateKeys,
    check: &dyn Fn() -> Result<()>,
) -> Result<LocalTree> {
    let root = &request.root;
    match lstat_root(root)? {
        Some(meta) if meta.is_dir() => {}
        Some(_) => return Err(missing(root, "is not a directory")),
        None => return Err(missing(root, "does not exist")),
    }
    let mut include = request.include.clone();
    for path in follow_links(root, &request.follow, check)? {
        if !include.contains(&path) {
            include.push(path);
        }
    }
    let view = request.view();
    let index = Index::load(store.scan(&view)?.as_deref());
    let selection = Selection::new(&include, &request.exclude)?;
    let without = request.withheld.within(root);
    let mut scan = Scan { selection, known: &index, seen: Index::starting_now(), without, keys, check };
    let mut path = Vec::new();
    let mut node = scan.dir(root, &mut path, directory(0o755))?;
    node.meta.mode = 0o755;
    if scan.seen.differs_from(&index) {
        store.put_scan(&view, &scan.seen.to_bytes())?;
    }
    Ok(LocalTree { root: Arc::new(node) })
}

struct Scan<'a> {
    selection: Selection,
    known: &'a Index,
    seen: Index,
    without: Without<'a>,
    keys: &'a PrivateKeys,
    check: &'a dyn Fn() -> Result<()>,
}

impl Scan<'_> {
    fn dir(&mut self, dir: &Path, path: &mut Vec<u8>, meta: Meta) -> Result<LocalNode> {
        (self.check)()?;
        let mut children = Vec::new();
        let mut names = crate::snapshot::list(dir)?;
        names.sort_unstable();
        for name in names {
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(&name);
            let host = dir.join(crate::snapshot::write::os(&name));
            if let Some(node) = self.entry(&host, path)? {
                children.push((name, Arc::new(node)));
            }
            path.truncate(length);
        }
        Ok(LocalNode { meta, path: dir.to_owned(), content: None, children })
    }

    fn entry(&mut self, host: &Path, path: &mut Vec<u8>) -> Result<Option<LocalNode>> {
        let included = self.selection.includes(path);
        if !included && !self.selection.may_include_below(path) {
            return Ok(None);
        }
        let stat = match rustix::fs::statat(CWD, host, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Removed since the directory was listed: then it is not there.
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error).at("look at", host),
        };
        if self.without.holds(path, stat.st_dev, stat.st_ino) {
            return Ok(None);
        }
        let mode = stat.st_mode & 0o7777;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let empty = !self.selection.may_include_below(path);
                let node = match empty {
                    true => leaf(host, directory(mode), None),
                    false => self.dir(host, path, directory(mode))?,
                };
                let is_asked_for = included && !self.without.is_above(path);
                Ok((is_asked_for || !node.children.is_empty()).then_some(node))
            }
            _ if !included => Ok(None),
            FileType::RegularFile => self.file(host, path, &stat).map(Some),
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(CWD, host, Vec::new()).at("read the link", host)?;
                Ok(Some(leaf(host, meta(Kind::Symlink(target.into_bytes()), 0o777, 0), None)))
            }
            _ => Ok(None),
        }
    }

    fn file(&mut self, host: &Path, path: &[u8], stat: &Stat) -> Result<LocalNode> {
        self.keys.look(host, stat.st_size as u64, open);
        let stamp = Stamp::of(stat);
        if let Some(content) = self.known.get(path, &stamp) {
            self.seen.insert(path, stamp, content);
            let meta = meta(Kind::File, stat.st_mode & 0o7777, stat.st_size as u64);
            return Ok(leaf(host, meta, Some(content)));
        }
        let file = open(host).map_err(|source| unreadable(host, source))?;
        let (content, size) = digest(&file).map_err(|source| unreadable(host, source))?;
        // What counts is how the file looks after it was read; when it changed meanwhile its stamp is too
        // young to be trusted next time.
        let after = rustix::fs::fstat(&file).at("look at", host)?;
        self.seen.insert(path, Stamp::of(&after), content);
        Ok(leaf(host, meta(Kind::File, after.st_mode & 0o7777, size), Some(content)))
    }
}

fn digest(mut file: &File) -> io::Result<(Key, u64)> {
    let mut hasher = blake3::Hasher::new();
    let size = io::copy(&mut file, &mut hasher)?;
    Ok((Key(*hasher.finalize().as_bytes()), size))
}

fn lstat_root(root: &Path) -> Result<Option<Meta>> {
    // The name of the directory itself may be a link: the user gave it.
    match std::fs::canonicalize(root) {
        Ok(path) => lstat(&path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).at("find", root),
    }
}

fn leaf(host: &Path, meta: Meta, content: Option<Key>) -> LocalNode {
    LocalNode { meta, path: host.to_owned(), content, children: Vec::new() }
}

fn directory(mode: u32) -> Meta {
    meta(Kind::Dir, mode, 0)
}

fn meta(kind: Kind, mode: u32, size: u64) -> Meta {
    Meta {
        kind,
        mode,
        uid: 0,
        gid: 0,
        size,
        mtime: (CONSTANT_MTIME, 0),
        inode: (0, 0),
        has_other_names: false,
    }
}

fn missing(root: &Path, what: &str) -> Error {
    Error::Op {
        message: format!("{} {what}", root.display()),
        hint: "name an existing directory".into(),
        source: None,
    }
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    let hint = match source.kind() {
        io::ErrorKind::PermissionDenied => {
            "make it readable, or leave it out with `excludes` in the source of the spec"
        }
        _ => "",
    };
    Error::Op {
        message: format!("cannot read {}", path.display()),
        hint: hint.into(),
        source: Some(Box::new(source)),
    }
}
