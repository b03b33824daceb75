//! Files of a commit onto the disk: git writes them, so that what it converts is converted, and nothing else of git's
//! settings plays a part. Times and permissions are the same wherever and whenever that happens.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, ResolveFlags};

use super::error::GitError;
use super::git_dir;
use super::listing::{self, Listing};
use super::remote::Remote;
use super::repository::Repository;
use super::request::{Request, is_hash};
use super::resolve::Resolved;
use super::setup::Setup;
use super::submodules::Addresses;
use crate::CONSTANT_MTIME;
use crate::error::{IoContext, Result};
use crate::ops::OpContext;
use crate::snapshot::write;
use crate::store::remove_tree;

/// How deep submodules may lie in each other.
const DEEPEST: usize = 16;
/// Most submodules that are fetched.
const MOST_SUBMODULES: usize = 1000;

/// Writes out one request.
pub struct Checkout<'a> {
    /// The op.
    pub context: &'a OpContext<'a>,
    /// How git is started.
    pub setup: &'a Setup,
    /// What is asked for.
    pub request: &'a Request,
    /// Directory of the repositories.
    pub kept: &'a Path,
    /// Directory for what is made on the way.
    pub work: &'a Path,
}

/// What is counted over all submodules.
#[derive(Default)]
struct Progress {
    listing: Listing,
    submodules: usize,
}

impl Checkout<'_> {
    /// Fetches and writes what the request asks for; returns the directory that holds it, which is below `work`.
    ///
    /// # Errors
    /// When it cannot be fetched or written, or is more than is taken.
    pub fn run(&self, resolved: &Resolved) -> Result<PathBuf> {
        let tree = self.work.join("tree");
        fs::create_dir(&tree).at("make the directory", &tree)?;
        let repository = self.open(&self.request.remote, &resolved.object)?;
        let commit = repository.fetch(resolved)?;
        let time = match self.request.commit_time {
            true => commit_time(&repository, &commit)?,
            false => CONSTANT_MTIME,
        };
        let mut progress = Progress::default();
        self.write(&repository, &commit, &tree, &mut progress)?;
        if self.request.has_git_dir() {
            git_dir::write(
                &repository,
                &self.request.remote,
                resolved,
                &commit,
                &tree.join(".git"),
                self.work,
            )?;
        }
        let submodules = progress.listing.take_submodules();
        let addresses = match self.request.skip_submodules || submodules.is_empty() {
            true => None,
            false => Some(Addresses::read(&repository, &self.request.remote, &commit)?),
        };
        // Two repositories may be submodules of each other: none is held while others are waited for.
        drop(repository);
        if let Some(addresses) = addresses {
            self.submodules(&addresses, submodules, &tree, 1, &mut progress)?;
        }
        let part = self.part(&tree, &commit)?;
        settle(&part, time, &|| self.context.check())?;
        Ok(part)
    }

    fn open<'a>(&'a self, remote: &'a Remote, hash: &str) -> Result<Repository<'a>> {
        Repository::open(self.context, self.setup, remote, self.kept, hash)
    }

    /// Writes the files of a commit into the empty directory `dir`.
    fn write(
        &self,
        repository: &Repository<'_>,
        commit: &str,
        dir: &Path,
        progress: &mut Progress,
    ) -> Result<()> {
        let (remote, listing) = (repository.remote(), &mut progress.listing);
        let arguments = [&listing::ARGUMENTS[..], &[commit]].concat();
        let mut is_empty = true;
        let ran = repository.call().stream(&arguments, &mut |piece| {
            is_empty = false;
            listing.take(remote, commit, piece)
        })?;
        if !ran.status.success() {
            return Err(GitError::of_words("list files of", remote, &self.setup.login, &ran.words).into());
        }
        if is_empty {
            return Ok(());
        }
        let index = self.work.join("index");
        let call = repository.call().work_tree(dir, &index);
        let ran = call.stream(&["checkout", "--no-overlay", commit, "--", "."], &mut |_| Ok(()))?;
        // It leaves out files with paths that it does not like, and goes on.
        if !ran.status.success() || ran.words.lines().any(|line| line.starts_with("error: ")) {
            return Err(GitError::of_words("write files of", remote, &self.setup.login, &ran.words).into());
        }
        remove_tree(&index).at("remove", &index)
    }

    fn submodules(
        &self,
        addresses: &Addresses,
        submodules: Vec<listing::Submodule>,
        tree: &Path,
        depth: usize,
        progress: &mut Progress,
    ) -> Result<()> {
        for submodule in submodules {
            let Some(remote) = addresses.of(&submodule.path)? else { continue };
            progress.submodules += 1;
            let refused = match () {
                () if depth > DEEPEST => "submodules lie too deep in each other",
                () if progress.submodules > MOST_SUBMODULES => "there are too many submodules",
                () if !is_hash(&submodule.commit) => "it is no commit",
                () => "",
            };
            if !refused.is_empty() {
                return Err(addresses.refused(&submodule.path, refused).into());
            }
            if !is_free(tree, &submodule.path) {
                let refused = "there is no empty directory for it";
                return Err(addresses.refused(&submodule.path, refused).into());
            }
            let dir = tree.join(&submodule.path);
            let resolved = Resolved::hash(&submodule.commit);
            let repository = self.open(&remote, &submodule.commit)?;
            let commit = repository.fetch(&resolved)?;
            self.write(&repository, &commit, &dir, progress)?;
            let inner = progress.listing.take_submodules();
            if !inner.is_empty() {
                let addresses = Addresses::read(&repository, &remote, &commit)?;
                drop(repository);
                self.submodules(&addresses, inner, &dir, depth + 1, progress)?;
            }
        }
        Ok(())
    }

    /// Returns the directory that is taken of `tree`. Links on the way to it are not followed.
    fn part(&self, tree: &Path, commit: &str) -> Result<PathBuf> {
        let mut part = tree.to_owned();
        for name in self.request.subdir.split('/').filter(|name| !name.is_empty()) {
            part.push(name);
            if !fs::symlink_metadata(&part).is_ok_and(|found| found.is_dir()) {
                return Err(GitError::NoSuchDirectory {
                    remote: self.request.remote.url().to_owned(),
                    commit: commit.to_owned(),
                    path: self.request.subdir.clone(),
                }
                .into());
            }
        }
        Ok(part)
    }
}

/// Returns whether `path` is an empty directory in `tree`, with no link on the way to it. Git makes one for each
/// submodule, but a commit can have two things of one name, and then it is what came last.
fn is_free(tree: &Path, path: &str) -> bool {
    let directory = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let open = || {
        let tree = rustix::fs::open(tree, directory, Mode::empty())?;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        rustix::fs::openat2(&tree, path, directory, Mode::empty(), beneath)
    };
    let entries = open().and_then(Dir::new);
    entries.is_ok_and(|mut entries| {
        entries.all(|entry| entry.is_ok_and(|entry| matches!(entry.file_name().to_bytes(), b"." | b"..")))
    })
}

/// Returns when the commit was made.
fn commit_time(repository: &Repository<'_>, commit: &str) -> Result<i64> {
    let arguments = ["show", "--no-patch", "--format=%ct", commit];
    let answer = repository.call().output("read a commit of", &arguments)?;
    Ok(String::from_utf8_lossy(&answer).trim().parse().unwrap_or(CONSTANT_MTIME))
}

/// Gives everything below `dir`, and `dir`, its time and its permissions, which depend on nothing but what git keeps.
fn settle(dir: &Path, time: i64, check: &dyn Fn() -> Result<()>) -> Result<()> {
    check()?;
    for entry in fs::read_dir(dir).at("read the directory", dir)? {
        let entry = entry.at("read the directory", dir)?;
        let (path, kind) = (entry.path(), entry.file_type().at("look at", entry.path())?);
        if kind.is_dir() {
            settle(&path, time, check)?;
            continue;
        }
        if kind.is_file() {
            let mode = entry.metadata().at("look at", &path)?.permissions().mode();
            let mode = if mode & 0o100 == 0 { 0o644 } else { 0o755 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).at("set the mode of", &path)?;
        }
        set_time(&path, time)?;
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).at("set the mode of", dir)?;
    set_time(dir, time)
}

fn set_time(path: &Path, time: i64) -> Result<()> {
    let times = write::times((time, 0));
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).at("set the time of", path)
}
