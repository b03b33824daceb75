//! The engine's state directory: results of ops, and everything that is remembered from build to build.
//!
//! ```text
//! STATE/                     mode 0700: layers hold set-user-id programs
//! ├── version                which layout this is, and whose ids; written last when the store is made
//! ├── store.db               SQLite (WAL): results by key, digests of trees, small answers
//! ├── layers/ID/             one overlay layer; complete, never changed
//! ├── blobs/sha256/HEX       small blobs by digest
//! ├── caches/NAME/           what cache mounts hold
//! ├── downloads/, images/    what servers said about files and images
//! ├── git/NAME/              what was fetched of one repository; known_hosts: host keys of ssh servers
//! ├── bootstrap/             kept by whoever assembles root file systems
//! ├── locks/NAME             held with flock while someone makes what NAME stands for
//! └── tmp/
//!     ├── PID-RANDOM.lock    held with flock while the process lives; the keys of the results that it uses
//!     └── PID-RANDOM/        its unfinished work
//! ```
//!
//! Several processes share one store. Everything outside `tmp/` and `caches/` gets there by one rename, so
//! it is complete or absent; what a dead process left in `tmp/` goes at the next start. What is removed leaves by one
//! rename, into `tmp/`. A result counts
//! across a crash of the machine only when the disk is known to have it, see the module `durable`.

mod blobs;
mod db;
mod disk;
mod durable;
mod entries;
mod locks;
mod process_dir;
mod prune;
mod remove;
mod results;
mod scans;
mod verify;

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use dalec_gateway::GatewayError;
use rusqlite::Connection;

use crate::error::{Error, IoContext, Result};
use crate::snapshot::LayerId;
use crate::solver::locked;
use process_dir::ProcessDir;
use rustix::fs::FlockOperation;

pub use entries::{Entry, Kind};
pub use locks::{Lock, LockFile};
pub use process_dir::WorkDir;
pub use prune::{PruneOptions, Pruned};
pub use remove::remove_tree;
pub(crate) use results::LAYER_BLOBS;
pub use results::{StoredResult, now};
pub use verify::{Damage, Verified};

const VERSION: &str = "dalec store 1";

/// An open state directory; cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    db: Mutex<Connection>,
    process_dir: OnceLock<ProcessDir>,
    /// Layers that were seen to exist.
    seen: Mutex<HashSet<LayerId>>,
    /// Layers of this process that no stored result has yet; what is left of them goes with the store.
    unclaimed: Mutex<HashSet<LayerId>>,
    durable: durable::Syncer,
}

impl Store {
    /// Opens the state directory at `path`, making it when it is missing.
    ///
    /// # Errors
    /// [`GatewayError::Environment`] when it cannot be made, written or understood.
    pub fn open(path: &Path) -> Result<Self, GatewayError> {
        Self::open_at(path).map_err(|error| open_error(error, path))
    }

    fn open_at(path: &Path) -> Result<Self> {
        let root = std::path::absolute(path).at("find", path)?;
        if !has_version(&root)? {
            initialize(&root)?;
        }
        let connection = db::open(&root.join("store.db"))?;
        let store = Self {
            inner: Arc::new(Inner {
                db: Mutex::new(connection),
                process_dir: OnceLock::new(),
                seen: Mutex::default(),
                unclaimed: Mutex::default(),
                durable: durable::Syncer::default(),
                root,
            }),
        };
        let lost = store.forget_lost_results()?;
        let dead = process_dir::remove_leftovers(&store.inner.root.join("tmp"))?;
        if lost || dead {
            store.remove_orphans()?;
        }
        // From here on others see that the store is in use.
        store.process_dir()?;
        Ok(store)
    }

    /// Returns the state directory.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Returns where the layer `id` is.
    pub(crate) fn layer_path(&self, id: &LayerId) -> PathBuf {
        self.inner.root.join("layers").join(id.directory())
    }

    /// Returns whether the layer `id` is there.
    pub(crate) fn has_layer(&self, id: &LayerId) -> bool {
        let mut seen = locked(&self.inner.seen);
        if seen.contains(id) {
            return true;
        }
        let exists = self.layer_path(id).is_dir();
        if exists {
            seen.insert(id.clone());
        }
        exists
    }

    /// Makes the finished directory `tree`, which lies in this store's `tmp/`, a layer; `deletes` says
    /// whether it holds whiteouts.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub(crate) fn publish_layer(&self, tree: &Path, deletes: bool) -> Result<LayerId> {
        let id = LayerId::random(deletes)?;
        let path = self.layer_path(&id);
        locked(&self.inner.unclaimed).insert(id.clone());
        fs::rename(tree, &path).at("publish", &path)?;
        locked(&self.inner.seen).insert(id.clone());
        Ok(id)
    }

    /// Removes layers that no result has: a process died between publishing a layer and storing its result, or
    /// the result was forgotten.
    ///
    /// Does nothing while other processes use the store, for they may be just there.
    fn remove_orphans(&self) -> Result<()> {
        let _lock = self.gate().wait(&mut || Ok(()))?;
        if process_dir::others_live(&self.inner.root.join("tmp"))? {
            return Ok(());
        }
        let known = self.layers_of_results()?;
        let layers = self.inner.root.join("layers");
        for entry in fs::read_dir(&layers).at("read the directory", &layers)? {
            let entry = entry.at("read the directory", &layers)?;
            if !known.contains(&*entry.file_name().to_string_lossy()) {
                remove_tree(&entry.path()).at("remove", entry.path())?;
            }
        }
        Ok(())
    }

    /// Returns the lock that whoever opens the store takes for a moment, and whoever removes things from it.
    fn gate(&self) -> LockFile {
        LockFile::new(self.inner.root.join("locks/store"))
    }

    /// Returns the directory `name` of the cache mount called `id`, for as long as the value lives; when there is none,
    /// `fill` makes its first content in an empty one.
    ///
    /// # Errors
    /// When it cannot be made, and what `fill` says.
    pub(crate) fn cache_dir(
        &self,
        name: &str,
        id: &str,
        fill: &mut dyn FnMut(&Path) -> Result<()>,
    ) -> Result<CacheDir> {
        let path = self.inner.root.join("caches").join(name);
        self.note_cache(name, id)?;
        loop {
            // Whoever removes caches holds the lock for a moment only.
            if let Some(directory) = locks::lock_directory(&path, FlockOperation::LockShared)? {
                return Ok(CacheDir { path, _in_use: directory });
            }
            self.make_cache(&path, fill)?;
        }
    }

    fn make_cache(&self, path: &Path, fill: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
        let work = self.work_dir()?;
        let unfinished = work.path().join("cache");
        make_dir(&unfinished, 0o755)?;
        fill(&unfinished)?;
        // A plain rename would replace an empty directory, which someone may have mounted already.
        let keep = rustix::fs::RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(rustix::fs::CWD, &unfinished, rustix::fs::CWD, path, keep) {
            // Someone else was faster.
            Err(rustix::io::Errno::EXIST) => Ok(()),
            renamed => renamed.at("make the cache", path),
        }
    }

    /// Makes an empty directory for unfinished work; it goes when the value is dropped.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn work_dir(&self) -> Result<WorkDir> {
        self.process_dir()?.work_dir()
    }

    fn process_dir(&self) -> Result<&ProcessDir> {
        if let Some(process_dir) = self.inner.process_dir.get() {
            return Ok(process_dir);
        }
        let _lock = self.gate().wait(&mut || Ok(()))?;
        let made = ProcessDir::make(&self.inner.root.join("tmp"))?;
        // When another thread was faster, its directory is used and this one goes again.
        Ok(self.inner.process_dir.get_or_init(|| made))
    }

    fn db<T>(&self, action: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T> {
        // Statements are atomic, so a panic of another thread leaves nothing half-done.
        let mut connection = locked(&self.inner.db);
        action(&mut connection).map_err(|source| Error::Database {
            path: self.inner.root.join("store.db").display().to_string(),
            source,
        })
    }
}

/// The directory of a cache mount. Nobody removes it while this lives.
#[derive(Debug)]
pub(crate) struct CacheDir {
    path: PathBuf,
    _in_use: fs::File,
}

impl CacheDir {
    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for layer in locked(&self.unclaimed).drain() {
            // What cannot be removed is an orphan, and goes with those of dead processes.
            let _ = remove_tree(&self.root.join("layers").join(layer.directory()));
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Store").field(&self.inner.root).finish()
    }
}

fn open_error(error: Error, path: &Path) -> GatewayError {
    let denied = matches!(&error, Error::Io { source, .. }
        if source.kind() == std::io::ErrorKind::PermissionDenied);
    if denied {
        return GatewayError::Environment {
            message: format!("the state directory {} cannot be written", path.display()),
            hint: "name a directory that you may write with --state-dir".into(),
            source: Some(Box::new(error)),
        };
    }
    error.into_gateway(path)
}

/// Returns whether the layout is there; it must be this version's, and its files this user's.
fn has_version(root: &Path) -> Result<bool> {
    let path = root.join("version");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).at("read", &path),
    };
    let (version, owner) = text.split_once('\n').unwrap_or((&text, ""));
    let refused = |what: String| {
        Err(Error::Environment {
            message: format!("the state directory {} was made by {what}", root.display()),
            hint: "name another directory with --state-dir, or remove this one".into(),
            source: None,
        })
    };
    if version != VERSION {
        return refused(format!("another version of dalec ({version})"));
    }
    if owner != owner_ids()? {
        return refused("another user, or under other user ids".into());
    }
    Ok(true)
}

/// Returns which ids of the machine the ids of this process stand for. Layers hold ids, so a store is of use
/// only to whoever sees them the same way.
fn owner_ids() -> Result<String> {
    let mut ids = String::new();
    for path in ["/proc/self/uid_map", "/proc/self/gid_map"] {
        let map = fs::read_to_string(path).at("read", path)?;
        for line in map.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            ids += &format!("{}\n", fields.join(" "));
        }
    }
    Ok(ids)
}

/// Names in the state directory; `bootstrap` belongs to whoever assembles root file systems.
const NAMES: [&str; 10] =
    ["version", "layers", "blobs", "caches", "downloads", "images", "git", "locks", "tmp", "bootstrap"];

/// Makes the layout. Processes that start at the same time wait for each other.
fn initialize(root: &Path) -> Result<()> {
    let foreign = |entry: fs::DirEntry| {
        let name = entry.file_name();
        !name.as_encoded_bytes().starts_with(b"store.db") && !NAMES.iter().any(|known| name == *known)
    };
    if fs::read_dir(root).is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(foreign))) {
        return Err(Error::Environment {
            message: format!("{} holds files that are not dalec's", root.display()),
            hint: "name an empty or new directory with --state-dir".into(),
            source: None,
        });
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(root).at("make the directory", root)?;
    // Layers hold set-user-id programs, which nobody else must be able to run.
    fs::set_permissions(root, fs::Permissions::from_mode(0o700)).at("protect", root)?;
    for name in ["locks", "layers", "blobs", "blobs/sha256", "caches", "tmp"] {
        make_dir(&root.join(name), 0o700)?;
    }
    let _lock = LockFile::new(root.join("locks/store")).wait(&mut || Ok(()))?;
    if has_version(root)? {
        return Ok(());
    }
    db::create(&root.join("store.db"))?;
    let unfinished = root.join("tmp/version");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .at("write", &unfinished)?;
    let text = format!("{VERSION}\n{}", owner_ids()?);
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).at("write", &unfinished)?;
    let version = root.join("version");
    fs::rename(&unfinished, &version).at("write", &version)
}

fn make_dir(path: &Path, mode: u32) -> Result<()> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(error).at("make the directory", path)
        }
        _ => Ok(()),
    }
}
