//! The public keys that are trusted, and what is said about one signature by them.

use std::fmt;
use std::io::{self, Read};

use dalec_openpgp::{KeyringError, Signer};
use pgp::packet::Signature;

use crate::timestamp::Timestamp;
use crate::x509::{CertificateFacts, CertificateFault};

pub use dalec_openpgp::Fault as SignatureFault;

/// OpenPGP public keys whose signatures count.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: dalec_openpgp::Keyring,
}

/// What was found out about one signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Fingerprint or key id that the signature names, in upper-case hexadecimal digits; none when it names nobody.
    pub issuer: Option<String>,
    /// Whose key that is, if it is in the keyring.
    pub signer: Option<Signer>,
    /// With which certificate it was made, where it was made with one.
    pub certificate: Option<CertificateFacts>,
    /// When it was made, in seconds since 1970: by a timestamp that counts, or else by its own words.
    pub time: Option<u64>,
    /// What else says when it was made.
    pub timestamp: Option<Timestamp>,
    /// What is wrong; nothing when the signature is good.
    pub fault: Option<Fault>,
}

/// What is wrong with a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is no good signature, of whatever kind it is.
    Signature(SignatureFault),
    /// Its certificate does not do.
    Certificate(CertificateFault),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signature(fault) => fault.fmt(out),
            Self::Certificate(fault) => write!(out, "its certificate {fault}"),
        }
    }
}

impl From<SignatureFault> for Fault {
    fn from(fault: SignatureFault) -> Self {
        Self::Signature(fault)
    }
}

impl Keyring {
    /// Adds the public keys in `bytes`, armored or binary. What cannot be read among them is passed over.
    ///
    /// # Errors
    /// [`KeyringError::Empty`] if there is none.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), KeyringError> {
        self.keys.add(bytes)
    }

    /// Finds out about `signature` over what `data` gives each time that it is called.
    ///
    /// # Errors
    /// When the data cannot be read.
    pub(crate) fn judge<R: Read>(
        &self,
        signature: &Signature,
        now: u64,
        data: impl Fn() -> R,
    ) -> io::Result<Finding> {
        let found = self.keys.judge(signature, now, data)?;
        Ok(Finding {
            issuer: found.issuer,
            signer: found.signer,
            certificate: None,
            timestamp: None,
            time: found.time,
            fault: found.fault.map(Fault::from),
        })
    }
}
