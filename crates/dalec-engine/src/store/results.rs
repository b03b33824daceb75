//! Results of ops by key, digests of trees, and remembered answers.

use std::collections::{BTreeMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{OptionalExtension, TransactionBehavior, params};

use super::Store;
use super::entries::{Entry, Kind};
use crate::cachekey::Key;
use crate::error::Result;
use crate::snapshot::{LayerId, Snapshot};
use crate::solver::locked;

/// What the store knows about an op's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResult {
    /// Names this very result; the key of what runs on top is made from it.
    pub result_key: Key,
    /// One file system per output.
    pub outputs: Vec<Snapshot>,
    /// Where it came from, in words; empty when there is nothing to say.
    pub note: String,
}

/// How far the time of last use may lag behind, so that a build that changes nothing writes nothing.
pub(super) const USED_GRANULARITY: i64 = 60 * 60;

/// The space of remembered answers that says what cache mounts are called.
const CACHE_MOUNTS: &str = "cache mount";

/// Space of the answers that say which blob holds a layer. Keys without a blank are layers that were pulled as that blob;
/// no other place says so, and they cannot be made again.
pub(crate) const LAYER_BLOBS: &str = "layer blob";

/// One stored result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The key it is stored under.
    pub key: Key,
    /// One file system per output.
    pub outputs: Vec<Snapshot>,
    /// When it was last used, in seconds since 1970.
    pub used: i64,
}

impl Store {
    /// Returns the result stored under `key`, if all of it is there.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn result(&self, key: &Key) -> Result<Option<StoredResult>> {
        // Before the look, so that nobody removes what it finds.
        self.process_dir()?.note(key)?;
        let row = self.db(|db| {
            let mut statement =
                db.prepare_cached("SELECT result_key, outputs, note, used FROM results WHERE key = ?1")?;
            let row = |row: &rusqlite::Row<'_>| {
                let result_key: [u8; 32] = row.get(0)?;
                let outputs: String = row.get(1)?;
                Ok((result_key, outputs, row.get(2)?, row.get::<_, i64>(3)?))
            };
            statement.query_row([&key.0], row).optional()
        })?;
        let Some((result_key, outputs, note, used)) = row else {
            return Ok(None);
        };
        let outputs: Vec<Snapshot> = outputs.split('\n').map(parse_chain).collect();
        let complete = outputs.iter().flat_map(Snapshot::layers).all(|layer| self.has_layer(layer));
        if !complete {
            return Ok(None);
        }
        if now() - used > USED_GRANULARITY {
            self.db(|db| db.execute("UPDATE results SET used = ?2 WHERE key = ?1", params![key.0, now()]))?;
        }
        Ok(Some(StoredResult { result_key: Key(result_key), outputs, note }))
    }

    /// Stores `result` under `key`, in the place of an earlier one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(crate) fn put_result(&self, key: &Key, result: &StoredResult) -> Result<()> {
        self.process_dir()?.note(key)?;
        let outputs: Vec<String> = result.outputs.iter().map(format_chain).collect();
        let boot = super::durable::boot_id();
        self.db(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute("DELETE FROM results WHERE key = ?1", [&key.0])?;
            transaction.execute(
                "INSERT INTO results (key, result_key, outputs, note, used, boot, durable)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
                params![key.0, result.result_key.0, outputs.join("\n"), result.note, now(), boot],
            )?;
            transaction.commit()
        })?;
        let mut unclaimed = locked(&self.inner.unclaimed);
        for layer in result.outputs.iter().flat_map(Snapshot::layers) {
            unclaimed.remove(&layer.attached());
        }
        drop(unclaimed);
        self.inner.durable.request(self);
        Ok(())
    }

    /// Returns the directory names of all layers that results have.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) fn layers_of_results(&self) -> Result<HashSet<String>> {
        self.db(|db| {
            let mut statement = db.prepare("SELECT outputs FROM results")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            let mut layers = HashSet::new();
            for outputs in rows {
                let names = outputs?;
                let ids = names.split_whitespace().map(LayerId::from_stored);
                layers.extend(ids.map(|id| id.directory().to_owned()));
            }
            Ok(layers)
        })
    }

    /// Returns all results, in the order of their making.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) fn rows(&self) -> Result<Vec<Row>> {
        self.db(|db| {
            let mut statement = db.prepare("SELECT key, outputs, used FROM results ORDER BY sequence")?;
            let rows = statement.query_map([], |row| {
                let outputs: String = row.get(1)?;
                let outputs = outputs.split('\n').map(parse_chain).collect();
                Ok(Row { key: Key(row.get(0)?), outputs, used: row.get(2)? })
            })?;
            rows.collect()
        })
    }

    /// Removes results.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(super) fn delete_results(&self, keys: &[Key]) -> Result<()> {
        self.db(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for key in keys {
                transaction.prepare_cached("DELETE FROM results WHERE key = ?1")?.execute([&key.0])?;
            }
            transaction.commit()
        })
    }

    /// Returns the digests of whole directories that are known of results, by the results' file systems.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) fn contents(&self) -> Result<Vec<(Key, String, Key)>> {
        self.db(|db| {
            let mut statement = db.prepare("SELECT chain, selector, digest FROM contents ORDER BY 1, 2")?;
            let rows =
                statement.query_map([], |row| Ok((Key(row.get(0)?), row.get(1)?, Key(row.get(2)?))))?;
            rows.collect()
        })
    }

    /// Forgets the digests of file systems that none of `kept` has. They are found out again.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(super) fn forget_contents(&self, kept: &[Row]) -> Result<()> {
        let chains: HashSet<Key> =
            kept.iter().flat_map(|row| &row.outputs).map(Snapshot::chain_key).collect();
        let known: HashSet<Key> = self.contents()?.into_iter().map(|(chain, ..)| chain).collect();
        self.db(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for chain in known.difference(&chains) {
                transaction.prepare_cached("DELETE FROM contents WHERE chain = ?1")?.execute([&chain.0])?;
            }
            transaction.commit()
        })
    }

    /// Notes that the cache mount of the directory `name` was used, under the name `id`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(super) fn note_cache(&self, name: &str, id: &str) -> Result<()> {
        self.put_answer(CACHE_MOUNTS, name, id.as_bytes())
    }

    /// Returns what the directories of cache mounts are called, and when they were last used.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) fn cache_names(&self) -> Result<BTreeMap<String, (String, i64)>> {
        self.db(|db| {
            let mut statement = db.prepare("SELECT key, value, at FROM answers WHERE space = ?1")?;
            let rows = statement.query_map([CACHE_MOUNTS], |row| {
                let id: Vec<u8> = row.get(1)?;
                Ok((row.get(0)?, (String::from_utf8_lossy(&id).into_owned(), row.get(2)?)))
            })?;
            rows.collect()
        })
    }

    /// Returns the layers that were pulled, with the name of the blob that each was.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) fn pulled_layers(&self) -> Result<BTreeMap<String, String>> {
        let known: Vec<(String, Vec<u8>)> = self.db(|db| {
            let mut statement =
                db.prepare("SELECT key, value FROM answers WHERE space = ?1 AND key NOT LIKE '% %'")?;
            statement.query_map([LAYER_BLOBS], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        let blob = |value: &[u8]| {
            let value: serde_json::Value = serde_json::from_slice(value).ok()?;
            Some(value["digest"].as_str()?.rsplit(':').next()?.to_owned())
        };
        Ok(known.into_iter().filter_map(|(layer, value)| Some((layer, blob(&value)?))).collect())
    }

    /// Forgets answers that lead to what was removed.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(super) fn forget_answers(&self, removed: &[Entry]) -> Result<()> {
        let caches = removed.iter().filter(|entry| entry.kind == Kind::Cache);
        // An image that is known leads to blobs, and one that was put together to packages.
        let downloads = removed.iter().any(|entry| !matches!(entry.kind, Kind::Layer | Kind::Cache));
        let mut gone = self.pulled_layers()?;
        gone.retain(|layer, _| !self.layer_path(&LayerId::from_stored(layer)).exists());
        let gone: Vec<String> = gone.into_keys().collect();
        self.db(|db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for cache in caches {
                let mut statement =
                    transaction.prepare_cached("DELETE FROM answers WHERE space = ?1 AND key = ?2")?;
                statement.execute([CACHE_MOUNTS, &cache.id])?;
            }
            if downloads {
                transaction.execute(
                    "DELETE FROM answers WHERE space <> ?1 AND (space <> ?2 OR key LIKE '% %')",
                    [CACHE_MOUNTS, LAYER_BLOBS],
                )?;
            }
            for layer in &gone {
                let mut statement =
                    transaction.prepare_cached("DELETE FROM answers WHERE space = ?1 AND key = ?2")?;
                statement.execute([LAYER_BLOBS, layer])?;
            }
            transaction.commit()
        })
    }

    /// Returns the digest of the part `selector` of the file system `chain` names.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn content(&self, chain: &Key, selector: &str) -> Result<Option<Key>> {
        self.db(|db| {
            db.prepare_cached("SELECT digest FROM contents WHERE chain = ?1 AND selector = ?2")?
                .query_row(params![chain.0, selector], |row| row.get(0).map(Key))
                .optional()
        })
    }

    /// Remembers a digest for [`Store::content`].
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(crate) fn put_content(&self, chain: &Key, selector: &str, digest: &Key) -> Result<()> {
        self.db(|db| {
            db.prepare_cached("INSERT OR REPLACE INTO contents VALUES (?1, ?2, ?3)")?
                .execute(params![chain.0, selector, digest.0])
        })?;
        Ok(())
    }

    /// Returns what was remembered as `key` in `space`, and when (seconds since 1970).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn answer(&self, space: &str, key: &str) -> Result<Option<(Vec<u8>, i64)>> {
        self.db(|db| {
            db.prepare_cached("SELECT value, at FROM answers WHERE space = ?1 AND key = ?2")?
                .query_row([space, key], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
    }

    /// Remembers `value` as `key` in `space`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(crate) fn put_answer(&self, space: &str, key: &str, value: &[u8]) -> Result<()> {
        self.db(|db| {
            db.prepare_cached("INSERT OR REPLACE INTO answers VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                space,
                key,
                value,
                now()
            ])
        })?;
        Ok(())
    }
}

/// Returns seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

fn parse_chain(line: &str) -> Snapshot {
    line.split(' ').filter(|id| !id.is_empty()).map(LayerId::from_stored).collect()
}

fn format_chain(snapshot: &Snapshot) -> String {
    let ids: Vec<&str> = snapshot.layers().iter().map(LayerId::as_str).collect();
    ids.join(" ")
}
