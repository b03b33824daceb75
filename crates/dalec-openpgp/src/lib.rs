//! Which OpenPGP keys stand and which signatures count, for everybody who asks: package indexes, signers and verifiers.
//!
//! [`Keyring`] holds the keys that somebody trusts and judges signatures by them. [`standing`] says whether a key is in force
//! and meant for signing, by what it says of itself. This room reads no files and makes no signatures.

mod keyring;
pub mod standing;

use pgp::crypto::hash::HashAlgorithm;
use pgp::types::KeyDetails;

pub use keyring::{CLOCK_TOLERANCE, Fault, Finding, Keyring, KeyringError, Signer, issuer};
pub use standing::Unfit;

/// Returns the fingerprint of a key in upper-case hexadecimal digits.
pub fn fingerprint(key: &impl KeyDetails) -> String {
    format!("{:X}", key.fingerprint())
}

/// Returns whether signatures that rest on `hash` count: the policies of distributions refuse MD5, SHA-1 and the like.
pub fn is_strong(hash: Option<HashAlgorithm>) -> bool {
    matches!(
        hash,
        Some(
            HashAlgorithm::Sha256
                | HashAlgorithm::Sha384
                | HashAlgorithm::Sha512
                | HashAlgorithm::Sha3_256
                | HashAlgorithm::Sha3_512
        )
    )
}

/// Returns the pieces of `bytes` that can be read on their own: `cat` puts several armored ones into one file.
pub fn blocks(bytes: &[u8]) -> Vec<&[u8]> {
    const BEGIN: &[u8] = b"-----BEGIN PGP ";
    let starts_line = |at: usize| at == 0 || bytes[at - 1] == b'\n';
    let begins = |at: &usize| starts_line(*at) && bytes[*at..].starts_with(BEGIN);
    // Every OpenPGP packet begins with a byte that no text begins with.
    let is_text = bytes.first().is_some_and(|byte| byte & 0x80 == 0);
    let starts: Vec<usize> = (0..bytes.len()).filter(|_| is_text).filter(begins).collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    match starts.is_empty() {
        true => vec![bytes],
        false => starts.iter().zip(ends).map(|(start, end)| &bytes[*start..end]).collect(),
    }
}
