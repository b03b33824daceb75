//! What was fetched of one repository: `STATE/git/NAME`, without files, shared by all commits and all builds.
//!
//! A commit is there when the reference `refs/dalec/HASH` is: git sets it when it has everything that the commit needs.
//! So a fetch that was cut off at any point leaves nothing that counts. One process works in a repository at a time.

use std::path::{Path, PathBuf};

use super::error::GitError;
use super::program::{Call, failed};
use super::remote::Remote;
use super::resolve::Resolved;
use super::setup::Setup;
use crate::cachekey::Key;
use crate::error::{IoContext, Result};
use crate::ops::{OpContext, wait_for_lock};
use crate::store::{Lock, remove_tree};

/// Files that a git that was killed leaves, and that others of its kind wait for.
const LEFT_LOCKS: [&str; 4] = ["shallow.lock", "config.lock", "packed-refs.lock", "HEAD.lock"];

/// A repository that nobody else works in.
pub struct Repository<'a> {
    context: &'a OpContext<'a>,
    setup: &'a Setup,
    remote: &'a Remote,
    dir: PathBuf,
    _lock: Lock,
}

impl<'a> Repository<'a> {
    /// Opens the repository, which is made when it is missing; `hash` is one of its commits.
    ///
    /// # Errors
    /// When it cannot be made, or someone says stop while others work in it.
    pub fn open(
        context: &'a OpContext<'a>,
        setup: &'a Setup,
        remote: &'a Remote,
        kept: &Path,
        hash: &str,
    ) -> Result<Self> {
        let format = if hash.len() == 64 { "sha256" } else { "sha1" };
        let mut hasher = Key::hasher("git repository");
        hasher.field(remote.url().as_bytes()).field(format.as_bytes());
        let name = hasher.finish().to_hex()[..40].to_owned();
        let lock = wait_for_lock(context, &format!("git-{name}"), "this repository")?;
        let repository = Self { context, setup, remote, dir: kept.join(name), _lock: lock };
        match repository.dir.is_dir() {
            true => repository.remove_left_locks()?,
            false => repository.init(format)?,
        }
        Ok(repository)
    }

    /// Returns where it was fetched from.
    pub fn remote(&self) -> &'a Remote {
        self.remote
    }

    /// Returns a call of git that works in it.
    pub fn call(&self) -> Call<'a> {
        Call::new(self.context, self.setup, self.remote).git_dir(&self.dir)
    }

    /// Fetches what `resolved` stands for, unless it is there, and returns the hash of the commit.
    ///
    /// # Errors
    /// When the server does not answer, refuses, or does not have it.
    pub fn fetch(&self, resolved: &Resolved) -> Result<String> {
        let object = resolved.object.as_str();
        if !self.has(object)? {
            self.fetch_missing(resolved)?;
        }
        let peeled = format!("{object}^{{commit}}");
        let ran = self.call().output("read a commit of", &["rev-parse", "--verify", "--quiet", &peeled]);
        let hash = ran.map(|answer| String::from_utf8_lossy(&answer).trim().to_owned());
        hash.map_err(|_| self.no_such_commit(object))
    }

    /// Tries the ways to get one commit, from the cheapest to the one that every server knows.
    fn fetch_missing(&self, resolved: &Resolved) -> Result<()> {
        let object = resolved.object.as_str();
        let by_hash = format!("+{object}:{}", place(object));
        let by_name = resolved.name.as_ref().map(|name| format!("+{name}:{}", place_of_name(name)));
        let single = [Some(by_hash), by_name];
        let everything = ["+refs/heads/*:refs/dalec/all/heads/*", "+refs/tags/*:refs/dalec/all/tags/*"];
        let shallow = single.iter().flatten().map(|spec| (vec!["--depth=1"], vec![spec.as_str()]));
        let deep = self.dir.join("shallow").exists().then_some("--unshallow");
        // A branch may be called like the folder of an earlier one.
        let deep = ["--prune"].into_iter().chain(deep).collect();
        for (options, specs) in shallow.chain([(deep, everything.to_vec())]) {
            let fetch = ["fetch", "--progress", "--force", "--no-tags", "--no-write-fetch-head"];
            let arguments: Vec<&str> =
                fetch.into_iter().chain(options).chain(["--", "origin"]).chain(specs).collect();
            let ran = self.call().stream(&arguments, &mut |_| Ok(()))?;
            if !ran.status.success() && !is_refusal(&ran.words) {
                return Err(failed(self.context, self.setup, self.remote, "fetch from", &ran.words).into());
            }
            if ran.status.success() && self.keep(object)? {
                return Ok(());
            }
        }
        Err(self.no_such_commit(object))
    }

    /// Returns whether the object is there with all that it needs.
    fn has(&self, object: &str) -> Result<bool> {
        let arguments = ["rev-parse", "--verify", "--quiet", &place(object)];
        Ok(self.call().stream(&arguments, &mut |_| Ok(()))?.status.success())
    }

    /// Marks an object that a successful fetch may have brought; returns whether it is there with all that it needs.
    fn keep(&self, object: &str) -> Result<bool> {
        // It may be left of a fetch that failed: what counts is what references lead to, which git has looked through.
        let needed = ["rev-list", "--objects", "--quiet", object, "--not", "--all"];
        if !self.call().stream(&needed, &mut |_| Ok(()))?.status.success() {
            return Ok(false);
        }
        let arguments = ["update-ref", &place(object), object];
        Ok(self.call().stream(&arguments, &mut |_| Ok(()))?.status.success())
    }

    fn no_such_commit(&self, commit: &str) -> crate::error::Error {
        GitError::NoSuchCommit { remote: self.remote.url().to_owned(), commit: commit.to_owned() }.into()
    }

    fn init(&self, format: &str) -> Result<()> {
        let work = self.context.core.store().work_dir()?;
        let dir = work.path().join("repository");
        let format = format!("--object-format={format}");
        let arguments =
            ["-c", "init.defaultBranch=main", "init", "--quiet", "--bare", "--template=", &format];
        Call::new(self.context, self.setup, self.remote).git_dir(&dir).output("prepare for", &arguments)?;
        std::fs::rename(&dir, &self.dir).at("make the repository", &self.dir)
    }

    fn remove_left_locks(&self) -> Result<()> {
        for name in LEFT_LOCKS {
            remove_tree(&self.dir.join(name)).at("remove", self.dir.join(name))?;
        }
        let is_lock = |name: &str| name.ends_with(".lock");
        remove_left(&self.dir.join("refs/dalec"), &is_lock)?;
        // Packs that did not become whole.
        remove_left(&self.dir.join("objects/pack"), &|name| is_lock(name) || name.starts_with("tmp_"))
    }
}

/// Removes the files below `dir` that have such a name.
fn remove_left(dir: &Path, is_left: &dyn Fn(&str) -> bool) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Ok(()) };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_left(&path, is_left)?;
        } else if entry.file_name().to_str().is_some_and(is_left) {
            remove_tree(&path).at("remove", &path)?;
        }
    }
    Ok(())
}

fn place(object: &str) -> String {
    format!("refs/dalec/{object}")
}

/// Returns where the reference called `name` goes; not below its own name, which may be the folder of another.
fn place_of_name(name: &str) -> String {
    let mut hasher = Key::hasher("git reference");
    hasher.field(name.as_bytes());
    format!("refs/dalec/names/{}", &hasher.finish().to_hex()[..40])
}

/// Returns whether a server refuses only this way of asking: older ones do not give commits by hash, plain file servers
/// know no depth, and a name may be gone by now.
fn is_refusal(words: &str) -> bool {
    let refusals = [
        "not our ref",
        "unadvertised object",
        "shallow",
        "--depth",
        "couldn't find remote ref",
        "no such remote ref",
    ];
    refusals.iter().any(|text| words.contains(text))
}
