//! X.509 certificates: what one says of itself, and what it may be used for.
//!
//! Revocation is not looked at: that would need the network, and what is checked here is checked offline.

pub(crate) mod chain;
pub(crate) mod error;
pub(crate) mod hash;
mod held;
pub(crate) mod key;
pub(crate) mod pem;
pub(crate) mod public;
pub(crate) mod secret;

use std::fmt;

use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use sha2::{Digest, Sha256};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// What can be critical without a meaning here: other names of the subject, and policies, of which any will do.
const HARMLESS: [ObjectIdentifier; 2] =
    [ObjectIdentifier::new_unwrap("2.5.29.17"), ObjectIdentifier::new_unwrap("2.5.29.32")];
const ANY_PURPOSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// Whose certificate it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whom it is for, as RFC 4514 writes names.
    pub subject: String,
    /// Who gave it out.
    pub issuer: String,
    /// Its number among those of the issuer, in upper-case hexadecimal digits, without zeros in front but for half a byte.
    pub serial: String,
    /// SHA-256 of it, in upper-case hexadecimal digits.
    pub fingerprint: String,
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateFault {
    /// It is not there.
    Missing,
    /// It does not lead to one that is trusted.
    Untrusted,
    /// One that leads from it to a trusted one is not in force, or may not vouch for others.
    Authority,
    /// Its time has not begun.
    Early {
        /// When it begins, in seconds since 1970.
        from: u64,
    },
    /// Its time is over.
    Expired {
        /// When it ended, in seconds since 1970.
        at: u64,
    },
    /// It is meant for something else.
    Purpose(Purpose),
    /// Its key or a signature on it is too weak, or of a kind that is not known.
    Weak,
    /// It says something that has to be understood and is not.
    Unknown,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Missing => "is missing",
            Self::Untrusted => "does not lead to a trusted one",
            Self::Authority => "is vouched for by one that is not in force or may not do so",
            Self::Early { .. } => "is not in force yet",
            Self::Expired { .. } => "has expired",
            Self::Purpose(Purpose::CodeSigning) => "is not meant for code signing",
            Self::Purpose(Purpose::Timestamping) => "is not meant for timestamps",
            Self::Weak => "is too weak, or of a kind that is not known",
            Self::Unknown => "has a critical extension that is not known",
        })
    }
}

/// What a certificate is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Signing programs.
    CodeSigning,
    /// Saying when something was signed.
    Timestamping,
}

impl Purpose {
    fn id(self) -> ObjectIdentifier {
        match self {
            Self::CodeSigning => ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3"),
            Self::Timestamping => ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8"),
        }
    }
}

/// A certificate that can be read.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) parsed: x509_cert::Certificate,
    pub(crate) der: Vec<u8>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

/// Writes a serial number as OpenSSL does: a zero byte in front only says that the number is not negative.
fn serial(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(bytes.len().saturating_sub(1));
    hex::encode_upper(&bytes[zeros..])
}

impl Certificate {
    /// Reads one certificate; nothing when it is none.
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        let parsed = x509_cert::Certificate::from_der(der).ok()?;
        Some(Self { parsed, der: der.to_vec() })
    }

    /// Returns whose it is.
    pub(crate) fn facts(&self) -> CertificateFacts {
        let parsed = &self.parsed.tbs_certificate;
        CertificateFacts {
            subject: parsed.subject.to_string(),
            issuer: parsed.issuer.to_string(),
            serial: serial(parsed.serial_number.as_bytes()),
            fingerprint: hex::encode_upper(Sha256::digest(&self.der)),
        }
    }

    /// Returns the public key, encoded.
    pub(crate) fn public_key(&self) -> Option<Vec<u8>> {
        self.parsed.tbs_certificate.subject_public_key_info.to_der().ok()
    }

    /// Returns whether it names itself as its issuer.
    pub(crate) fn is_root(&self) -> bool {
        self.parsed.tbs_certificate.subject == self.parsed.tbs_certificate.issuer
    }

    /// Returns whether it names `other` as its issuer, and that is true.
    ///
    /// # Errors
    /// [`CertificateFault::Weak`] when that cannot be found out.
    pub(crate) fn is_issued_by(&self, other: &Self) -> Result<bool, CertificateFault> {
        let (own, above) = (&self.parsed.tbs_certificate, &other.parsed.tbs_certificate);
        if own.issuer != above.subject {
            return Ok(false);
        }
        let algorithm = &self.parsed.signature_algorithm;
        let hash = hash::Hash::of_signature(algorithm.oid).ok_or(CertificateFault::Weak)?;
        let signature = self.parsed.signature.as_bytes().ok_or(CertificateFault::Weak)?;
        if *algorithm != own.signature {
            return Ok(false);
        }
        let signed = own.to_der().map_err(|_| CertificateFault::Weak)?;
        match public::verify(&above.subject_public_key_info, hash, &signed, signature) {
            Ok(()) => Ok(true),
            Err(public::Bad::Mismatch) => Ok(false),
            Err(public::Bad::Weak) => Err(CertificateFault::Weak),
        }
    }

    /// Checks that it is in force at `time`, in seconds since 1970.
    ///
    /// # Errors
    /// [`CertificateFault`] when it is not.
    pub(crate) fn check_time(&self, time: u64) -> Result<(), CertificateFault> {
        let validity = &self.parsed.tbs_certificate.validity;
        let from = validity.not_before.to_unix_duration().as_secs();
        let at = validity.not_after.to_unix_duration().as_secs();
        if time < from {
            Err(CertificateFault::Early { from })
        } else if time > at {
            Err(CertificateFault::Expired { at })
        } else {
            Ok(())
        }
    }

    /// Checks that it is itself for `purpose`, and says nothing else that would have to be understood.
    ///
    /// # Errors
    /// [`CertificateFault`] when it is not.
    pub(crate) fn check_purpose(&self, purpose: Purpose) -> Result<(), CertificateFault> {
        self.check_extensions()?;
        public::strength(&self.parsed.tbs_certificate.subject_public_key_info)
            .map_err(|_| CertificateFault::Weak)?;
        let usage: Option<KeyUsage> = self.extension(KEY_USAGE)?;
        let signs = usage.is_none_or(|usage| usage.digital_signature() || usage.non_repudiation());
        let uses: Option<ExtendedKeyUsage> = self.extension(EXTENDED_KEY_USAGE)?;
        // Who signs programs has to say so; it is not enough to say nothing.
        match signs && uses.is_some_and(|uses| uses.0.contains(&purpose.id())) {
            true => Ok(()),
            false => Err(CertificateFault::Purpose(purpose)),
        }
    }

    /// Checks that it may vouch for another certificate that is `below` authorities above the first one.
    ///
    /// # Errors
    /// [`CertificateFault`] when it may not.
    pub(crate) fn check_authority(&self, purpose: Purpose, below: usize) -> Result<(), CertificateFault> {
        self.check_extensions()?;
        let basics: Option<BasicConstraints> = self.extension(BASIC_CONSTRAINTS)?;
        let usage: Option<KeyUsage> = self.extension(KEY_USAGE)?;
        let uses: Option<ExtendedKeyUsage> = self.extension(EXTENDED_KEY_USAGE)?;
        let is_authority = basics.is_some_and(|basics| {
            basics.ca && basics.path_len_constraint.is_none_or(|most| below <= usize::from(most))
        });
        let may_certify = usage.is_none_or(|usage| usage.key_cert_sign());
        let suits =
            uses.is_none_or(|uses| uses.0.iter().any(|known| [purpose.id(), ANY_PURPOSE].contains(known)));
        match is_authority && may_certify && suits {
            true => Ok(()),
            false => Err(CertificateFault::Authority),
        }
    }

    fn check_extensions(&self) -> Result<(), CertificateFault> {
        let known = [BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE];
        let mut extensions = self.parsed.tbs_certificate.extensions.iter().flatten();
        let is_unknown = extensions.any(|extension| {
            extension.critical
                && !known.contains(&extension.extn_id)
                && !HARMLESS.contains(&extension.extn_id)
        });
        match is_unknown {
            true => Err(CertificateFault::Unknown),
            false => Ok(()),
        }
    }

    /// Returns the extension `id`.
    ///
    /// # Errors
    /// [`CertificateFault::Unknown`] when it cannot be read or is there twice.
    fn extension<'a, T: Decode<'a>>(&'a self, id: ObjectIdentifier) -> Result<Option<T>, CertificateFault> {
        let mut found =
            self.parsed.tbs_certificate.extensions.iter().flatten().filter(|known| known.extn_id == id);
        let (first, second) = (found.next(), found.next());
        match (first, second) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(CertificateFault::Unknown),
            (Some(one), None) => {
                T::from_der(one.extn_value.as_bytes()).map(Some).map_err(|_| CertificateFault::Unknown)
            }
        }
    }
}

/// Returns the certificates in `bytes`: PEM with anything between them, or one in DER. None when one cannot be read.
pub(crate) fn certificates(bytes: &[u8]) -> Option<Vec<Certificate>> {
    if bytes.first() == Some(&0x30) {
        return Some(vec![Certificate::parse(bytes)?]);
    }
    let blocks = pem::blocks(bytes);
    let blocks = blocks.iter().filter(|block| block.is_certificate());
    blocks.map(|block| Certificate::parse(block.der.as_ref()?)).collect()
}
