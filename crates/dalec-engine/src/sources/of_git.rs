//! The source op of a git repository.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use bollard_buildkit_proto::pb;

use super::git::{Checkout, Request, Resolved, Setup, ask, check, is_hash};
use super::stored_or;
use crate::cachekey::Key;
use crate::error::{IoContext, Result};
use crate::ops::OpContext;
use crate::snapshot::Snapshot;
use crate::solver::{Made, locked};
use crate::store::WorkDir;

/// What an engine knows of git.
#[derive(Default)]
pub struct GitMemory {
    /// Set when the program was seen to be there.
    checked: OnceLock<()>,
    /// What names stand for, by repository and name: one build sees a branch at one commit.
    names: Mutex<HashMap<(String, String), Slot>>,
}

type Slot = Arc<Mutex<Option<Resolved>>>;

/// Returns the key of files whose commit the op itself tells.
pub fn key(op: &pb::SourceOp) -> Result<Option<Key>> {
    let request = Request::new(op)?;
    // Which kind of name it is, is a part of `.git`, and only the server knows.
    let expected = || request.full_checksum().filter(|_| !request.has_git_dir()).map(Resolved::hash);
    Ok(told(&request).or_else(expected).map(|resolved| files_key(&request, &resolved)))
}

/// Fetches the commit and makes a layer of its files, unless the store has it.
pub fn run(context: &OpContext<'_>, op: &pb::SourceOp) -> Result<Made> {
    let request = Request::new(op)?;
    context.progress.start();
    let tools = Tools::new(context, &request)?;
    let resolved = match told(&request) {
        Some(resolved) => resolved,
        None => tools.resolve(context, &request)?,
    };
    resolved.check(&request)?;
    let key = files_key(&request, &resolved);
    stored_or(context, key, || tools.layer(context, &request, &resolved, key))
}

/// Returns the commit when the op itself says which one it is.
fn told(request: &Request) -> Option<Resolved> {
    if is_hash(&request.reference) {
        return Some(Resolved::hash(&request.reference));
    }
    let commit = request.full_checksum().filter(|_| request.by_commit)?;
    let name = match request.reference.as_str() {
        "" => None,
        name if name.starts_with("refs/") => Some(name.to_owned()),
        name => Some(format!("refs/heads/{name}")),
    };
    Some(Resolved { name, ..Resolved::hash(commit) })
}

fn files_key(request: &Request, resolved: &Resolved) -> Key {
    let mut hasher = Key::hasher("git");
    hasher.field(resolved.commit().as_bytes()).field(request.subdir.as_bytes());
    hasher.field(&[u8::from(request.skip_submodules), u8::from(request.commit_time)]);
    if request.has_git_dir() {
        let name = resolved.name.as_deref().unwrap_or_default();
        let parts = [resolved.object.as_str(), name, request.remote.url()];
        for part in parts {
            hasher.field(part.as_bytes());
        }
    }
    hasher.finish()
}

/// What one source works with.
struct Tools {
    setup: Setup,
    /// Directory of the repositories.
    kept: PathBuf,
    work: WorkDir,
}

impl Tools {
    fn new(context: &OpContext<'_>, request: &Request) -> Result<Self> {
        let memory = &context.core.sources.git;
        if memory.checked.get().is_none() {
            check()?;
            // Another thread may have seen it at the same time.
            let _ = memory.checked.set(());
        }
        let kept = context.core.store().root().join("git");
        std::fs::create_dir_all(&kept).at("make the directory", &kept)?;
        let work = context.core.store().work_dir()?;
        let setup = Setup::new(context, request, work.path(), &kept)?;
        Ok(Self { setup, kept, work })
    }

    /// Returns what the name of the request stands for in this build.
    fn resolve(&self, context: &OpContext<'_>, request: &Request) -> Result<Resolved> {
        let name = (request.remote.url().to_owned(), request.reference.clone());
        let slot = locked(&context.core.sources.git.names).entry(name).or_default().clone();
        // Held during the question, so that two who ask at once ask once.
        let mut slot = locked(&slot);
        if let Some(resolved) = &*slot {
            return Ok(resolved.clone());
        }
        let resolved = ask(context, &self.setup, request)?;
        Ok(slot.insert(resolved).clone())
    }

    fn layer(
        &self,
        context: &OpContext<'_>,
        request: &Request,
        resolved: &Resolved,
        key: Key,
    ) -> Result<Made> {
        let work: &Path = self.work.path();
        let checkout = Checkout { context, setup: &self.setup, request, kept: &self.kept, work };
        let tree = checkout.run(resolved)?;
        let layer = context.core.store().publish_layer(&tree, false)?;
        let note = format!("commit {}", resolved.commit());
        Ok(Made { key, outputs: vec![Snapshot::from_iter([layer])], note, known: false })
    }
}
