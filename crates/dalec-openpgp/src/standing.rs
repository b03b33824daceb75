//! Whether a public key is in force and meant for signing, by what it says of itself.
//!
//! Who is trusted is not decided here, and no signature over data is looked at.
//!
//! What a key says of itself on a broken hash grants nothing: somebody else may have said it. It is passed over, as the
//! policies of rpm and apt do, but a revocation counts on any hash.

use std::fmt;

use pgp::composed::{SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{KeyDetails, KeyVersion, PublicParams, Tag};

use crate::is_strong;

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
    /// What holds it together rests on a broken hash, such as SHA-1, and on nothing else.
    WeaklyBound,
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
            Self::WeaklyBound => out.write_str("is held together by a broken hash such as SHA-1 only"),
            Self::Weak => out.write_str("is too weak, or of a kind that is not known"),
            Self::Version => out.write_str("is not an OpenPGP key of version 4"),
        }
    }
}

/// From when until when a key is in force, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// When it was made.
    pub from: u64,
    /// When it ends; none for never.
    pub until: Option<u64>,
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
    pub fn check(&self, time: u64) -> Result<(), Unfit> {
        match self.until {
            Some(at) if at <= time => Err(Unfit::Expired { at }),
            _ => Ok(()),
        }
    }
}

/// Returns the first user id of a key that the key itself vouches for.
pub fn user_id(key: &SignedPublicKey) -> Option<String> {
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
pub fn primary(key: &SignedPublicKey) -> Result<Period, Unfit> {
    strength(&key.primary_key)?;
    // Any revocation counts: one by somebody whom the owner named for that cannot be checked without his key.
    if !key.details.revocation_signatures.is_empty() {
        return Err(Unfit::Revoked);
    }
    if statements(key).is_empty() {
        return Err(unbound(says_anything(key)));
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
pub fn signing_primary(key: &SignedPublicKey) -> Result<Period, Unfit> {
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
pub fn signing_subkey(key: &SignedPublicKey, subkey: &SignedPublicSubKey) -> Result<Period, Unfit> {
    let above = primary(key)?;
    strength(&subkey.key)?;
    if subkey.signatures.iter().any(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation)) {
        return Err(Unfit::Revoked);
    }
    let bindings = || {
        subkey.signatures.iter().filter(|signature| {
            signature.typ() == Some(SignatureType::SubkeyBinding)
                && signature.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok()
        })
    };
    let strong = bindings().filter(|signature| is_strong(signature.hash_alg()));
    let binding = newest(strong.collect()).ok_or_else(|| unbound(bindings().next().is_some()))?;
    if flags(binding) != Some(true) {
        return Err(Unfit::NotForSigning);
    }
    // The subkey has to agree, or else anybody could claim it.
    let agreement = binding
        .embedded_signature()
        .filter(|signature| signature.verify_primary_key_binding(&subkey.key, &key.primary_key).is_ok());
    match agreement {
        Some(signature) if is_strong(signature.hash_alg()) => {
            Ok(Period::of(&subkey.key, lasts(binding)).and(above))
        }
        other => Err(unbound(other.is_some())),
    }
}

/// Returns whether `subkey` is said to be for signing, in force or not.
pub fn is_signing_subkey(subkey: &SignedPublicSubKey) -> bool {
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

/// Returns why nothing holds a key together that `is_bound` on a broken hash, or not at all.
fn unbound(is_bound: bool) -> Unfit {
    if is_bound { Unfit::WeaklyBound } else { Unfit::Unbound }
}

fn statements(key: &SignedPublicKey) -> Vec<&Signature> {
    certifications(key).into_iter().chain(direct(key)).collect()
}

/// Returns whether a key says anything of itself, on any hash.
fn says_anything(key: &SignedPublicKey) -> bool {
    let over_users = key.details.users.iter().any(|user| own_certifications(key, user).next().is_some());
    over_users || own_direct(key).next().is_some()
}

/// Returns what a key says of itself with each of its user ids that it has not taken back.
fn certifications(key: &SignedPublicKey) -> Vec<&Signature> {
    key.details.users.iter().filter_map(|user| newest_certification(key, user)).collect()
}

/// Returns the newest thing that a key says with one user id; none when it takes the user id back.
fn newest_certification<'a>(
    key: &'a SignedPublicKey,
    user: &'a pgp::types::SignedUser,
) -> Option<&'a Signature> {
    let is_revocation = |signature: &Signature| signature.typ() == Some(SignatureType::CertRevocation);
    let counts = |signature: &&Signature| is_revocation(signature) || is_strong(signature.hash_alg());
    newest(own_certifications(key, user).filter(counts).collect()).filter(|newest| !is_revocation(newest))
}

/// Returns what a key says with one user id, on any hash.
fn own_certifications<'a>(
    key: &'a SignedPublicKey,
    user: &'a pgp::types::SignedUser,
) -> impl Iterator<Item = &'a Signature> {
    user.signatures
        .iter()
        .filter(|signature| signature.verify_certification(&key.primary_key, Tag::UserId, &user.id).is_ok())
}

fn direct(key: &SignedPublicKey) -> Vec<&Signature> {
    own_direct(key).filter(|signature| is_strong(signature.hash_alg())).collect()
}

/// Returns what a key says of itself alone, on any hash.
fn own_direct(key: &SignedPublicKey) -> impl Iterator<Item = &Signature> {
    key.details.direct_signatures.iter().filter(|signature| {
        signature.typ() == Some(SignatureType::Key) && signature.verify_key(&key.primary_key).is_ok()
    })
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
