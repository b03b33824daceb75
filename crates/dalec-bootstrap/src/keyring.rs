//! The public keys that an archive's index must be signed with, and the check itself.
//!
//! Follows what apt accepts: one good signature is enough, and signatures by unknown keys are passed over. Which keys
//! stand and which signatures count is the business of [`dalec_openpgp`]; what the signed text says is not looked at here.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use dalec_openpgp::{Fault, Finding};
use pgp::composed::{CleartextSignedMessage, Deserializable, SignedPublicKey};
use pgp::packet::{Signature, SignatureType};

use crate::error::BootstrapError;

/// Debian's archive keys; public, and the same in every Debian system.
const DEBIAN_KEYS: &[(&str, &[u8])] = &[
    ("bullseye-automatic", include_bytes!("../keys/debian-archive-bullseye-automatic.asc")),
    ("bullseye-security-automatic", include_bytes!("../keys/debian-archive-bullseye-security-automatic.asc")),
    ("bullseye-stable", include_bytes!("../keys/debian-archive-bullseye-stable.asc")),
    ("bookworm-automatic", include_bytes!("../keys/debian-archive-bookworm-automatic.asc")),
    ("bookworm-security-automatic", include_bytes!("../keys/debian-archive-bookworm-security-automatic.asc")),
    ("bookworm-stable", include_bytes!("../keys/debian-archive-bookworm-stable.asc")),
    ("trixie-automatic", include_bytes!("../keys/debian-archive-trixie-automatic.asc")),
    ("trixie-security-automatic", include_bytes!("../keys/debian-archive-trixie-security-automatic.asc")),
    ("trixie-stable", include_bytes!("../keys/debian-archive-trixie-stable.asc")),
];

/// Where a Debian host keeps the keys that came with its own archive keyring package.
const HOST_KEYRINGS: &[&str] =
    &["usr/share/keyrings/debian-archive-keyring.pgp", "usr/share/keyrings/debian-archive-keyring.gpg"];

/// OpenPGP public keys that may sign an archive's index.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: dalec_openpgp::Keyring,
}

/// Text whose signature held.
#[derive(Debug)]
pub(crate) struct Signed {
    /// With `\n` line ends and nothing of the armour around it.
    pub(crate) text: String,
}

impl Keyring {
    /// Returns Debian's own archive keys, as carried in this program.
    pub fn debian() -> Self {
        let mut keyring = Self::default();
        for (name, bytes) in DEBIAN_KEYS {
            keyring.add(Path::new(name), bytes).expect("the carried keys are well-formed");
        }
        keyring
    }

    /// Adds the keys in a file, armoured or binary.
    ///
    /// # Errors
    /// [`BootstrapError::Io`] if the file cannot be read, [`BootstrapError::Keyring`] if it
    /// holds no key.
    pub fn add_file(&mut self, path: &Path) -> Result<(), BootstrapError> {
        let bytes = fs::read(path).map_err(BootstrapError::io("read", path))?;
        self.add(path, &bytes)
    }

    /// Adds the archive keys that a Debian host under `root` has, if it is one.
    ///
    /// A host that is newer than this program knows keys that came after it. What is not a
    /// usable key there is passed over: nobody asked for these files, and the keys that are
    /// known anyway may do. The parser may lose the key just before such a thing as well.
    ///
    /// # Errors
    /// [`BootstrapError::Io`] if a file is there but cannot be read.
    pub fn add_host(&mut self, root: &Path) -> Result<(), BootstrapError> {
        for path in HOST_KEYRINGS.iter().map(|path| root.join(path)).filter(|path| path.exists()) {
            let bytes = fs::read(&path).map_err(BootstrapError::io("read", &path))?;
            if let Ok((keys, _)) = SignedPublicKey::from_reader_many(bytes.as_slice()) {
                keys.flatten().for_each(|key| self.keys.push(key));
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<(), BootstrapError> {
        let error = |reason: String| BootstrapError::Keyring { path: path.to_owned(), reason };
        let (keys, _) =
            SignedPublicKey::from_reader_many(bytes).map_err(|source| error(source.to_string()))?;
        let keys: Vec<SignedPublicKey> =
            keys.collect::<Result<_, _>>().map_err(|source| error(source.to_string()))?;
        if keys.is_empty() {
            return Err(error("it is empty".to_owned()));
        }
        keys.into_iter().for_each(|key| self.keys.push(key));
        Ok(())
    }

    /// Returns the text that `message`, from `url`, is a clear-signed form of.
    ///
    /// # Errors
    /// [`BootstrapError::Unsigned`] if it is not clear-signed text,
    /// [`BootstrapError::BadSignature`] if no signature is good.
    pub(crate) fn open(&self, url: &str, message: &[u8], now: SystemTime) -> Result<Signed, BootstrapError> {
        let unsigned = |reason: String| BootstrapError::Unsigned { url: url.to_owned(), reason };
        let message = std::str::from_utf8(message).map_err(|_| unsigned("it is not text".to_owned()))?;
        let (message, _) =
            CleartextSignedMessage::from_string(message).map_err(|source| unsigned(source.to_string()))?;
        let text = message.signed_text();
        let mut refusals = Vec::new();
        for signature in message.signatures() {
            match self.judge(signature, &text, now) {
                Ok(()) => return Ok(Signed { text: text.replace("\r\n", "\n") }),
                Err(refusal) => refusals.push(refusal),
            }
        }
        if refusals.is_empty() {
            refusals.push("it is not signed at all".to_owned());
        }
        Err(BootstrapError::BadSignature { url: url.to_owned(), reason: refusals.join("; ") })
    }

    /// Returns nothing if `signature` over `text` is good, or else why it is not.
    fn judge(&self, signature: &Signature, text: &str, now: SystemTime) -> Result<(), String> {
        let issuer = dalec_openpgp::issuer(signature).unwrap_or_else(|| "nobody".to_owned());
        if !matches!(signature.typ(), Some(SignatureType::Text | SignatureType::Binary)) {
            return Err(format!("the signature by {issuer} is of another kind"));
        }
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let finding = self.keys.judge(signature, now, || text.as_bytes());
        // Memory can always be read.
        let fault = finding.map_or(Some(Fault::Mismatch), |Finding { fault, .. }| fault);
        match fault {
            None => Ok(()),
            Some(Fault::UnknownKey) => Err(format!("the key {issuer} is not trusted")),
            Some(Fault::Unfit(unfit)) => Err(format!("the key {issuer} {unfit}")),
            Some(Fault::Mismatch) => Err(format!("the signature by {issuer} does not match the text")),
            Some(Fault::Weak) => Err(format!("the signature by {issuer} rests on a broken or unknown hash")),
            Some(Fault::Expired) => Err(format!("the signature by {issuer} has expired")),
            Some(Fault::Future) => {
                Err(format!("the signature by {issuer} is dated in the future by this machine's clock"))
            }
            Some(Fault::OlderThanKey) => Err(format!("the signature by {issuer} is older than its key")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use dalec_openpgp::{Unfit, standing};
    use pgp::composed::{ArmorOptions, KeyType, SecretKeyParamsBuilder, SignedSecretKey};
    use pgp::packet::{SignatureConfig, Subpacket, SubpacketData};
    use pgp::ser::Serialize;
    use pgp::types::{KeyDetails, Password, Tag, Timestamp};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// Returns about the first of January, in seconds since 1970.
    fn at(year: u64) -> u64 {
        (year - 1970) * 31_556_952
    }

    #[test]
    fn the_carried_keys_are_in_force_now_and_end_some_day() {
        let keyring = Keyring::debian();
        let (now, later) = (at(2026), at(2060));
        assert_eq!(keyring.keys.keys().len(), DEBIAN_KEYS.len());
        for key in keyring.keys.keys() {
            let id = dalec_openpgp::fingerprint(&key.primary_key);
            let primary = standing::signing_primary(key).unwrap_or_else(|unfit| panic!("{id} {unfit}"));
            assert_eq!(primary.check(now), Ok(()), "{id}");
            for subkey in &key.public_subkeys {
                let period =
                    standing::signing_subkey(key, subkey).unwrap_or_else(|unfit| panic!("{id} {unfit}"));
                assert_eq!(period.check(now), Ok(()), "{id}");
            }
            assert!(matches!(primary.check(later), Err(Unfit::Expired { .. })), "{id}");
        }
    }

    #[test]
    fn a_keyring_without_keys_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.asc");
        fs::write(&path, "no keys here").unwrap();
        let error = Keyring::default().add_file(&path).unwrap_err();
        assert!(matches!(error, BootstrapError::Keyring { .. }), "{error}");
        let error = Keyring::default().add_file(&directory.path().join("none")).unwrap_err();
        assert!(matches!(error, BootstrapError::Io { .. }), "{error}");
    }

    fn generate(can_sign: bool) -> SignedSecretKey {
        SecretKeyParamsBuilder::default()
            .key_type(KeyType::Ed25519Legacy)
            .can_sign(can_sign)
            .can_certify(true)
            .primary_user_id("archive <archive@example.org>".to_owned())
            .build()
            .unwrap()
            .generate(rand::thread_rng())
            .unwrap()
    }

    /// Returns a copy of `key` that ends `seconds` after it was made.
    fn expiring(key: &SignedSecretKey, seconds: u32) -> SignedSecretKey {
        let mut key = key.clone();
        let (secret, public) = (&key.primary_key, key.primary_key.public_key());
        let mut config =
            SignatureConfig::from_key(rand::thread_rng(), secret, SignatureType::CertPositive).unwrap();
        config.hashed_subpackets = [
            SubpacketData::SignatureCreationTime(Timestamp::now()),
            SubpacketData::IssuerFingerprint(secret.fingerprint()),
            SubpacketData::KeyExpirationTime(pgp::types::Duration::from_secs(seconds)),
        ]
        .map(|data| Subpacket::regular(data).unwrap())
        .into();
        let user = &mut key.details.users[0];
        let signature =
            config.sign_certification(secret, public, &Password::empty(), Tag::UserId, &user.id).unwrap();
        user.signatures = vec![signature];
        key
    }

    fn sign(key: &SignedSecretKey) -> Vec<u8> {
        CleartextSignedMessage::sign(rand::thread_rng(), "text\n", &key.primary_key, &Password::empty())
            .unwrap()
            .to_armored_bytes(ArmorOptions::default())
            .unwrap()
    }

    fn open(keys: &[&SignedPublicKey], message: &[u8], now: SystemTime) -> Result<(), String> {
        let mut keyring = Keyring::default();
        keys.iter().copied().cloned().for_each(|key| keyring.keys.push(key));
        match keyring.open("http://m.example/InRelease", message, now) {
            Ok(_) => Ok(()),
            Err(BootstrapError::BadSignature { reason, .. }) => Err(reason),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_newer_copy_of_an_expired_key_counts() {
        let key = generate(true);
        let renewed = key.to_public_key();
        let message = sign(&key);
        let later = SystemTime::now() + DAY;
        let expired = expiring(&key, 60).to_public_key();
        let refusal = open(&[&expired], &message, later).unwrap_err();
        assert!(refusal.ends_with("expired"), "{refusal}");
        assert_eq!(open(&[&expired, &renewed], &message, later), Ok(()));
        assert_eq!(open(&[&renewed, &expired], &message, later), Ok(()));
    }

    #[test]
    fn a_revocation_counts_for_all_copies_of_a_key() {
        let key = generate(true);
        let good = key.to_public_key();
        let mut revoked = good.clone();
        revoked.details.revocation_signatures.push(good.details.users[0].signatures[0].clone());
        for keys in [[&good, &revoked], [&revoked, &good]] {
            let refusal = open(&keys, &sign(&key), SystemTime::now()).unwrap_err();
            assert!(refusal.ends_with("is revoked"), "{refusal}");
        }
    }

    #[test]
    fn a_signature_from_the_future_is_refused() {
        let key = generate(true);
        let (message, public) = (sign(&key), key.to_public_key());
        let hour = Duration::from_secs(3600);
        assert_eq!(open(&[&public], &message, SystemTime::now() - hour), Ok(()));
        let refusal = open(&[&public], &message, SystemTime::now() - DAY - hour).unwrap_err();
        assert!(refusal.contains("is dated in the future"), "{refusal}");
    }

    #[test]
    fn a_primary_key_that_only_certifies_signs_no_index() {
        let key = generate(false);
        let refusal = open(&[&key.to_public_key()], &sign(&key), SystemTime::now()).unwrap_err();
        assert!(refusal.ends_with("is not meant for signing"), "{refusal}");
    }

    #[test]
    fn what_is_no_key_in_the_keyring_of_a_host_is_passed_over() {
        let (first, second) = (generate(true).to_public_key(), generate(true).to_public_key());
        // An RSA key of version 4 whose modulus has eight bits.
        let broken = [0xc6, 12, 4, 0, 0, 0, 1, 1, 0, 8, 0xff, 0, 8, 0xff];
        let mixed = [first.to_bytes().unwrap(), broken.to_vec(), second.to_bytes().unwrap()].concat();
        let host = tempfile::tempdir().unwrap();
        let [pgp, gpg] = [HOST_KEYRINGS[0], HOST_KEYRINGS[1]].map(|path| host.path().join(path));
        fs::create_dir_all(pgp.parent().unwrap()).unwrap();
        fs::write(&pgp, "no keys here").unwrap();
        fs::write(&gpg, mixed).unwrap();
        let mut keyring = Keyring::default();
        keyring.add_host(host.path()).unwrap();
        assert!(keyring.keys.keys().contains(&second));
        for path in [pgp, gpg] {
            let error = Keyring::default().add_file(&path).unwrap_err();
            assert!(matches!(error, BootstrapError::Keyring { .. }), "{error}");
        }
    }

    #[test]
    fn a_host_that_is_not_debian_adds_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut keyring = Keyring::default();
        keyring.add_host(directory.path()).unwrap();
        assert!(keyring.keys.keys().is_empty());
    }
}
