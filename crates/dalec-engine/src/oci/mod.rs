//! The words of OCI images: references, digests, platforms, manifests, and a directory of blobs named by digest.
//!
//! Values and files only: nothing here touches the network, and nothing here knows where an image came from.

mod blobs;
mod digest;
mod model;
mod platform;
mod reference;

pub use blobs::{BlobDir, BlobError, BlobWriter};
pub use digest::{BadDigest, Digest, Hasher};
pub use model::{
    Compression, Descriptor, Document, DocumentError, ImageConfig, Index, Manifest, PlatformEntry, RootFs,
    media_type,
};
pub use platform::{BadPlatform, Platform};
pub use reference::{BadReference, Reference};
