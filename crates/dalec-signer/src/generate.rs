//! New keys for signing packages.
//!
//! The primary key signs, without subkeys: `debsig-verify` looks for signatures by primary keys only.

use dalec_openpgp::{Signer, fingerprint};
use pgp::composed::{ArmorOptions, KeyType, SecretKeyParamsBuilder, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{KeyFlags, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{Duration, KeyDetails, Password, Tag, Timestamp};
use rand::rngs::OsRng;

use crate::key::KeyMaterial;

/// The longest text about an owner that is taken, in bytes.
const LONGEST_USER_ID: usize = 512;

/// How a key computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Small and fast. In the form that rpm and GnuPG have known for long.
    Ed25519,
    /// For verifiers that know nothing else.
    Rsa4096,
}

/// What a new key is to be.
pub struct NewKey<'a> {
    /// Whose it is, normally `NAME <ADDRESS>`.
    pub user_id: &'a str,
    /// How it computes.
    pub algorithm: Algorithm,
    /// When it is made, in seconds since 1970.
    pub created: u64,
    /// For how many seconds it is good; none for ever.
    pub lifetime: Option<u64>,
    /// Locks the secret.
    pub passphrase: Option<&'a KeyMaterial>,
}

/// A key that was made.
pub struct GeneratedKey {
    /// The secret key as text.
    pub secret: KeyMaterial,
    /// The public key as text.
    pub public: String,
    /// Whose signatures it makes.
    pub signer: Signer,
}

/// Why a key was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// The text about the owner is empty, too long or would garble a terminal.
    #[error(
        "an owner is one line of at most {LONGEST_USER_ID} bytes, such as \"Packages <packages@example.org>\""
    )]
    UserId,
    /// OpenPGP counts seconds in 32 bits.
    #[error("a key cannot be good for that long")]
    Lifetime,
    /// The implementation refuses.
    #[error("the key cannot be made")]
    Refused,
}

/// Makes a key.
///
/// # Errors
/// [`GenerateError`] when the owner or the time does not fit into a key.
pub fn generate(new: &NewKey<'_>) -> Result<GeneratedKey, GenerateError> {
    let user_id = new.user_id.trim();
    if user_id.is_empty() || user_id.len() > LONGEST_USER_ID || user_id.chars().any(char::is_control) {
        return Err(GenerateError::UserId);
    }
    let created = u32::try_from(new.created).map_err(|_| GenerateError::Lifetime)?;
    let lifetime = new.lifetime.map(u32::try_from).transpose().map_err(|_| GenerateError::Lifetime)?;
    // Until when it is good has to fit as well.
    created.checked_add(lifetime.unwrap_or_default()).ok_or(GenerateError::Lifetime)?;
    let mut key = SecretKeyParamsBuilder::default()
        .key_type(match new.algorithm {
            Algorithm::Ed25519 => KeyType::Ed25519Legacy,
            Algorithm::Rsa4096 => KeyType::Rsa(4096),
        })
        .can_sign(true)
        .can_certify(true)
        .created_at(Timestamp::from_secs(created))
        .primary_user_id(user_id.to_owned())
        .build()
        .map_err(|_| GenerateError::Refused)?
        .generate(OsRng)
        .map_err(|_| GenerateError::Refused)?;
    state(&mut key, created, lifetime).map_err(|_| GenerateError::Refused)?;
    if let Some(passphrase) = new.passphrase {
        let password = Password::from(passphrase.bytes());
        key.primary_key.set_password(OsRng, &password).map_err(|_| GenerateError::Refused)?;
    }
    let public = key.to_public_key().to_armored_string(ArmorOptions::default());
    let secret = key.to_armored_bytes(ArmorOptions::default());
    Ok(GeneratedKey {
        secret: KeyMaterial::new(secret.map_err(|_| GenerateError::Refused)?),
        public: public.map_err(|_| GenerateError::Refused)?,
        signer: Signer {
            fingerprint: fingerprint(&key.primary_key),
            primary: fingerprint(&key.primary_key),
            user_id: Some(user_id.to_owned()),
        },
    })
}

/// Puts what the key says of itself in the place of what the library has it say, which knows no end.
fn state(key: &mut SignedSecretKey, created: u32, lifetime: Option<u32>) -> pgp::errors::Result<()> {
    let mut uses = KeyFlags::default();
    uses.set_certify(true);
    uses.set_sign(true);
    let primary = &key.primary_key;
    let mut statements = vec![
        SubpacketData::SignatureCreationTime(Timestamp::from_secs(created)),
        SubpacketData::IssuerFingerprint(primary.fingerprint()),
        SubpacketData::KeyFlags(uses),
        SubpacketData::IsPrimary(true),
        SubpacketData::PreferredHashAlgorithms(
            [HashAlgorithm::Sha512, HashAlgorithm::Sha384, HashAlgorithm::Sha256].into_iter().collect(),
        ),
    ];
    statements.extend(lifetime.map(|seconds| SubpacketData::KeyExpirationTime(Duration::from_secs(seconds))));
    let mut config =
        SignatureConfig::v4(SignatureType::CertPositive, primary.algorithm(), HashAlgorithm::Sha512);
    config.hashed_subpackets = statements.into_iter().map(Subpacket::regular).collect::<Result<_, _>>()?;
    config.unhashed_subpackets =
        vec![Subpacket::regular(SubpacketData::IssuerKeyId(primary.legacy_key_id()))?];
    for user in &mut key.details.users {
        let config = config.clone();
        let public = primary.public_key();
        let signature =
            config.sign_certification(primary, public, &Password::empty(), Tag::UserId, &user.id)?;
        user.signatures = vec![signature];
    }
    Ok(())
}
