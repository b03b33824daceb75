//! A private key with its certificate: what signs programs.

use p12_keystore::{KeyStore, KeyStoreEntry};
use zeroize::Zeroizing;

use super::error::CodeKeyError;
use super::secret::{Secret, Signs};
use super::{Certificate, CertificateFacts, Purpose, certificates, pem};
use crate::key::KeyMaterial;

/// A private key that is ready to sign programs, with a certificate in force that is meant for that. It cannot be printed.
pub struct CodeKey {
    secret: Box<dyn Signs>,
    /// The certificate of the key first, then those that vouch for it, as far as they are known. No root.
    chain: Vec<Certificate>,
}

impl CodeKey {
    /// Returns whether `material` looks like what [`Self::load`] reads, rather than like an OpenPGP key.
    pub fn is_meant(material: &KeyMaterial) -> bool {
        let bytes = material.bytes();
        bytes.first() == Some(&0x30)
            || pem::blocks(bytes).iter().any(|block| block.is_private_key() || block.is_certificate())
    }

    /// Reads a private key, in PEM, DER or PKCS #12, and finds its certificate and those above it in `others` (PEM, or one
    /// in DER) and in the file of the key itself.
    ///
    /// # Errors
    /// [`CodeKeyError`] when there is not exactly one private key, it has no certificate, or they may not sign programs at
    /// `now`, in seconds since 1970.
    pub fn load(
        material: &KeyMaterial,
        others: Option<&[u8]>,
        passphrase: Option<&KeyMaterial>,
        now: u64,
    ) -> Result<Self, CodeKeyError> {
        let bytes = material.bytes();
        if bytes.len() > KeyMaterial::LIMIT {
            return Err(CodeKeyError::TooLarge { limit: KeyMaterial::LIMIT });
        }
        let passphrase = passphrase.map(KeyMaterial::bytes);
        let (secret, mut known) = match bytes.first() {
            Some(0x30) if is_store(bytes) => of_store(bytes, passphrase)?,
            Some(0x30) => (Secret::parse(bytes, passphrase)?, Vec::new()),
            _ => of_text(bytes, passphrase)?,
        };
        if let Some(others) = others {
            let found = certificates(others).filter(|found| !found.is_empty());
            known.extend(found.ok_or(CodeKeyError::BadCertificates)?);
        }
        Self::new(Box::new(secret), known, now)
    }

    /// Puts a private key and its certificate, which is one of `known`, together.
    ///
    /// # Errors
    /// [`CodeKeyError`] when it has none, or one that may not sign programs at `now`.
    pub(crate) fn new(
        secret: Box<dyn Signs>,
        known: Vec<Certificate>,
        now: u64,
    ) -> Result<Self, CodeKeyError> {
        let public = secret.public_key().ok_or(CodeKeyError::Useless)?;
        let Some(leaf) = known.iter().find(|known| known.public_key().as_ref() == Some(&public)) else {
            return Err(match known.first() {
                None => CodeKeyError::NoCertificate,
                Some(other) => CodeKeyError::OtherCertificate { subject: other.facts().subject },
            });
        };
        let mut chain = vec![leaf.clone()];
        while let Some(above) = above(&chain, &known) {
            chain.push(above);
        }
        let key = Self { secret, chain };
        let leaf = key.leaf();
        let unfit = |fault| CodeKeyError::Unfit { certificate: leaf.facts(), fault };
        leaf.check_purpose(Purpose::CodeSigning).map_err(unfit)?;
        leaf.check_time(now).map_err(unfit)?;
        Ok(key)
    }

    /// Returns whose signatures these will be.
    pub fn certificate(&self) -> CertificateFacts {
        self.leaf().facts()
    }

    /// Checks that a signature may be dated `time`, in seconds since 1970.
    ///
    /// # Errors
    /// [`CodeKeyError::Unfit`] when the certificate is not in force then.
    pub(crate) fn check_time(&self, time: u64) -> Result<(), CodeKeyError> {
        let unfit = |fault| CodeKeyError::Unfit { certificate: self.certificate(), fault };
        self.leaf().check_time(time).map_err(unfit)
    }

    /// Returns the certificate.
    pub(crate) fn leaf(&self) -> &Certificate {
        &self.chain[0]
    }

    /// Returns the certificate and those above it.
    pub(crate) fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// Returns what signs.
    pub(crate) fn secret(&self) -> &dyn Signs {
        self.secret.as_ref()
    }
}

/// Returns the one of `known` that vouches for the end of `chain`, unless that is at its end.
fn above(chain: &[Certificate], known: &[Certificate]) -> Option<Certificate> {
    let last = chain.last().filter(|last| !last.is_root())?;
    let is_next =
        |next: &&Certificate| !next.is_root() && !chain.contains(next) && last.is_issued_by(next) == Ok(true);
    known.iter().find(is_next).cloned()
}

/// Reads a key and certificates from PEM.
fn of_text(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<(Secret, Vec<Certificate>), CodeKeyError> {
    let blocks = pem::blocks(bytes);
    let mut keys = blocks.iter().filter(|block| block.is_private_key());
    let known = certificates(bytes).ok_or(CodeKeyError::BadCertificates)?;
    let Some(key) = keys.next() else {
        return Err(match known.is_empty() {
            true => CodeKeyError::NotAKey,
            false => CodeKeyError::CertificateOnly,
        });
    };
    if keys.next().is_some() {
        return Err(CodeKeyError::Several);
    }
    if key.is_locked_of_old {
        return Err(CodeKeyError::OldEncryption);
    }
    let der = key.der.as_ref().ok_or(CodeKeyError::NotAKey)?;
    Ok((Secret::parse(der, passphrase)?, known))
}

/// Returns whether `der` begins as PKCS #12 does: with its version, and signed or plain data.
fn is_store(der: &[u8]) -> bool {
    let content = match der {
        [0x30, 0x80, content @ ..] | [0x30, 0x81, _, content @ ..] => content,
        [0x30, 0x82, _, _, content @ ..] | [0x30, 0x83, _, _, _, content @ ..] => content,
        [0x30, _, content @ ..] => content,
        _ => return false,
    };
    content.starts_with(&[2, 1, 3, 0x30])
}

/// Reads a key and certificates from PKCS #12.
fn of_store(bytes: &[u8], passphrase: Option<&[u8]>) -> Result<(Secret, Vec<Certificate>), CodeKeyError> {
    let given = passphrase.unwrap_or_default();
    let words = std::str::from_utf8(given).map_err(|_| CodeKeyError::WrongPassphrase)?;
    let store = KeyStore::from_pkcs12(bytes, words).map_err(|error| match (error, passphrase) {
        (p12_keystore::error::Error::MacError(_), None) => CodeKeyError::Locked,
        (p12_keystore::error::Error::MacError(_), Some(_)) => CodeKeyError::WrongPassphrase,
        (
            p12_keystore::error::Error::UnsupportedEncryptionScheme
            | p12_keystore::error::Error::UnsupportedMacAlgorithm,
            _,
        ) => CodeKeyError::UnknownEncryption,
        _ => CodeKeyError::BadStore,
    })?;
    let mut found = None;
    let mut known = Vec::new();
    for (_, entry) in store.entries() {
        let certificates = match entry {
            KeyStoreEntry::PrivateKeyChain(entry) => {
                let key = Zeroizing::new(entry.key().to_vec());
                if found.replace(key).is_some() {
                    return Err(CodeKeyError::Several);
                }
                entry.chain()
            }
            KeyStoreEntry::Certificate(certificate) => std::slice::from_ref(certificate),
            KeyStoreEntry::Secret(_) => &[],
        };
        for certificate in certificates {
            known.push(Certificate::parse(certificate.as_der()).ok_or(CodeKeyError::BadCertificates)?);
        }
    }
    let key = found.ok_or(CodeKeyError::StoreWithoutKey)?;
    Ok((Secret::parse(&key, None)?, known))
}
