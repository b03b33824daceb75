//! A flag that says "stop", shared by everything that works for one build or one solve.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that many threads watch; once set it stays set. A child is set with its parent, not the other
/// way round. Setting it is async-signal-safe.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    own: Arc<AtomicBool>,
    parent: Option<Arc<Cancel>>,
}

impl Cancel {
    /// Returns a flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a flag that is set when this one is, and can be set alone.
    pub fn child(&self) -> Self {
        Self { own: Arc::default(), parent: Some(Arc::new(self.clone())) }
    }

    /// Sets the flag.
    pub fn cancel(&self) {
        self.own.store(true, Ordering::SeqCst);
    }

    /// Returns whether the flag, or one above it, is set.
    pub fn is_cancelled(&self) -> bool {
        self.own.load(Ordering::SeqCst) || self.parent.as_ref().is_some_and(|parent| parent.is_cancelled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_follows_its_parent_but_not_the_other_way_round() {
        let parent = Cancel::new();
        let (first, second) = (parent.child(), parent.child());
        first.cancel();
        assert!(first.is_cancelled() && !parent.is_cancelled() && !second.is_cancelled());
        parent.cancel();
        assert!(second.is_cancelled());
    }
}
