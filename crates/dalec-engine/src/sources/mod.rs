//! Where files come from that no op makes: directories of the client, downloads, images.
//!
//! | source | key covers |
//! |---|---|
//! | `local://NAME` | content of what its patterns take; neither times nor owners |
//! | `http://…`, `https://…` | the checksum, or else the digest of what came; name and attributes of the file |
//! | `git://HOST/PATH#REF:DIR` | the commit, and which part of it is taken in which form |
//! | `docker-image://REF@DIGEST`, `oci-layout://ID@DIGEST` | the digest and the platform |

pub mod git;
pub mod http;
pub mod image;
pub mod local;
mod of_git;
mod of_http;
mod of_image;
mod of_local;
mod recipe;
mod resolve;
pub mod transfer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bollard_buildkit_proto::pb;

use crate::cachekey::Key;
use crate::error::{Cause, Error, Result, os_code};
use crate::oci::BlobDir;
use crate::ops::OpContext;
use crate::shared::{Core, Counters};
use crate::solver::graph::Vertex;
use crate::solver::{Made, locked};
use http::{HttpCache, HttpClient, HttpError, HttpSettings};
use image::{ImageError, ImageStore, RegistrySettings};
use local::LocalTree;

use of_git::GitMemory;
pub use resolve::resolve_image;

/// A registry that does not answer is given up after this time; the image may come another way.
const REGISTRY_PATIENCE: Duration = Duration::from_secs(3);

/// What sources share.
#[derive(Default)]
pub struct Sources {
    /// Local directories by the digest of the op that asks for them.
    scans: Mutex<HashMap<String, Slot>>,
    tools: OnceLock<Tools>,
    git: GitMemory,
}

type Slot = Arc<Mutex<Option<Scan>>>;

/// A local directory that was looked at.
#[derive(Clone)]
struct Scan {
    tree: Arc<LocalTree>,
    key: Key,
}

/// What downloads need; set up when something is downloaded.
pub struct Tools {
    /// For files.
    pub http: HttpClient,
    /// Files that were downloaded.
    pub files: HttpCache,
    /// Images that were found.
    pub images: ImageStore,
    /// How registries are reached.
    pub registries: RegistrySettings,
}

impl Sources {
    /// Returns the local directory that the op called `digest` asks for, if it was looked at.
    pub fn scanned(&self, digest: &str) -> Option<Arc<LocalTree>> {
        let slot = locked(&self.scans).get(digest).cloned()?;
        locked(&slot).as_ref().map(|scan| scan.tree.clone())
    }

    fn slot(&self, digest: &str) -> Slot {
        locked(&self.scans).entry(digest.to_owned()).or_default().clone()
    }

    /// Returns what downloads need.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn tools(&self, core: &Core) -> Result<&Tools> {
        if let Some(tools) = self.tools.get() {
            return Ok(tools);
        }
        let made = Tools::new(core)?;
        // Another thread may have been faster; nothing was started yet.
        Ok(self.tools.get_or_init(|| made))
    }
}

impl Tools {
    fn new(core: &Core) -> Result<Self> {
        let root = core.store().root();
        let blobs = BlobDir::new(&root.join("blobs")).map_err(failed)?;
        let settings = HttpSettings { ca_bundle: core.options.ca_bundle.clone(), ..HttpSettings::default() };
        let patience = HttpSettings { connect_timeout: REGISTRY_PATIENCE, ..settings.clone() };
        let files = HttpCache::new(&root.join("downloads"), blobs.clone()).map_err(http_error)?;
        let registries = RegistrySettings::default();
        let client = HttpClient::new(patience);
        let images = ImageStore::new(&root.join("images"), blobs, client, registries.clone());
        let http = HttpClient::new(settings);
        Ok(Self { http, files, images: images.map_err(image_error)?, registries })
    }
}

/// Returns the key of a source when it can be told without any network.
///
/// # Errors
/// When the source is of an unknown kind, or a local directory cannot be read.
pub fn key(context: &OpContext<'_>, vertex: &Vertex, op: &pb::SourceOp) -> Result<Option<Key>> {
    match Scheme::of(op)? {
        Scheme::Local => of_local::key(context, vertex, op).map(Some),
        Scheme::Http => of_http::key(op),
        Scheme::Git => of_git::key(op),
        Scheme::Image => of_image::key(context, op),
    }
}

/// Makes the file system of a source.
///
/// # Errors
/// When it cannot be had.
pub fn run(context: &OpContext<'_>, vertex: &Vertex, op: &pb::SourceOp) -> Result<Made> {
    match Scheme::of(op)? {
        Scheme::Local => of_local::run(context, vertex, op),
        Scheme::Http => of_http::run(context, op),
        Scheme::Git => of_git::run(context, op),
        Scheme::Image => of_image::run(context, op),
    }
}

/// Returns the ids of the secrets that a source may be served.
pub fn secret_ids(op: &pb::SourceOp) -> Vec<String> {
    match Scheme::of(op) {
        Ok(Scheme::Http) => op.attrs.get("http.authheadersecret").cloned().into_iter().collect(),
        Ok(Scheme::Git) => git::secret_ids(op),
        _ => Vec::new(),
    }
}

enum Scheme {
    Local,
    Http,
    Git,
    Image,
}

impl Scheme {
    fn of(op: &pb::SourceOp) -> Result<Self> {
        let identifier = op.identifier.as_str();
        match identifier.split_once("://").map(|(scheme, _)| scheme) {
            Some("local") => Ok(Self::Local),
            Some("http" | "https") => Ok(Self::Http),
            Some("git") => Ok(Self::Git),
            Some("docker-image" | "oci-layout") => Ok(Self::Image),
            _ => Err(Error::op(format!("this engine has no sources like {identifier:?}"))),
        }
    }
}

/// Returns the result stored under `key`; makes it with `make` and stores it when there is none, while nobody else does.
fn stored_or(context: &OpContext<'_>, key: Key, make: impl FnOnce() -> Result<Made>) -> Result<Made> {
    let name = format!("op-{}", &key.to_hex()[..40]);
    let _lock = crate::ops::wait_for_lock(context, &name, "this source")?;
    match context.core.store().result(&key)? {
        Some(stored) => {
            Counters::add(&context.core.counters.cached);
            Ok(Made { key: stored.result_key, outputs: stored.outputs, note: stored.note, known: true })
        }
        None => {
            Counters::add(&context.core.counters.run);
            let made = make()?;
            context.core.store().put_result(&key, &made.stored())?;
            Ok(made)
        }
    }
}

fn http_error(error: HttpError) -> Error {
    match error {
        HttpError::Cancelled => Error::Cancelled,
        error => {
            let hint = error.hint().unwrap_or_default();
            with_hint(error, hint)
        }
    }
}

fn image_error(error: ImageError) -> Error {
    if error.is_cancelled() {
        return Error::Cancelled;
    }
    let hint = error.hint().unwrap_or_default();
    with_hint(error, hint)
}

/// Returns the error of something that failed by itself.
pub fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    with_hint(error, String::new())
}

/// Returns an error with what to do about it; a store that cannot be written is told apart.
pub fn with_hint(error: impl std::error::Error + Send + Sync + 'static, hint: String) -> Error {
    let message = error.to_string();
    if let Some(code @ (libc::ENOSPC | libc::EDQUOT | libc::EROFS)) = os_code(&error) {
        // What downloads write goes to the store.
        let source = std::io::Error::from_raw_os_error(code);
        return Error::Io { action: "write", path: message, source };
    }
    let source = error.source().is_some().then(|| Box::new(Below(Box::new(error))) as Cause);
    Error::Op { message, hint, source }
}

/// The causes of an error without its own message, which is told already.
#[derive(Debug)]
struct Below(Cause);

impl std::fmt::Display for Below {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.source() {
            Some(cause) => std::fmt::Display::fmt(cause, formatter),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Below {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()?.source()
    }
}
