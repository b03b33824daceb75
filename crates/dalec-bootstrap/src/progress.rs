//! What a caller hears while work goes on, and how it says stop.
//!
//! Nothing is printed here.

use crate::error::BootstrapError;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A repository's signed index is being read.
    Index {
        /// The index, as a URL.
        url: String,
    },
    /// How many packages and bytes there are to be had, before the first is fetched.
    FetchStarts {
        /// Packages in the recipe.
        packages: usize,
        /// Their size in bytes.
        bytes: u64,
    },
    /// One more package is in the cache.
    Fetched {
        /// Its name.
        package: String,
        /// Its size in bytes.
        bytes: u64,
        /// Whether it was there before.
        cached: bool,
    },
    /// One more package is unpacked.
    Unpacked {
        /// Its name.
        package: String,
    },
}

/// Listens to work and may stop it; called from several threads at once.
pub trait Progress: Sync {
    /// Takes note of `event`; must return soon.
    fn report(&self, event: Event);

    /// Returns whether the work should end; asked often, at least once per chunk and file.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Listens to nothing and never stops anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn report(&self, _event: Event) {}
}

/// Returns an error once the caller wants to stop.
pub(crate) fn check(progress: &dyn Progress) -> Result<(), BootstrapError> {
    if progress.is_cancelled() { Err(BootstrapError::Cancelled) } else { Ok(()) }
}
