//! Keys that sign without being shown: somebody else holds the secret, and is asked for one signature at a time.
//!
//! [`DigestSigner`] is all that formats of signatures need to know of such a key. Those who hold keys are the agent of
//! GnuPG ([`Agent`]) and tokens ([`Token`]).

mod agent;
mod assuan;
mod gnupg;
mod pkcs11;
mod process;
mod sexp;
mod uri;

pub use agent::Agent;
pub use gnupg::Gnupg;
pub use pkcs11::Token;
pub use uri::{TokenUri, UriError};

/// A key that somebody holds.
pub trait DigestSigner: Send + Sync {
    /// Returns a signature over `digest`, which is by `hash`.
    ///
    /// # Errors
    /// [`HolderError`] when whoever holds the key does not sign.
    fn sign(&self, scheme: Scheme, hash: Hash, digest: &[u8]) -> Result<RawSignature, HolderError>;
}

/// Somebody who may hold keys of a certificate.
pub trait Holder {
    /// Returns the key with `fingerprint`, in upper-case hexadecimal digits; none when it is not there.
    ///
    /// # Errors
    /// [`HolderError`] when it cannot be known.
    fn key(&self, fingerprint: &str) -> Result<Option<Box<dyn DigestSigner>>, HolderError>;
}

/// How a key computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RSA with the padding of PKCS #1 version 1.5.
    Rsa,
    /// ECDSA.
    Ecdsa,
    /// Ed25519, over the digest as its message.
    EdDsa,
}

/// Which hash a digest is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// A signature as numbers, big-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawSignature {
    /// By RSA.
    Rsa(Vec<u8>),
    /// The two halves of the others.
    Pair(Vec<u8>, Vec<u8>),
}

/// Why whoever holds a key does not sign. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HolderError {
    /// Nobody is there.
    #[error("nobody answers at {place}: {reason}")]
    Unreachable {
        /// The socket.
        place: String,
        /// What the system says.
        reason: String,
    },
    /// A program that is needed to ask cannot be run.
    #[error("cannot run {program}: {reason}")]
    Program {
        /// Its name.
        program: &'static str,
        /// What the system says.
        reason: String,
    },
    /// The key is not there.
    #[error("it is not there")]
    NoKey,
    /// There is no such token.
    #[error("there is no token {wanted}")]
    NoToken {
        /// What was asked for.
        wanted: String,
    },
    /// What was asked for fits several things.
    #[error("several {what} fit: {found}")]
    Several {
        /// Tokens or keys.
        what: &'static str,
        /// Which.
        found: String,
    },
    /// A passphrase or PIN is needed.
    #[error("it is locked, and no passphrase or PIN was given")]
    Locked,
    /// The passphrase or PIN is another one.
    #[error("the passphrase or PIN is wrong")]
    WrongPin,
    /// Too many wrong ones were given before.
    #[error("its PIN is blocked after too many wrong ones")]
    Blocked,
    /// Somebody said no when asked for the passphrase.
    #[error("the question for the passphrase was cancelled")]
    Cancelled,
    /// Nobody can be asked.
    #[error("nobody can be asked for the passphrase: no pinentry program works here")]
    NoPrompt,
    /// It said no for another reason.
    #[error("{words}")]
    Refused {
        /// Its words.
        words: String,
    },
    /// What it says makes no sense.
    #[error("its answer makes no sense: {reason}")]
    Answer {
        /// What is wrong.
        reason: &'static str,
    },
}

/// Returns words of others as one line of moderate length that no terminal acts on.
fn words(text: &str) -> String {
    const LONGEST: usize = 300;
    let text: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    text.trim().chars().take(LONGEST).collect()
}
