//! What work waits for other work, so that work that would wait for itself is refused instead.
//!
//! A build op's graph is known only when the op is being done. It may hold that very op, or one that waits for it: then
//! each would wait for the other without end.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Mutex;

use super::cells::locked;

/// Which work needs which other work that is not done yet.
#[derive(Debug)]
pub struct Needs<K> {
    needs: Mutex<HashMap<K, Vec<K>>>,
}

impl<K: Clone + Eq + Hash> Needs<K> {
    /// Returns no needs.
    pub fn new() -> Self {
        Self { needs: Mutex::new(HashMap::new()) }
    }

    /// Notes that `work` needs `needed` until the answer is dropped; none when `needed` needs `work` already, or is it.
    pub fn note(&self, work: &K, needed: &K) -> Option<Need<'_, K>> {
        let mut needs = locked(&self.needs);
        if leads_to(&needs, needed, work) {
            return None;
        }
        needs.entry(work.clone()).or_default().push(needed.clone());
        Some(Need { all: self, work: work.clone(), needed: needed.clone() })
    }
}

fn leads_to<K: Eq + Hash>(needs: &HashMap<K, Vec<K>>, from: &K, to: &K) -> bool {
    let mut pending = vec![from];
    let mut seen = HashSet::new();
    while let Some(work) = pending.pop() {
        if work == to {
            return true;
        }
        if seen.insert(work) {
            pending.extend(needs.get(work).into_iter().flatten());
        }
    }
    false
}

/// A need, which ends when this is dropped.
#[derive(Debug)]
pub struct Need<'a, K: Eq + Hash> {
    all: &'a Needs<K>,
    work: K,
    needed: K,
}

impl<K: Eq + Hash> Drop for Need<'_, K> {
    fn drop(&mut self) {
        let mut needs = locked(&self.all.needs);
        let Some(noted) = needs.get_mut(&self.work) else { return };
        if let Some(position) = noted.iter().position(|needed| *needed == self.needed) {
            noted.swap_remove(position);
        }
        if noted.is_empty() {
            needs.remove(&self.work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_does_not_wait_for_itself_however_far_around() {
        let needs = Needs::new();
        assert!(needs.note(&"a", &"a").is_none());
        let first = needs.note(&"a", &"b");
        let again = needs.note(&"a", &"b");
        let second = needs.note(&"b", &"c");
        assert!(first.is_some() && again.is_some() && second.is_some());
        assert!(needs.note(&"c", &"a").is_none());
        assert!(needs.note(&"c", &"d").is_some());
        drop(first);
        assert!(needs.note(&"c", &"a").is_none());
        drop(again);
        assert!(needs.note(&"c", &"a").is_some());
        drop(second);
        assert!(locked(&needs.needs).is_empty());
    }
}
