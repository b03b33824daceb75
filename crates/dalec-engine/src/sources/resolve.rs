//! What an image's name stands for.
//!
//! What the store remembers counts until someone asks to pull: a build in which nothing changed asks nobody.
//! Else the registry is asked, and at the same time the [`RootSource`](crate::RootSource) what it would
//! assemble; the registry's answer is preferred. A registry that cannot be reached is left alone for a while, unless nobody
//! else has the image.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use dalec_gateway::{ResolveImage, ResolvedImage};
use serde::{Deserialize, Serialize};

use super::image::{ImageError, LocalImage, Location, ResolveMode};
use super::image_error;
use super::transfer::Transfer;
use crate::Cancel;
use crate::error::{Cause, Error, Result};
use crate::oci::{Digest, Platform, Reference};
use crate::root_source::{ResolvedRoot, RootError, RootRequest};
use crate::shared::Core;
use crate::store::now;

/// How long a registry that could not be reached is left alone, in seconds.
const LEFT_ALONE: i64 = 60 * 60;
/// Space of the answers that say which registries could not be reached.
const UNREACHABLE: &str = "registry left alone";
const POLL: Duration = Duration::from_millis(20);

/// An answer as the store keeps it.
#[derive(Serialize, Deserialize)]
struct Answer {
    reference: String,
    digest: String,
    /// Digest of the configuration, a blob.
    config: String,
    has_packages: bool,
    origin: String,
}

/// Finds an image.
///
/// # Errors
/// An image error when it is nowhere to be had.
pub fn resolve_image(core: &Core, image: &ResolveImage, cancel: &Cancel) -> Result<ResolvedImage> {
    let platform = platform_of(&image.platform)?;
    if let Some(rest) = image.reference.strip_prefix("oci-layout://") {
        return resolve_layout(core, rest, &platform, cancel);
    }
    let reference: Reference = image.reference.parse().map_err(|error| not_found(image, "", error))?;
    let key = answer_key(core, image, &reference, &platform);
    let pull = image.mode == "pull";
    if !pull && let Some(known) = remembered(core, &key)? {
        return Ok(known);
    }
    let found = if reference.digest().is_some() {
        let found = from_registry(core, &reference, &platform, ResolveMode::Local, cancel)?;
        found.map_err(|error| not_found_because(image, error, None))?
    } else {
        ask_all(core, image, &reference, &platform, cancel)?
    };
    remember(core, &key, &found)?;
    Ok(found)
}

/// Returns where the image of an op is.
///
/// # Errors
/// When the name is malformed, or no layout of that name was given.
pub fn layout_location(core: &Core, rest: &str) -> Result<(String, Location)> {
    // `ID[:TAG][@DIGEST]`; the id is the client's and holds neither `:` nor `@`.
    let end = rest.find([':', '@']).unwrap_or(rest.len());
    let (id, choice) = rest.split_at(end);
    let Some(path) = core.options.oci_layouts.get(id) else {
        return Err(Error::op(format!("no image layout called {id:?} was given")));
    };
    let (tag, digest) = match choice.split_once('@') {
        Some((tag, digest)) => (tag, Some(digest)),
        None => (choice, None),
    };
    let digest = digest
        .map(str::parse::<Digest>)
        .transpose()
        .map_err(|error| Error::op(format!("the image {rest:?} has no usable digest: {error}")))?;
    let name = tag.strip_prefix(':').filter(|tag| !tag.is_empty()).map(str::to_owned);
    let image = LocalImage { path: PathBuf::from(path), name, digest };
    Ok((id.to_owned(), Location::Local(image)))
}

/// Reads `os/architecture[/variant]`; empty is this machine's.
///
/// # Errors
/// When it is something else.
pub fn platform_of(text: &str) -> Result<Platform> {
    if text.is_empty() {
        return Ok(Platform::host());
    }
    text.parse().map_err(|error: crate::oci::BadPlatform| Error::Request(error.to_string()))
}

fn resolve_layout(core: &Core, rest: &str, platform: &Platform, cancel: &Cancel) -> Result<ResolvedImage> {
    let (id, location) = layout_location(core, rest)?;
    let tools = core.sources.tools(core)?;
    let found = tools.images.resolve(&location, platform, ResolveMode::Local, &Transfer::silent(cancel));
    let found = found.map_err(image_error)?;
    Ok(ResolvedImage {
        attrs: BTreeMap::new(),
        reference: format!("oci-layout://{id}@{}", found.digest),
        digest: found.digest.to_string(),
        config: found.config,
        has_packages: false,
        origin: found.origin,
    })
}

/// Returns the answer of the registry, or why there is none.
fn from_registry(
    core: &Core,
    reference: &Reference,
    platform: &Platform,
    mode: ResolveMode,
    cancel: &Cancel,
) -> Result<std::result::Result<ResolvedImage, ImageError>> {
    let tools = core.sources.tools(core)?;
    let location = Location::Registry(reference.clone());
    let found = match tools.images.resolve(&location, platform, mode, &Transfer::silent(cancel)) {
        Ok(found) => found,
        Err(error) if error.is_cancelled() => return Err(Error::Cancelled),
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(ResolvedImage {
        attrs: BTreeMap::new(),
        reference: reference.with_digest(found.digest.clone()).to_string(),
        digest: found.digest.to_string(),
        config: found.config,
        has_packages: false,
        origin: found.origin,
    }))
}

/// Asks the registry and the root source at the same time.
fn ask_all(
    core: &Core,
    image: &ResolveImage,
    reference: &Reference,
    platform: &Platform,
    cancel: &Cancel,
) -> Result<ResolvedImage> {
    let pull = image.mode == "pull";
    let mode = if pull { ResolveMode::Pull } else { ResolveMode::Default };
    let ask = || {
        let answer = from_registry(core, reference, platform, mode, cancel)?;
        let failure = answer.as_ref().err().filter(|error| error.is_unreachable()).map(ToString::to_string);
        note_reachable(core, reference, failure)?;
        Ok::<_, Error>(answer)
    };
    let assembled = start_root_source(core, image, reference, platform);
    let registry = match !pull && is_left_alone(core, reference)? {
        true => None,
        false => Some(ask()?),
    };
    if let Some(Ok(found)) = registry {
        return Ok(found);
    }
    let answer = match assembled {
        Some(receiver) => loop {
            match receiver.recv_timeout(POLL) {
                Ok(answer) => break answer,
                Err(RecvTimeoutError::Disconnected) => break Ok(None),
                Err(RecvTimeoutError::Timeout) if cancel.is_cancelled() => return Err(Error::Cancelled),
                Err(RecvTimeoutError::Timeout) => {}
            }
        },
        None => Ok(None),
    };
    let failed = match answer {
        Ok(Some(root)) => return keep_root(core, image, reference, root),
        Ok(None) => None,
        Err(root) => Some(root),
    };
    // Left alone, it is asked all the same: without it, there is no build.
    match registry.map_or_else(ask, Ok)? {
        Ok(found) => Ok(found),
        Err(error) => Err(not_found_because(image, error, failed)),
    }
}

type RootAnswer = std::result::Result<Option<ResolvedRoot>, RootError>;

fn start_root_source(
    core: &Core,
    image: &ResolveImage,
    reference: &Reference,
    platform: &Platform,
) -> Option<std::sync::mpsc::Receiver<RootAnswer>> {
    let source = core.options.root_source.clone()?;
    let request = RootRequest {
        reference: reference.to_string(),
        platform: platform.to_string(),
        packages: image.packages.clone(),
        refresh: image.mode == "pull",
    };
    let (sender, receiver) = channel();
    // Not waited for when the registry answers first; what it downloads meanwhile is kept for next time.
    let thread = std::thread::Builder::new().name("root-source".into());
    let started = thread.spawn(move || drop(sender.send(source.resolve(&request))));
    started.ok().map(|_| receiver)
}

fn keep_root(
    core: &Core,
    image: &ResolveImage,
    reference: &Reference,
    root: ResolvedRoot,
) -> Result<ResolvedImage> {
    let digest = super::recipe::keep(core, &root)?;
    let digest: Digest =
        digest.parse().map_err(|error: crate::oci::BadDigest| Error::op(error.to_string()))?;
    Ok(ResolvedImage {
        attrs: BTreeMap::new(),
        reference: reference.with_digest(digest.clone()).to_string(),
        digest: digest.to_string(),
        config: root.config,
        has_packages: !image.packages.is_empty(),
        origin: root.origin,
    })
}

fn answer_key(core: &Core, image: &ResolveImage, reference: &Reference, platform: &Platform) -> String {
    let identity = core.options.root_source.as_ref().map(|source| source.identity()).unwrap_or_default();
    let mut packages = image.packages.clone();
    packages.sort_unstable();
    packages.dedup();
    serde_json::json!([reference.to_string(), platform.to_string(), packages, identity]).to_string()
}

fn remembered(core: &Core, key: &str) -> Result<Option<ResolvedImage>> {
    let Some((value, _)) = core.store().answer("image", key)? else { return Ok(None) };
    let Ok(answer) = serde_json::from_slice::<Answer>(&value) else { return Ok(None) };
    let Some(config) = core.store().blob(&answer.config)? else { return Ok(None) };
    Ok(Some(ResolvedImage {
        attrs: BTreeMap::new(),
        reference: answer.reference,
        digest: answer.digest,
        config,
        has_packages: answer.has_packages,
        origin: answer.origin,
    }))
}

fn remember(core: &Core, key: &str, found: &ResolvedImage) -> Result<()> {
    let answer = Answer {
        reference: found.reference.clone(),
        digest: found.digest.clone(),
        config: core.store().put_blob(&found.config)?,
        has_packages: found.has_packages,
        origin: found.origin.clone(),
    };
    let value = serde_json::to_vec(&answer).map_err(|error| Error::op(error.to_string()))?;
    core.store().put_answer("image", key, &value)
}

fn is_left_alone(core: &Core, reference: &Reference) -> Result<bool> {
    let failed = core.store().answer(UNREACHABLE, reference.domain())?;
    Ok(failed.is_some_and(|(why, at)| !why.is_empty() && (0..LEFT_ALONE).contains(&(now() - at))))
}

/// Notes that a registry cannot be reached and why, or that it can.
fn note_reachable(core: &Core, reference: &Reference, failure: Option<String>) -> Result<()> {
    let why = failure.unwrap_or_default();
    // A registry that never failed needs no note.
    if why.is_empty() && !is_left_alone(core, reference)? {
        return Ok(());
    }
    core.store().put_answer(UNREACHABLE, reference.domain(), why.as_bytes())
}

fn not_found(image: &ResolveImage, hint: &str, source: impl Into<Cause>) -> Error {
    Error::Image { reference: image.reference.clone(), hint: hint.to_owned(), source: Some(source.into()) }
}

fn not_found_because(image: &ResolveImage, registry: ImageError, root: Option<RootError>) -> Error {
    let Some(root) = root else {
        let hint = registry.hint().unwrap_or_default();
        return not_found(image, &hint, registry);
    };
    let separator = if root.hint.is_empty() { "" } else { "; " };
    let hint = format!("{}{separator}the registry was tried as well: {registry}", root.hint);
    not_found(image, &hint, root)
}
