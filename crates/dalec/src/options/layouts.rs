//! Images in layouts and archives of this host, as contexts for a `buildkitd`: it asks for them by digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use dalec_buildkit::{LayoutError, Store, open_layout};
use dalec_engine::Cancel;

use super::contexts::{Contexts, unpack};
use crate::errors::CommandError;
use crate::signals::Watch;

const SCHEME: &str = "oci-layout://";

impl Contexts {
    /// Returns the stores that the daemon may ask, by the name it uses, and lets the options name images by digest.
    /// Archives are unpacked.
    ///
    /// # Errors
    /// When there is no such image.
    pub fn stores(
        &mut self,
        cancel: &Cancel,
        watch: &Watch,
    ) -> Result<BTreeMap<String, Arc<Store>>, CommandError> {
        let mut stores = BTreeMap::new();
        for value in self.options.values_mut().filter(|value| value.starts_with(SCHEME)) {
            let rest = &value[SCHEME.len()..];
            let (name, digest) = match rest.split_once('@') {
                Some((name, digest)) => (name, Some(digest.to_owned())),
                None => (rest, None),
            };
            let (id, tag) = name.split_once(':').map_or((name, None), |(id, tag)| (id, Some(tag)));
            let Some(path) = self.oci_layouts.get(id) else { continue };
            let mut path = path.clone();
            if !path.is_dir() {
                let folder = unpack(&path, cancel, watch)?;
                path = folder.path().to_owned();
                self.unpacked.push(folder);
            }
            let (store, found) = match &digest {
                Some(digest) => (Arc::new(Store::layout(&path, Vec::new())), digest.clone()),
                None => {
                    let (store, digest) = open_layout(&path, tag).map_err(unusable)?;
                    (store, digest.to_string())
                }
            };
            stores.insert(format!("oci:{id}"), store);
            *value = format!("{SCHEME}{id}@{found}");
        }
        Ok(stores)
    }
}

fn unusable(error: LayoutError) -> CommandError {
    let help = match &error {
        LayoutError::Unreadable { .. } => {
            "an image archive must hold an OCI layout: `skopeo copy docker-archive:OLD oci-archive:NEW` makes one"
        }
        LayoutError::NoImage { .. } => "see its index.json for what it holds",
    };
    CommandError::Usage {
        message: error.to_string(),
        help: Some(help.to_owned()),
        source: std::error::Error::source(&error).map(|source| source.to_string().into()),
    }
}
