//! The copy action: what it reads, and how it is written. Follows BuildKit's file backend.

mod source;
mod unpack;
mod write;

use bollard_buildkit_proto::pb;
use dalec_files::Selection;
use rustix::fs::FileType;

use super::OpContext;
use super::destination::{Destination, Place};
use super::owner::Owner;
use crate::CONSTANT_MTIME;
use crate::error::{Error, Result};
use crate::snapshot::resolve::{clean, components};
use crate::snapshot::write::Attributes;
use crate::snapshot::{Kind, MergedTree, Tree};

pub use source::{CopySource, Match};
use write::Writer;

/// How what is copied differs from its original, and where it goes.
#[derive(Debug, Clone)]
pub struct CopyTarget {
    /// Destination path; one that ends in `/` is a directory.
    pub dest: String,
    /// Permission bits for everything.
    pub mode: Option<u32>,
    /// Owner of everything.
    pub owner: Owner,
    /// Time of last change of everything.
    pub mtime: Option<(i64, u32)>,
    /// Copy what a directory holds rather than the directory.
    pub contents_only: bool,
    /// Make the parent directories of the destination.
    pub make_parents: bool,
    /// Something of another type in the way is replaced.
    pub replace: bool,
    /// What archives hold is copied in their place.
    pub unpack: bool,
}

impl CopyTarget {
    /// Reads the action.
    ///
    /// # Errors
    /// When it asks for something that this engine cannot do.
    pub fn new(copy: &pb::FileActionCopy, owner: Owner) -> Result<Self> {
        let mode = match (copy.mode_str.as_str(), copy.mode) {
            ("", -1) => None,
            ("", mode) => Some(mode as u32 & 0o7777),
            (text, _) => Some(octal(text)?),
        };
        Ok(Self {
            dest: copy.dest.clone(),
            mode,
            owner,
            mtime: (copy.timestamp != -1).then(|| super::file::from_nanoseconds(copy.timestamp)),
            contents_only: copy.dir_copy_contents,
            make_parents: copy.create_dest_path,
            replace: copy.always_replace_existing_dest_paths,
            unpack: copy.attempt_unpack_docker_compatibility,
        })
    }

    /// Returns what directories get that are only made on the way.
    fn on_the_way(&self) -> Attributes {
        Attributes {
            mode: 0o755,
            uid: self.owner.uid.unwrap_or(0),
            gid: self.owner.gid.unwrap_or(0),
            mtime: self.mtime.unwrap_or((CONSTANT_MTIME, 0)),
            xattrs: Default::default(),
        }
    }
}

fn octal(text: &str) -> Result<u32> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| Error::op(format!("permission bits {text:?} are not supported, only octal ones")))
}

/// Copies what `source` names in `tree`.
///
/// # Errors
/// When nothing matches, something is in the way, something cannot be read or written, or someone says stop.
pub fn copy<T: Tree>(
    context: &OpContext<'_>,
    tree: &T,
    source: &CopySource,
    target: &CopyTarget,
    destination: &Destination,
) -> Result<()> {
    let check = || context.check();
    let way = target.on_the_way();
    let missing = target.make_parents.then_some(&way);
    let matches = source.matches(tree)?;
    if matches.is_empty() && source.allow_empty {
        return Ok(());
    }
    if matches.is_empty() {
        return Err(Error::op(format!("{} not found", source.path)));
    }
    let dest = clean(target.dest.as_bytes());
    let is_dir = target.dest.ends_with('/') || target.dest.ends_with("/.") || dest.is_empty();
    if is_dir {
        destination.dir(&dest, missing)?;
    } else {
        destination.entry(&dest, missing)?;
    }
    let mut writer = Writer::new(tree, target, destination.owners, source.selection()?, &check);
    for found in matches {
        if target.unpack
            && tree.meta(&found.node).kind == Kind::File
            && let Some(unpacked) = unpack::archive(context, tree.open(&found.node)?)?
        {
            let tree = MergedTree::new(vec![unpacked.path().to_owned()]);
            let target = CopyTarget { mode: None, mtime: None, replace: true, ..target.clone() };
            let place = destination.place(&dest, Some(&way))?;
            let mut writer =
                Writer::new(&tree, &target, destination.owners, Selection::new(&[], &[])?, &check);
            writer.directory(&tree.root()?, place)?;
            continue;
        }
        let place = match inside(tree, &found, target, destination, &dest)? {
            true => Place { dir: destination.dir(&dest, Some(&way))?, name: found.name },
            false => destination.place(&dest, Some(&way))?,
        };
        if tree.meta(&found.node).is_dir() {
            writer.directory(&found.node, place)?;
        } else {
            writer.single(&found.node, &place)?;
        }
    }
    Ok(())
}

/// Returns whether the copy goes into the directory at `dest`, instead of becoming `dest`.
fn inside<T: Tree>(
    tree: &T,
    found: &Match<T::Node>,
    target: &CopyTarget,
    destination: &Destination,
    dest: &[u8],
) -> Result<bool> {
    let there = match components(dest).next() {
        None => Some(FileType::Directory),
        // Directories on the way were made before, where that was asked for.
        Some(_) => match destination.place(dest, None) {
            Ok(place) => place.kind()?,
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        },
    };
    Ok(match tree.meta(&found.node).is_dir() {
        true => !target.contents_only && there.is_some() && !found.name.is_empty(),
        false => there == Some(FileType::Directory),
    })
}
