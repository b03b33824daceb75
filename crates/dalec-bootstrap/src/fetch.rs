//! Gets the packages of a recipe into the cache, several at a time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cache::{Cache, Promise};
use crate::error::BootstrapError;
use crate::http::Http;
use crate::progress::{Event, Progress};
use crate::recipe::Recipe;
use crate::resolve::moved;

/// Enough to hide the round trips of small files, few enough for any mirror.
const CONNECTIONS: usize = 8;

/// Makes sure that every package of `recipe` is in `cache`, checked against its digest.
///
/// # Errors
/// [`BootstrapError::Unreachable`], [`BootstrapError::IndexMoved`] if a package is gone,
/// [`BootstrapError::HashMismatch`] or [`BootstrapError::SizeMismatch`] if it was altered, and
/// [`BootstrapError::Io`] if it cannot be kept. The first one ends all downloads.
pub fn fetch(
    recipe: &Recipe,
    http: &Http,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<(), BootstrapError> {
    fetch_each(recipe, http, cache, progress, &|_| true)
}

/// Like [`fetch`], telling `ready` the position of each package once it is there.
///
/// The packages that others wait for come first; `ready` answers whether to go on.
pub(crate) fn fetch_each(
    recipe: &Recipe,
    http: &Http,
    cache: &Cache,
    progress: &dyn Progress,
    ready: &(dyn Fn(usize) -> bool + Sync),
) -> Result<(), BootstrapError> {
    progress.report(Event::FetchStarts { packages: recipe.packages.len(), bytes: recipe.download_size() });
    let queue = recipe.by_weight();
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let work = || {
        while let Some(position) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = fetch_one(recipe, *position, http, cache, progress);
            let is_wanted = outcome.is_ok() && ready(*position);
            if !is_wanted {
                next.store(queue.len(), Ordering::Relaxed);
            }
            // A poisoned lock means that another worker panicked, which the scope reports.
            if let (Err(error), Ok(mut failure)) = (outcome, failure.lock()) {
                failure.get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS.min(queue.len()) {
            scope.spawn(work);
        }
    });
    match failure.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(()),
    }
}

fn fetch_one(
    recipe: &Recipe,
    position: usize,
    http: &Http,
    cache: &Cache,
    progress: &dyn Progress,
) -> Result<(), BootstrapError> {
    let package = &recipe.packages[position];
    let promise = Promise { sha256: &package.sha256, size: package.size };
    let (_, cached) = cache.ensure(http, &recipe.url(package), promise, progress).map_err(moved)?;
    progress.report(Event::Fetched { package: package.name.clone(), bytes: package.size, cached });
    Ok(())
}
