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
use pgp::packet::{Signature, SignatureType};
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
    /// A host that is newer than this program knows keys that came after it.
    ///
    /// # Errors
    /// Those of [`Keyring::add_file`], for files that are there.
    pub fn add_host(&mut self, root: &Path) -> Result<(), BootstrapError> {
        for path in HOST_KEYRINGS.iter().map(|path| root.join(path)).filter(|path| path.exists()) {
            self.add_file(&path)?;
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
        let mut known = false;
        for key in &self.keys {
            let is_primary = names(signature, &key.primary_key);
            let subkey = key.public_subkeys.iter().find(|subkey| names(signature, &subkey.key));
            let holds = match subkey {
                Some(subkey) => signature.verify(&subkey.key, text.as_bytes()).is_ok(),
                None if is_primary => signature.verify(&key.primary_key, text.as_bytes()).is_ok(),
                None => continue,
            };
            known = true;
            if !holds {
                continue;
            }
            check_primary(key, now).map_err(|reason| format!("the key {issuer} {reason}"))?;
            if let Some(subkey) = subkey {
                check_subkey(key, subkey, now).map_err(|reason| format!("the key {issuer} {reason}"))?;
            }
            return Ok(());
        }
        Err(if known {
            format!("the signature by {issuer} does not match the text")
        } else {
            format!("the key {issuer} is not trusted")
        })
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
        return Err("is revoked");
    }
    let primary = &key.primary_key;
    let over_users = key.details.users.iter().flat_map(|user| {
        user.signatures.iter().filter(|signature| {
            signature.typ() != Some(SignatureType::CertRevocation)
                && signature.verify_certification(primary, Tag::UserId, &user.id).is_ok()
        })
    });
    let over_key =
        key.details.direct_signatures.iter().filter(|signature| signature.verify_key(primary).is_ok());
    let own: Vec<&Signature> = over_users.chain(over_key).collect();
    if own.is_empty() {
        return Err("does not vouch for itself");
    }
    let lasts = own
        .into_iter()
        .filter_map(|signature| Some((signature.created()?, signature.key_expiration_time()?)))
        .max_by_key(|(created, _)| created.as_secs())
        .map(|(_, lasts)| Duration::from(lasts));
    if has_passed(Some(primary.created_at().into()), lasts, now) {
        return Err("expired");
    }
    Ok(())
}

/// Checks that a subkey is in force and meant for signing.
fn check_subkey(
    key: &SignedPublicKey,
    subkey: &pgp::composed::SignedPublicSubKey,
    now: SystemTime,
) -> Result<(), &'static str> {
    let is_revocation = |signature: &&Signature| signature.typ() == Some(SignatureType::SubkeyRevocation);
    if subkey.signatures.iter().any(|signature| is_revocation(&signature)) {
        return Err("is revoked");
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
        return Err("is not meant for signing");
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

    #[test]
    fn a_host_that_is_not_debian_adds_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut keyring = Keyring::default();
        keyring.add_host(directory.path()).unwrap();
        assert!(keyring.keys.is_empty());
    }
}
