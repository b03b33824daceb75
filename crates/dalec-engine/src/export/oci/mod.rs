//! Images out of the engine: as an OCI archive, an archive that `docker load` takes, or an OCI layout directory.
//!
//! The same trees and configuration give the same bytes: archives are sorted, compression has a fixed level and
//! no time, and nothing of this machine goes in. Blobs are made in the blob directory first, because an archive
//! must say their size before their content.

mod config;
mod layer;
mod layout;
mod push;

pub use layer::{from_tree as layer_from_tree, recompressed as recompressed_layer};

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::Cancel;
use crate::oci::{
    BlobDir, BlobError, Compression, Descriptor, Digest, Index, Manifest, Platform, PlatformEntry, Reference,
    media_type,
};
use crate::sources::http::HttpClient;
use crate::sources::image::{ImageError, Layer, RegistrySettings};
use crate::tarball::{Times, TreeError};

/// Name of an annotation with the tag of an image.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Name of an annotation with the full name of an image.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// An image to write.
#[derive(Debug, Clone)]
pub struct OciImage<'a> {
    /// What it runs on.
    pub platform: Platform,
    /// Its configuration as JSON. What it says about layers is replaced; everything else stays.
    pub config: &'a [u8],
    /// Its layers, lowest first.
    pub layers: Vec<LayerSource<'a>>,
    /// Annotations of its manifest.
    pub annotations: BTreeMap<String, String>,
}

/// Where a layer of an image comes from.
#[derive(Debug, Clone)]
pub enum LayerSource<'a> {
    /// A directory: a layer of an overlay with its whiteouts, or a whole root file system.
    Tree(&'a Path),
    /// A layer that is in the blob directory as it is.
    Blob(&'a Layer),
}

/// Whose media types manifests carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// OCI's.
    Oci,
    /// Docker's, for `docker load`; one platform only.
    Docker,
}

/// What images are called in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Each name's tag, `latest` where it has none.
    Tag,
    /// The digest alone.
    Digest,
}

/// How to write images.
#[derive(Debug, Clone, Copy)]
pub struct OciOptions<'a> {
    /// Whose media types to use, and whether an archive is one for `docker load`.
    pub flavor: Flavor,
    /// How layers made from directories are compressed.
    pub compression: Compression,
    /// How much effort that takes, in the words of the algorithm; none for a middle way.
    pub level: Option<u32>,
    /// Modification times in layers made from directories.
    pub times: Times,
    /// When the image was made, in seconds since 1970; none to leave what the configuration says.
    pub created: Option<i64>,
    /// Names of the image.
    pub names: &'a [Reference],
    /// Annotations of the index that holds the images of several platforms.
    pub index_annotations: &'a BTreeMap<String, String>,
    /// Stops the writing.
    pub cancel: &'a Cancel,
}

/// Why images were not written.
#[derive(Debug, Error)]
pub enum OciError {
    /// There is nothing to write.
    #[error("there is no image to write")]
    Empty,
    /// Several platforms, but the format holds one.
    #[error("an archive for docker load holds one platform, not {count}")]
    Platforms {
        /// How many there are.
        count: usize,
    },
    /// Annotations of an index, and there is only one image.
    #[error("one image alone has no index to annotate")]
    NoIndex,
    /// An image configuration is not one.
    #[error("the image configuration for {platform} is not usable")]
    Config {
        /// The platform.
        platform: Platform,
        /// Why.
        source: serde_json::Error,
    },
    /// A layer cannot be made.
    #[error("cannot make a layer")]
    Layer(#[from] TreeError),
    /// A layer is of a kind that images cannot have.
    #[error("{media_type:?} is no kind of layer that can be in an image")]
    LayerType {
        /// The kind.
        media_type: String,
    },
    /// A directory holds something else than an OCI layout.
    #[error("{} holds files, but no OCI layout", path.display())]
    Occupied {
        /// The directory.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The archive cannot be written.
    #[error("cannot write the archive")]
    Write(#[source] std::io::Error),
    /// The blob directory cannot be used.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A registry cannot be reached or refuses.
    #[error("cannot push {name}")]
    Push {
        /// Name of the image.
        name: Reference,
        /// Why.
        source: Box<ImageError>,
    },
    /// The build was cancelled.
    #[error("the build was cancelled")]
    Cancelled,
}

impl OciError {
    /// Returns what to do about it, when there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Push { source, .. } => source.hint(),
            _ => None,
        }
    }
}

/// Images whose every part is in a blob directory, ready to be written.
#[derive(Debug, Clone)]
pub struct PreparedImages {
    blobs: BlobDir,
    flavor: Flavor,
    names: Vec<Reference>,
    root: Descriptor,
    /// Every blob of the images by digest.
    parts: BTreeMap<Digest, u64>,
    /// The manifest, if there is one platform.
    single: Option<Manifest>,
}

impl PreparedImages {
    /// Makes layers, configurations, manifests and, for several platforms, an index, all in `blobs`.
    ///
    /// # Errors
    /// When a tree cannot be read, a configuration is malformed or the directory cannot be written.
    pub fn new(images: &[OciImage<'_>], blobs: &BlobDir, options: &OciOptions<'_>) -> Result<Self, OciError> {
        if options.flavor == Flavor::Docker && images.len() > 1 {
            return Err(OciError::Platforms { count: images.len() });
        }
        let mut maker = Maker { blobs, options, parts: BTreeMap::new() };
        let mut made = Vec::new();
        for image in images {
            made.push(maker.image(image)?);
        }
        let (root, single) = match made.len() {
            0 => return Err(OciError::Empty),
            1 if !options.index_annotations.is_empty() => return Err(OciError::NoIndex),
            1 => {
                let (descriptor, manifest) = made.remove(0);
                (descriptor, Some(manifest))
            }
            _ => (maker.index(made.into_iter().map(|(descriptor, _)| descriptor).collect())?, None),
        };
        Ok(Self {
            blobs: blobs.clone(),
            flavor: options.flavor,
            names: options.names.to_vec(),
            root,
            parts: maker.parts,
            single,
        })
    }

    /// Returns the digest of the manifest, or of the index if there are several platforms.
    pub fn digest(&self) -> &Digest {
        &self.root.digest
    }

    /// Returns what points at the manifest, or at the index if there are several platforms.
    pub fn descriptor(&self) -> &Descriptor {
        &self.root
    }

    /// Returns the digest of the configuration; none if there are several.
    pub fn config_digest(&self) -> Option<&Digest> {
        self.single.as_ref().map(|manifest| &manifest.config.digest)
    }

    /// Returns the size of all blobs in bytes.
    pub fn size(&self) -> u64 {
        self.parts.values().sum()
    }

    /// Returns the names that the images are written under.
    pub fn names(&self) -> &[Reference] {
        &self.names
    }

    /// Writes a tar archive: an OCI archive, and if the flavor is docker's, one that `docker load` takes.
    ///
    /// # Errors
    /// When a blob cannot be read or `out` cannot be written.
    pub fn write_archive<W: Write>(&self, out: W, cancel: &Cancel) -> Result<W, OciError> {
        layout::write_archive(self, out, cancel)
    }

    /// Writes an OCI layout into `directory`, which is made if missing. Other images in it stay, but lose
    /// names that these images have.
    ///
    /// # Errors
    /// When the directory holds something else, or cannot be written.
    pub fn write_layout(&self, directory: &Path, cancel: &Cancel) -> Result<(), OciError> {
        layout::write_directory(self, directory, cancel)
    }

    /// Sends everything to the registries of its names, and names it there.
    ///
    /// # Errors
    /// When a registry cannot be reached or refuses.
    pub fn push(
        &self,
        client: &HttpClient,
        settings: &RegistrySettings,
        naming: Naming,
        cancel: &Cancel,
    ) -> Result<(), OciError> {
        push::push(self, client, settings, naming, cancel)
    }

    /// Returns what stands in `index.json`: one entry per name.
    fn entries(&self) -> Vec<Descriptor> {
        if self.names.is_empty() {
            return vec![self.root.clone()];
        }
        let named = self.names.iter().map(|name| {
            let annotations = BTreeMap::from([
                (CONTAINERD_NAME.to_owned(), name.to_string()),
                (REF_NAME.to_owned(), name.tag().unwrap_or("latest").to_owned()),
            ]);
            Descriptor { annotations, ..self.root.clone() }
        });
        named.collect()
    }
}

struct Maker<'a> {
    blobs: &'a BlobDir,
    options: &'a OciOptions<'a>,
    parts: BTreeMap<Digest, u64>,
}

impl Maker<'_> {
    fn image(&mut self, image: &OciImage<'_>) -> Result<(Descriptor, Manifest), OciError> {
        let mut layers = Vec::new();
        let mut diff_ids = Vec::new();
        for source in &image.layers {
            let (descriptor, diff_id) = match source {
                LayerSource::Tree(path) => {
                    let layer = layer::from_tree(path, &image.platform.os, self.blobs, self.options)?;
                    layer::describe(&layer, self.options.flavor)?
                }
                LayerSource::Blob(layer) => layer::describe(layer, self.options.flavor)?,
            };
            self.parts.insert(descriptor.digest.clone(), descriptor.size);
            layers.push(descriptor);
            diff_ids.push(diff_id);
        }
        let (config, os_version) = config::complete(image, &diff_ids, self.options.created)?;
        let (manifest_type, config_type) = match self.options.flavor {
            Flavor::Oci => (media_type::OCI_MANIFEST, media_type::OCI_CONFIG),
            Flavor::Docker => (media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG),
        };
        let manifest = Manifest {
            schema_version: 2,
            media_type: manifest_type.to_owned(),
            config: self.add(config_type, &config)?,
            layers,
            annotations: image.annotations.clone(),
        };
        let mut descriptor = self.add(manifest_type, &json(&manifest))?;
        descriptor.platform = Some(PlatformEntry {
            architecture: image.platform.architecture.clone(),
            os: image.platform.os.clone(),
            os_version,
            variant: image.platform.variant.clone(),
        });
        Ok((descriptor, manifest))
    }

    fn index(&mut self, manifests: Vec<Descriptor>) -> Result<Descriptor, OciError> {
        let media_type = media_type::OCI_INDEX;
        let annotations = self.options.index_annotations.clone();
        let index = Index { schema_version: 2, media_type: media_type.to_owned(), manifests, annotations };
        self.add(media_type, &json(&index))
    }

    fn add(&mut self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, OciError> {
        let digest = self.blobs.add(bytes)?;
        self.parts.insert(digest.clone(), bytes.len() as u64);
        Ok(descriptor(media_type, digest, bytes.len() as u64))
    }
}

fn descriptor(media_type: &str, digest: Digest, size: u64) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest,
        size,
        annotations: BTreeMap::new(),
        platform: None,
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    // Structs of strings and numbers can always be written.
    serde_json::to_vec(value).expect("plain data becomes JSON")
}
