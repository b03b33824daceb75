//! What can go wrong with a key, a file or the disk, as facts. Advice is for the command line to give.
//!
//! Nothing here ever holds key material, nor words of the OpenPGP parser about secret keys.

use std::io;
use std::path::{Path, PathBuf};

use dalec_openpgp::Unfit;

use crate::held::HolderError;
use crate::timestamp::TimestampError;
use crate::x509::error::CodeKeyError;

/// Why a secret key cannot sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is more than any key is.
    #[error("the key is larger than {limit} bytes")]
    TooLarge {
        /// The most that is read.
        limit: usize,
    },
    /// There is no OpenPGP key in it.
    #[error("it is not an OpenPGP secret key")]
    NotAKey,
    /// There are only public keys in it.
    #[error("it is a public key; signing needs the secret key")]
    PublicOnly,
    /// There are several secret keys in it.
    #[error("it holds several secret keys")]
    Several,
    /// It is protected by a passphrase, and none was given.
    #[error("the key {fingerprint} is protected by a passphrase")]
    Locked {
        /// Of the key that would sign.
        fingerprint: String,
    },
    /// The passphrase does not open it.
    #[error("the passphrase does not open the key {fingerprint}")]
    WrongPassphrase {
        /// Of the key that would sign.
        fingerprint: String,
    },
    /// The secret part is somewhere else.
    #[error("the secret part of the key {fingerprint} is not in the file")]
    NoSecret {
        /// Of the key that would sign.
        fingerprint: String,
    },
    /// Whoever holds the secret part does not sign.
    #[error("the key {fingerprint} cannot sign: {error}")]
    Held {
        /// Of the key that would sign.
        fingerprint: String,
        /// What he says.
        error: HolderError,
    },
    /// What was found is not the secret part of that key.
    #[error("what was found is not the secret part of the key {fingerprint}")]
    OtherKey {
        /// Of the key that would sign.
        fingerprint: String,
    },
    /// The certificate has no such key.
    #[error("the certificate has no key {fingerprint}")]
    NoPart {
        /// Of the key that was asked for.
        fingerprint: String,
    },
    /// The public part is none.
    #[error("the certificate is not an OpenPGP public key")]
    NotACertificate,
    /// The public part of several keys was given.
    #[error("the certificate holds several public keys")]
    SeveralCertificates,
    /// The key may not be used.
    #[error("the key {fingerprint} {unfit}")]
    Unfit {
        /// Of the key that would sign.
        fingerprint: String,
        /// What is wrong with it.
        unfit: Unfit,
    },
    /// The signature would be older than the key that makes it.
    #[error("a signature of {time} would be older than the key {fingerprint}, which is of {created}")]
    OlderThanKey {
        /// Of the key that would sign.
        fingerprint: String,
        /// When the key was made, in seconds since 1970.
        created: u64,
        /// The time of the signature, in seconds since 1970.
        time: u64,
    },
    /// The key does not compute.
    #[error("the key {fingerprint} cannot make a signature")]
    Useless {
        /// Of the key that would sign.
        fingerprint: String,
    },
}

/// What is wrong with the bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

/// Why files were not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A signed file cannot take the place of the old one; those before it did.
    #[error("cannot replace {}", path.display())]
    Place {
        /// The file.
        path: PathBuf,
        /// What was signed before.
        signed: Vec<PathBuf>,
        /// Why.
        source: io::Error,
    },
    /// It is a directory or a device.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },
    /// The same file was given twice, or two files would have one name in the output directory.
    #[error("{} is given twice", path.display())]
    Twice {
        /// The second one.
        path: PathBuf,
    },
    /// The file is not what its name says.
    #[error("{} cannot be signed: {broken}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        broken: Broken,
    },
    /// The file is signed, and nobody said to replace that.
    #[error("{} is signed already", path.display())]
    AlreadySigned {
        /// The file.
        path: PathBuf,
    },
    /// The file is itself a signature.
    #[error("{} is itself a signature", path.display())]
    Signature {
        /// The file.
        path: PathBuf,
    },
    /// The file is a Windows program, and the key is an OpenPGP key.
    #[error("{} is a Windows program, which an OpenPGP key cannot sign", path.display())]
    NeedsCertificate {
        /// The program.
        path: PathBuf,
    },
    /// The file is no Windows program, and the key is one for those.
    #[error("{} is no Windows program; it takes an OpenPGP key", path.display())]
    NeedsOpenPgp {
        /// The file.
        path: PathBuf,
    },
    /// There is no timestamp for the signature.
    #[error("cannot sign {}", path.display())]
    Timestamp {
        /// The program.
        path: PathBuf,
        /// Why.
        source: TimestampError,
    },
    /// A control file lists a file that is beside it, with another size or hash.
    #[error("{} lists {listed}, but that file is another one by now", path.display())]
    Stale {
        /// The control file.
        path: PathBuf,
        /// What it lists.
        listed: String,
    },
    /// rpm does not understand signatures by such a key.
    #[error("{} cannot be signed: rpm knows signatures by RSA and Ed25519 keys only", path.display())]
    RpmKey {
        /// The package.
        path: PathBuf,
    },
    /// The key cannot do it.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key, or its certificate, cannot do it.
    #[error(transparent)]
    CodeKey(#[from] CodeKeyError),
    /// Somebody asked to stop. No file was changed.
    #[error("cancelled")]
    Cancelled,
}

impl SignError {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }

    pub(crate) fn timestamp(path: &Path) -> impl FnOnce(TimestampError) -> Self {
        let path = path.to_owned();
        |source| Self::Timestamp { path, source }
    }

    pub(crate) fn broken(path: &Path) -> impl FnOnce(Broken) -> Self {
        let path = path.to_owned();
        |broken| Self::Broken { path, broken }
    }
}

/// Why a file could not be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is a directory or a device.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },
}

/// Either the disk or the content.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The disk.
    Io(io::Error),
    /// The content.
    Broken(Broken),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Broken> for ReadError {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl ReadError {
    pub(crate) fn broken(reason: impl Into<String>) -> Self {
        Self::Broken(Broken(reason.into()))
    }

    /// Returns the error of signing `path`.
    pub(crate) fn of(path: &Path) -> impl FnOnce(Self) -> SignError {
        let path = path.to_owned();
        |error| match error {
            Self::Io(source) => SignError::Read { path, source },
            Self::Broken(broken) => SignError::Broken { path, broken },
        }
    }
}
