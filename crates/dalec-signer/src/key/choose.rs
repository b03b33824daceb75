//! Which part of a key signs.

use dalec_openpgp::fingerprint;
use dalec_openpgp::standing::{self, Period};
use pgp::composed::{SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{PublicKey, PublicSubkey};

use crate::error::KeyError;
use crate::held::HolderError;

/// A part of a key that may sign.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    Primary(&'a PublicKey),
    Subkey(&'a PublicSubkey),
}

impl Part<'_> {
    pub(super) fn fingerprint(self) -> String {
        match self {
            Self::Primary(key) => fingerprint(key),
            Self::Subkey(key) => fingerprint(key),
        }
    }
}

/// Returns what `secret` finds of the part of `public` that signs, and until when that is in force: the newest signing
/// subkey, `wanted` if that is one, or the primary key where no subkey is meant for signing.
///
/// # Errors
/// [`KeyError`] when no part may sign, or there is no secret of it.
pub(super) fn choose<T>(
    public: &SignedPublicKey,
    wanted: Option<&str>,
    now: u64,
    secret: impl Fn(Part<'_>, Period) -> Result<T, KeyError>,
) -> Result<T, KeyError> {
    let unfit = |part: Part<'_>, unfit| KeyError::Unfit { fingerprint: part.fingerprint(), unfit };
    let primary = Part::Primary(&public.primary_key);
    // A subkey is worth no more than the key above it.
    standing::primary(public).and_then(|period| period.check(now)).map_err(|why| unfit(primary, why))?;
    let wanted = wanted.filter(|wanted| *wanted != primary.fingerprint());
    let is_meant = |subkey: &&SignedPublicSubKey| match wanted {
        Some(wanted) => fingerprint(&subkey.key) == wanted,
        None => standing::is_signing_subkey(subkey),
    };
    let mut refused = None;
    let mut usable: Vec<(Part<'_>, Period)> = Vec::new();
    for subkey in public.public_subkeys.iter().filter(is_meant) {
        let part = Part::Subkey(&subkey.key);
        let period = standing::signing_subkey(public, subkey).and_then(|period| {
            period.check(now)?;
            Ok(period)
        });
        match period {
            Ok(period) => usable.push((part, period)),
            Err(why) => refused = Some(unfit(part, why)),
        }
    }
    usable.sort_by_key(|(_, period)| std::cmp::Reverse(period.from));
    for (part, period) in usable {
        match secret(part, period) {
            Err(error @ (KeyError::NoSecret { .. } | KeyError::OtherKey { .. })) => refused = Some(error),
            Err(error @ KeyError::Held { error: HolderError::NoKey, .. }) => refused = Some(error),
            other => return other,
        }
    }
    match (refused, wanted) {
        (Some(refused), _) => Err(refused),
        (None, Some(wanted)) => Err(KeyError::NoPart { fingerprint: wanted.to_owned() }),
        (None, None) => {
            let period = standing::signing_primary(public).map_err(|why| unfit(primary, why))?;
            secret(primary, period)
        }
    }
}
