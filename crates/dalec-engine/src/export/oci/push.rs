//! Images into registries.

use std::collections::BTreeSet;

use super::{Naming, OciError, PreparedImages};
use crate::Cancel;
use crate::oci::{Descriptor, Digest, Index, media_type};
use crate::sources::http::HttpClient;
use crate::sources::image::{ImageError, RegistrySettings, Upload};

/// Largest manifest or index of ours.
const MAX_DOCUMENT: u64 = 4 << 20;

/// Sends `images` to the registry of each of its names.
pub fn push(
    images: &PreparedImages,
    client: &HttpClient,
    settings: &RegistrySettings,
    naming: Naming,
    cancel: &Cancel,
) -> Result<(), OciError> {
    for name in &images.names {
        let upload = Upload::new(name, client.clone(), settings, cancel);
        let called = match naming {
            Naming::Tag => name.tag().unwrap_or("latest"),
            Naming::Digest => images.root.digest.as_str(),
        };
        send(images, called, &upload).map_err(|source| match source.is_cancelled() {
            true => OciError::Cancelled,
            false => OciError::Push { name: name.clone(), source: Box::new(source) },
        })?;
    }
    Ok(())
}

fn send(images: &PreparedImages, called: &str, upload: &Upload<'_>) -> Result<(), ImageError> {
    let is_index = images.root.media_type == media_type::OCI_INDEX;
    let manifests: Vec<Descriptor> = match is_index {
        true => {
            let index: Index = serde_json::from_str(&document(images, &images.root.digest)?)
                .expect("the index was written by us");
            index.manifests
        }
        false => Vec::new(),
    };
    let documents: BTreeSet<&Digest> =
        manifests.iter().chain([&images.root]).map(|document| &document.digest).collect();
    for (digest, size) in images.parts.iter().filter(|(digest, _)| !documents.contains(digest)) {
        upload.blob(digest, &images.blobs.path(digest), *size)?;
    }
    for manifest in &manifests {
        let text = document(images, &manifest.digest)?;
        upload.manifest(manifest.digest.as_str(), &manifest.media_type, &text)?;
    }
    let text = document(images, &images.root.digest)?;
    upload.manifest(called, &images.root.media_type, &text)
}

/// Returns a manifest or an index.
fn document(images: &PreparedImages, digest: &Digest) -> Result<String, ImageError> {
    let bytes = images.blobs.read(digest, MAX_DOCUMENT)?.unwrap_or_default();
    Ok(String::from_utf8(bytes).expect("documents of ours are JSON"))
}
