//! Signatures checked with the public key of a certificate: RSA as PKCS #1 v1.5 pads it, and ECDSA.

use der::asn1::ObjectIdentifier;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::RsaPublicKey;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::traits::PublicKeyParts;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::hash::Hash;

pub(crate) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(crate) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(crate) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// Smaller RSA keys are refused, as Windows does.
pub(crate) const RSA_BITS: usize = 2048;

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It is over something else, or by another key.
    Mismatch,
    /// The key is too weak, or of an unknown kind.
    Weak,
}

enum Key {
    Rsa(RsaPublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
}

/// Checks that `key` is of a kind that counts.
///
/// # Errors
/// [`Bad::Weak`] when it is not.
pub(crate) fn strength(key: &SubjectPublicKeyInfoOwned) -> Result<(), Bad> {
    parse(key).map(|_| ())
}

/// Checks that `signature` is over `message`.
///
/// # Errors
/// [`Bad`] when it is not, or does not count.
pub(crate) fn verify(
    key: &SubjectPublicKeyInfoOwned,
    hash: Hash,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Bad> {
    let digest = hash.digest(message);
    let holds = match parse(key)? {
        Key::Rsa(key) => key.verify(hash.padding(), &digest, signature).is_ok(),
        Key::P256(key) => p256::ecdsa::Signature::from_der(signature)
            .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()),
        Key::P384(key) => p384::ecdsa::Signature::from_der(signature)
            .is_ok_and(|signature| key.verify_prehash(&digest, &signature).is_ok()),
    };
    match holds {
        true => Ok(()),
        false => Err(Bad::Mismatch),
    }
}

fn parse(key: &SubjectPublicKeyInfoOwned) -> Result<Key, Bad> {
    let bytes = key.subject_public_key.as_bytes().ok_or(Bad::Weak)?;
    let curve = key.algorithm.parameters.as_ref();
    let curve = curve.and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
    let parsed = match (key.algorithm.oid, curve) {
        (RSA, _) => {
            RsaPublicKey::from_pkcs1_der(bytes).ok().filter(|key| key.n().bits() >= RSA_BITS).map(Key::Rsa)
        }
        (EC, Some(P256)) => p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).ok().map(Key::P256),
        (EC, Some(P384)) => p384::ecdsa::VerifyingKey::from_sec1_bytes(bytes).ok().map(Key::P384),
        _ => None,
    };
    parsed.ok_or(Bad::Weak)
}
