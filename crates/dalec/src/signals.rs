//! Ctrl-C and its kin: the first one lets the build stop and clean up, the second one ends the process at once.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use dalec_engine::Cancel;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::errors::CommandError;

/// What is shared with the thread that waits for signals.
#[derive(Debug, Default)]
struct Shared {
    /// The first signal that came; 0 for none.
    first: AtomicI32,
    /// What has to go when the process ends at once.
    leftovers: Mutex<Vec<PathBuf>>,
}

/// The watch over signals of one build.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<Shared>);

impl Watch {
    /// Starts to watch: the first signal sets `cancel` and calls `told`, the second one calls `last_words` and ends the
    /// process. Neither function may wait for anything: the next signal would not be seen.
    ///
    /// # Errors
    /// [`CommandError::Environment`] when signals cannot be caught.
    pub fn start(
        cancel: Cancel,
        told: impl Fn() + Send + 'static,
        last_words: impl Fn() + Send + 'static,
    ) -> Result<Self, CommandError> {
        let mut signals =
            Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|source| CommandError::Environment {
                message: "cannot watch for signals".into(),
                help: None,
                source: Some(source.into()),
            })?;
        let watch = Self::default();
        let shared = watch.0.clone();
        std::thread::spawn(move || {
            for signal in signals.forever() {
                let first = shared.first.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
                if first.is_ok() {
                    cancel.cancel();
                    told();
                    continue;
                }
                shared.remove_leftovers();
                last_words();
                // SAFETY: ends the process without running anything else; what it holds goes with it.
                unsafe { libc::_exit(128 + signal) }
            }
        });
        Ok(watch)
    }

    /// Returns the signal that asked to stop, if one came.
    pub fn received(&self) -> Option<i32> {
        Some(self.0.first.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Has `path` removed, too, when the process ends at once.
    pub fn remove_when_killed(&self, path: impl Into<PathBuf>) {
        self.0.leftovers.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(path.into());
    }

    /// Returns what would be removed when the process ends at once.
    #[cfg(test)]
    pub fn leftovers(&self) -> Vec<PathBuf> {
        self.0.leftovers.lock().unwrap().clone()
    }
}

impl Shared {
    fn remove_leftovers(&self) {
        // The holder of this lock only pushes, so it cannot be held for long.
        let leftovers = self.leftovers.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for path in leftovers.iter() {
            // One of the two fails; the process ends anyway.
            let _ = std::fs::remove_file(path);
            let _ = std::fs::remove_dir_all(path);
        }
    }
}
