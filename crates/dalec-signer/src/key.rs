//! The secret key that signs: reading it, choosing what of it signs, and signing.
//!
//! Secrets are overwritten when they are dropped, and the types that hold them cannot be printed. What the OpenPGP
//! parser keeps in its own buffers for a moment is out of reach.

mod choose;
mod held;

use std::io::{self, Read, Write};

use dalec_openpgp::standing::{self, Period};
use dalec_openpgp::{Signer, fingerprint};
use pgp::composed::{Deserializable, SignedPublicKey, SignedSecretKey, SignedSecretSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    PacketTrait, SecretKey, SecretSubkey, SignatureConfig, SignatureHasher, SignatureType, Subpacket,
    SubpacketData,
};
use pgp::types::{KeyDetails, Password, PublicParams, S2kParams, SecretParams, StringToKey, Timestamp};
use zeroize::Zeroizing;

use crate::armor;
use crate::error::KeyError;
use crate::held::{Holder, HolderError};
use choose::{Part, choose};
use held::HeldKey;

/// A secret as it was given: a key or a passphrase. Overwritten when dropped, and never printed.
///
/// ```compile_fail,E0277
/// println!("{:?}", dalec_signer::KeyMaterial::new(Vec::new()));
/// ```
pub struct KeyMaterial(Zeroizing<Vec<u8>>);

impl KeyMaterial {
    /// The most bytes that are taken for a key.
    pub const LIMIT: usize = 1 << 20;

    /// Takes `bytes` over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads everything.
    ///
    /// # Errors
    /// When `source` cannot be read; [`io::ErrorKind::FileTooLarge`] when there is more than [`Self::LIMIT`].
    pub fn read(mut source: impl Read) -> io::Result<Self> {
        // All of it at once: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(vec![0; Self::LIMIT + 1]);
        let mut filled = 0;
        while filled < bytes.len() {
            match source.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if filled > Self::LIMIT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        bytes.truncate(filled);
        Ok(Self(bytes))
    }

    /// Returns the secret. Whoever takes it must not copy it to where it stays.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the same without the line break that editors put at the end.
    #[must_use]
    pub fn without_line_break(mut self) -> Self {
        for end in [b'\n', b'\r'] {
            if self.0.last() == Some(&end) {
                self.0.pop();
            }
        }
        self
    }
}

/// A key that is ready to sign: in force, unlocked, and of a kind that verifiers know. It cannot be printed.
pub struct SigningKey {
    secret: Secret,
    period: Period,
    signer: Signer,
}

/// What signs: the primary key or a subkey, or what somebody else holds of either.
enum Secret {
    Primary(SecretKey),
    Subkey(SecretSubkey),
    Held(HeldKey),
}

impl SigningKey {
    /// Reads a key, armored or binary, and unlocks what will sign.
    ///
    /// That is the newest signing subkey that is in force at `now` (seconds since 1970), or the primary key where no
    /// subkey is meant for signing. When there are signing subkeys and none is in force, the primary key does not
    /// step in: who checks would not expect it.
    ///
    /// # Errors
    /// [`KeyError`] when there is not exactly one secret key, or it may not or cannot sign.
    pub fn load(
        material: &KeyMaterial,
        passphrase: Option<&KeyMaterial>,
        now: u64,
    ) -> Result<Self, KeyError> {
        if material.0.len() > KeyMaterial::LIMIT {
            return Err(KeyError::TooLarge { limit: KeyMaterial::LIMIT });
        }
        let key = parse(&material.0)?;
        let public = key.to_public_key();
        let (secret, period) = choose(&public, None, now, |part, period| {
            let secret = match part {
                Part::Primary(_) => Some(Secret::Primary(key.primary_key.clone())),
                Part::Subkey(subkey) => {
                    let is_it = |known: &&SignedSecretSubKey| known.key.fingerprint() == subkey.fingerprint();
                    key.secret_subkeys.iter().find(is_it).map(|known| Secret::Subkey(known.key.clone()))
                }
            };
            let secret = secret.filter(|secret| !secret.params().is_some_and(is_elsewhere));
            let secret = secret.ok_or_else(|| KeyError::NoSecret { fingerprint: part.fingerprint() });
            Ok((secret?, period))
        })?;
        let key = Self::of(secret.unlock(passphrase)?, period, &public);
        key.check()?;
        Ok(key)
    }

    /// Takes a key whose secret part `holder` has. `certificate` is its public part, armored or binary.
    ///
    /// What of it signs is chosen as by [`Self::load`], among what the holder has. Where `wanted` is the fingerprint of a
    /// subkey, that one signs.
    ///
    /// # Errors
    /// [`KeyError`] when the certificate is not that of one key, the key may not sign, or the holder does not.
    pub fn held(
        certificate: &[u8],
        wanted: Option<&str>,
        holder: &dyn Holder,
        now: u64,
    ) -> Result<Self, KeyError> {
        let public = certificate_of(certificate)?;
        choose(&public, wanted, now, |part, period| {
            let fingerprint = part.fingerprint();
            let held = |error| KeyError::Held { fingerprint: fingerprint.clone(), error };
            let signer = holder.key(&fingerprint).map_err(held)?.ok_or_else(|| held(HolderError::NoKey))?;
            let key = Self::of(Secret::Held(HeldKey::new(part, signer)), period, &public);
            match key.check() {
                Err(KeyError::Useless { fingerprint }) => Err(KeyError::OtherKey { fingerprint }),
                Err(error) => Err(error),
                Ok(()) => Ok(key),
            }
        })
    }

    fn of(secret: Secret, period: Period, public: &SignedPublicKey) -> Self {
        let signer = Signer {
            fingerprint: secret.fingerprint(),
            primary: fingerprint(&public.primary_key),
            user_id: standing::user_id(public),
        };
        Self { secret, period, signer }
    }

    /// Returns whose signatures these will be.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Returns whether rpm knows signatures by such a key.
    pub(crate) fn suits_rpm(&self) -> bool {
        matches!(self.secret.public_params(), PublicParams::RSA(_) | PublicParams::EdDSALegacy(_))
    }

    /// Returns whether this is an RSA key.
    pub(crate) fn is_rsa(&self) -> bool {
        matches!(self.secret.public_params(), PublicParams::RSA(_))
    }

    /// Returns the hash that signatures are made with, in OpenPGP's words.
    pub(crate) fn hash(&self) -> HashAlgorithm {
        let preferred = self.secret.public_params().hash_alg();
        match preferred {
            HashAlgorithm::Sha384 | HashAlgorithm::Sha512 => preferred,
            // Distributions refuse what is weaker.
            _ => HashAlgorithm::Sha256,
        }
    }

    /// Checks that a signature may be dated `time`, in seconds since 1970.
    ///
    /// # Errors
    /// [`KeyError`] when the key was not made by then, or is not in force any more.
    pub(crate) fn check_time(&self, time: u64) -> Result<(), KeyError> {
        let fingerprint = self.signer.fingerprint.clone();
        if time < self.period.from || u32::try_from(time).is_err() {
            return Err(KeyError::OlderThanKey { fingerprint, created: self.period.from, time });
        }
        self.period.check(time).map_err(|unfit| KeyError::Unfit { fingerprint, unfit })
    }

    /// Returns a signature packet over everything that `data` gives.
    ///
    /// # Errors
    /// [`KeyError::Useless`] when the key cannot sign, or `data` cannot be read.
    pub(crate) fn sign(
        &self,
        kind: SignatureType,
        time: u64,
        data: &mut dyn Read,
    ) -> Result<Vec<u8>, KeyError> {
        let mut signing = self.begin(kind, time)?;
        io::copy(data, &mut signing).map_err(|_| self.useless())?;
        signing.finish()
    }

    /// Begins a signature over what will be written.
    ///
    /// # Errors
    /// [`KeyError::Useless`] when the key cannot sign.
    pub(crate) fn begin(&self, kind: SignatureType, time: u64) -> Result<Signing<'_>, KeyError> {
        let config = match &self.secret {
            Secret::Primary(key) => config(key, kind, self.hash(), time),
            Secret::Subkey(key) => config(key, kind, self.hash(), time),
            Secret::Held(key) => config(key, kind, self.hash(), time),
        };
        let hasher = config.and_then(SignatureConfig::into_hasher).map_err(|_| self.useless())?;
        Ok(Signing { key: self, hasher })
    }

    /// Checks that the secret belongs to the public part, by a signature over nothing.
    fn check(&self) -> Result<(), KeyError> {
        let packet = self.sign(SignatureType::Binary, self.period.from, &mut io::empty())?;
        let signatures = armor::signatures(&packet).map_err(|_| self.useless())?;
        let is_good = signatures.iter().all(|signature| match &self.secret {
            Secret::Primary(key) => signature.verify(key.public_key(), io::empty()).is_ok(),
            Secret::Subkey(key) => signature.verify(key.public_key(), io::empty()).is_ok(),
            Secret::Held(key) => key.verifies(signature),
        });
        if is_good { Ok(()) } else { Err(self.useless()) }
    }

    /// Returns why there is no signature: by the words of whoever holds the key, if he has any.
    fn refusal(&self) -> KeyError {
        let error = match &self.secret {
            Secret::Held(key) => key.refusal(),
            Secret::Primary(_) | Secret::Subkey(_) => None,
        };
        let fingerprint = self.signer.fingerprint.clone();
        error.map_or_else(|| self.useless(), |error| KeyError::Held { fingerprint, error })
    }

    fn useless(&self) -> KeyError {
        KeyError::Useless { fingerprint: self.signer.fingerprint.clone() }
    }
}

/// A signature that is being made over what is written to it.
pub(crate) struct Signing<'a> {
    key: &'a SigningKey,
    hasher: SignatureHasher,
}

impl Signing<'_> {
    /// Returns the signature packet.
    ///
    /// # Errors
    /// [`KeyError::Useless`] when the key cannot sign.
    pub(crate) fn finish(self) -> Result<Vec<u8>, KeyError> {
        let signature = match &self.key.secret {
            Secret::Primary(key) => self.hasher.sign(key, &Password::empty()),
            Secret::Subkey(key) => self.hasher.sign(key, &Password::empty()),
            Secret::Held(key) => self.hasher.sign(key, &Password::empty()),
        };
        let mut bytes = Vec::new();
        let written = signature.and_then(|signature| signature.to_writer_with_header(&mut bytes));
        written.map(|()| bytes).map_err(|_| self.key.refusal())
    }
}

impl Write for Signing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn config(
    key: &impl KeyDetails,
    kind: SignatureType,
    hash: HashAlgorithm,
    time: u64,
) -> pgp::errors::Result<SignatureConfig> {
    let time = Timestamp::from_secs(u32::try_from(time).unwrap_or(u32::MAX));
    let mut config = SignatureConfig::v4(kind, key.algorithm(), hash);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
        Subpacket::regular(SubpacketData::SignatureCreationTime(time))?,
    ];
    // Old verifiers find the key by this.
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(key.legacy_key_id()))?];
    Ok(config)
}

/// Returns the only secret key in `bytes`. What the parser says about anything else may hold parts of a key.
fn parse(bytes: &[u8]) -> Result<SignedSecretKey, KeyError> {
    let mut found = None;
    for block in dalec_openpgp::blocks(bytes) {
        let Ok((keys, _)) = SignedSecretKey::from_reader_many(block) else {
            return Err(without_secret(bytes));
        };
        for key in keys {
            let Ok(key) = key else { return Err(without_secret(bytes)) };
            if found.replace(key).is_some() {
                return Err(KeyError::Several);
            }
        }
    }
    found.ok_or_else(|| without_secret(bytes))
}

/// Returns the only public key in `bytes`.
fn certificate_of(bytes: &[u8]) -> Result<SignedPublicKey, KeyError> {
    let mut keyring = dalec_openpgp::Keyring::default();
    keyring.add(bytes).map_err(|_| KeyError::NotACertificate)?;
    match keyring.keys() {
        [key] => Ok(key.clone()),
        _ => Err(KeyError::SeveralCertificates),
    }
}

fn without_secret(bytes: &[u8]) -> KeyError {
    let public = SignedPublicKey::from_reader_many(bytes).ok();
    match public.and_then(|(mut keys, _)| keys.next()) {
        Some(Ok(_)) => KeyError::PublicOnly,
        _ => KeyError::NotAKey,
    }
}

/// Returns whether the secret is on a card or was left out on purpose: GnuPG then writes a mark in its place.
fn is_elsewhere(secret: &SecretParams) -> bool {
    let SecretParams::Encrypted(secret) = secret else { return false };
    matches!(
        secret.string_to_key_params(),
        S2kParams::Cfb { s2k: StringToKey::Private { .. }, .. }
            | S2kParams::MalleableCfb { s2k: StringToKey::Private { .. }, .. }
    )
}

impl Secret {
    fn fingerprint(&self) -> String {
        match self {
            Self::Primary(key) => fingerprint(key),
            Self::Subkey(key) => fingerprint(key),
            Self::Held(key) => fingerprint(key),
        }
    }

    fn public_params(&self) -> &PublicParams {
        match self {
            Self::Primary(key) => key.public_params(),
            Self::Subkey(key) => key.public_params(),
            Self::Held(key) => key.public_params(),
        }
    }

    /// Returns the secret numbers; none when somebody else holds them.
    fn params(&self) -> Option<&SecretParams> {
        match self {
            Self::Primary(key) => Some(key.secret_params()),
            Self::Subkey(key) => Some(key.secret_params()),
            Self::Held(_) => None,
        }
    }

    /// Opens the secret once, so that signing does not pay for the passphrase each time.
    fn unlock(mut self, passphrase: Option<&KeyMaterial>) -> Result<Self, KeyError> {
        if !self.params().is_some_and(SecretParams::is_encrypted) {
            return Ok(self);
        }
        let Some(passphrase) = passphrase else {
            return Err(KeyError::Locked { fingerprint: self.fingerprint() });
        };
        let password = Password::from(passphrase.0.as_slice());
        let opened = match &mut self {
            Self::Primary(key) => key.remove_password(&password),
            Self::Subkey(key) => key.remove_password(&password),
            Self::Held(_) => return Ok(self),
        };
        match opened {
            Ok(()) => Ok(self),
            Err(_) => Err(KeyError::WrongPassphrase { fingerprint: self.fingerprint() }),
        }
    }
}
