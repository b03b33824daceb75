//! The source op of an image: a registry's, one in a layout or archive, or one that is assembled.

use bollard_buildkit_proto::pb;
use dalec_gateway::ResolveImage;

use super::image::{Layer, Location, ResolveMode};
use super::resolve::{layout_location, platform_of, resolve_image};
use super::transfer::{Step, Transfer};
use super::{failed, image_error, recipe, stored_or};
use crate::cachekey::Key;
use crate::error::{Error, Result};
use crate::export::image::remember_pulled;
use crate::oci::{Digest, Platform, Reference};
use crate::ops::OpContext;
use crate::snapshot::{MergedTree, Snapshot, finish};
use crate::solver::Made;
use crate::store::StoredResult;
use crate::unpack::{UnpackError, UnpackOptions, unpack_layer};

/// An image that an op names, pinned to a digest.
struct Pinned {
    location: Location,
    digest: Digest,
    platform: Platform,
}

/// Returns the key of an image that is pinned to a digest.
pub fn key(context: &OpContext<'_>, op: &pb::SourceOp) -> Result<Option<Key>> {
    Ok(pinned(context, op)?.map(|pinned| pinned.key()))
}

/// Makes the image's file system, unless the store has it.
pub fn run(context: &OpContext<'_>, op: &pb::SourceOp) -> Result<Made> {
    let pinned = match pinned(context, op)? {
        Some(pinned) => pinned,
        None => resolve(context, op)?,
    };
    let key = pinned.key();
    stored_or(context, key, || match recipe::origin(context.core, pinned.digest.as_str())? {
        Some(origin) => recipe::make(context, pinned.digest.as_str(), key, origin),
        None => pull(context, &pinned, key),
    })
}

impl Pinned {
    fn key(&self) -> Key {
        let mut hasher = Key::hasher("image");
        hasher.field(self.digest.as_str().as_bytes()).field(self.platform.to_string().as_bytes());
        hasher.finish()
    }
}

fn pinned(context: &OpContext<'_>, op: &pb::SourceOp) -> Result<Option<Pinned>> {
    let platform = platform(context)?;
    if let Some(rest) = op.identifier.strip_prefix("oci-layout://") {
        let (_, location) = layout_location(context.core, &in_store(op, rest))?;
        let Location::Local(image) = &location else { return Ok(None) };
        return Ok(image.digest.clone().map(|digest| Pinned { location, digest, platform }));
    }
    let text = op.identifier.strip_prefix("docker-image://").unwrap_or(&op.identifier);
    let reference: Reference =
        text.parse().map_err(|error: crate::oci::BadReference| Error::op(error.to_string()))?;
    let digest = reference.digest().cloned();
    Ok(digest.map(|digest| Pinned { location: Location::Registry(reference), digest, platform }))
}

/// Returns `rest`, a reference in a layout, with the layout that the op names beside it in the place of its name:
/// BuildKit's clients put the name of the image there.
fn in_store(op: &pb::SourceOp, rest: &str) -> String {
    match (op.attrs.get("oci.store").filter(|store| !store.is_empty()), rest.split_once('@')) {
        (Some(store), Some((_, digest))) => format!("{store}@{digest}"),
        _ => rest.to_owned(),
    }
}

/// Finds out what an image that the op does not pin stands for.
fn resolve(context: &OpContext<'_>, op: &pb::SourceOp) -> Result<Pinned> {
    context.progress.start();
    let identifier = &op.identifier;
    let found = resolve_image(
        context.core,
        &ResolveImage {
            reference: identifier.strip_prefix("docker-image://").unwrap_or(identifier).to_owned(),
            platform: platform(context)?.to_string(),
            mode: op.attrs.get("image.resolvemode").cloned().unwrap_or_default(),
            ..ResolveImage::default()
        },
        context.cancel,
    )?;
    let identifier = match identifier.starts_with("oci-layout://") {
        true => found.reference,
        false => format!("docker-image://{}", found.reference),
    };
    let lost = || Error::op("the image was found, but without a digest");
    pinned(context, &pb::SourceOp { identifier, ..op.clone() })?.ok_or_else(lost)
}

fn platform(context: &OpContext<'_>) -> Result<Platform> {
    Ok(match context.platform {
        Some(platform) if !platform.architecture.is_empty() => {
            Platform::new(&platform.os, &platform.architecture, &platform.variant)
        }
        _ => platform_of("")?,
    })
}

/// Fetches and unpacks the layers.
fn pull(context: &OpContext<'_>, pinned: &Pinned, key: Key) -> Result<Made> {
    context.progress.start();
    let progress =
        |step: Step<'_>| context.progress.status(step.id, step.current, step.total, step.completed);
    let transfer = Transfer { cancel: context.cancel, progress: &progress };
    let images = &context.core.sources.tools(context.core)?.images;
    let image = images
        .resolve(&pinned.location, &pinned.platform, ResolveMode::Local, &transfer)
        .map_err(image_error)?;
    let pulled = images.pull(&pinned.location, &image, &transfer).map_err(image_error)?;
    let mut snapshot = Snapshot::default();
    let windows = pinned.platform.os == "windows";
    // The same layer holds other files when it is one of Windows.
    let mut chain = Key::hasher(if windows { "image layers of windows" } else { "image layers" }).finish();
    for layer in &pulled.layers {
        let mut hasher = Key::hasher("image layer");
        hasher.field(&chain.0).field(layer.diff_id.as_str().as_bytes());
        chain = hasher.finish();
        snapshot = unpacked(context, layer, windows, chain, &snapshot)?;
    }
    let snapshot = crate::ops::shorten(context.core, snapshot)?;
    Ok(Made { key, outputs: vec![snapshot], note: image.origin, known: false })
}

/// Returns `below` with the layer on top; images that begin with the same layers share them.
fn unpacked(
    context: &OpContext<'_>,
    layer: &Layer,
    windows: bool,
    key: Key,
    below: &Snapshot,
) -> Result<Snapshot> {
    let core = context.core;
    if let Some(stored) = core.store().result(&key)?
        && let [snapshot] = stored.outputs.as_slice()
    {
        return Ok(snapshot.clone());
    }
    let id = format!("unpacking {}", layer.digest);
    context.progress.status(&id, 0, layer.size, false);
    let snapshot = unpack(context, layer, windows, below)?;
    context.progress.status(&id, layer.size, layer.size, true);
    let stored = StoredResult { result_key: key, outputs: vec![snapshot.clone()], note: String::new() };
    core.store().put_result(&key, &stored)?;
    Ok(snapshot)
}

fn unpack(context: &OpContext<'_>, layer: &Layer, windows: bool, below: &Snapshot) -> Result<Snapshot> {
    let core = context.core;
    let work = core.store().work_dir()?;
    let mut lowers = below.paths(core.store());
    lowers.reverse();
    let options = UnpackOptions {
        user_xattr: core.options.mode.in_user_namespace(),
        single_id: core.options.mode.has_single_id(),
        windows,
        lowers: &lowers,
        ..UnpackOptions::new(context.cancel)
    };
    unpack_layer(&layer.path, Some(&layer.diff_id), work.path(), &options).map_err(|error| match error {
        UnpackError::Cancelled => Error::Cancelled,
        error => failed(error),
    })?;
    let deletes = finish::finish(work.path(), &MergedTree::new(below.paths(core.store())))?;
    let id = core.store().publish_layer(work.path(), deletes)?;
    remember_pulled(core.store(), &id, layer)?;
    Ok(below.with(id))
}
