//! Private keys that sign digests: RSA and ECDSA on P-256 and P-384, in the forms that files have.

use der::{Decode, Encode};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::pkcs8::EncodePublicKey;
use pkcs8::{EncryptedPrivateKeyInfo, ObjectIdentifier, PrivateKeyInfo};
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts;
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::error::CodeKeyError;
use super::hash::Hash;
use super::public::{EC, P256, P384, RSA, RSA_BITS};

/// What a signature is made over.
pub(crate) const HASH: Hash = Hash::Sha256;

/// A private key, wherever it is.
pub(crate) trait Signs {
    /// Returns the public key, as certificates have it.
    fn public_key(&self) -> Option<Vec<u8>>;

    /// Returns what a signed message calls the signatures of this key.
    fn algorithm(&self) -> AlgorithmIdentifierOwned;

    /// Returns a signature over `digest`, which is by [`HASH`].
    ///
    /// # Errors
    /// [`CodeKeyError::Useless`] when the key cannot sign.
    fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, CodeKeyError>;
}

/// A private key in memory. Overwritten when dropped.
pub(crate) enum Secret {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::SecretKey),
    P384(p384::SecretKey),
}

impl Signs for Secret {
    fn public_key(&self) -> Option<Vec<u8>> {
        let document = match self {
            Self::Rsa(key) => key.to_public_key().to_public_key_der(),
            Self::P256(key) => key.public_key().to_public_key_der(),
            Self::P384(key) => key.public_key().to_public_key_der(),
        };
        document.ok().map(|document| document.into_vec())
    }

    fn algorithm(&self) -> AlgorithmIdentifierOwned {
        algorithm(matches!(self, Self::Rsa(_)))
    }

    fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, CodeKeyError> {
        let signature = match self {
            // The random numbers hide from others how long it takes; the signature does not depend on them.
            Self::Rsa(key) => key.sign_with_rng(&mut OsRng, HASH.padding(), digest).ok(),
            Self::P256(key) => {
                let made: Result<p256::ecdsa::Signature, _> =
                    p256::ecdsa::SigningKey::from(key).sign_prehash(digest);
                made.ok().and_then(|signature| signature.to_der().to_der().ok())
            }
            Self::P384(key) => {
                let made: Result<p384::ecdsa::Signature, _> =
                    p384::ecdsa::SigningKey::from(key).sign_prehash(digest);
                made.ok().and_then(|signature| signature.to_der().to_der().ok())
            }
        };
        signature.ok_or(CodeKeyError::Useless)
    }
}

/// Returns what a signed message calls signatures by RSA, or else by ECDSA.
pub(crate) fn algorithm(is_rsa: bool) -> AlgorithmIdentifierOwned {
    match is_rsa {
        true => AlgorithmIdentifierOwned { oid: RSA, parameters: Some(der::Any::null()) },
        false => AlgorithmIdentifierOwned { oid: HASH.with_ecdsa(), parameters: None },
    }
}

impl Secret {
    /// Reads a key in PKCS #8, encrypted or not, in PKCS #1 or in SEC 1.
    ///
    /// # Errors
    /// [`CodeKeyError`] when it is none, or of a kind that programs are not signed with.
    pub(crate) fn parse(der: &[u8], passphrase: Option<&[u8]>) -> Result<Self, CodeKeyError> {
        if let Ok(locked) = EncryptedPrivateKeyInfo::from_der(der) {
            let passphrase = passphrase.ok_or(CodeKeyError::Locked)?;
            let opened = locked.decrypt(passphrase).map_err(|error| match error {
                pkcs8::Error::EncryptedPrivateKey(
                    pkcs8::pkcs5::Error::DecryptFailed | pkcs8::pkcs5::Error::EncryptFailed,
                ) => CodeKeyError::WrongPassphrase,
                pkcs8::Error::EncryptedPrivateKey(_) => CodeKeyError::UnknownEncryption,
                // What comes of a wrong passphrase can look as if it had been opened.
                _ => CodeKeyError::WrongPassphrase,
            })?;
            let info =
                PrivateKeyInfo::from_der(opened.as_bytes()).map_err(|_| CodeKeyError::WrongPassphrase)?;
            return Self::of(info);
        }
        if let Ok(info) = PrivateKeyInfo::from_der(der) {
            return Self::of(info);
        }
        if let Ok(key) = RsaPrivateKey::from_pkcs1_der(der) {
            return Self::rsa(key);
        }
        // The length tells the curves apart, and the public key that is with it is checked.
        if let Ok(key) = p256::SecretKey::from_sec1_der(der) {
            return Ok(Self::P256(key));
        }
        if let Ok(key) = p384::SecretKey::from_sec1_der(der) {
            return Ok(Self::P384(key));
        }
        // As SEC 1 begins, whatever the curve.
        match der {
            [0x30, _, 2, 1, 1, 4, ..] | [0x30, 0x81, _, 2, 1, 1, 4, ..] => Err(CodeKeyError::Kind),
            _ => Err(CodeKeyError::NotAKey),
        }
    }

    fn of(info: PrivateKeyInfo<'_>) -> Result<Self, CodeKeyError> {
        let curve = info.algorithm.parameters.and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
        match (info.algorithm.oid, curve) {
            (RSA, _) => Self::rsa(RsaPrivateKey::try_from(info).map_err(|_| CodeKeyError::NotAKey)?),
            (EC, Some(P256)) => {
                p256::SecretKey::try_from(info).map(Self::P256).map_err(|_| CodeKeyError::NotAKey)
            }
            (EC, Some(P384)) => {
                p384::SecretKey::try_from(info).map(Self::P384).map_err(|_| CodeKeyError::NotAKey)
            }
            _ => Err(CodeKeyError::Kind),
        }
    }

    fn rsa(key: RsaPrivateKey) -> Result<Self, CodeKeyError> {
        match key.n().bits() >= RSA_BITS {
            true => Ok(Self::Rsa(Box::new(key))),
            false => Err(CodeKeyError::Kind),
        }
    }
}
