//! Whether a public key is in force and meant for signing, by what it says of itself.
//!
//! Who is trusted is not decided here, and no signature over data is looked at.

use std::fmt;

use pgp::composed::{SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{KeyDetails, KeyVersion, PublicParams, Tag};

/// RSA keys below this are refused, as distributions do.
const RSA_BITS: u16 = 2048;

/// Why a key may not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Its owner took it back.
    Revoked,
    /// Its time is over.
    Expired {
        /// When it ended, in seconds since 1970.
        at: u64,
    },
    /// It is meant for something else.
    NotForSigning,
    /// No signature of its own, or of its primary key, holds it together.
    Unbound,
    /// Its kind or size is too weak, or unknown.
    Weak,
    /// It is of an OpenPGP version that packaging tools do not read.
    Version,
}

impl fmt::Display for Unfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoked => out.write_str("is revoked"),
            Self::Expired { .. } => out.write_str("has expired"),
            Self::NotForSigning => out.write_str("is not meant for signing"),
            Self::Unbound => out.write_str("is not vouched for by its primary key"),
            Self::Weak => out.write_str("is too weak, or of a kind that is not known"),
            Self::Version => out.write_str("is not an OpenPGP key of version 4"),
        }
    }
}

/// From when until when a key is in force, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    /// When it was made.
    pub(crate) from: u64,
    /// When it ends; none for never.
    pub(crate) until: Option<u64>,
}

impl Period {
    fn of(key: &impl KeyDetails, lasts: Option<u64>) -> Self {
        let from = u64::from(key.created_at().as_secs());
        Self { from, until: lasts.map(|lasts| from + lasts) }
    }

    fn and(self, other: Self) -> Self {
        let until = self.until.into_iter().chain(other.until).min();
        Self { from: self.from.max(other.from), until }
    }

    /// Checks that the period is not over at `time`.
    ///
    /// # Errors
    /// [`Unfit::Expired`] if it is.
    pub(crate) fn check(&self, time: u64) -> Result<(), Unfit> {
        match self.until {
            Some(at) if at <= time => Err(Unfit::Expired { at }),
            _ => Ok(()),
        }
    }
}

/// Returns the first user id of a key that the key itself vouches for.
pub(crate) fn user_id(key: &SignedPublicKey) -> Option<String> {
    let vouched = key.details.users.iter().filter(|user| newest_certification(key, user).is_some());
    let marked = |user: &&pgp::types::SignedUser| {
        newest_certification(key, user).is_some_and(|signature| signature.is_primary())
    };
    let user = vouched.clone().find(marked).or_else(|| vouched.clone().next())?;
    Some(String::from_utf8_lossy(user.id.id()).into_owned())
}

/// Returns the period in which the primary key of `key` is in force.
///
/// # Errors
/// [`Unfit`] when it is never.
pub(crate) fn primary(key: &SignedPublicKey) -> Result<Period, Unfit> {
    strength(&key.primary_key)?;
    // Any revocation counts: one by somebody whom the owner named for that cannot be checked without his key.
    if !key.details.revocation_signatures.is_empty() {
        return Err(Unfit::Revoked);
    }
    let own = statements(key);
    if own.is_empty() {
        return Err(Unfit::Unbound);
    }
    // The newest statement about a user counts, and so does the newest about the key alone: the earlier end holds.
    let over_users = newest(certifications(key)).and_then(lasts);
    let over_key = newest(direct(key)).and_then(lasts);
    Ok(Period::of(&key.primary_key, over_users.into_iter().chain(over_key).min()))
}

/// Returns the period in which the primary key of `key` is in force and may sign.
///
/// # Errors
/// [`Unfit`] when it is never.
pub(crate) fn signing_primary(key: &SignedPublicKey) -> Result<Period, Unfit> {
    let period = primary(key)?;
    let stated = newest(certifications(key)).and_then(flags).or_else(|| newest(direct(key)).and_then(flags));
    match stated {
        // A key that names no use may be used for everything.
        None | Some(true) => Ok(period),
        Some(false) => Err(Unfit::NotForSigning),
    }
}

/// Returns the period in which `subkey` of `key` is in force and may sign.
///
/// # Errors
/// [`Unfit`] when it is never.
pub(crate) fn signing_subkey(key: &SignedPublicKey, subkey: &SignedPublicSubKey) -> Result<Period, Unfit> {
    let above = primary(key)?;
    strength(&subkey.key)?;
    if subkey.signatures.iter().any(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation)) {
        return Err(Unfit::Revoked);
    }
    let bindings = subkey.signatures.iter().filter(|signature| {
        signature.typ() == Some(SignatureType::SubkeyBinding)
            && signature.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok()
    });
    let binding = newest(bindings.collect()).ok_or(Unfit::Unbound)?;
    if flags(binding) != Some(true) {
        return Err(Unfit::NotForSigning);
    }
    // The subkey has to agree, or else anybody could claim it.
    let agrees = binding
        .embedded_signature()
        .is_some_and(|signature| signature.verify_primary_key_binding(&subkey.key, &key.primary_key).is_ok());
    match agrees {
        true => Ok(Period::of(&subkey.key, lasts(binding)).and(above)),
        false => Err(Unfit::Unbound),
    }
}

/// Returns whether `subkey` is said to be for signing, in force or not.
pub(crate) fn is_signing_subkey(subkey: &SignedPublicSubKey) -> bool {
    subkey.signatures.iter().any(|signature| flags(signature) == Some(true))
}

fn strength(key: &impl KeyDetails) -> Result<(), Unfit> {
    if key.version() != KeyVersion::V4 {
        return Err(Unfit::Version);
    }
    match key.public_params() {
        PublicParams::RSA(params) => match params.to_bytes().as_deref() {
            // On the wire, the modulus comes first, and its length in bits before it.
            Ok([high, low, ..]) if u16::from_be_bytes([*high, *low]) >= RSA_BITS => Ok(()),
            _ => Err(Unfit::Weak),
        },
        PublicParams::EdDSALegacy(_) | PublicParams::Ed25519(_) | PublicParams::ECDSA(_) => Ok(()),
        _ => Err(Unfit::Weak),
    }
}

fn statements(key: &SignedPublicKey) -> Vec<&Signature> {
    certifications(key).into_iter().chain(direct(key)).collect()
}

/// Returns what a key says of itself with each of its user ids that it has not taken back.
fn certifications(key: &SignedPublicKey) -> Vec<&Signature> {
    key.details.users.iter().filter_map(|user| newest_certification(key, user)).collect()
}

/// Returns the newest thing that a key says with one user id; none when it takes the user id back.
fn newest_certification<'a>(
    key: &SignedPublicKey,
    user: &'a pgp::types::SignedUser,
) -> Option<&'a Signature> {
    let own = user
        .signatures
        .iter()
        .filter(|signature| signature.verify_certification(&key.primary_key, Tag::UserId, &user.id).is_ok());
    newest(own.collect()).filter(|signature| signature.typ() != Some(SignatureType::CertRevocation))
}

fn direct(key: &SignedPublicKey) -> Vec<&Signature> {
    let own = key.details.direct_signatures.iter();
    own.filter(|signature| {
        signature.typ() == Some(SignatureType::Key) && signature.verify_key(&key.primary_key).is_ok()
    })
    .collect()
}

fn newest(signatures: Vec<&Signature>) -> Option<&Signature> {
    signatures.into_iter().max_by_key(|signature| signature.created().map(|created| created.as_secs()))
}

/// Returns after how many seconds the key ends, by `signature`; zero means never, as none does.
fn lasts(signature: &Signature) -> Option<u64> {
    let seconds = signature.key_expiration_time()?.as_secs();
    (seconds > 0).then(|| u64::from(seconds))
}

/// Returns whether `signature` says that the key is for signing; none when it says nothing of uses.
fn flags(signature: &Signature) -> Option<bool> {
    signature.config()?.hashed_subpackets().find_map(|subpacket| match &subpacket.data {
        SubpacketData::KeyFlags(flags) => Some(flags.sign()),
        _ => None,
    })
}
