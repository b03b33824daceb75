//! Fetching and unpacking as one stretch of work: packages are unpacked as they arrive.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};

use crate::cache::Cache;
use crate::error::BootstrapError;
use crate::fetch::fetch_each;
use crate::http::Http;
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::settings;
use crate::unpack::{UnpackOptions, Unpacker};

/// A root whose packages are unpacked and not yet configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unpacked {
    /// When the newest file in any package was last changed, in seconds since 1970.
    pub(crate) newest: u64,
}

/// Unpacks the packages of `recipe`, which must be in `cache` already, into an empty directory.
///
/// # Errors
/// [`BootstrapError::Package`] and [`BootstrapError::FileConflict`] for packages that do not fit,
/// [`BootstrapError::Io`] for everything the file system refuses.
pub fn unpack(
    recipe: &Recipe,
    cache: &Cache,
    root: &Path,
    options: UnpackOptions,
    progress: &dyn Progress,
) -> Result<Unpacked, BootstrapError> {
    let unpacker = Unpacker::new(recipe, root, options, progress)?;
    let (sender, ready) = mpsc::channel();
    for position in recipe.by_weight() {
        // The receiver is below, so it is there.
        let _ = sender.send(position);
    }
    drop(sender);
    unpack_ready(&unpacker, recipe, cache, options, ready)?;
    finish(unpacker, recipe, root, options)
}

/// Fetches the packages of `recipe` and unpacks each as soon as it is there.
///
/// # Errors
/// Those of [`fetch`](crate::fetch()) and of [`unpack`].
pub fn fetch_and_unpack(
    recipe: &Recipe,
    http: &Http,
    cache: &Cache,
    root: &Path,
    options: UnpackOptions,
    progress: &dyn Progress,
) -> Result<Unpacked, BootstrapError> {
    let unpacker = Unpacker::new(recipe, root, options, progress)?;
    let (sender, ready) = mpsc::channel();
    let sender = Mutex::new(sender);
    std::thread::scope(|scope| {
        let fetching = scope.spawn(move || {
            let tell = |position| {
                // Nobody listens any more once unpacking has failed.
                sender.lock().is_ok_and(|sender| sender.send(position).is_ok())
            };
            fetch_each(recipe, http, cache, progress, &tell)
        });
        let unpacked = unpack_ready(&unpacker, recipe, cache, options, ready);
        let fetched = fetching.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        unpacked.and(fetched)
    })?;
    finish(unpacker, recipe, root, options)
}

fn finish(
    unpacker: Unpacker<'_>,
    recipe: &Recipe,
    root: &Path,
    options: UnpackOptions,
) -> Result<Unpacked, BootstrapError> {
    let newest = unpacker.finish()?;
    settings::write(recipe, root, options.map_ids)?;
    Ok(Unpacked { newest })
}

/// Unpacks packages by position until there are no more to come.
fn unpack_ready(
    unpacker: &Unpacker<'_>,
    recipe: &Recipe,
    cache: &Cache,
    options: UnpackOptions,
    ready: Receiver<usize>,
) -> Result<(), BootstrapError> {
    let unpack = |position: usize| unpacker.unpack(position, &cache.path(&recipe.packages[position].sha256));
    let mut waiting = Vec::new();
    if let Some(skeleton) = recipe.skeleton() {
        if !ready.iter().any(|position| {
            waiting.push(position);
            position == skeleton
        }) {
            // The other side gave up before it came, and says why.
            return Ok(());
        }
        waiting.pop();
        unpack(skeleton)?;
    }
    let queue = Mutex::new(waiting.into_iter().chain(ready));
    let has_failed = AtomicBool::new(false);
    let failure = Mutex::new(None);
    let work = || {
        while !has_failed.load(Ordering::Relaxed) {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(position) = next else { return };
            if let Err(error) = unpack(position) {
                has_failed.store(true, Ordering::Relaxed);
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(work);
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
