//! Images from registries, OCI layout directories and archives: found, checked and copied into the blob directory.
//!
//! What an image says is checked against what it is: every blob against its digest and size, the configuration
//! against the manifest. Unpacking layers is not done here, and neither is deciding what to do when an image
//! is nowhere to be had.

mod archive;
mod auth;
mod error;
mod local;
mod location;
mod memory;
mod provider;
mod registry;
mod upload;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::oci::{BlobDir, Descriptor, Digest, Platform, Reference};
use crate::sources::http::HttpClient;
use crate::sources::transfer::Transfer;

pub use auth::{Credential, CredentialLookup, host_credentials};
pub use error::ImageError;
pub use location::{LocalImage, Location};
pub use registry::RegistrySettings;
pub use upload::Upload;

use local::LocalProvider;
use memory::Memory;
use provider::Provider;
use registry::RegistryProvider;

/// Whether a registry is asked what a name means today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResolveMode {
    /// It is asked; when it cannot be reached, what it said last time counts.
    #[default]
    Default,
    /// It is asked; when it cannot be reached, that is an error.
    Pull,
    /// It is asked only for an image that is not here.
    Local,
}

/// An image that was found; its layers need not be here yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedImage {
    /// What the name stands for: the digest of an index or of a manifest.
    pub digest: Digest,
    /// The digest of the manifest for the platform.
    pub manifest_digest: Digest,
    /// What the image says it runs on; may differ from what was asked for if it is the only one.
    pub platform: Platform,
    /// The configuration as JSON, byte for byte.
    pub config: Vec<u8>,
    /// The layers as stored, lowest first.
    pub layers: Vec<Descriptor>,
    /// Digests of the layers before compression; as many as layers.
    pub diff_ids: Vec<Digest>,
    /// Where it came from, in words.
    pub origin: String,
}

/// An image whose layers are in the blob directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledImage {
    /// The configuration as JSON, byte for byte.
    pub config: Vec<u8>,
    /// The digest of the manifest.
    pub manifest_digest: Digest,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
}

/// A layer in the blob directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the blob.
    pub digest: Digest,
    /// Digest of the tar archive in it, before compression. Not checked until it is unpacked.
    pub diff_id: Digest,
    /// What it is; says how it is compressed.
    pub media_type: String,
    /// Size of the blob in bytes.
    pub size: u64,
    /// The blob; not to be changed.
    pub path: PathBuf,
}

/// Finds images and keeps what was fetched.
pub struct ImageStore {
    blobs: BlobDir,
    client: HttpClient,
    settings: RegistrySettings,
    memory: Memory,
    /// Keeps logins from one call to the next.
    registries: Mutex<BTreeMap<Reference, Arc<RegistryProvider>>>,
}

impl ImageStore {
    /// Returns a store that remembers what names meant in the directory `records`, made if missing, and keeps
    /// content in `blobs`. The client should be one that gives up connecting after a few seconds.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn new(
        records: &Path,
        blobs: BlobDir,
        client: HttpClient,
        settings: RegistrySettings,
    ) -> Result<Self, ImageError> {
        let memory = Memory::new(records)?;
        Ok(Self { blobs, client, settings, memory, registries: Mutex::default() })
    }

    /// Finds the image for `platform` and fetches what describes it.
    ///
    /// # Errors
    /// When there is none, its place cannot be reached, or it contradicts itself.
    pub fn resolve(
        &self,
        location: &Location,
        platform: &Platform,
        mode: ResolveMode,
        transfer: &Transfer<'_>,
    ) -> Result<ResolvedImage, ImageError> {
        let image = match location {
            Location::Registry(reference) => self.resolve_registry(reference, platform, mode, transfer)?,
            Location::Local(local) => {
                let provider = LocalProvider::open(local)?;
                let root = provider.root(transfer)?;
                let image = provider::resolve(&provider, root, platform, &self.blobs, transfer)?;
                ResolvedImage { origin: format!("{location}"), ..image }
            }
        };
        Ok(image)
    }

    /// Fetches the layers of an image that [`ImageStore::resolve`] found, those that are not here yet.
    ///
    /// # Errors
    /// When one cannot be had or is not what it should be.
    pub fn pull(
        &self,
        location: &Location,
        image: &ResolvedImage,
        transfer: &Transfer<'_>,
    ) -> Result<PulledImage, ImageError> {
        match location {
            Location::Registry(reference) => {
                let provider = self.registry(reference);
                provider::pull(&*provider, image, &self.blobs, transfer)
            }
            // Nothing is read when every layer is here, not even the archive.
            Location::Local(_) if image.layers.iter().all(|layer| self.blobs.contains(&layer.digest)) => {
                provider::pull(&Nowhere, image, &self.blobs, transfer)
            }
            Location::Local(local) => {
                provider::pull(&LocalProvider::open(local)?, image, &self.blobs, transfer)
            }
        }
    }

    fn resolve_registry(
        &self,
        reference: &Reference,
        platform: &Platform,
        mode: ResolveMode,
        transfer: &Transfer<'_>,
    ) -> Result<ResolvedImage, ImageError> {
        let known = self.known(reference, platform, transfer);
        let pinned = reference.digest().is_some();
        if let Some(known) = &known
            && (pinned || mode == ResolveMode::Local)
        {
            return Ok(known.clone());
        }
        match (self.ask_registry(reference, platform, known.as_ref(), transfer), known) {
            (Err(error), Some(known)) if mode == ResolveMode::Default && error.is_unreachable() => {
                let origin = format!("{}, as it was when the registry was last reached", known.origin);
                Ok(ResolvedImage { origin, ..known })
            }
            (result, _) => result,
        }
    }

    /// Returns what the name stood for last time, if all that describes it is still here.
    fn known(
        &self,
        reference: &Reference,
        platform: &Platform,
        transfer: &Transfer<'_>,
    ) -> Option<ResolvedImage> {
        let digest = match reference.digest() {
            Some(digest) => digest.clone(),
            None => self.memory.recall(reference)?,
        };
        let bytes = self.blobs.read_or_remove(&digest, provider::MAX_DOCUMENT).ok()??;
        let root = provider::Root { bytes, media_type: String::new(), digest };
        let image = provider::resolve(&Nowhere, root, platform, &self.blobs, transfer).ok()?;
        Some(ResolvedImage { origin: format!("registry {}", reference.domain()), ..image })
    }

    fn ask_registry(
        &self,
        reference: &Reference,
        platform: &Platform,
        known: Option<&ResolvedImage>,
        transfer: &Transfer<'_>,
    ) -> Result<ResolvedImage, ImageError> {
        let provider = self.registry(reference);
        if let Some(known) = known
            && provider.current_digest(transfer)?.as_ref() == Some(&known.digest)
        {
            return Ok(known.clone());
        }
        let root = provider.root(transfer)?;
        let digest = root.digest.clone();
        let image = provider::resolve(&*provider, root, platform, &self.blobs, transfer)?;
        if reference.digest().is_none() {
            self.memory.remember(reference, &digest)?;
        }
        Ok(ResolvedImage { origin: format!("registry {}", reference.domain()), ..image })
    }

    fn registry(&self, reference: &Reference) -> Arc<RegistryProvider> {
        // Entries are only ever added, so a panic elsewhere cannot leave the map half-changed.
        let mut registries = self.registries.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let make = || Arc::new(RegistryProvider::new(reference, self.client.clone(), &self.settings));
        registries.entry(reference.clone()).or_insert_with(make).clone()
    }
}

/// The place of images whose every part is in the blob directory already.
struct Nowhere;

impl Provider for Nowhere {
    fn root(&self, _transfer: &Transfer<'_>) -> Result<provider::Root, ImageError> {
        Err(nowhere())
    }

    fn copy(
        &self,
        _part: provider::Part,
        _descriptor: &Descriptor,
        _blobs: &BlobDir,
        _transfer: &Transfer<'_>,
    ) -> Result<(), ImageError> {
        Err(nowhere())
    }

    fn name(&self) -> String {
        "the image".to_owned()
    }
}

fn nowhere() -> ImageError {
    ImageError::Missing { reference: "the blob".into(), place: "the store".into(), names: Vec::new() }
}
