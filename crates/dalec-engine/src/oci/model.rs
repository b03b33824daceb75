//! The JSON documents of an image: index, manifest, configuration. OCI's and docker's (schema 2) spelling.
//!
//! Only the fields that matter here are read; whoever passes a document on passes its bytes on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Digest, Platform};

/// Media types.
pub mod media_type {
    /// OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI image configuration.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// OCI layer, not compressed.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// OCI layer, gzip.
    pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// OCI layer, zstd.
    pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// Docker manifest list.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker image configuration.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// Docker layer, not compressed.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
    /// Docker layer, gzip.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    /// Docker's first manifest format, which names no content by digest; not supported.
    pub const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
}

/// Points at a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What kind of blob it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Free text by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
    /// What it runs on; set in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformEntry>,
}

/// A platform as an index spells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformEntry {
    /// Architecture.
    pub architecture: String,
    /// Operating system.
    pub os: String,
    /// Version of the operating system; images of Windows have one.
    #[serde(default, rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// Variant of the architecture.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

impl PlatformEntry {
    /// Returns the platform with its names normalised.
    pub fn platform(&self) -> Platform {
        Platform::new(&self.os, &self.architecture, &self.variant)
    }
}

/// A list of manifests, usually one per platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// 2.
    pub schema_version: u32,
    /// Its own media type.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// The manifests.
    pub manifests: Vec<Descriptor>,
    /// Free text by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
}

/// What one image for one platform is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// 2.
    pub schema_version: u32,
    /// Its own media type.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// Free text by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
}

/// The parts of an image configuration that say what its layers are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ImageConfig {
    /// Architecture; empty in some images.
    #[serde(default)]
    pub architecture: String,
    /// Operating system; empty in some images.
    #[serde(default)]
    pub os: String,
    /// Variant of the architecture.
    #[serde(default)]
    pub variant: String,
    /// The layers.
    pub rootfs: RootFs,
}

/// Digests of an image's layers before compression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digests, lowest layer first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

/// An index or a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// An index.
    Index(Index),
    /// A manifest.
    Manifest(Manifest),
}

/// Bytes are not an index or a manifest of an image.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("it is not a valid image document")]
    Json(#[from] serde_json::Error),
    /// It says to be an index and a manifest at the same time.
    #[error("it can be read as an index and as a manifest")]
    Ambiguous,
    /// A version of the format that is not supported.
    #[error("it has schema version {0}, but only 2 is supported")]
    Version(u64),
    /// Neither an index nor the manifest of an image.
    #[error("it is of the kind {0:?}, not an image")]
    Kind(String),
}

impl Document {
    /// Reads `bytes`, which their source says to be of `media_type` (empty when it does not say).
    ///
    /// # Errors
    /// When they are not an index or manifest, or could be taken for both.
    pub fn parse(bytes: &[u8], media_type: &str) -> Result<Self, DocumentError> {
        let value: serde_json::Value = serde_json::from_slice(bytes)?;
        let has = |key: &str| value.get(key).is_some_and(|value| !value.is_null());
        let version = value.get("schemaVersion").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if version != 2 {
            return Err(DocumentError::Version(version));
        }
        let is_index = has("manifests");
        if is_index && (has("layers") || has("config")) {
            return Err(DocumentError::Ambiguous);
        }
        let own = value.get("mediaType").and_then(serde_json::Value::as_str).unwrap_or("");
        for stated in [own, media_type] {
            let fits = match stated {
                "" | "application/json" | "application/octet-stream" | "text/plain" => true,
                media_type::OCI_INDEX | media_type::DOCKER_INDEX => is_index,
                media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => !is_index,
                _ => false,
            };
            if !fits {
                return Err(DocumentError::Kind(stated.to_owned()));
            }
        }
        if is_index {
            return Ok(Self::Index(serde_json::from_value(value)?));
        }
        let manifest: Manifest = serde_json::from_value(value)?;
        match manifest.config.media_type.as_str() {
            media_type::OCI_CONFIG | media_type::DOCKER_CONFIG => Ok(Self::Manifest(manifest)),
            other => Err(DocumentError::Kind(other.to_owned())),
        }
    }
}

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// Returns how a layer of `media_type` is compressed; `None` if it is not a layer that can be unpacked.
    ///
    /// Layers "not to be distributed" are layers like any other once their blob is there.
    pub fn of_layer(media_type: &str) -> Option<Self> {
        let name = media_type
            .strip_prefix("application/vnd.oci.image.layer.nondistributable.v1.")
            .or_else(|| media_type.strip_prefix("application/vnd.oci.image.layer.v1."))
            .or_else(|| media_type.strip_prefix("application/vnd.docker.image.rootfs.foreign.diff."))
            .or_else(|| media_type.strip_prefix("application/vnd.docker.image.rootfs.diff."))?;
        match name {
            "tar" => Some(Self::None),
            "tar+gzip" | "tar.gzip" => Some(Self::Gzip),
            "tar+zstd" | "tar.zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Go writes `null` for empty lists and maps.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(config: &str, extra: &str) -> String {
        let digest = Digest::sha256_of(b"");
        format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"{config}","digest":"{digest}","size":0}},"layers":[]{extra}}}"#
        )
    }

    #[test]
    fn documents_are_told_apart_and_junk_is_refused() {
        let check = |text: &str, media_type: &str| match Document::parse(text.as_bytes(), media_type) {
            Ok(Document::Index(_)) => "index".to_owned(),
            Ok(Document::Manifest(_)) => "manifest".to_owned(),
            Err(error) => error.to_string(),
        };
        let image = manifest(media_type::OCI_CONFIG, "");
        assert_eq!(check(&image, ""), "manifest");
        assert_eq!(check(&image, media_type::DOCKER_MANIFEST), "manifest");
        assert_eq!(check(r#"{"schemaVersion":2,"manifests":[]}"#, ""), "index");
        assert_eq!(
            check(&image, media_type::OCI_INDEX),
            "it is of the kind \"application/vnd.oci.image.index.v1+json\", not an image"
        );
        assert_eq!(
            check(&manifest(media_type::OCI_CONFIG, r#","manifests":[]"#), ""),
            "it can be read as an index and as a manifest"
        );
        assert_eq!(
            check(&manifest("application/vnd.cncf.helm.config.v1+json", ""), ""),
            "it is of the kind \"application/vnd.cncf.helm.config.v1+json\", not an image"
        );
        assert_eq!(check(r#"{"schemaVersion":1}"#, ""), "it has schema version 1, but only 2 is supported");
        assert_eq!(check("[]", ""), "it has schema version 0, but only 2 is supported");
        assert_eq!(check("<html>", ""), "it is not a valid image document");
        let escape = image.replace("sha256:", "sha256:../");
        assert_eq!(check(&escape, ""), "it is not a valid image document");
    }

    #[test]
    fn layers_say_how_they_are_compressed() {
        for (media_type, expected) in [
            (media_type::OCI_LAYER, Some(Compression::None)),
            (media_type::OCI_LAYER_GZIP, Some(Compression::Gzip)),
            (media_type::OCI_LAYER_ZSTD, Some(Compression::Zstd)),
            (media_type::DOCKER_LAYER, Some(Compression::None)),
            (media_type::DOCKER_LAYER_GZIP, Some(Compression::Gzip)),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Some(Compression::Gzip)),
            ("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", None),
            ("application/vnd.in-toto+json", None),
        ] {
            assert_eq!(Compression::of_layer(media_type), expected, "{media_type}");
        }
    }
}
