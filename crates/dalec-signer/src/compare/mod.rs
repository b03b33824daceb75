//! Whether a signer changed nothing but signatures: what was built, held against what came back.
//!
//! A signer may put signatures into packages, programs and lists of files, and signature files beside anything. Every
//! other byte has to be what it was, nothing may be missing, and nothing else may be new. Whose signatures they are is
//! reported as they say it: without a keyring nobody can know more, and [`crate::verify`] is there for that.
//!
//! The answer is taken as hostile: no link in it is followed, sizes are held against what was built before anything is
//! read, and devices are refused. Owners, times and attributes of files are not compared: no package depends on them,
//! and signers lose them.

mod beside;
mod file;
mod part;
mod report;
mod text;
mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use part::{Part, differences};
pub use report::{Artifact, Comparison, Signature};
use tree::{Entry, shown};

/// A built tree with more entries is not compared.
const MOST_BUILT: usize = 1 << 20;
/// How many signature files there may be beside each file.
const MOST_BESIDE: usize = 8;
/// How many differences are told.
const MOST_DIFFERENCES: usize = 64;

/// Something that is not a signature and differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where, from the top of the tree; without anything that a terminal would act on.
    pub path: String,
    /// What.
    pub change: Change,
}

/// How something differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It did not come back.
    Missing,
    /// It was not built, and it is no signature beside something that was.
    Added,
    /// It was not built, and it is no signature although its name says so.
    NoSignature {
        /// What is wrong with it.
        reason: String,
    },
    /// A part of it has other bytes.
    Part {
        /// Which, as in "payload".
        name: String,
    },
    /// A part of it is gone.
    PartMissing {
        /// Which.
        name: String,
    },
    /// It has a part that was not there.
    PartAdded {
        /// Which.
        name: String,
    },
    /// Its parts are in another order.
    Order,
    /// It is far longer than signatures would make it.
    Grown {
        /// By how many bytes.
        by: u64,
    },
    /// It is another kind of thing, such as a link in place of a file.
    Type {
        /// What was built.
        before: &'static str,
        /// What came back.
        after: &'static str,
    },
    /// It may be executed, and could not before, or the other way round.
    Mode {
        /// Permissions as built.
        before: u32,
        /// Permissions that came back.
        after: u32,
    },
    /// It was a package, and cannot be read as one any more.
    Broken {
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.change {
            Change::Missing => write!(out, "{path} is missing"),
            Change::Added => write!(out, "{path} was added, and is no signature of a file that was built"),
            Change::NoSignature { reason } => write!(out, "{path} was added, and is no signature: {reason}"),
            Change::Part { name } => write!(out, "{path}: its {name} was changed"),
            Change::PartMissing { name } => write!(out, "{path}: its {name} is missing"),
            Change::PartAdded { name } => write!(out, "{path}: a {name} was added"),
            Change::Order => write!(out, "{path}: its parts are in another order"),
            Change::Grown { by } => write!(out, "{path} has grown by {by} bytes"),
            Change::Type { before, after } => write!(out, "{path} was a {before} and is a {after} now"),
            Change::Mode { before, after } => {
                write!(out, "{path} had the mode {before:04o} and has {after:04o} now")
            }
            Change::Broken { reason } => write!(out, "{path} was damaged: {reason}"),
        }
    }
}

/// Why a signer's answer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A tree cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A tree has more entries than anybody would build or sign.
    #[error("there are more than {limit} files in {}", path.display())]
    TooMany {
        /// The tree.
        path: PathBuf,
        /// How many there may be.
        limit: usize,
    },
    /// More than signatures differs. Long lists are cut.
    #[error("the signer changed more than signatures:{}", lines(differences))]
    Different {
        /// What differs, by path.
        differences: Vec<Difference>,
    },
}

fn lines(differences: &[Difference]) -> String {
    differences.iter().map(|difference| format!("\n  {difference}")).collect()
}

/// Compares the tree `signed` that came back from a signer with the tree `built` that it was given.
///
/// # Errors
/// [`CompareError::Different`] when anything but signatures differs, and otherwise when a tree cannot be read.
pub fn compare(built: &Path, signed: &Path) -> Result<Comparison, CompareError> {
    let before = tree::walk(built, MOST_BUILT)?;
    let after = tree::walk(signed, before.len().saturating_mul(MOST_BESIDE) + MOST_BESIDE)?;
    let mut trees =
        Trees { built, signed, before, after, differences: Vec::new(), artifacts: BTreeMap::new() };
    trees.compare_built()?;
    trees.compare_added()?;
    match trees.differences.is_empty() {
        true => Ok(Comparison { artifacts: trees.artifacts.into_values().collect() }),
        false => {
            trees.differences.sort_by(|one, other| one.path.cmp(&other.path));
            trees.differences.truncate(MOST_DIFFERENCES);
            Err(CompareError::Different { differences: trees.differences })
        }
    }
}

/// What a comparison is about, and how far it came.
struct Trees<'a> {
    built: &'a Path,
    signed: &'a Path,
    before: BTreeMap<PathBuf, Entry>,
    after: BTreeMap<PathBuf, Entry>,
    differences: Vec<Difference>,
    /// What is the same but for signatures.
    artifacts: BTreeMap<PathBuf, Artifact>,
}

impl Trees<'_> {
    /// Compares everything that was built.
    fn compare_built(&mut self) -> Result<(), CompareError> {
        for (path, before) in &self.before {
            let differs = |change| Difference { path: shown(path), change };
            let Some(after) = self.after.get(path) else {
                self.differences.push(differs(Change::Missing));
                continue;
            };
            match (before, after) {
                (Entry::Directory, Entry::Directory) => {}
                (Entry::Link(before), Entry::Link(after)) if before == after => {}
                (Entry::Link(_), Entry::Link(_)) => {
                    self.differences.push(differs(Change::Part { name: "target".to_owned() }));
                }
                (Entry::File { mode: before, .. }, Entry::File { mode: after, .. }) => {
                    if tree::is_other_mode(*before, *after) {
                        self.differences.push(differs(Change::Mode { before: *before, after: *after }));
                    }
                    match self.compare_file(path)? {
                        Ok(artifact) => drop(self.artifacts.insert(path.clone(), artifact)),
                        Err(changes) => self.differences.extend(changes.into_iter().map(differs)),
                    }
                }
                _ => {
                    let (before, after) = (before.name(), after.name());
                    self.differences.push(differs(Change::Type { before, after }));
                }
            }
        }
        Ok(())
    }

    /// Compares one file that is in both trees.
    fn compare_file(&self, path: &Path) -> Result<Result<Artifact, Vec<Change>>, CompareError> {
        let pair = file::Pair::open(&self.built.join(path), &self.signed.join(path))?;
        pair.compare(path, |listed| self.is_changed(path, listed))
    }

    /// Returns the file `listed` beside `path` that came back, if it was built and is there.
    fn is_changed(&self, path: &Path, listed: &Path) -> Option<PathBuf> {
        let path = path.parent()?.join(listed);
        let is_file = |tree: &BTreeMap<PathBuf, Entry>| matches!(tree.get(&path), Some(Entry::File { .. }));
        (is_file(&self.before) && is_file(&self.after)).then(|| self.signed.join(&path))
    }

    /// Looks at everything that was not built: only signatures beside files may be new.
    fn compare_added(&mut self) -> Result<(), CompareError> {
        let Self { before, after, artifacts, differences, .. } = self;
        for (path, entry) in after.iter().filter(|(path, _)| !before.contains_key(*path)) {
            let change = match (beside::signed_file(path), entry) {
                (Some((form, of)), Entry::File { .. })
                    if matches!(before.get(&of), Some(Entry::File { .. })) =>
                {
                    let artifact = artifacts.get_mut(&of);
                    match beside::read(&self.signed.join(path), form, artifact.as_deref())? {
                        Ok(signatures) => {
                            if let Some(artifact) = artifact {
                                artifact.signatures.extend(signatures);
                            }
                            continue;
                        }
                        Err(reason) => Change::NoSignature { reason },
                    }
                }
                _ => Change::Added,
            };
            differences.push(Difference { path: shown(path), change });
        }
        Ok(())
    }
}

/// Returns what turns an error of reading `path` into ours.
fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> CompareError {
    let path = path.to_owned();
    |source| CompareError::Read { path, source }
}
