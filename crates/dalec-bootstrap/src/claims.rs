//! Which package owns which path, while many are unpacked at once in any order.
//!
//! The answer must not depend on who comes first, so it follows what packages say about each
//! other: one that `Replaces` another keeps the file; if neither does, both cannot be installed.
//! Directories are shared; the package set up first decides on their owner and mode.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use debversion::Version;

use crate::deb::MemberPath;
use crate::error::BootstrapError;
use crate::recipe::Recipe;
use crate::relation::{self, Relation};

/// Top-level directories that are links into `/usr`.
const MERGED: &[&[u8]] = &[b"bin", b"lib", b"lib32", b"lib64", b"libo32", b"libx32", b"sbin"];

/// Returns whether a path is one of the top-level names that are links into `/usr`.
pub(crate) fn is_merged(path: &[u8]) -> bool {
    MERGED.contains(&path)
}

/// Returns the path of a file as it is on disk: `usr/bin/ls` for `bin/ls`.
pub(crate) fn canonical(path: &[u8]) -> Vec<u8> {
    let first = path.split(|byte| *byte == b'/').next().unwrap_or_default();
    if is_merged(first) { [b"usr/", path].concat() } else { path.to_owned() }
}

/// Who may write a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The package that asked; what is there now, if anything, is a loser's.
    Mine,
    /// Another package, which replaces the one that asked.
    Theirs,
}

/// The state of all paths; packages are named by their position in the recipe.
pub(crate) struct Claims<'a> {
    recipe: &'a Recipe,
    replaces: Vec<OnceLock<String>>,
    files: Mutex<HashMap<Vec<u8>, usize>>,
    directories: Mutex<HashMap<Vec<u8>, usize>>,
    lost: Mutex<HashSet<(usize, Vec<u8>)>>,
}

impl<'a> Claims<'a> {
    pub(crate) fn new(recipe: &'a Recipe) -> Self {
        Self {
            recipe,
            replaces: recipe.packages.iter().map(|_| OnceLock::new()).collect(),
            files: Mutex::default(),
            directories: Mutex::default(),
            lost: Mutex::default(),
        }
    }

    /// Notes the `Replaces` field of a package, before its first file.
    pub(crate) fn set_replaces(&self, package: usize, field: &str) {
        // A package is read once, so nobody was here before.
        let _ = self.replaces[package].set(field.to_owned());
    }

    /// Decides who may write the file at `path`, and remembers it.
    ///
    /// # Errors
    /// [`BootstrapError::FileConflict`] if two packages have it and neither replaces the other.
    pub(crate) fn file(&self, package: usize, path: &MemberPath) -> Result<Verdict, BootstrapError> {
        let on_disk = canonical(path.as_bytes());
        let mut files = lock(&self.files);
        let owner = files.entry(on_disk.clone()).or_insert(package);
        if *owner == package {
            return Ok(Verdict::Mine);
        }
        let other = *owner;
        let (mine, theirs) = (self.does_replace(package, other), self.does_replace(other, package));
        // If each replaces the other, then the one set up last, as when installed in turn.
        let wins = match (mine, theirs) {
            (false, false) => return Err(self.conflict(package, other, &on_disk)),
            (true, true) => package > other,
            (mine, _) => mine,
        };
        let loser = if wins { other } else { package };
        lock(&self.lost).insert((loser, on_disk));
        if wins {
            *owner = package;
            return Ok(Verdict::Mine);
        }
        Ok(Verdict::Theirs)
    }

    /// Removes with `remove` what a loser left in the way of `package`, if it still is the owner.
    ///
    /// Nobody can become the owner of any file meanwhile, so a winner's file stays.
    pub(crate) fn clear<E>(
        &self,
        package: usize,
        path: &MemberPath,
        remove: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let files = lock(&self.files);
        if files.get(&canonical(path.as_bytes())) == Some(&package) { remove() } else { Ok(()) }
    }

    /// Calls `apply` if `package` decides on the attributes of a directory, given all so far.
    ///
    /// Nobody else can ask about any directory meanwhile.
    pub(crate) fn directory<E>(
        &self,
        package: usize,
        path: &[u8],
        apply: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let mut directories = lock(&self.directories);
        if directories.get(path).is_some_and(|first| *first <= package) {
            return Ok(());
        }
        apply()?;
        directories.insert(path.to_owned(), package);
        Ok(())
    }

    /// Returns the files, as they are on disk, that packages have but lost to others.
    pub(crate) fn lost(&self) -> HashSet<(usize, Vec<u8>)> {
        std::mem::take(&mut lock(&self.lost))
    }

    fn does_replace(&self, package: usize, other: usize) -> bool {
        let field = self.replaces[package].get().map(String::as_str).unwrap_or_default();
        let Ok(groups) = relation::parse(field) else { return false };
        let other = &self.recipe.packages[other];
        let version: Option<Version> = relation::parse_version(&other.version).ok();
        let replaces = |relation: &Relation<'_>| {
            relation.name == other.name && version.as_ref().is_some_and(|version| relation.accepts(version))
        };
        groups.iter().flatten().any(replaces)
    }

    fn conflict(&self, package: usize, other: usize, on_disk: &[u8]) -> BootstrapError {
        // Ordered, so that the message does not tell who was faster.
        let (first, second) = (package.min(other), package.max(other));
        BootstrapError::FileConflict {
            first: self.recipe.packages[first].name.clone(),
            second: self.recipe.packages[second].name.clone(),
            path: format!("/{}", String::from_utf8_lossy(on_disk)),
        }
    }
}

/// Locks; a panic elsewhere is reported by its own thread, and leaves no half-made entry here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
