//! The mounts of a process: what is shown where, and what becomes of it afterwards.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bollard_buildkit_proto::pb;
use pb::MountType;

use super::active::{Active, View};
use super::secret::secret_value;
use super::ssh::Agent;
use super::{OpContext, input};
use crate::cachekey::Key;
use crate::error::{Error, IoContext, Result};
use crate::sandbox::SandboxMount;
use crate::snapshot::{Cloner, Snapshot, Tree};
use crate::store::{CacheDir, Lock};

/// Everything that must stay while the process runs.
#[derive(Default)]
pub struct Mounts {
    /// Where the root is.
    pub root: PathBuf,
    /// The other mounts, in order.
    pub mounts: Vec<SandboxMount>,
    /// What is being changed, with the number of the output.
    active: Vec<(i64, Active)>,
    /// Outputs that are what went in, because nothing may be changed.
    unchanged: Vec<(i64, Snapshot)>,
    views: Vec<View>,
    locks: Vec<Lock>,
    caches: Vec<CacheDir>,
    agents: Vec<Agent>,
}

impl Mounts {
    /// Prepares the mounts of `op`.
    ///
    /// # Errors
    /// When something cannot be mounted, a secret is missing, or a kind of mount is not supported.
    pub fn new(context: &OpContext<'_>, op: &pb::ExecOp, inputs: &[Snapshot]) -> Result<Self> {
        let mut mounts = Self::default();
        let Some(root) = op.mounts.iter().find(|mount| mount.dest == "/") else {
            return Err(Error::Request("a process has no root file system".into()));
        };
        // Locked caches are waited for before anything is mounted.
        mounts.lock_caches(context, op, inputs)?;
        mounts.root(context, root, inputs)?;
        for mount in op.mounts.iter().filter(|mount| mount.dest != "/") {
            mounts.add(context, mount, inputs)?;
        }
        Ok(mounts)
    }

    /// Returns the outputs, numbered from 0 without gaps.
    ///
    /// # Errors
    /// When a layer cannot be finished or published.
    pub fn commit(mut self, context: &OpContext<'_>, outputs: usize) -> Result<Vec<Snapshot>> {
        self.views.clear();
        let mut snapshots = vec![Snapshot::default(); outputs];
        let mut put = |output: i64, snapshot| {
            if let Some(place) = usize::try_from(output).ok().and_then(|output| snapshots.get_mut(output)) {
                *place = snapshot;
            }
        };
        for (output, snapshot) in self.unchanged {
            put(output, snapshot);
        }
        for (output, active) in self.active.into_iter().filter(|(output, _)| *output >= 0) {
            put(output, active.commit(context.core)?);
        }
        Ok(snapshots)
    }

    /// Takes the locks of all locked caches in the order of their names, each once, so that processes that use
    /// the same caches never wait for each other in a circle.
    fn lock_caches(&mut self, context: &OpContext<'_>, op: &pb::ExecOp, inputs: &[Snapshot]) -> Result<()> {
        let mut wanted = BTreeMap::new();
        for mount in op.mounts.iter().filter(|mount| mount.mount_type() == MountType::Cache) {
            let options = mount.cache_opt.clone().unwrap_or_default();
            if options.sharing() == pb::CacheSharingOpt::Locked {
                let (id, name) = cache_name(mount, &input(inputs, mount.input));
                wanted.insert(name, id);
            }
        }
        for (name, id) in wanted {
            self.locks.push(wait_for_lock(context, &format!("cache-{name}"), &format!("cache {id}"))?);
        }
        Ok(())
    }

    fn root(&mut self, context: &OpContext<'_>, mount: &pb::Mount, inputs: &[Snapshot]) -> Result<()> {
        if mount.mount_type() != MountType::Bind || !matches!(mount.selector.as_str(), "" | "/") {
            return Err(Error::Request("the root of a process is no plain file system".into()));
        }
        // Also a read-only root needs places for the mounts in it.
        let snapshot = input(inputs, mount.input);
        let active = Active::new(context.core, &snapshot)?;
        self.root = active.root();
        if mount.readonly {
            self.active.push((-1, active));
            self.unchanged.push((mount.output, snapshot));
        } else {
            self.active.push((mount.output, active));
        }
        Ok(())
    }

    fn add(&mut self, context: &OpContext<'_>, mount: &pb::Mount, inputs: &[Snapshot]) -> Result<()> {
        let dest = mount.dest.clone();
        let mount = match mount.mount_type() {
            MountType::Bind => self.bind(context, mount, &input(inputs, mount.input))?,
            MountType::Cache => self.cache(context, mount, &input(inputs, mount.input))?,
            MountType::Tmpfs => {
                let size = mount.tmpfs_opt.as_ref().map_or(0, |options| options.size);
                SandboxMount::Tmpfs { dest, size: u64::try_from(size).ok().filter(|size| *size > 0) }
            }
            MountType::Secret => match secret(context, mount)? {
                Some(secret) => secret,
                None => return Ok(()),
            },
            MountType::Ssh => {
                let Some(agent) = Agent::forward(context, mount)? else { return Ok(()) };
                let source = agent.socket();
                self.agents.push(agent);
                SandboxMount::Bind { source, selector: String::new(), dest, readonly: false }
            }
        };
        self.mounts.push(mount);
        Ok(())
    }

    fn bind(
        &mut self,
        context: &OpContext<'_>,
        mount: &pb::Mount,
        snapshot: &Snapshot,
    ) -> Result<SandboxMount> {
        let source = if mount.readonly {
            self.unchanged.push((mount.output, snapshot.clone()));
            let view = View::new(context.core, snapshot)?;
            let root = view.root();
            self.views.push(view);
            root
        } else {
            let active = Active::new(context.core, snapshot)?;
            let root = active.root();
            self.active.push((mount.output, active));
            root
        };
        let selector = if mount.selector == "/" { String::new() } else { mount.selector.clone() };
        Ok(SandboxMount::Bind { source, selector, dest: mount.dest.clone(), readonly: mount.readonly })
    }

    fn cache(
        &mut self,
        context: &OpContext<'_>,
        mount: &pb::Mount,
        initial: &Snapshot,
    ) -> Result<SandboxMount> {
        let (id, mut name) = cache_name(mount, initial);
        if mount.cache_opt.clone().unwrap_or_default().sharing() == pb::CacheSharingOpt::Private {
            let (lock, own) = private(context, &name)?;
            self.locks.push(lock);
            name = own;
        }
        let dir = context.core.store().cache_dir(&name, &id, &mut |dir| fill(context, initial, dir))?;
        let source = dir.path().to_owned();
        self.caches.push(dir);
        Ok(SandboxMount::Bind {
            source,
            selector: mount.selector.clone(),
            dest: mount.dest.clone(),
            readonly: mount.readonly,
        })
    }
}

/// Returns the id of a cache mount, and the name of its directory, which also says what it begins with.
fn cache_name(mount: &pb::Mount, initial: &Snapshot) -> (String, String) {
    let options = mount.cache_opt.clone().unwrap_or_default();
    let id = if options.id.is_empty() { mount.dest.clone() } else { options.id };
    let mut hasher = Key::hasher("cache mount");
    hasher.field(id.as_bytes()).field(initial.chain_key().to_hex().as_bytes());
    let name = hasher.finish().to_hex()[..32].to_owned();
    (id, name)
}

/// Takes the lock `name`, telling once that `what` is waited for.
///
/// # Errors
/// When someone says stop, or the lock cannot be used.
pub fn wait_for_lock(context: &OpContext<'_>, name: &str, what: &str) -> Result<Lock> {
    let message = format!("waiting for another build that uses {what}");
    let mut told = false;
    let lock = context.core.store().lock_file(name).wait(&mut || {
        if !std::mem::replace(&mut told, true) {
            context.progress.start();
            context.progress.status(&message, 0, 0, false);
        }
        context.check()
    })?;
    if told {
        context.progress.status(&message, 0, 0, true);
    }
    Ok(lock)
}

/// Returns the first of the caches called `name` that nobody uses.
fn private(context: &OpContext<'_>, name: &str) -> Result<(Lock, String)> {
    for number in 0_u32.. {
        let own = if number == 0 { name.to_owned() } else { format!("{name}-{number}") };
        if let Some(lock) = context.core.store().lock_file(&format!("cache-{own}")).try_lock()? {
            return Ok((lock, own));
        }
    }
    Err(Error::op("there are no more private caches"))
}

/// Puts what a new cache begins with into `dir`.
fn fill(context: &OpContext<'_>, initial: &Snapshot, dir: &std::path::Path) -> Result<()> {
    let tree = initial.tree(context.core.store());
    let handle = std::fs::File::open(dir).at("open", dir)?;
    let mut cloner = Cloner::new(&tree, context.core.owners());
    for (name, node) in tree.children(&tree.root()?)? {
        cloner.all(&node, std::os::fd::AsFd::as_fd(&handle), &name)?;
    }
    Ok(())
}

fn secret(context: &OpContext<'_>, mount: &pb::Mount) -> Result<Option<SandboxMount>> {
    let options = mount.secret_opt.clone().unwrap_or_default();
    let Some(data) = secret_value(context, &options.id, options.optional)? else { return Ok(None) };
    let mode = if options.mode == 0 { 0o400 } else { options.mode & 0o777 };
    let (uid, gid) = (options.uid, options.gid);
    Ok(Some(SandboxMount::File { dest: mount.dest.clone(), data, mode, uid, gid }))
}
