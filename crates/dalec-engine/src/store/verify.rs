//! Whether what the store holds is what it was when it came: files by the digest in their names, layers by the digests
//! that were found when something read them.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Read;

use dalec_gateway::GatewayError;

use super::Store;
use super::entries::{Entry, Kind};
use super::results::Row;
use crate::cachekey::Key;
use crate::error::{Error, Result};
use crate::oci::Digest;
use crate::snapshot::resolve::{Last, resolve};
use crate::snapshot::{LayerId, Snapshot, digest};

/// Something that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What it is.
    pub entry: Entry,
    /// What is wrong with it.
    pub problem: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// How many entries were compared with a digest.
    pub checked: usize,
    /// What is damaged.
    pub damaged: Vec<Damage>,
    /// Results that lack layers; they are made again when they are needed.
    pub incomplete: usize,
}

impl Store {
    /// Compares everything with the digests that are known of it; changes nothing.
    ///
    /// # Errors
    /// When the store cannot be read, or its database is damaged.
    pub fn verify(&self) -> Result<Verified, GatewayError> {
        self.verify_all().map_err(|error| error.into_gateway(self.root()))
    }

    /// Removes what a check found, as far as no build uses it. What needs it is made again.
    ///
    /// Layers that were pulled as a damaged blob go with it: in an image they would become other blobs without it.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_damaged(&self, damaged: Vec<Damage>) -> Result<super::Pruned, GatewayError> {
        let mut gone: Vec<Entry> = damaged.into_iter().map(|damage| damage.entry).collect();
        let removed = self.list().and_then(|all| {
            let is_gone = |kind, id: &str| gone.iter().any(|entry| entry.kind == kind && entry.id == id);
            let pulled = self.pulled_layers()?;
            let is_of_blob = |entry: &&Entry| {
                let blob = pulled.get(&entry.id).filter(|_| entry.kind == Kind::Layer);
                blob.is_some_and(|blob| is_gone(Kind::Blob, blob)) && !is_gone(Kind::Layer, &entry.id)
            };
            let layers: Vec<Entry> = all.iter().filter(is_of_blob).cloned().collect();
            gone.extend(layers);
            self.remove(gone, &all)
        });
        removed.map_err(|error| error.into_gateway(self.root()))
    }

    fn verify_all(&self) -> Result<Verified> {
        self.check_database()?;
        let mut verified = Verified::default();
        let entries = self.list()?;
        let rows = self.rows()?;
        let damaged = self.damaged_layers(&rows, &mut verified)?;
        for entry in entries {
            let problem = match entry.kind {
                Kind::Layer if damaged.contains(&entry.id) => Some("its files have changed".to_owned()),
                Kind::Blob | Kind::Package => {
                    verified.checked += 1;
                    of_named_file(&entry)
                }
                _ => None,
            };
            verified.damaged.extend(problem.map(|problem| Damage { entry, problem }));
        }
        Ok(verified)
    }

    /// Asks the database whether it is in order.
    fn check_database(&self) -> Result<()> {
        let answer: String = self.db(|db| db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)))?;
        if answer == "ok" {
            return Ok(());
        }
        let path = self.root().join("store.db");
        Err(Error::Environment {
            message: format!("the database {} is damaged: {answer}", path.display()),
            hint: format!("remove the state directory {}", self.root().display()),
            source: None,
        })
    }

    /// Returns the layers that may be what is wrong with file systems whose digests are not what they were.
    fn damaged_layers(&self, rows: &[Row], verified: &mut Verified) -> Result<HashSet<String>> {
        let mut snapshots: BTreeMap<Key, &Snapshot> = BTreeMap::new();
        for row in rows {
            let there = |layer: &LayerId| self.layer_path(layer).is_dir();
            if row.outputs.iter().flat_map(Snapshot::layers).all(there) {
                snapshots.extend(row.outputs.iter().map(|output| (output.chain_key(), output)));
            } else {
                verified.incomplete += 1;
            }
        }
        let (mut good, mut doubtful) = (HashSet::new(), Vec::new());
        for (chain, selector, expected) in self.contents()? {
            // What copies take is part of what some whole directory is.
            let Some((snapshot, path)) = snapshots.get(&chain).zip(selector.strip_prefix("path ")) else {
                continue;
            };
            verified.checked += 1;
            let names = || snapshot.layers().iter().map(|layer| layer.directory().to_owned());
            // What cannot be read is damaged, too, and hides nothing of the rest.
            if !self.content_of(snapshot, path).is_ok_and(|found| found == expected) {
                // Removed meanwhile.
                if !snapshot.layers().iter().all(|layer| self.layer_path(layer).is_dir()) {
                    continue;
                }
                doubtful.push(names().collect::<HashSet<String>>());
            } else if matches!(path, "" | "/") {
                good.extend(names());
            }
        }
        let blame = |layers: &HashSet<String>| -> HashSet<String> {
            let bad: HashSet<String> = layers.difference(&good).cloned().collect();
            // What is hidden by other layers is good in one place and bad in another.
            if bad.is_empty() { layers.clone() } else { bad }
        };
        Ok(doubtful.iter().flat_map(blame).collect())
    }

    fn content_of(&self, snapshot: &Snapshot, path: &str) -> Result<Key> {
        let tree = snapshot.tree(self);
        match resolve(&tree, path.as_bytes(), Last::Follow)? {
            Some(found) => digest::digest(&tree, &found.node, &|| Ok(())),
            None => Ok(Key::hasher("missing").finish()),
        }
    }
}

/// Returns what is wrong with a file whose name is the digest of its content.
fn of_named_file(entry: &Entry) -> Option<String> {
    let algorithm = if entry.path.parent().is_some_and(|parent| parent.ends_with("sha512")) {
        "sha512"
    } else {
        "sha256"
    };
    let Ok(expected) = format!("{algorithm}:{}", entry.id).parse::<Digest>() else {
        return Some("its name is no digest".into());
    };
    match File::open(&entry.path).and_then(|mut file| digest_of(&mut file, &expected)) {
        Ok(actual) => (actual != expected).then(|| format!("its content has the digest {actual}")),
        // Removed meanwhile.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => Some(format!("it cannot be read: {error}")),
    }
}

fn digest_of(file: &mut File, like: &Digest) -> std::io::Result<Digest> {
    let mut hasher = like.hasher();
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&buffer[..count]),
        }
    }
}
