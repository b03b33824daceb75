//! Caches in directories of this host: OCI layouts that the daemon reads from and writes to through the session.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::client::Entry;
use crate::layout::{LayoutError, open_layout};
use crate::session::Store;

/// Key of the exporters' answer with the descriptor of what was written.
const WRITTEN: &str = "cache.manifest";
const NAME: &str = "org.opencontainers.image.ref.name";
const DEFAULT_TAG: &str = "latest";
/// What says which images are in a directory.
const INDEX: &str = "index.json";
/// File that BuildKit's other clients lock, too, and remove when they are done.
const LOCK: &str = "index.json.lock";

/// Why a cache directory cannot be used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// The field is missing.
    #[error("a local cache needs the field `{0}`")]
    Field(&'static str),
    /// What should be read is not there.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// What is written, or would be, cannot be found again.
    #[error("cannot write the index of the cache {}", path.display())]
    Unwritable {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A cache directory for a build.
pub struct LocalCache {
    /// What the daemon is told.
    pub entry: Entry,
    /// Name of the store that it asks for.
    pub store_name: String,
    /// The store.
    pub store: Arc<Store>,
}

/// Returns the cache that `entry` says to read.
///
/// # Errors
/// When there is none.
pub fn read_cache(mut entry: Entry) -> Result<LocalCache, CacheError> {
    let dir = field(&entry, "src")?;
    let (store, digest) = match entry.attrs.get("digest") {
        Some(digest) => (Arc::new(Store::layout(&dir, Vec::new())), digest.clone()),
        None => {
            let tag = entry.attrs.get("tag").map_or(DEFAULT_TAG, String::as_str);
            let (store, digest) = open_layout(&dir, Some(tag))?;
            (store, digest.to_string())
        }
    };
    entry.attrs.insert("digest".into(), digest);
    Ok(LocalCache { store_name: store_name(&dir), store, entry })
}

/// Returns the cache that `entry` says to write.
///
/// # Errors
/// When its directory is not named, or has an index that nothing can be added to.
pub fn write_cache(entry: Entry) -> Result<LocalCache, CacheError> {
    let dir = field(&entry, "dest")?;
    if let Err(source) = index(&dir) {
        return Err(CacheError::Unwritable { path: dir, source });
    }
    Ok(LocalCache { store_name: store_name(&dir), store: Arc::new(Store::cache(&dir)), entry })
}

fn field(entry: &Entry, name: &'static str) -> Result<PathBuf, CacheError> {
    entry.attrs.get(name).filter(|dir| !dir.is_empty()).map(PathBuf::from).ok_or(CacheError::Field(name))
}

/// The daemon makes the name from what it is told.
fn store_name(dir: &Path) -> String {
    format!("local:{}", dir.display())
}

/// Makes what a build wrote into `cache` be found there under its tag.
///
/// # Errors
/// [`CacheError::Unwritable`].
pub fn publish_cache(
    cache: &LocalCache,
    response: &std::collections::BTreeMap<String, String>,
) -> Result<(), CacheError> {
    let dir = field(&cache.entry, "dest")?;
    let Some(descriptor) = response.get(WRITTEN) else { return Ok(()) };
    let tag = cache.entry.attrs.get("tag").map_or(DEFAULT_TAG, String::as_str);
    publish(&dir, tag, descriptor).map_err(|source| CacheError::Unwritable { path: dir, source })
}

fn publish(dir: &Path, tag: &str, descriptor: &str) -> io::Result<()> {
    let wrong = || io::Error::other("what the daemon says that it wrote is no descriptor");
    let mut described: Map<String, Value> = serde_json::from_str(descriptor).map_err(|_| wrong())?;
    let annotations = described.entry("annotations").or_insert(Value::Null);
    if annotations.is_null() {
        *annotations = json!({});
    }
    annotations.as_object_mut().ok_or_else(wrong)?.insert(NAME.into(), json!(tag));
    let _others_wait = lock(dir)?;
    let mut index = index(dir)?;
    index.insert("schemaVersion".into(), json!(2));
    index.insert("mediaType".into(), json!("application/vnd.oci.image.index.v1+json"));
    let others = index.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default();
    let others = others.into_iter().filter(|known| known["annotations"][NAME] != tag);
    index.insert("manifests".into(), others.chain([Value::Object(described)]).collect());
    // Nothing is written any more; what is left of others' work stays.
    let _ = std::fs::remove_dir(dir.join("ingest"));
    write(&dir.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    write(&dir.join(INDEX), Value::Object(index).to_string().as_bytes())
}

/// Returns the index of `dir`; an empty one when it has none.
fn index(dir: &Path) -> io::Result<Map<String, Value>> {
    match std::fs::read(dir.join(INDEX)) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| io::Error::other(format!("its {INDEX} is no index of images: {error}"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(error),
    }
}

/// Waits until nobody else changes the index of `dir`; others wait until the file is closed.
fn lock(dir: &Path) -> io::Result<File> {
    let path = dir.join(LOCK);
    loop {
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        file.lock()?;
        let locked = file.metadata()?;
        // A lock of a file that is no longer there keeps nobody out.
        match std::fs::metadata(&path) {
            Ok(there) if (there.dev(), there.ino()) == (locked.dev(), locked.ino()) => return Ok(file),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes a file so that nobody finds half of it.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let half = path.with_extension(format!("{}.half", std::process::id()));
    std::fs::write(&half, bytes)?;
    std::fs::rename(&half, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_that_end_at_once_all_keep_their_tags() {
        let dir = tempfile::tempdir().unwrap();
        let descriptor = format!(r#"{{"digest":"sha256:{}","size":1}}"#, "1".repeat(64));
        let tags: Vec<String> = (0..32).map(|number| format!("tag{number}")).collect();
        std::thread::scope(|scope| {
            for tag in &tags {
                scope.spawn(|| publish(dir.path(), tag, &descriptor).unwrap());
            }
        });
        for tag in &tags {
            open_layout(dir.path(), Some(tag)).unwrap();
        }
    }

    #[test]
    fn the_lock_of_another_client_is_waited_for_even_when_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = lock(dir.path()).unwrap();
        std::thread::scope(|scope| {
            let ours = scope.spawn(|| lock(dir.path()).unwrap());
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(!ours.is_finished());
            std::fs::remove_file(dir.path().join(LOCK)).unwrap();
            drop(theirs);
            let _ours = ours.join().unwrap();
            let third = File::open(dir.path().join(LOCK)).unwrap();
            assert!(third.try_lock().is_err());
        });
    }

    #[test]
    fn what_was_written_is_found_by_its_tag() {
        let dir = tempfile::tempdir().unwrap();
        let entry = |field: &str, tag: &str| Entry {
            kind: "local".into(),
            attrs: [(field, dir.path().to_str().unwrap()), ("tag", tag)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        };
        for (tag, digit) in [("latest", "1"), ("main", "2"), ("latest", "3")] {
            let cache = write_cache(entry("dest", tag)).unwrap();
            assert_eq!(cache.store_name, format!("local:{}", dir.path().display()));
            let descriptor = format!(r#"{{"digest":"sha256:{}","size":1}}"#, digit.repeat(64));
            publish_cache(&cache, &[(WRITTEN.to_owned(), descriptor)].into()).unwrap();
        }
        let digest = |tag: &str| read_cache(entry("src", tag)).unwrap().entry.attrs["digest"].clone();
        assert_eq!(digest("latest"), format!("sha256:{}", "3".repeat(64)));
        assert_eq!(digest("main"), format!("sha256:{}", "2".repeat(64)));
        assert!(matches!(read_cache(entry("src", "other")), Err(CacheError::Layout(_))));
        assert!(matches!(write_cache(entry("src", "x")), Err(CacheError::Field("dest"))));
    }

    #[test]
    fn an_index_or_descriptor_that_is_none_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let said = |descriptor: &str| publish(dir.path(), "x", descriptor).unwrap_err().to_string();
        for descriptor in ["[]", "1", "", r#"{"annotations":""}"#, r#"{"annotations":[]}"#] {
            assert_eq!(said(descriptor), "what the daemon says that it wrote is no descriptor");
        }
        assert!(!dir.path().join(INDEX).exists());
        publish(dir.path(), "x", r#"{"annotations":null}"#).unwrap();
        for index in ["[]", "\"\"", "", "{"] {
            std::fs::write(dir.path().join(INDEX), index).unwrap();
            let words = said("{}");
            assert!(words.starts_with("its index.json is no index of images: "), "{words}");
            // It is said before the build, too.
            let attrs = [("dest".to_owned(), dir.path().to_str().unwrap().to_owned())].into();
            let entry = Entry { kind: "local".into(), attrs };
            assert!(matches!(write_cache(entry), Err(CacheError::Unwritable { .. })));
            assert_eq!(std::fs::read_to_string(dir.path().join(INDEX)).unwrap(), index);
        }
    }
}
