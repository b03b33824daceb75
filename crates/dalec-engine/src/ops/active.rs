//! A file system that is being changed: a chain of layers with a new one on top.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::CONSTANT_MTIME;
use crate::error::{Error, IoContext, Result};
use crate::mount::{self, MountError, Mounted, Overlay, Writable};
use crate::shared::{Core, Counters};
use crate::snapshot::write::{self, Attributes};
use crate::snapshot::{MAX_LAYERS, MergedTree, Snapshot, Tree, finish, rebase, squash};
use crate::store::WorkDir;

/// A file system that is being changed. Dropped without [`Active::commit`], the changes are lost.
pub struct Active {
    // Dropped in this order: the mount goes before the directories it is made of.
    mounted: Option<Mounted>,
    work: WorkDir,
    below: Snapshot,
}

impl Active {
    /// Returns `below` ready to be changed.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub fn new(core: &Core, below: &Snapshot) -> Result<Self> {
        let work = core.store().work_dir()?;
        let below = rebase(core.store(), below, core.owners())?;
        let upper = work.path().join("upper");
        make_dir(&upper)?;
        prepare_root(core, &below, &upper)?;
        let mut active = Self { mounted: None, work, below };
        if !active.below.layers().is_empty() {
            active.mount(core)?;
        }
        Ok(active)
    }

    /// Returns where the file system is to be seen.
    pub fn root(&self) -> PathBuf {
        self.work.path().join(if self.mounted.is_some() { "root" } else { "upper" })
    }

    /// Makes the changes a layer, and returns the changed file system.
    ///
    /// # Errors
    /// When the layer cannot be finished or published.
    pub fn commit(mut self, core: &Core) -> Result<Snapshot> {
        if let Some(mounted) = self.mounted.take() {
            mounted.unmount().map_err(mount_error)?;
        }
        let upper = self.work.path().join("upper");
        let below = self.below.tree(core.store());
        let deletes = finish::finish(&upper, &below)?;
        if !self.below.layers().is_empty() && is_unchanged(&upper, &below)? {
            return Ok(self.below);
        }
        let layer = core.store().publish_layer(&upper, deletes)?;
        shorten(core, self.below.with(layer))
    }

    fn mount(&mut self, core: &Core) -> Result<()> {
        let (root, upper, kernel) =
            (self.work.path().join("root"), self.work.path().join("upper"), self.work.path().join("work"));
        make_dir(&root)?;
        make_dir(&kernel)?;
        let lowers = self.below.paths(core.store());
        let overlay = Overlay {
            lowers: &lowers,
            writable: Some(Writable { upper: &upper, work: &kernel }),
            user_namespace: core.options.mode.in_user_namespace(),
        };
        Counters::add(&core.counters.mounts);
        self.mounted = Some(mount::overlay(&overlay, &root).map_err(mount_error)?);
        Ok(())
    }
}

/// A file system to look at through a mount.
pub struct View {
    _mounted: Option<Mounted>,
    work: WorkDir,
}

impl View {
    /// Mounts `snapshot` read-only.
    ///
    /// # Errors
    /// When it cannot be mounted.
    pub fn new(core: &Core, snapshot: &Snapshot) -> Result<Self> {
        let work = core.store().work_dir()?;
        let root = work.path().join("root");
        make_dir(&root)?;
        set_root(&root, &empty_root(), core)?;
        let snapshot = rebase(core.store(), snapshot, core.owners())?;
        let lowers = snapshot.paths(core.store());
        let mounted = match lowers.is_empty() {
            true => None,
            false => {
                let overlay = Overlay {
                    lowers: &lowers,
                    writable: None,
                    user_namespace: core.options.mode.in_user_namespace(),
                };
                Counters::add(&core.counters.mounts);
                Some(mount::overlay(&overlay, &root).map_err(mount_error)?)
            }
        };
        Ok(Self { _mounted: mounted, work })
    }

    /// Returns where the file system is to be seen.
    pub fn root(&self) -> PathBuf {
        self.work.path().join("root")
    }
}

/// Returns `snapshot` with few enough layers.
///
/// # Errors
/// When layers cannot be read or the new one cannot be written.
pub fn shorten(core: &Core, snapshot: Snapshot) -> Result<Snapshot> {
    if snapshot.layers().len() <= MAX_LAYERS {
        return Ok(snapshot);
    }
    // The lowest layer is most of the files, and many chains share it.
    let snapshot = rebase(core.store(), &snapshot, core.owners())?;
    let (base, rest) = snapshot.layers().split_at(1);
    let rest: Snapshot = rest.iter().cloned().collect();
    let work = core.store().work_dir()?;
    let deletes = squash(rest.paths(core.store()), work.path(), core.owners())?;
    let layer = core.store().publish_layer(work.path(), deletes)?;
    Ok(base.iter().cloned().chain([layer]).collect())
}

/// Turns a failed mount into an engine's error.
pub fn mount_error(error: MountError) -> Error {
    let hint = error.hint().unwrap_or_default().to_owned();
    Error::Environment { message: error.to_string(), hint, source: Some(Box::new(error)) }
}

/// Gives the empty directory `upper` the attributes that the top directory of `below` has.
fn prepare_root(core: &Core, below: &Snapshot, upper: &Path) -> Result<()> {
    let tree = below.tree(core.store());
    let root = tree.root()?;
    let attributes = match below.layers().is_empty() {
        true => empty_root(),
        false => Attributes::of(tree.meta(&root), tree.xattrs(&root)?),
    };
    set_root(upper, &attributes, core)
}

fn set_root(dir: &Path, attributes: &Attributes, core: &Core) -> Result<()> {
    let handle = File::open(dir).at("open", dir)?;
    write::set_on_file(handle.as_fd(), attributes, core.owners()).at("set the attributes of", dir)
}

fn is_unchanged(upper: &Path, below: &MergedTree) -> Result<bool> {
    if fs::read_dir(upper).at("read the directory", upper)?.next().is_some() {
        return Ok(false);
    }
    let above = MergedTree::new(vec![upper.to_owned()]);
    let (old, new) = (below.root()?, above.root()?);
    let seen = |meta: &crate::snapshot::Meta| (meta.mode, meta.uid, meta.gid);
    Ok(seen(below.meta(&old)) == seen(above.meta(&new)) && below.xattrs(&old)? == above.xattrs(&new)?)
}

fn empty_root() -> Attributes {
    Attributes { mode: 0o755, uid: 0, gid: 0, mtime: (CONSTANT_MTIME, 0), xattrs: Default::default() }
}

fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir(path).at("make the directory", path)
}
