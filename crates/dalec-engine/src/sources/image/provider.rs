//! What every place of images must be able to do, and what is the same for all of them: finding the image
//! for a platform and fetching its blobs.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{ImageError, Layer, PulledImage, ResolvedImage};
use crate::oci::{
    BlobDir, BlobError, Compression, Descriptor, Digest, Document, DocumentError, ImageConfig, Index,
    Manifest, Platform,
};
use crate::sources::transfer::Transfer;

/// Largest index, manifest or configuration that is read.
pub const MAX_DOCUMENT: u64 = 4 << 20;
/// How many indexes may stand above a manifest.
const MAX_DEPTH: usize = 4;
/// Most layers an image may have; overlay mounts end there too.
const MAX_LAYERS: usize = 500;
/// Most bytes that the layers of an image may have together as they are fetched: 64 GiB.
const MAX_BYTES: u64 = 64 << 30;
/// How many layers are fetched at a time.
const PARALLEL: usize = 4;

/// The document an image starts with.
#[derive(Debug, Clone)]
pub struct Root {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What its source says it is; may be empty.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
}

/// What a blob is to its source: registries keep manifests elsewhere than blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// An index or a manifest.
    Manifest,
    /// A configuration or a layer.
    Blob,
}

/// A place where one image is.
pub trait Provider: Sync {
    /// Returns the index or manifest that the image's name stands for.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    fn root(&self, transfer: &Transfer<'_>) -> Result<Root, ImageError>;

    /// Puts a blob into `blobs`, checked against its digest and size.
    ///
    /// # Errors
    /// When it is not there, cannot be read or is not what `descriptor` says.
    fn copy(
        &self,
        part: Part,
        descriptor: &Descriptor,
        blobs: &BlobDir,
        transfer: &Transfer<'_>,
    ) -> Result<(), ImageError>;

    /// Returns the name of the image, for messages.
    fn name(&self) -> String;
}

/// Follows `root` to the image for `platform`. Index, manifest and configuration end up in `blobs`.
///
/// # Errors
/// When there is none for the platform, or the documents cannot be used.
pub fn resolve(
    provider: &dyn Provider,
    root: Root,
    platform: &Platform,
    blobs: &BlobDir,
    transfer: &Transfer<'_>,
) -> Result<ResolvedImage, ImageError> {
    blobs.add_as(&root.digest, &root.bytes)?;
    let mut digest = root.digest.clone();
    let mut document = parse(provider, &digest, &root.bytes, &root.media_type)?;
    for _ in 0..MAX_DEPTH {
        let index = match document {
            Document::Manifest(manifest) => {
                let found = Found { digest, manifest };
                let image = finish(provider, root.digest, found, blobs, transfer)?;
                // An image that does not say what it runs on is taken to be what was asked for.
                let silent = image.platform.os.is_empty() || image.platform.architecture.is_empty();
                return Ok(if silent {
                    ResolvedImage { platform: platform.clone(), ..image }
                } else {
                    image
                });
            }
            Document::Index(index) => index,
        };
        let chosen = choose(provider, &index, platform)?;
        let bytes = fetch_document(provider, Part::Manifest, chosen, blobs, transfer)?;
        document = parse(provider, &chosen.digest, &bytes, &chosen.media_type)?;
        digest = chosen.digest.clone();
    }
    Err(inconsistent(provider, format!("more than {MAX_DEPTH} indexes stand above the manifest")))
}

/// Fetches the layers of an image that was resolved, several at a time.
///
/// # Errors
/// The first error of any layer.
pub fn pull(
    provider: &dyn Provider,
    image: &ResolvedImage,
    blobs: &BlobDir,
    transfer: &Transfer<'_>,
) -> Result<PulledImage, ImageError> {
    let cancel = transfer.cancel.child();
    let inner = Transfer { cancel: &cancel, progress: transfer.progress };
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), ImageError> {
        while let Some(layer) = image.layers.get(next.fetch_add(1, Ordering::Relaxed)) {
            if cancel.is_cancelled() {
                return Err(ImageError::Cancelled);
            }
            if !blobs.contains(&layer.digest) {
                // The others need not go on.
                provider.copy(Part::Blob, layer, blobs, &inner).inspect_err(|_| cancel.cancel())?;
            }
            inner.done(layer.digest.as_str(), layer.size);
        }
        Ok(())
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..PARALLEL.min(image.layers.len())).map(|_| scope.spawn(work)).collect();
        // A panic in a worker is a bug here; it goes on in this thread.
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
            .collect()
    });
    let mut errors: Vec<ImageError> = results.into_iter().filter_map(Result::err).collect();
    // What failed first counts, not those that were stopped because of it.
    errors.sort_by_key(ImageError::is_cancelled);
    match errors.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(PulledImage {
            config: image.config.clone(),
            manifest_digest: image.manifest_digest.clone(),
            layers: layers(image, blobs),
        }),
    }
}

fn layers(image: &ResolvedImage, blobs: &BlobDir) -> Vec<Layer> {
    let pairs = image.layers.iter().zip(&image.diff_ids);
    pairs
        .map(|(layer, diff_id)| Layer {
            digest: layer.digest.clone(),
            diff_id: diff_id.clone(),
            media_type: layer.media_type.clone(),
            size: layer.size,
            path: blobs.path(&layer.digest),
        })
        .collect()
}

struct Found {
    digest: Digest,
    manifest: Manifest,
}

fn finish(
    provider: &dyn Provider,
    root: Digest,
    found: Found,
    blobs: &BlobDir,
    transfer: &Transfer<'_>,
) -> Result<ResolvedImage, ImageError> {
    let manifest = found.manifest;
    let bytes = fetch_document(provider, Part::Blob, &manifest.config, blobs, transfer)?;
    let what = || format!("the configuration {} of {}", manifest.config.digest, provider.name());
    let config: ImageConfig = serde_json::from_slice(&bytes)
        .map_err(|error| ImageError::Document { what: what(), source: DocumentError::Json(error) })?;
    let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if layers != diff_ids {
        let reason = format!("the manifest has {layers} layers, the configuration {diff_ids}");
        return Err(inconsistent(provider, reason));
    }
    if layers > MAX_LAYERS {
        return Err(inconsistent(provider, format!("it has {layers} layers, more than {MAX_LAYERS}")));
    }
    let size = manifest.layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.size));
    if size > MAX_BYTES {
        return Err(inconsistent(provider, format!("its layers have more than {MAX_BYTES} bytes")));
    }
    for layer in &manifest.layers {
        if Compression::of_layer(&layer.media_type).is_none() {
            return Err(ImageError::Layer { what: provider.name(), media_type: layer.media_type.clone() });
        }
    }
    Ok(ResolvedImage {
        digest: root,
        manifest_digest: found.digest,
        platform: Platform::new(&config.os, &config.architecture, &config.variant),
        config: bytes,
        layers: manifest.layers,
        diff_ids: config.rootfs.diff_ids,
        origin: String::new(),
    })
}

/// Returns the best entry of `index` for `platform`; the first of equals.
fn choose<'a>(
    provider: &dyn Provider,
    index: &'a Index,
    platform: &Platform,
) -> Result<&'a Descriptor, ImageError> {
    let ranked = index.manifests.iter().filter_map(|entry| {
        let rank = platform.preference(&entry.platform.as_ref()?.platform())?;
        Some((rank, entry))
    });
    if let Some((_, best)) = ranked.min_by_key(|(rank, _)| *rank) {
        return Ok(best);
    }
    // Many tools write no platform when there is only one image.
    match &index.manifests[..] {
        [only] if only.platform.is_none() => Ok(only),
        _ => {
            let platforms = index.manifests.iter().filter_map(|entry| entry.platform.as_ref());
            let mut available: Vec<String> = platforms
                .map(|platform| platform.platform().to_string())
                .filter(|platform| !platform.starts_with("unknown/"))
                .collect();
            available.sort();
            available.dedup();
            Err(ImageError::Platform { reference: provider.name(), wanted: platform.clone(), available })
        }
    }
}

fn fetch_document(
    provider: &dyn Provider,
    part: Part,
    descriptor: &Descriptor,
    blobs: &BlobDir,
    transfer: &Transfer<'_>,
) -> Result<Vec<u8>, ImageError> {
    if descriptor.size > MAX_DOCUMENT {
        return Err(inconsistent(provider, format!("{} is larger than 4 MiB", descriptor.digest)));
    }
    if let Some(bytes) = blobs.read_or_remove(&descriptor.digest, MAX_DOCUMENT)? {
        return Ok(bytes);
    }
    provider.copy(part, descriptor, blobs, transfer)?;
    let path = blobs.path(&descriptor.digest);
    let gone = || BlobError::Read { path, source: std::io::ErrorKind::NotFound.into() };
    Ok(blobs.read(&descriptor.digest, MAX_DOCUMENT)?.ok_or_else(gone)?)
}

fn parse(
    provider: &dyn Provider,
    digest: &Digest,
    bytes: &[u8],
    media_type: &str,
) -> Result<Document, ImageError> {
    Document::parse(bytes, media_type).map_err(|source| ImageError::Document {
        what: format!("the manifest {digest} of {}", provider.name()),
        source,
    })
}

fn inconsistent(provider: &dyn Provider, reason: String) -> ImageError {
    ImageError::Inconsistent { what: provider.name(), reason }
}
