//! The public keys that are trusted, and the check of one signature against them.
//!
//! A key counts as long as it is neither revoked nor expired now, whatever the signature says about its own time: who
//! has stolen a key can date a signature as he likes.

use std::fmt;
use std::io::{self, Read};

use pgp::composed::{Deserializable, SignedPublicKey};
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, VerifyingKey};

use crate::standing::{self, Unfit};
use crate::{blocks, fingerprint, is_strong};

/// How far a signer's clock may be ahead of this machine's, in seconds.
pub const CLOCK_TOLERANCE: u64 = 24 * 60 * 60;

/// Why a keyring holds nothing to check signatures with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// There is no OpenPGP public key in it that can be read.
    #[error("it holds no OpenPGP public key")]
    Empty,
}

/// OpenPGP public keys whose signatures count.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: Vec<SignedPublicKey>,
}

/// Whose signature it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Fingerprint of the key that signed, in upper-case hexadecimal digits.
    pub fingerprint: String,
    /// Fingerprint of its primary key; the same where the primary key signed.
    pub primary: String,
    /// What the key says about its owner, if anything.
    pub user_id: Option<String>,
}

/// What was found out about one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Fingerprint or key id that the signature names, in upper-case hexadecimal digits; none when it names nobody.
    pub issuer: Option<String>,
    /// Whose key that is, if it is in the keyring.
    pub signer: Option<Signer>,
    /// When it was made by its own words, in seconds since 1970.
    pub time: Option<u64>,
    /// What is wrong; nothing when the signature is good.
    pub fault: Option<Fault>,
}

/// What is wrong with a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No key in the keyring made it.
    UnknownKey,
    /// It is over something else.
    Mismatch,
    /// The key may not sign.
    Unfit(Unfit),
    /// It rests on a hash that is broken, or is of an unknown kind.
    Weak,
    /// It says that it has ended.
    Expired,
    /// It is from after now.
    Future,
    /// It is older than its key.
    OlderThanKey,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::UnknownKey => "its key is not in the keyring",
            Self::Mismatch => "it does not match the content",
            Self::Unfit(unfit) => return write!(out, "its key {unfit}"),
            Self::Weak => "it rests on a broken or unknown hash",
            Self::Expired => "it has expired",
            Self::Future => "it is dated in the future by this machine's clock",
            Self::OlderThanKey => "it is older than its key",
        })
    }
}

impl Keyring {
    /// Adds the public keys in `bytes`, armored or binary. What cannot be read among them is passed over.
    ///
    /// # Errors
    /// [`KeyringError::Empty`] if there is none.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), KeyringError> {
        let before = self.keys.len();
        for block in blocks(bytes) {
            if let Ok((keys, _)) = SignedPublicKey::from_reader_many(block) {
                self.keys.extend(keys.flatten());
            }
        }
        match self.keys.len() == before {
            true => Err(KeyringError::Empty),
            false => Ok(()),
        }
    }

    /// Adds one key.
    pub fn push(&mut self, key: SignedPublicKey) {
        self.keys.push(key);
    }

    /// Returns the keys.
    pub fn keys(&self) -> &[SignedPublicKey] {
        &self.keys
    }

    /// Finds out about `signature` over what `data` gives each time that it is called.
    ///
    /// # Errors
    /// When the data cannot be read.
    pub fn judge<R: Read>(
        &self,
        signature: &Signature,
        now: u64,
        data: impl Fn() -> R,
    ) -> io::Result<Finding> {
        let mut finding = Finding {
            issuer: issuer(signature),
            signer: None,
            time: signature.created().map(|created| created.as_secs().into()),
            fault: Some(Fault::UnknownKey),
        };
        for key in &self.keys {
            let subkey = key.public_subkeys.iter().find(|subkey| names(signature, &subkey.key));
            let (period, name, matches) = if names(signature, &key.primary_key) {
                let matches = holds(signature, &key.primary_key, data())?;
                (standing::signing_primary(key), fingerprint(&key.primary_key), matches)
            } else if let Some(subkey) = subkey {
                let matches = holds(signature, &subkey.key, data())?;
                (standing::signing_subkey(key, subkey), fingerprint(&subkey.key), matches)
            } else {
                continue;
            };
            let primary = fingerprint(&key.primary_key);
            let signer = Signer { fingerprint: name, primary, user_id: standing::user_id(key) };
            let fault = match (matches, period) {
                (false, _) => Some(Fault::Mismatch),
                (true, Err(unfit)) => Some(Fault::Unfit(unfit)),
                (true, Ok(period)) => match period.check(now) {
                    Err(unfit) => Some(Fault::Unfit(unfit)),
                    Ok(()) => dated(signature, period.from, now),
                },
            };
            // There may be several copies of one key. A revocation holds for those too that do not know of it.
            let is_worse = fault == Some(Fault::Unfit(Unfit::Revoked));
            if is_worse || finding.fault.is_some() {
                finding.signer = Some(signer);
                finding.fault = fault;
            }
            if is_worse {
                break;
            }
        }
        Ok(finding)
    }
}

/// Returns what is wrong with a signature that matches, apart from its key.
fn dated(signature: &Signature, key_from: u64, now: u64) -> Option<Fault> {
    let Some(created) = signature.created().map(|created| u64::from(created.as_secs())) else {
        return Some(Fault::Weak);
    };
    let lasts = signature.signature_expiration_time().map(|lasts| u64::from(lasts.as_secs()));
    if !is_strong(signature.hash_alg()) {
        Some(Fault::Weak)
    } else if created < key_from {
        Some(Fault::OlderThanKey)
    } else if created > now + CLOCK_TOLERANCE {
        Some(Fault::Future)
    } else if lasts.is_some_and(|lasts| lasts > 0 && created + lasts <= now) {
        Some(Fault::Expired)
    } else {
        None
    }
}

/// Returns whether `signature` is over `data`; an error only when the data cannot be read.
fn holds(signature: &Signature, key: &impl VerifyingKey, data: impl Read) -> io::Result<bool> {
    if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Ok(false);
    }
    let mut failure = None;
    let holds = signature.verify(key, Noting { data, failure: &mut failure }).is_ok();
    failure.map_or(Ok(holds), Err)
}

/// Keeps the error of reading, which would otherwise be mistaken for a bad signature.
struct Noting<'a, R> {
    data: R,
    failure: &'a mut Option<io::Error>,
}

impl<R: Read> Read for Noting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.data.read(buffer).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                *self.failure = Some(error);
            }
            kind.into()
        })
    }
}

/// Returns the fingerprint or key id that `signature` names, in upper-case hexadecimal digits.
pub fn issuer(signature: &Signature) -> Option<String> {
    let fingerprint = signature.issuer_fingerprint().first().map(|fingerprint| format!("{fingerprint:X}"));
    fingerprint.or_else(|| signature.issuer_key_id().first().map(|id| id.to_string().to_uppercase()))
}

/// Returns whether `signature` says that `key` made it.
fn names(signature: &Signature, key: &impl KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    match fingerprints.is_empty() {
        false => fingerprints.contains(&&key.fingerprint()),
        true => signature.issuer_key_id().contains(&&key.legacy_key_id()),
    }
}
