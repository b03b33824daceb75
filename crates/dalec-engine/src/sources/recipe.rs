//! Root file systems that another room assembles: recipes as blobs, and their making.

use std::os::fd::AsFd;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::CONSTANT_MTIME;
use crate::cachekey::Key;
use crate::error::{Error, IoContext, Result};
use crate::ops::{OpContext, Tail, run_sandbox};
use crate::root_source::{ResolvedRoot, RootCommand, RootError};
use crate::sandbox::{DEFAULT_HOSTNAME, ExitStatus, Network, SandboxSpec};
use crate::shared::Core;
use crate::snapshot::write::{self, Attributes};
use crate::snapshot::{MergedTree, Snapshot, finish};
use crate::solver::Made;

/// What is remembered about a recipe.
#[derive(Serialize, Deserialize)]
struct Known {
    origin: String,
}

/// Keeps a recipe and returns its digest.
///
/// # Errors
/// When the store cannot be written.
pub fn keep(core: &Core, root: &ResolvedRoot) -> Result<String> {
    let digest = core.store().put_blob(&root.recipe)?;
    let known = Known { origin: root.origin.clone() };
    let value = serde_json::to_vec(&known).map_err(|error| Error::op(error.to_string()))?;
    core.store().put_answer("recipe", &digest, &value)?;
    Ok(digest)
}

/// Returns where the root that `digest` names comes from, when `digest` is that of a recipe.
///
/// # Errors
/// When the store cannot be read.
pub fn origin(core: &Core, digest: &str) -> Result<Option<String>> {
    let Some((value, _)) = core.store().answer("recipe", digest)? else { return Ok(None) };
    Ok(serde_json::from_slice::<Known>(&value).ok().map(|known| known.origin))
}

/// Makes the root file system of the recipe `digest`.
///
/// # Errors
/// When the recipe is gone, or the root source fails.
pub fn make(context: &OpContext<'_>, digest: &str, key: Key, origin: String) -> Result<Made> {
    let core = context.core;
    context.progress.start();
    let gone = || Error::Op {
        message: format!("the recipe {digest} is not in the store any more"),
        hint: "build again with --pull".into(),
        source: None,
    };
    let recipe = core.store().blob(digest)?.ok_or_else(gone)?;
    let Some(source) = core.options.root_source.clone() else { return Err(gone()) };
    let work = core.store().work_dir()?;
    let root = work.path().join("root");
    std::fs::create_dir(&root).at("make the directory", &root)?;
    set_root(core, &root)?;
    let progress = |id: &str, current: u64, total: u64| {
        context.progress.status(id, current, total, total > 0 && current >= total);
    };
    let mut run = |command: &RootCommand| run_command(context, &root, command);
    let cancelled = || context.cancel.is_cancelled();
    let made = source.materialize(&recipe, &root, &mut run, &progress, &cancelled);
    context.check()?;
    made.map_err(root_error)?;
    let deletes = finish::finish(&root, &MergedTree::new(Vec::new()))?;
    let layer = core.store().publish_layer(&root, deletes)?;
    Ok(Made { key, outputs: vec![Snapshot::from_iter([layer])], note: origin, known: false })
}

fn set_root(core: &Core, root: &Path) -> Result<()> {
    let attributes =
        Attributes { mode: 0o755, uid: 0, gid: 0, mtime: (CONSTANT_MTIME, 0), xattrs: Default::default() };
    let dir = std::fs::File::open(root).at("open", root)?;
    write::set_on_file(dir.as_fd(), &attributes, core.owners()).at("set the attributes of", root)
}

fn run_command(
    context: &OpContext<'_>,
    root: &Path,
    command: &RootCommand,
) -> std::result::Result<(), RootError> {
    let spec = SandboxSpec {
        root: root.to_owned(),
        readonly_root: false,
        mounts: Vec::new(),
        args: command.args.clone(),
        env: command.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        cwd: "/".into(),
        user: String::new(),
        network: Network::None,
        hostname: DEFAULT_HOSTNAME.into(),
        extra_hosts: Vec::new(),
        ulimits: Vec::new(),
        remove_stub_parents: true,
        mode: context.core.options.mode,
    };
    let mut tail = Tail::default();
    match run_sandbox(context, &spec, &mut tail) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(RootError {
            message: format!("{} failed: {}", command.args.join(" "), words(status)),
            hint: String::new(),
            log: tail.lines(),
            source: None,
        }),
        Err(error) => Err(RootError {
            message: format!("cannot run {}", command.args.join(" ")),
            hint: String::new(),
            log: Vec::new(),
            source: Some(Box::new(error)),
        }),
    }
}

fn words(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("exit code {code}"),
        ExitStatus::Signal(signal) => format!("killed by signal {signal}"),
    }
}

fn root_error(error: RootError) -> Error {
    if error.log.is_empty() {
        let (message, hint) = (error.message.clone(), error.hint.clone());
        return Error::Op { message, hint, source: error.source };
    }
    Error::Process { message: error.message, hint: error.hint, exit_code: None, log: error.log }
}
