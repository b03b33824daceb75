//! The public keys that an archive's index must be signed with, and the check itself.
//!
//! Follows what apt accepts: one good signature by a key that is neither expired nor revoked
//! and does not rest on a broken hash is enough; signatures by unknown keys are passed over.
//! What the signed text says is not looked at here.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pgp::composed::{CleartextSignedMessage, Deserializable, SignedPublicKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::types::{KeyDetails, Tag};

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

/// How far a signer's clock may be ahead of this machine's.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(24 * 60 * 60);
const REVOKED: &str = "is revoked";
const NOT_FOR_SIGNING: &str = "is not meant for signing";

/// OpenPGP public keys that may sign an archive's index.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: Vec<SignedPublicKey>,
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
                self.keys.extend(keys.flatten());
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<(), BootstrapError> {
        let error = |reason: String| BootstrapError::Keyring { path: path.to_owned(), reason };
        let (keys, _) =
            SignedPublicKey::from_reader_many(bytes).map_err(|source| error(source.to_string()))?;
        let before = self.keys.len();
        for key in keys {
            self.keys.push(key.map_err(|source| error(source.to_string()))?);
        }
        if self.keys.len() == before {
            return Err(error("it is empty".to_owned()));
        }
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
        let issuer = issuer(signature);
        if !is_strong(signature) {
            return Err(format!("the signature by {issuer} uses a broken hash"));
        }
        let expires = signature.signature_expiration_time();
        if has_passed(signature.created().map(SystemTime::from), expires.map(Duration::from), now) {
            return Err(format!("the signature by {issuer} expired"));
        }
        if signature.created().is_some_and(|created| SystemTime::from(created) > now + CLOCK_TOLERANCE) {
            return Err(format!("the signature by {issuer} is dated in the future by this machine's clock"));
        }
        let mismatch = || format!("the signature by {issuer} does not match the text");
        let mut is_good = false;
        let mut refusal = None;
        // There may be several copies of one key: the newest may be the only one in force.
        for key in &self.keys {
            let is_primary = names(signature, &key.primary_key);
            let subkey = key.public_subkeys.iter().find(|subkey| names(signature, &subkey.key));
            let holds = match subkey {
                Some(subkey) => signature.verify(&subkey.key, text.as_bytes()).is_ok(),
                None if is_primary => signature.verify(&key.primary_key, text.as_bytes()).is_ok(),
                None => continue,
            };
            if !holds {
                refusal.get_or_insert_with(mismatch);
                continue;
            }
            let standing = check_primary(key, now).and_then(|()| match subkey {
                Some(subkey) => check_subkey(key, subkey, now),
                None => check_signing(key),
            });
            match standing {
                Ok(()) => is_good = true,
                // A revocation holds for older copies too, which do not know of it yet.
                Err(REVOKED) => return Err(format!("the key {issuer} {REVOKED}")),
                Err(reason) => refusal = Some(format!("the key {issuer} {reason}")),
            }
        }
        if is_good {
            return Ok(());
        }
        Err(refusal.unwrap_or_else(|| format!("the key {issuer} is not trusted")))
    }
}

fn issuer(signature: &Signature) -> String {
    if let Some(fingerprint) = signature.issuer_fingerprint().first() {
        return format!("{fingerprint:X}");
    }
    match signature.issuer_key_id().first() {
        Some(id) => id.to_string().to_uppercase(),
        None => "nobody".to_owned(),
    }
}

/// Returns whether `signature` says that `key` made it.
fn names(signature: &Signature, key: &impl KeyDetails) -> bool {
    let id = key.legacy_key_id();
    let fingerprint = key.fingerprint();
    signature.issuer_fingerprint().contains(&&fingerprint) || signature.issuer_key_id().contains(&&id)
}

fn is_strong(signature: &Signature) -> bool {
    matches!(signature.typ(), Some(SignatureType::Text | SignatureType::Binary))
        && matches!(
            signature.hash_alg(),
            Some(
                HashAlgorithm::Sha256
                    | HashAlgorithm::Sha384
                    | HashAlgorithm::Sha512
                    | HashAlgorithm::Sha3_256
                    | HashAlgorithm::Sha3_512
            )
        )
}

/// Returns whether `start + period` is over; a missing or zero period never ends.
fn has_passed(start: Option<SystemTime>, period: Option<Duration>, now: SystemTime) -> bool {
    match (start, period) {
        (Some(start), Some(period)) if !period.is_zero() => start + period <= now,
        _ => false,
    }
}

/// Checks that the primary key is in force: the newest of its own signatures to name an end counts.
///
/// Others among them are about something else, such as who may revoke the key.
fn check_primary(key: &SignedPublicKey, now: SystemTime) -> Result<(), &'static str> {
    if !key.details.revocation_signatures.is_empty() {
        return Err(REVOKED);
    }
    let own = self_signatures(key);
    if own.is_empty() {
        return Err("does not vouch for itself");
    }
    let lasts = own
        .into_iter()
        .filter_map(|signature| Some((signature.created()?, signature.key_expiration_time()?)))
        .max_by_key(|(created, _)| created.as_secs())
        .map(|(_, lasts)| Duration::from(lasts));
    if has_passed(Some(key.primary_key.created_at().into()), lasts, now) {
        return Err("expired");
    }
    Ok(())
}

/// Checks that the primary key is meant for signing: the newest of its own signatures to name uses counts.
///
/// A key that names none may be used for everything, as for other programs.
fn check_signing(key: &SignedPublicKey) -> Result<(), &'static str> {
    let flags = |signature: &Signature| {
        signature.config()?.hashed_subpackets().find_map(|subpacket| match &subpacket.data {
            SubpacketData::KeyFlags(flags) => Some(flags.sign()),
            _ => None,
        })
    };
    let newest = self_signatures(key)
        .into_iter()
        .filter_map(|signature| Some((signature.created()?, flags(signature)?)))
        .max_by_key(|(created, _)| created.as_secs());
    match newest {
        Some((_, false)) => Err(NOT_FOR_SIGNING),
        _ => Ok(()),
    }
}

/// Returns the signatures by which a primary key says something about itself, and which hold.
fn self_signatures(key: &SignedPublicKey) -> Vec<&Signature> {
    let primary = &key.primary_key;
    let over_users = key.details.users.iter().flat_map(|user| {
        user.signatures.iter().filter(|signature| {
            signature.typ() != Some(SignatureType::CertRevocation)
                && signature.verify_certification(primary, Tag::UserId, &user.id).is_ok()
        })
    });
    let over_key =
        key.details.direct_signatures.iter().filter(|signature| signature.verify_key(primary).is_ok());
    over_users.chain(over_key).collect()
}

/// Checks that a subkey is in force and meant for signing.
fn check_subkey(
    key: &SignedPublicKey,
    subkey: &pgp::composed::SignedPublicSubKey,
    now: SystemTime,
) -> Result<(), &'static str> {
    let is_revocation = |signature: &&Signature| signature.typ() == Some(SignatureType::SubkeyRevocation);
    if subkey.signatures.iter().any(|signature| is_revocation(&signature)) {
        return Err(REVOKED);
    }
    let newest = subkey
        .signatures
        .iter()
        .filter(|signature| signature.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok())
        .max_by_key(|signature| signature.created().map(|created| created.as_secs()))
        .ok_or("does not belong to its primary key")?;
    let agrees = newest
        .embedded_signature()
        .is_some_and(|signature| signature.verify_primary_key_binding(&subkey.key, &key.primary_key).is_ok());
    if !newest.key_flags().sign() || !agrees {
        return Err(NOT_FOR_SIGNING);
    }
    let lasts = newest.key_expiration_time().map(Duration::from);
    if has_passed(Some(subkey.key.created_at().into()), lasts, now) {
        return Err("expired");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgp::composed::{ArmorOptions, KeyType, SecretKeyParamsBuilder, SignedSecretKey};
    use pgp::packet::{SignatureConfig, Subpacket};
    use pgp::ser::Serialize;
    use pgp::types::{Password, Timestamp};

    fn at(year: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs((year - 1970) * 31_556_952)
    }

    #[test]
    fn the_carried_keys_are_in_force_now_and_end_some_day() {
        let keyring = Keyring::debian();
        assert_eq!(keyring.keys.len(), DEBIAN_KEYS.len());
        for key in &keyring.keys {
            let id = key.primary_key.legacy_key_id();
            assert_eq!(check_primary(key, at(2026)), Ok(()), "{id}");
            assert_eq!(check_signing(key), Ok(()), "{id}");
            for subkey in &key.public_subkeys {
                assert_eq!(check_subkey(key, subkey, at(2026)), Ok(()), "{id}");
            }
            assert_eq!(check_primary(key, at(2060)), Err("expired"), "{id}");
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
        let keyring = Keyring { keys: keys.iter().copied().cloned().collect() };
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
        let later = SystemTime::now() + CLOCK_TOLERANCE;
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
            assert!(refusal.ends_with(REVOKED), "{refusal}");
        }
    }

    #[test]
    fn a_signature_from_the_future_is_refused() {
        let key = generate(true);
        let (message, public) = (sign(&key), key.to_public_key());
        let hour = Duration::from_secs(3600);
        assert_eq!(open(&[&public], &message, SystemTime::now() - hour), Ok(()));
        let refusal = open(&[&public], &message, SystemTime::now() - CLOCK_TOLERANCE - hour).unwrap_err();
        assert!(refusal.contains("is dated in the future"), "{refusal}");
    }

    #[test]
    fn a_primary_key_that_only_certifies_signs_no_index() {
        let key = generate(false);
        let refusal = open(&[&key.to_public_key()], &sign(&key), SystemTime::now()).unwrap_err();
        assert!(refusal.ends_with(NOT_FOR_SIGNING), "{refusal}");
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
        assert!(keyring.keys.contains(&second));
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
        assert!(keyring.keys.is_empty());
    }
}
