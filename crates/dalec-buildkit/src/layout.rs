//! Images in OCI layouts of this host, as the daemon can ask for them: by digest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;

use crate::session::{Digest, Store};

/// What names an image in an index.
const NAMES: [&str; 2] = ["org.opencontainers.image.ref.name", "io.containerd.image.name"];
/// No index is larger.
const MAX_INDEX: u64 = 4 << 20;

/// Why a layout cannot be used.
#[derive(Debug, Error)]
pub enum LayoutError {
    /// Its index cannot be read.
    #[error("cannot read the index of the OCI layout {}", path.display())]
    Unreadable {
        /// The layout.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It does not hold the image.
    #[error("the OCI layout {} has no image {wanted}", path.display())]
    NoImage {
        /// The layout.
        path: PathBuf,
        /// What was asked for.
        wanted: String,
    },
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Manifest>,
}

#[derive(Deserialize)]
struct Manifest {
    digest: String,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

/// Returns the blobs of the layout at `path`, and the digest of the image called `tag` in it. Without a tag, that is the
/// only image, or the index of all of them, from which the daemon takes the platform it needs.
///
/// # Errors
/// See [`LayoutError`].
pub fn open_layout(path: &Path, tag: Option<&str>) -> Result<(Arc<Store>, Digest), LayoutError> {
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| LayoutError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = path.join("index.json");
    let read = || -> std::io::Result<Vec<u8>> {
        if std::fs::metadata(&file)?.len() > MAX_INDEX {
            return Err(std::io::Error::other("it is too large"));
        }
        std::fs::read(&file)
    };
    let bytes = read().map_err(|error| unreadable(error.into()))?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.into()))?;
    let missing = |wanted: &str| LayoutError::NoImage { path: path.to_owned(), wanted: wanted.to_owned() };
    let digest = |manifest: &Manifest| {
        manifest.digest.parse::<Digest>().map_err(|status| unreadable(status.message().to_owned().into()))
    };
    match (tag, index.manifests.as_slice()) {
        (Some(tag), manifests) => {
            let named = |manifest: &&Manifest| {
                let names = NAMES.iter().filter_map(|name| manifest.annotations.get(*name));
                names.into_iter().any(|name| name == tag || name.rsplit(':').next() == Some(tag))
            };
            let manifest = manifests.iter().find(named).ok_or_else(|| missing(tag))?;
            Ok((Arc::new(Store::layout(path, Vec::new())), digest(manifest)?))
        }
        (None, []) => Err(missing("at all")),
        (None, [only]) => Ok((Arc::new(Store::layout(path, Vec::new())), digest(only)?)),
        (None, _) => {
            let digest = Digest::of(&bytes);
            Ok((Arc::new(Store::layout(path, vec![bytes])), digest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(index: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("index.json"), index).unwrap();
        dir
    }

    fn manifest(digit: char, name: &str) -> String {
        let digest = digit.to_string().repeat(64);
        format!(
            r#"{{"digest":"sha256:{digest}","annotations":{{"org.opencontainers.image.ref.name":"{name}"}}}}"#
        )
    }

    #[test]
    fn an_image_is_found_by_its_tag_or_because_it_is_the_only_one() {
        let one = layout(&format!(r#"{{"manifests":[{}]}}"#, manifest('1', "latest")));
        let digest = |dir: &tempfile::TempDir, tag| open_layout(dir.path(), tag).map(|(_, digest)| digest);
        assert_eq!(digest(&one, None).unwrap().hex(), "1".repeat(64));
        let manifests = [manifest('1', "latest"), manifest('2', "example.org/x:v2")];
        let text = format!(r#"{{"manifests":[{}]}}"#, manifests.join(","));
        let two = layout(&text);
        assert_eq!(digest(&two, Some("latest")).unwrap().hex(), "1".repeat(64));
        assert_eq!(digest(&two, Some("v2")).unwrap().hex(), "2".repeat(64));
        assert!(matches!(digest(&two, Some("v3")), Err(LayoutError::NoImage { .. })));
        let (store, all) = open_layout(two.path(), None).unwrap();
        assert_eq!(all, Digest::of(text.as_bytes()));
        assert!(store.has(&all));
    }

    #[test]
    fn a_folder_without_an_image_is_no_layout() {
        let empty = layout(r#"{"manifests":[]}"#);
        assert!(matches!(open_layout(empty.path(), None), Err(LayoutError::NoImage { .. })));
        let odd = layout(r#"{"manifests":[{"digest":"sha256:../x"}]}"#);
        assert!(matches!(open_layout(odd.path(), None), Err(LayoutError::Unreadable { .. })));
        assert!(open_layout(Path::new("/nowhere"), None).is_err());
    }
}
