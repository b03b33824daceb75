//! Results as images: each layer of a result's file systems becomes one of the image, those of base images as they were
//! pulled.
//!
//! Layers of the store never change, so what was made of one is remembered and not made again.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use dalec_gateway::{FrontendResult, GatewayError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::oci::{
    Flavor, LayerSource, Naming, OciError, OciImage, OciOptions, PreparedImages, layer_from_tree,
    recompressed_layer,
};
use super::unwritable;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::oci::{BlobDir, Compression, Digest, Platform, PlatformEntry, Reference};
use crate::shared::Core;
use crate::snapshot::{LayerId, Snapshot, list};
use crate::sources::image::Layer;
use crate::sources::{Tools, failed, with_hint};
use crate::store::{LAYER_BLOBS, Store};
use crate::tarball::Times;

/// Keys of a result's metadata, as BuildKit's frontends write them.
const CONFIG: &str = "containerimage.config";
const PLATFORMS: &str = "refs.platforms";

/// How a result becomes an image.
#[derive(Debug, Clone)]
pub struct ImageOptions {
    /// Whose media types to use, and whether an archive is one for `docker load`.
    pub flavor: Flavor,
    /// Names of the image.
    pub names: Vec<Reference>,
    /// How layers are compressed.
    pub compression: Compression,
    /// How much effort that takes; none for a middle way.
    pub level: Option<u32>,
    /// Whether layers of base images are compressed anew when they are compressed otherwise.
    pub force_compression: bool,
    /// Modification times in layers that are not a base image's.
    pub times: Times,
    /// Annotations of manifests.
    pub annotations: BTreeMap<String, String>,
    /// Annotations of the index of several platforms.
    pub index_annotations: BTreeMap<String, String>,
}

/// An image that is complete in the store, ready to be written or pushed.
#[derive(Clone)]
pub struct BuiltImage {
    core: Arc<Core>,
    images: PreparedImages,
}

impl std::fmt::Debug for BuiltImage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.images.fmt(formatter)
    }
}

impl Engine {
    /// Makes an image of `result`, an index when it has several platforms.
    ///
    /// # Errors
    /// When building a reference fails, the result does not describe itself well, or the store cannot be written.
    pub fn image(&self, result: &FrontendResult, options: &ImageOptions) -> Result<BuiltImage, GatewayError> {
        let mut snapshots = Vec::with_capacity(result.refs.len());
        for (_, reference) in &result.refs {
            snapshots.push(self.result_snapshot(reference.as_ref())?);
        }
        let made = Maker::new(&self.core, options).and_then(|maker| maker.image(result, &snapshots));
        let images = made.map_err(|error| gateway_error(&self.core, error))?;
        Ok(BuiltImage { core: self.core.clone(), images })
    }
}

impl BuiltImage {
    /// Returns the digest that names it: that of its manifest, or of its index.
    pub fn digest(&self) -> &Digest {
        self.images.digest()
    }

    /// Returns its size in bytes, every blob counted once.
    pub fn size(&self) -> u64 {
        self.images.size()
    }

    /// Returns what BuildKit's exporters say of an image, under their names.
    pub fn facts(&self) -> BTreeMap<String, Value> {
        let mut facts = BTreeMap::from([
            ("containerimage.descriptor".to_owned(), json!(self.images.descriptor())),
            ("containerimage.digest".to_owned(), json!(self.images.digest())),
        ]);
        if let Some(digest) = self.images.config_digest() {
            facts.insert("containerimage.config.digest".to_owned(), json!(digest));
        }
        let names: Vec<String> = self.images.names().iter().map(Reference::to_string).collect();
        if !names.is_empty() {
            facts.insert("image.name".to_owned(), json!(names.join(",")));
        }
        facts
    }

    /// Writes one archive to `out`.
    ///
    /// # Errors
    /// When it cannot be written, or someone says stop.
    pub fn write_archive(&self, out: Box<dyn Write + Send>) -> Result<(), GatewayError> {
        let written = self.images.write_archive(out, &self.core.options.cancel);
        let flushed = written.and_then(|mut out| out.flush().map_err(OciError::Write));
        self.outcome(flushed.map_err(|error| match error {
            OciError::Write(source) => unwritable(Path::new("the archive"), source),
            error => image_error(error),
        }))
    }

    /// Writes an OCI layout into the directory `dest`, which is made when it is missing; other images in it stay.
    ///
    /// # Errors
    /// When it cannot be written or holds something else, or someone says stop.
    pub fn write_layout(&self, dest: &Path) -> Result<(), GatewayError> {
        let written = self.images.write_layout(dest, &self.core.options.cancel);
        self.outcome(written.map_err(|error| match error {
            OciError::File { path, source } if path.starts_with(dest) => unwritable(&path, source),
            error => image_error(error),
        }))
    }

    /// Sends it to the registries of its names.
    ///
    /// # Errors
    /// When a registry cannot be reached or refuses, or someone says stop.
    pub fn push(&self, naming: Naming) -> Result<(), GatewayError> {
        let core = &self.core;
        let pushed = core.sources.tools(core).and_then(|Tools { http, registries, .. }| {
            self.images.push(http, registries, naming, &core.options.cancel).map_err(image_error)
        });
        self.outcome(pushed)
    }

    fn outcome<T>(&self, result: Result<T>) -> Result<T, GatewayError> {
        result.map_err(|error| gateway_error(&self.core, error))
    }
}

/// Turns an error into a gateway's; no step of the build is to blame.
fn gateway_error(core: &Core, error: Error) -> GatewayError {
    let mut error = error.into_gateway(core.store().root());
    if let GatewayError::Solve(failure) = &mut error {
        failure.name.clear();
    }
    error
}

struct Maker<'a> {
    core: &'a Core,
    options: &'a ImageOptions,
    blobs: BlobDir,
}

impl<'a> Maker<'a> {
    fn new(core: &'a Core, options: &'a ImageOptions) -> Result<Self> {
        let blobs = BlobDir::new(&core.store().root().join("blobs")).map_err(failed)?;
        Ok(Self { core, options, blobs })
    }

    fn image(&self, result: &FrontendResult, snapshots: &[Snapshot]) -> Result<PreparedImages> {
        let platforms = platforms(result)?;
        let mut parts = Vec::with_capacity(snapshots.len());
        for ((id, platform), snapshot) in platforms.iter().zip(snapshots) {
            parts.push((platform, config(result, id), self.layers(snapshot, &platform.os)?));
        }
        let images = parts.iter().map(|(platform, config, layers)| OciImage {
            platform: (*platform).clone(),
            config,
            layers: layers.iter().map(LayerSource::Blob).collect(),
            annotations: self.options.annotations.clone(),
        });
        let images: Vec<OciImage<'_>> = images.collect();
        PreparedImages::new(&images, &self.blobs, &self.oci()).map_err(image_error)
    }

    fn oci(&self) -> OciOptions<'_> {
        OciOptions {
            flavor: self.options.flavor,
            compression: self.options.compression,
            level: self.options.level,
            times: self.options.times,
            created: None,
            names: &self.options.names,
            index_annotations: &self.options.index_annotations,
            cancel: &self.core.options.cancel,
        }
    }

    /// Returns the layers of `snapshot` as blobs of an image for `os`. A layer of a build that holds nothing is left out.
    fn layers(&self, snapshot: &Snapshot, os: &str) -> Result<Vec<Layer>> {
        let mut layers = Vec::new();
        for id in snapshot.layers() {
            let pulled = pulled(self.core.store(), id)?.and_then(|known| known.layer(&self.blobs));
            match pulled {
                Some(layer) if self.options.force_compression => {
                    let made = || recompressed_layer(&layer, &self.blobs, &self.oci());
                    layers.push(self.remembered(&format!("{} {}", layer.digest, self.compression()), made)?);
                }
                Some(layer) => layers.push(layer),
                None => layers.extend(self.own(id, os)?),
            }
        }
        Ok(layers)
    }

    /// Returns the layer `id`, which no base image brought; none when it is empty.
    fn own(&self, id: &LayerId, os: &str) -> Result<Option<Layer>> {
        let path = self.core.store().layer_path(id);
        if list(&path)?.is_empty() {
            return Ok(None);
        }
        let key = format!("{} {os} {} {:?}", id.directory(), self.compression(), self.options.times);
        self.remembered(&key, || layer_from_tree(&path, os, &self.blobs, &self.oci())).map(Some)
    }

    fn compression(&self) -> String {
        format!("{:?} {:?}", self.options.compression, self.options.level)
    }

    /// Returns what `make` made for `key`, now or earlier.
    fn remembered(
        &self,
        key: &str,
        make: impl FnOnce() -> std::result::Result<Layer, OciError>,
    ) -> Result<Layer> {
        let store = self.core.store();
        if let Some(layer) = recall(store, key)?.and_then(|known| known.layer(&self.blobs)) {
            return Ok(layer);
        }
        let layer = make().map_err(image_error)?;
        remember(store, key, &layer)?;
        Ok(layer)
    }
}

/// Remembers that the layer `id` of the store is what `layer`, a blob of an image, holds.
///
/// # Errors
/// When the store cannot be written.
pub fn remember_pulled(store: &Store, id: &LayerId, layer: &Layer) -> Result<()> {
    remember(store, id.directory(), layer)
}

fn pulled(store: &Store, id: &LayerId) -> Result<Option<Known>> {
    recall(store, id.directory())
}

fn remember(store: &Store, key: &str, layer: &Layer) -> Result<()> {
    let known = Known {
        digest: layer.digest.clone(),
        diff_id: layer.diff_id.clone(),
        media_type: layer.media_type.clone(),
        size: layer.size,
    };
    let value = serde_json::to_vec(&known).map_err(|error| Error::op(error.to_string()))?;
    store.put_answer(LAYER_BLOBS, key, &value)
}

fn recall(store: &Store, key: &str) -> Result<Option<Known>> {
    let answer = store.answer(LAYER_BLOBS, key)?;
    Ok(answer.and_then(|(value, _)| serde_json::from_slice(&value).ok()))
}

/// What is remembered of a blob.
#[derive(Serialize, Deserialize)]
struct Known {
    digest: Digest,
    diff_id: Digest,
    media_type: String,
    size: u64,
}

impl Known {
    /// Returns the layer, if its blob is still there.
    fn layer(self, blobs: &BlobDir) -> Option<Layer> {
        let Self { digest, diff_id, media_type, size } = self;
        let path = blobs.path(&digest);
        let is_there = std::fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() == size);
        is_there.then_some(Layer { digest, diff_id, media_type, size, path })
    }
}

/// Returns what each reference of `result` runs on, with its id there.
fn platforms(result: &FrontendResult) -> Result<Vec<(String, Platform)>> {
    #[derive(Deserialize)]
    struct Platforms {
        #[serde(rename = "Platforms")]
        platforms: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(rename = "ID")]
        id: String,
        #[serde(rename = "Platform")]
        platform: PlatformEntry,
    }
    let listed: Vec<Entry> = match result.metadata.get(PLATFORMS) {
        None => Vec::new(),
        Some(json) => {
            let read: std::result::Result<Platforms, _> = serde_json::from_slice(json);
            read.map_err(|error| Error::Request(format!("the result's list of platforms: {error}")))?
                .platforms
        }
    };
    let platform = |id: &str| match listed.iter().find(|entry| entry.id == id) {
        Some(entry) => Ok(entry.platform.platform()),
        None if id.is_empty() => Ok(Platform::host()),
        None => id.parse().map_err(|error: crate::oci::BadPlatform| Error::Request(error.to_string())),
    };
    result.refs.iter().map(|(id, _)| Ok((id.clone(), platform(id)?))).collect()
}

/// Returns the configuration for the platform called `id`; one that says nothing special if the result has none.
fn config(result: &FrontendResult, id: &str) -> Vec<u8> {
    let known = result.metadata.get(&format!("{CONFIG}/{id}"));
    known.or_else(|| result.metadata.get(CONFIG)).cloned().unwrap_or_else(|| {
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        json!({ "config": { "Env": [path], "WorkingDir": "/" } }).to_string().into_bytes()
    })
}

fn image_error(error: OciError) -> Error {
    match error {
        OciError::Cancelled => Error::Cancelled,
        OciError::Platforms { .. } | OciError::NoIndex | OciError::Empty | OciError::Occupied { .. } => {
            Error::Request(error.to_string())
        }
        error => {
            let hint = error.hint().unwrap_or_default();
            with_hint(error, hint)
        }
    }
}
