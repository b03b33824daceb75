//! Removal of what the store holds, while builds of other processes may run.
//!
//! A build notes the key of each result before it looks it up or stores it (`process_dir`). Whoever removes results does
//! so first and looks at the notes afterwards: a build that still got a removed result has noted it by then, and the
//! layers stay. A cache mount is locked while it is used. Everything else is reached by path without a word, so it stays
//! while any other process has the store open; nobody can open it while things are moved out of the way. What is
//! removed is moved into the folder of this process's unfinished work first, so it goes even when this process dies.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use dalec_gateway::GatewayError;
use rustix::fs::FlockOperation;

use super::entries::{Entry, Kind, layers_used};
use super::process_dir::{Others, WorkDir};
use super::remove::remove_tree;
use super::results::{Row, USED_GRANULARITY, now};
use super::{Store, locks};
use crate::cachekey::Key;
use crate::error::{IoContext, Result};
use crate::snapshot::{LayerId, Snapshot};

/// What to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PruneOptions {
    /// Also what takes a download to have again, and cache mounts.
    pub all: bool,
    /// Remove, what was used longest ago first, until the store takes no more bytes.
    pub keep_storage: Option<u64>,
    /// Only what was not used for so many seconds.
    pub older_than: Option<i64>,
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pruned {
    /// What is gone, in the order of [`Store::entries`].
    pub removed: Vec<Entry>,
    /// What would be gone if builds did not use it, or might.
    pub in_use: Vec<Entry>,
}

impl Store {
    /// Removes what `options` say and nobody uses.
    ///
    /// # Errors
    /// When something cannot be removed; the rest is removed all the same.
    pub fn prune(&self, options: &PruneOptions) -> Result<Pruned, GatewayError> {
        let pruned = self.list().and_then(|entries| {
            let mut chosen = wanted(entries.clone(), options, now());
            self.keep_blobs_of_layers(&entries, &mut chosen)?;
            self.remove(chosen, &entries)
        });
        pruned.map_err(|error| error.into_gateway(self.root()))
    }

    /// Takes those blobs out of `chosen` whose layers are among `all` and stay: a layer without the blob that it was
    /// pulled as would become another one in an image.
    fn keep_blobs_of_layers(&self, all: &[Entry], chosen: &mut Vec<Entry>) -> Result<()> {
        let all: HashSet<&str> = all.iter().map(|entry| entry.id.as_str()).collect();
        let goes: HashSet<String> = chosen.iter().map(|entry| entry.id.clone()).collect();
        let mut pulled = self.pulled_layers()?;
        pulled.retain(|layer, _| all.contains(layer.as_str()) && !goes.contains(layer));
        let needed: HashSet<String> = pulled.into_values().collect();
        chosen.retain(|entry| entry.kind != Kind::Blob || !needed.contains(&entry.id));
        Ok(())
    }

    /// Removes `entries`, as far as nobody uses them or has used them since they were listed, and those among `all` that
    /// are of no use without them.
    pub(super) fn remove(&self, entries: Vec<Entry>, all: &[Entry]) -> Result<Pruned> {
        let trash = self.work_dir()?;
        let mut pruned = Pruned::default();
        let gate = self.gate().wait(&mut || Ok(()))?;
        let others = Others::of(&self.root().join("tmp"), self.process_dir()?)?;
        let layers = self.remove_results(&entries, others)?;
        let alone = Others::of(&self.root().join("tmp"), self.process_dir()?)?.is_empty();
        let mut trash = Trash { dir: &trash, count: 0 };
        for entry in entries {
            let moved = match entry.kind {
                Kind::Layer => layers.contains(&entry.id) && trash.take(&entry.path)?,
                Kind::Cache => trash.take_unlocked(&entry.path)?,
                _ => alone && trash.take(&entry.path)?,
            };
            if moved { &mut pruned.removed } else { &mut pruned.in_use }.push(entry);
        }
        // What results had beside the layers that were asked for.
        let asked: HashSet<String> =
            pruned.removed.iter().chain(&pruned.in_use).map(|entry| entry.id.clone()).collect();
        for layer in layers.iter().filter(|layer| !asked.contains(*layer)) {
            trash.take(&self.layer_path(&LayerId::from_stored(layer)))?;
            let listed = all.iter().find(|entry| entry.kind == Kind::Layer && entry.id == *layer);
            pruned.removed.extend(listed.cloned());
        }
        pruned.removed.sort_by(Entry::in_order);
        if alone {
            self.forget_answers(&pruned.removed)?;
        }
        drop(gate);
        // Here it takes time, and nobody waits for it.
        remove_tree(trash.dir.path()).at("remove", trash.dir.path())?;
        Ok(pruned)
    }

    /// Removes the results that have one of the layers among `entries`, and returns the layers that nobody needs then.
    fn remove_results(&self, entries: &[Entry], others: Others) -> Result<HashSet<String>> {
        let rows = self.rows()?;
        let used = layers_used(&rows);
        let is_wanted = |entry: &&Entry| match used.get(&entry.id) {
            Some(used) => *used == entry.used,
            // One that has no result may be about to get one.
            None => others.is_empty(),
        };
        let layers = entries.iter().filter(|entry| entry.kind == Kind::Layer).filter(is_wanted);
        let layers: HashSet<String> = layers.map(|entry| entry.id.clone()).collect();
        let has_one = |row: &Row| names(&row.outputs).any(|layer| layers.contains(layer));
        let noted = others.keys();
        let (gone, _): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| has_one(row) && !noted.contains(&row.key));
        let keys: Vec<Key> = gone.iter().map(|row| row.key).collect();
        self.delete_results(&keys)?;
        // Whoever got a result before it was removed has noted it by now.
        let noted = Others::of(&self.root().join("tmp"), self.process_dir()?)?.keys();
        let mut free = layers;
        free.extend(gone.iter().flat_map(|row| names(&row.outputs)).map(str::to_owned));
        let kept = self.rows()?;
        let late = gone.iter().filter(|row| noted.contains(&row.key));
        let needed: HashSet<&str> = kept.iter().chain(late).flat_map(|row| names(&row.outputs)).collect();
        self.forget_contents(&kept)?;
        Ok(free.into_iter().filter(|layer| !needed.contains(layer.as_str())).collect())
    }
}

fn names(outputs: &[Snapshot]) -> impl Iterator<Item = &str> {
    outputs.iter().flat_map(Snapshot::layers).map(LayerId::directory)
}

/// Returns which of `entries` the options mean.
fn wanted(entries: Vec<Entry>, options: &PruneOptions, now: i64) -> Vec<Entry> {
    let mut total: u64 = entries.iter().map(|entry| entry.size).sum();
    let old = |entry: &Entry| match options.older_than {
        // The use that is noted may not be the last one.
        Some(age) => entry.used.saturating_add(age).saturating_add(USED_GRANULARITY) < now,
        None => true,
    };
    let mut entries = entries;
    entries.retain(|entry| (options.all || entry.kind.is_made()) && old(entry));
    let Some(keep) = options.keep_storage else { return entries };
    let mut by_age: BTreeMap<(i64, usize), u64> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        by_age.insert((entry.used, index), entry.size);
    }
    let mut gone = HashSet::new();
    for ((_, index), size) in by_age {
        if total <= keep {
            break;
        }
        total -= size;
        gone.insert(index);
    }
    let chosen = entries.into_iter().enumerate().filter(|(index, _)| gone.contains(index));
    chosen.map(|(_, entry)| entry).collect()
}

/// A folder that goes, and all that is moved into it.
struct Trash<'a> {
    dir: &'a WorkDir,
    count: usize,
}

impl Trash<'_> {
    /// Moves `path` here, unless it is gone already; returns that it is.
    fn take(&mut self, path: &Path) -> Result<bool> {
        let aside = self.dir.path().join(self.count.to_string());
        self.count += 1;
        match std::fs::rename(path, aside) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error).at("move away", path),
        }
    }

    /// The same, unless somebody has the directory `path` locked.
    fn take_unlocked(&mut self, path: &Path) -> Result<bool> {
        let Some(_lock) = locks::lock_directory(path, FlockOperation::NonBlockingLockExclusive)? else {
            return Ok(false);
        };
        self.take(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind, id: &str, size: u64, used: i64) -> Entry {
        Entry { kind, id: id.into(), name: String::new(), size, used, path: id.into() }
    }

    #[track_caller]
    fn check(options: PruneOptions, expected: &[&str]) {
        let entries = vec![
            entry(Kind::Layer, "new", 10, 90_000),
            entry(Kind::Layer, "old", 10, 10_000),
            entry(Kind::Cache, "cache", 10, 20_000),
            entry(Kind::Package, "package", 10, 5_000),
        ];
        let chosen: Vec<String> =
            wanted(entries, &options, 100_000).into_iter().map(|entry| entry.id).collect();
        assert_eq!(chosen, expected);
    }

    #[test]
    fn options_say_what_goes() {
        let none = PruneOptions::default();
        let all = PruneOptions { all: true, ..none };
        check(none, &["new", "old"]);
        check(all, &["new", "old", "cache", "package"]);
        // The last use may have been almost an hour after the one that was noted.
        check(PruneOptions { older_than: Some(6_401), ..none }, &["old"]);
        check(PruneOptions { older_than: Some(6_399), ..none }, &["new", "old"]);
        check(PruneOptions { older_than: Some(i64::MAX), ..all }, &[]);
        check(PruneOptions { keep_storage: Some(40), ..all }, &[]);
        check(PruneOptions { keep_storage: Some(39), ..all }, &["package"]);
        check(PruneOptions { keep_storage: Some(20), ..all }, &["old", "package"]);
        check(PruneOptions { keep_storage: Some(0), ..all }, &["new", "old", "cache", "package"]);
        check(PruneOptions { keep_storage: Some(25), ..none }, &["new", "old"]);
        check(PruneOptions { keep_storage: Some(30), ..none }, &["old"]);
    }
}
