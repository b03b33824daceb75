//! The directory `.git` of a result that keeps it: one commit without its history, the same bytes each time.
//!
//! Not made with `git clone`, because then it would hold times, names of this machine, and packs that depend on what was
//! fetched before. HEAD is the commit itself; a branch or tag that the request names is there, too.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::remote::Remote;
use super::repository::Repository;
use super::request::is_reference;
use super::resolve::Resolved;
use crate::error::{IoContext, Result};

/// Makes the directory `dir` with `commit` in it; `work` is a directory for what is made on the way.
///
/// # Errors
/// When git cannot read the commit, or the directory cannot be written.
pub fn write(
    repository: &Repository<'_>,
    remote: &Remote,
    resolved: &Resolved,
    commit: &str,
    dir: &Path,
    work: &Path,
) -> Result<()> {
    for name in ["objects/pack", "objects/info", "refs/heads", "refs/tags"] {
        let path = dir.join(name);
        fs::create_dir_all(&path).at("make the directory", &path)?;
    }
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent).and_then(|()| fs::write(&path, text)).at("write", &path)
    };
    file("HEAD", &format!("{commit}\n"))?;
    file("config", &config(remote, commit))?;
    file("shallow", &format!("{commit}\n"))?;
    // Names become paths here, whoever they are from.
    let name = resolved.name.as_deref().filter(|name| name.starts_with("refs/") && is_reference(name));
    match name.map(|name| (name, name.strip_prefix("refs/heads/"))) {
        Some((_, Some(branch))) => file(&format!("refs/remotes/origin/{branch}"), &format!("{commit}\n"))?,
        Some((name, None)) => file(name, &format!("{}\n", resolved.object))?,
        None => {}
    }
    pack(repository, resolved, commit, dir, work)?;
    let call = repository.call().work_tree(work, &dir.join("index"));
    call.output("list files of", &["read-tree", commit]).map(drop)
}

/// Packs what the commit needs. Neither packs of the repository nor the number of processors play a part.
fn pack(
    repository: &Repository<'_>,
    resolved: &Resolved,
    commit: &str,
    dir: &Path,
    work: &Path,
) -> Result<()> {
    let path = work.join("objects");
    let mut list = File::create(&path).at("write", &path)?;
    let arguments = ["rev-list", "--objects", "--no-object-names", "--max-count=1", commit];
    repository.call().stream(&arguments, &mut |piece| list.write_all(piece).at("write", &path))?;
    if resolved.object != commit {
        writeln!(list, "{}", resolved.object).at("write", &path)?;
    }
    let list = File::open(&path).at("read", &path)?;
    let base = dir.join("objects/pack/pack").display().to_string();
    let arguments =
        ["pack-objects", "-q", "--threads=1", "--window=0", "--no-reuse-delta", "--no-reuse-object", &base];
    repository.call().stdin(list).output("pack a commit of", &arguments)?;
    fs::remove_file(&path).at("remove", &path)
}

fn config(remote: &Remote, commit: &str) -> String {
    let (version, extensions) = match commit.len() {
        64 => (1, "[extensions]\n\tobjectFormat = sha256\n"),
        _ => (0, ""),
    };
    let url = remote.url().replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n\
         {extensions}[remote \"origin\"]\n\turl = \"{url}\"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
    )
}
