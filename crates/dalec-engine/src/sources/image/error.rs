//! Why an image was not found or not fetched.

use std::path::PathBuf;

use thiserror::Error;

use crate::oci::{BadReference, BlobError, DocumentError, Platform};
use crate::sources::http::HttpError;
use crate::tarball::ReadError;

/// Why an image was not found or not fetched.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The name is not an image reference.
    #[error(transparent)]
    Reference(#[from] BadReference),
    /// The place of the image is spelled in a way that is not supported.
    #[error("{text:?} names no image: {reason}")]
    Location {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no such image there.
    #[error("there is no image {reference} in {place}")]
    Missing {
        /// What was asked for.
        reference: String,
        /// Where.
        place: String,
        /// Names of the images that are there, when that is known.
        names: Vec<String>,
    },
    /// The registry does not let us have it.
    #[error("{registry} refuses access to {reference}")]
    Denied {
        /// What was asked for.
        reference: String,
        /// The registry.
        registry: String,
        /// Why no credentials, or these, were used.
        credentials: String,
    },
    /// The registry asks for a kind of login that is not supported, or in a way that makes no sense.
    #[error("{registry} asks for a login that makes no sense: {reason}")]
    Challenge {
        /// The registry.
        registry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest, index or configuration cannot be used.
    #[error("cannot use {what}")]
    Document {
        /// Which one.
        what: String,
        /// Why.
        source: DocumentError,
    },
    /// The image is not what its own documents say.
    #[error("{what} is not what it says: {reason}")]
    Inconsistent {
        /// Which image or document.
        what: String,
        /// The contradiction.
        reason: String,
    },
    /// The image does not exist for this platform.
    #[error("{reference} has no image for {wanted}")]
    Platform {
        /// What was asked for.
        reference: String,
        /// The platform.
        wanted: Platform,
        /// The platforms it has images for.
        available: Vec<String>,
    },
    /// A layer of a kind that cannot be unpacked.
    #[error("{what} has a layer of the kind {media_type:?}, which is not supported")]
    Layer {
        /// Which image.
        what: String,
        /// Its kind.
        media_type: String,
    },
    /// An archive cannot be read.
    #[error("cannot read the image archive {}", path.display())]
    Archive {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The network, or the server at its other end, failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The blob directory cannot be used, or a blob has the wrong digest.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The build was cancelled.
    #[error("the build was cancelled")]
    Cancelled,
}

impl ImageError {
    /// Returns what to do about it, when there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { names, .. } if !names.is_empty() => Some(format!("it has {}", names.join(", "))),
            Self::Platform { available, .. } if !available.is_empty() => {
                Some(format!("it has images for {}", available.join(", ")))
            }
            Self::Denied { credentials, registry, .. } => {
                Some(format!("{credentials}; check the name, or log in to {registry}"))
            }
            Self::Http(error) => error.hint(),
            _ => None,
        }
    }

    /// Returns whether the place of the image gave no answer at all.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Http(HttpError::Unreachable { .. } | HttpError::Untrusted { .. }))
    }

    /// Returns whether the build was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Http(HttpError::Cancelled))
    }
}
