//! The hashes that signatures with certificates may rest on.

use der::asn1::ObjectIdentifier;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// A hash that is strong enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

const ALL: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

impl Hash {
    /// Returns the hash that messages call `id`.
    pub(crate) fn of(id: ObjectIdentifier) -> Option<Self> {
        ALL.into_iter().find(|hash| hash.id() == id)
    }

    /// Returns the hash that the signature algorithm `id` names along with itself.
    pub(crate) fn of_signature(id: ObjectIdentifier) -> Option<Self> {
        ALL.into_iter().find(|hash| [hash.with_rsa(), hash.with_ecdsa()].contains(&id))
    }

    /// Returns what people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
        }
    }

    /// Returns the name that messages have for it.
    pub(crate) fn id(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Sha256 => "2.16.840.1.101.3.4.2.1",
            Self::Sha384 => "2.16.840.1.101.3.4.2.2",
            Self::Sha512 => "2.16.840.1.101.3.4.2.3",
        })
    }

    /// Returns what RSA signatures over it are called.
    pub(crate) fn with_rsa(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Sha256 => "1.2.840.113549.1.1.11",
            Self::Sha384 => "1.2.840.113549.1.1.12",
            Self::Sha512 => "1.2.840.113549.1.1.13",
        })
    }

    /// Returns what ECDSA signatures over it are called.
    pub(crate) fn with_ecdsa(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Sha256 => "1.2.840.10045.4.3.2",
            Self::Sha384 => "1.2.840.10045.4.3.3",
            Self::Sha512 => "1.2.840.10045.4.3.4",
        })
    }

    /// Returns the digest of `bytes`.
    pub(crate) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// Returns how an RSA signature over a digest is padded (RFC 8017, 9.2).
    pub(crate) fn padding(self) -> rsa::Pkcs1v15Sign {
        let (last, size) = match self {
            Self::Sha256 => (1, 32),
            Self::Sha384 => (2, 48),
            Self::Sha512 => (3, 64),
        };
        // A sequence of the algorithm without parameters, and of the digest.
        let prefix =
            [0x30, size + 17, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last, 5, 0, 4, size];
        rsa::Pkcs1v15Sign { hash_len: Some(size.into()), prefix: prefix.into() }
    }
}
