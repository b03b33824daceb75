//! Why a layer was not unpacked.

use std::path::PathBuf;

use thiserror::Error;

use crate::oci::Digest;
use crate::tarball::ReadError;

/// Why a layer was not unpacked. Paths inside the layer are shown without a leading slash.
#[derive(Debug, Error)]
pub enum UnpackError {
    /// The blob cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The archive cannot be read.
    #[error("cannot unpack the layer")]
    Archive(#[from] ReadError),
    /// A name leads out of the layer or has no meaning.
    #[error("the layer holds the name {path:?}, which {reason}")]
    Name {
        /// The name.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Something cannot be made.
    #[error("cannot unpack {path}")]
    Create {
        /// What.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// An owner cannot be set.
    #[error("cannot give {path} to user {uid} and group {gid}")]
    Owner {
        /// What.
        path: String,
        /// The user.
        uid: u64,
        /// The group.
        gid: u64,
        /// Why.
        source: std::io::Error,
    },
    /// More members than allowed.
    #[error("the layer has more than {limit} members")]
    TooManyEntries {
        /// The limit.
        limit: u64,
    },
    /// The content is not what the image says.
    #[error("the layer has digest {actual} before compression, expected {expected}")]
    DiffId {
        /// The digest it should have.
        expected: Digest,
        /// The digest it has.
        actual: Digest,
    },
    /// The build was cancelled.
    #[error("the build was cancelled")]
    Cancelled,
}

impl UnpackError {
    /// Returns what to do about it, when there is something to say.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Owner { .. } => Some(
                "the id is not mapped in this user namespace: run as root, or give the user more subordinate ids \
                 in /etc/subuid and /etc/subgid",
            ),
            _ => None,
        }
    }
}
