//! What can go wrong with keys and certificates for programs, as facts.
//!
//! Nothing here ever holds key material, nor words of a parser about secret keys.

use crate::held::HolderError;

use super::{CertificateFacts, CertificateFault};

/// Why a private key cannot sign programs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeKeyError {
    /// It is more than any key is.
    #[error("the key is larger than {limit} bytes")]
    TooLarge {
        /// The most that is read.
        limit: usize,
    },
    /// There is no private key in it.
    #[error("it is not a private key")]
    NotAKey,
    /// There is a certificate in it, and nothing else.
    #[error("it is a certificate; signing needs the private key as well")]
    CertificateOnly,
    /// There are several private keys in it.
    #[error("it holds several private keys")]
    Several,
    /// It is a key that verifiers do not know, or too short.
    #[error("it is neither an RSA key of 2048 bits or more nor an ECDSA key on P-256 or P-384")]
    Kind,
    /// It is protected by a passphrase, and none was given.
    #[error("it is protected by a passphrase")]
    Locked,
    /// The passphrase does not open it.
    #[error("the passphrase does not open it")]
    WrongPassphrase,
    /// It is encrypted as OpenSSL did it before PKCS #8.
    #[error("it is encrypted in a form that is broken")]
    OldEncryption,
    /// It is encrypted in a way that is not known.
    #[error("it is encrypted in a way that is not known")]
    UnknownEncryption,
    /// It is damaged PKCS #12.
    #[error("it looks like PKCS #12, but cannot be read")]
    BadStore,
    /// It is PKCS #12 with nothing that signs.
    #[error("it holds no private key that belongs to a certificate in it")]
    StoreWithoutKey,
    /// There is no certificate at all.
    #[error("there is no certificate with it")]
    NoCertificate,
    /// What should be certificates are none.
    #[error("its certificates cannot be read")]
    BadCertificates,
    /// None of the certificates is for this key.
    #[error("the certificate of {subject} belongs to another key")]
    OtherCertificate {
        /// Whom the first certificate is for.
        subject: String,
    },
    /// The certificate may not be used.
    #[error("its certificate {} of {} {fault}", certificate.serial, certificate.subject)]
    Unfit {
        /// Which one.
        certificate: CertificateFacts,
        /// What is wrong with it.
        fault: CertificateFault,
    },
    /// Whoever holds the key does not sign.
    #[error("{error}")]
    Held {
        /// What he says.
        error: HolderError,
    },
    /// The key does not compute.
    #[error("it cannot make a signature")]
    Useless,
}

/// Why there is nobody in a bundle to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    /// There is no certificate in it.
    #[error("it holds no certificate")]
    Empty,
    /// One in it is damaged.
    #[error("it holds a certificate that cannot be read")]
    Unreadable,
}
