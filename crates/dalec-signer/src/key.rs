//! The secret key that signs: reading it, choosing what of it signs, and signing.
//!
//! Secrets are overwritten when they are dropped, and the types that hold them cannot be printed. What the OpenPGP
//! parser keeps in its own buffers for a moment is out of reach.

use std::io::{self, Read, Write};

use dalec_openpgp::standing::{self, Period};
use dalec_openpgp::{Signer, fingerprint};
use pgp::composed::{Deserializable, SignedPublicKey, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    PacketTrait, SecretKey, SecretSubkey, SignatureConfig, SignatureHasher, SignatureType, Subpacket,
    SubpacketData,
};
use pgp::types::{
    KeyDetails, Password, PublicParams, S2kParams, SecretParams, SigningKey as _, StringToKey, Timestamp,
};
use zeroize::Zeroizing;

use crate::armor;
use crate::error::KeyError;

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

/// What signs: the primary key or a subkey.
enum Secret {
    Primary(SecretKey),
    Subkey(SecretSubkey),
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
        let (secret, period) = choose(&key, &public, now)?;
        let secret = secret.unlock(passphrase)?;
        let signer = Signer {
            fingerprint: secret.fingerprint(),
            primary: fingerprint(&key.primary_key),
            user_id: standing::user_id(&public),
        };
        let key = Self { secret, period, signer };
        match key.matches() {
            true => Ok(key),
            false => Err(key.useless()),
        }
    }

    /// Returns whose signatures these will be.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Returns whether rpm knows signatures by such a key.
    pub(crate) fn suits_rpm(&self) -> bool {
        matches!(self.secret.params(), PublicParams::RSA(_) | PublicParams::EdDSALegacy(_))
    }

    /// Returns whether this is an RSA key.
    pub(crate) fn is_rsa(&self) -> bool {
        matches!(self.secret.params(), PublicParams::RSA(_))
    }

    /// Returns the hash that signatures are made with, in OpenPGP's words.
    pub(crate) fn hash(&self) -> HashAlgorithm {
        let preferred = match &self.secret {
            Secret::Primary(key) => key.hash_alg(),
            Secret::Subkey(key) => key.hash_alg(),
        };
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
        };
        let hasher = config.and_then(SignatureConfig::into_hasher).map_err(|_| self.useless())?;
        Ok(Signing { key: self, hasher })
    }

    /// Returns whether the secret belongs to the public part, by a signature over nothing.
    fn matches(&self) -> bool {
        let Ok(packet) = self.sign(SignatureType::Binary, self.period.from, &mut io::empty()) else {
            return false;
        };
        let Ok(signatures) = armor::signatures(&packet) else { return false };
        signatures.iter().all(|signature| match &self.secret {
            Secret::Primary(key) => signature.verify(key.public_key(), io::empty()).is_ok(),
            Secret::Subkey(key) => signature.verify(key.public_key(), io::empty()).is_ok(),
        })
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
        };
        let mut bytes = Vec::new();
        let written = signature.and_then(|signature| signature.to_writer_with_header(&mut bytes));
        written.map(|()| bytes).map_err(|_| self.key.useless())
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

fn without_secret(bytes: &[u8]) -> KeyError {
    let public = SignedPublicKey::from_reader_many(bytes).ok();
    match public.and_then(|(mut keys, _)| keys.next()) {
        Some(Ok(_)) => KeyError::PublicOnly,
        _ => KeyError::NotAKey,
    }
}

/// Returns what of `key` signs.
fn choose(key: &SignedSecretKey, public: &SignedPublicKey, now: u64) -> Result<(Secret, Period), KeyError> {
    let unfit = |of: &dyn Fn() -> String, unfit| KeyError::Unfit { fingerprint: of(), unfit };
    let primary = || fingerprint(&key.primary_key);
    // A subkey is worth no more than the key above it.
    standing::primary(public).and_then(|period| period.check(now)).map_err(|why| unfit(&primary, why))?;
    let mut best: Option<(&SecretSubkey, Period)> = None;
    let mut refused: Option<KeyError> = None;
    for subkey in public.public_subkeys.iter().filter(|subkey| standing::is_signing_subkey(subkey)) {
        let name = || fingerprint(&subkey.key);
        let period = standing::signing_subkey(public, subkey).and_then(|period| {
            period.check(now)?;
            Ok(period)
        });
        let secret =
            key.secret_subkeys.iter().find(|known| known.key.fingerprint() == subkey.key.fingerprint());
        match (period, secret) {
            (Err(why), _) => refused = Some(unfit(&name, why)),
            (Ok(_), None) => refused = Some(KeyError::NoSecret { fingerprint: name() }),
            (Ok(_), Some(secret)) if is_elsewhere(secret.key.secret_params()) => {
                refused = Some(KeyError::NoSecret { fingerprint: name() });
            }
            (Ok(period), Some(secret)) => {
                if best.is_none_or(|(_, known)| known.from < period.from) {
                    best = Some((&secret.key, period));
                }
            }
        }
    }
    if let Some((subkey, period)) = best {
        return Ok((Secret::Subkey(subkey.clone()), period));
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    let period = standing::signing_primary(public).map_err(|why| unfit(&primary, why))?;
    match is_elsewhere(key.primary_key.secret_params()) {
        true => Err(KeyError::NoSecret { fingerprint: primary() }),
        false => Ok((Secret::Primary(key.primary_key.clone()), period)),
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
        }
    }

    fn params(&self) -> &PublicParams {
        match self {
            Self::Primary(key) => key.public_params(),
            Self::Subkey(key) => key.public_params(),
        }
    }

    /// Opens the secret once, so that signing does not pay for the passphrase each time.
    fn unlock(mut self, passphrase: Option<&KeyMaterial>) -> Result<Self, KeyError> {
        let is_locked = match &self {
            Self::Primary(key) => key.secret_params().is_encrypted(),
            Self::Subkey(key) => key.secret_params().is_encrypted(),
        };
        if !is_locked {
            return Ok(self);
        }
        let Some(passphrase) = passphrase else {
            return Err(KeyError::Locked { fingerprint: self.fingerprint() });
        };
        let password = Password::from(passphrase.0.as_slice());
        let opened = match &mut self {
            Self::Primary(key) => key.remove_password(&password),
            Self::Subkey(key) => key.remove_password(&password),
        };
        match opened {
            Ok(()) => Ok(self),
            Err(_) => Err(KeyError::WrongPassphrase { fingerprint: self.fingerprint() }),
        }
    }
}
