//! A key of OpenPGP whose secret part somebody else holds.

use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use dalec_openpgp::fingerprint;
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{PublicKey, PublicSubkey, Signature};
use pgp::types::{
    Fingerprint, KeyDetails, KeyId, KeyVersion, Mpi, Password, PublicParams, SignatureBytes, SigningKey,
    Timestamp,
};

use super::choose::Part;
use crate::held::{DigestSigner, Hash, HolderError, RawSignature, Scheme};

/// The length of each half of a signature by Ed25519.
const ED25519_HALF: usize = 32;

/// The public part, and whom to ask.
pub(super) struct HeldKey {
    public: Public,
    signer: Box<dyn DigestSigner>,
    /// What he said last. The OpenPGP library has no room for it in its errors.
    refusal: Mutex<Option<HolderError>>,
}

enum Public {
    Primary(PublicKey),
    Subkey(PublicSubkey),
}

impl HeldKey {
    pub(super) fn new(part: Part<'_>, signer: Box<dyn DigestSigner>) -> Self {
        let public = match part {
            Part::Primary(key) => Public::Primary(key.clone()),
            Part::Subkey(key) => Public::Subkey(key.clone()),
        };
        Self { public, signer, refusal: Mutex::new(None) }
    }

    /// Returns why the last signature was not made.
    pub(super) fn refusal(&self) -> Option<HolderError> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns whether `signature` over nothing is by this key.
    pub(super) fn verifies(&self, signature: &Signature) -> bool {
        match &self.public {
            Public::Primary(key) => signature.verify(key, io::empty()).is_ok(),
            Public::Subkey(key) => signature.verify(key, io::empty()).is_ok(),
        }
    }

    fn details(&self) -> &dyn KeyDetails {
        match &self.public {
            Public::Primary(key) => key,
            Public::Subkey(key) => key,
        }
    }

    fn ask(&self, hash: HashAlgorithm, digest: &[u8]) -> Option<Result<RawSignature, HolderError>> {
        let hash = match hash {
            HashAlgorithm::Sha256 => Hash::Sha256,
            HashAlgorithm::Sha384 => Hash::Sha384,
            HashAlgorithm::Sha512 => Hash::Sha512,
            _ => return None,
        };
        let scheme = match self.public_params() {
            PublicParams::RSA(_) => Scheme::Rsa,
            PublicParams::ECDSA(_) => Scheme::Ecdsa,
            PublicParams::EdDSALegacy(_) | PublicParams::Ed25519(_) => Scheme::EdDsa,
            _ => return None,
        };
        Some(self.signer.sign(scheme, hash, digest))
    }
}

impl SigningKey for HeldKey {
    fn sign(&self, _: &Password, hash: HashAlgorithm, digest: &[u8]) -> pgp::errors::Result<SignatureBytes> {
        let answer = self.ask(hash, digest).ok_or_else(|| "no such signatures".to_owned())?;
        match (answer, self.public_params()) {
            (Ok(RawSignature::Rsa(value)), _) => Ok(SignatureBytes::Mpis(vec![Mpi::from_slice(&value)])),
            (Ok(RawSignature::Pair(r, s)), PublicParams::Ed25519(_)) => {
                let halves = half(&r).zip(half(&s)).ok_or_else(|| "the signature is too long".to_owned())?;
                Ok(SignatureBytes::Native([halves.0, halves.1].concat().into()))
            }
            (Ok(RawSignature::Pair(r, s)), _) => {
                Ok(SignatureBytes::Mpis(vec![Mpi::from_slice(&r), Mpi::from_slice(&s)]))
            }
            (Err(refusal), _) => {
                *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
                Err("the holder of the key does not sign".to_owned().into())
            }
        }
    }

    fn hash_alg(&self) -> HashAlgorithm {
        self.public_params().hash_alg()
    }
}

/// Returns half of a signature at its full length.
fn half(value: &[u8]) -> Option<[u8; ED25519_HALF]> {
    let mut half = [0; ED25519_HALF];
    half.get_mut(ED25519_HALF.checked_sub(value.len())?..)?.copy_from_slice(value);
    Some(half)
}

impl KeyDetails for HeldKey {
    fn version(&self) -> KeyVersion {
        self.details().version()
    }

    fn legacy_key_id(&self) -> KeyId {
        self.details().legacy_key_id()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.details().fingerprint()
    }

    fn algorithm(&self) -> pgp::crypto::public_key::PublicKeyAlgorithm {
        self.details().algorithm()
    }

    fn created_at(&self) -> Timestamp {
        self.details().created_at()
    }

    fn legacy_v3_expiration_days(&self) -> Option<u16> {
        self.details().legacy_v3_expiration_days()
    }

    fn public_params(&self) -> &PublicParams {
        self.details().public_params()
    }
}

impl fmt::Debug for HeldKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HeldKey({})", fingerprint(self))
    }
}
