//! Text with its signature around it, as `debsign` leaves it: the cleartext framework of RFC 9580, section 7.
//!
//! White space at the end of lines is not covered by such a signature, and the last line break belongs to the frame;
//! one more is written before the signature, without which dpkg of old lost the last field.

use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};

use crate::armor;
use crate::error::{Broken, KeyError};
use crate::key::SigningKey;
use crate::keyring::{Finding, Keyring};

/// The most bytes that are taken for text that lists files.
pub(crate) const LIMIT: u64 = 16 << 20;

const BEGIN: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
const END: &[u8] = b"-----END PGP SIGNATURE-----";

/// Text that may be signed.
pub(crate) struct Text {
    /// What it says, without anything around it.
    pub(crate) body: Vec<u8>,
    /// The signatures around it; none when it is not signed.
    pub(crate) signatures: Vec<Signature>,
}

impl Text {
    /// Reads text with or without a signature.
    ///
    /// # Errors
    /// [`Broken`] when there is a piece of a frame, something outside of it, or no text at all.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        let broken = |reason: &str| Broken(reason.to_owned());
        if bytes.contains(&0) {
            return Err(broken("it is not text"));
        }
        if !bytes.starts_with(BEGIN) {
            return match bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"-----BEGIN PGP ")) {
                true => Err(broken("there is text before its signature")),
                false if bytes.trim_ascii().is_empty() => Err(broken("it is empty")),
                false => Ok(Self { body: bytes.to_vec(), signatures: Vec::new() }),
            };
        }
        let mut rest = bytes;
        let mut line = || {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let line = &rest[..end];
            rest = &rest[end + 1..];
            Some(line.strip_suffix(b"\r").unwrap_or(line))
        };
        let cut_off = || broken("its signature is cut off");
        if line().is_none_or(|first| first.trim_ascii_end() != BEGIN) {
            return Err(cut_off());
        }
        loop {
            match line().ok_or_else(cut_off)? {
                [] => break,
                head if head.starts_with(b"Hash:") => {}
                _ => return Err(broken("its signature begins with an unknown header")),
            }
        }
        let mut body: Option<Vec<u8>> = None;
        let signature_line = loop {
            let line = line().ok_or_else(cut_off)?;
            let line = match line.strip_prefix(b"- ") {
                Some(line) => line,
                None if line.starts_with(SIGNATURE) => break line,
                None if line.starts_with(b"-") => return Err(broken("a line of its text is not escaped")),
                None => line,
            };
            match &mut body {
                None => body = Some(line.to_vec()),
                Some(body) => {
                    body.push(b'\n');
                    body.extend(line);
                }
            }
        };
        let mut armored = signature_line.to_vec();
        armored.push(b'\n');
        armored.extend(rest);
        let end = armored.windows(END.len()).position(|window| window == END).ok_or_else(cut_off)?;
        if !armored[end + END.len()..].trim_ascii().is_empty() {
            return Err(broken("there is text after its signature"));
        }
        let signatures = armor::signatures(&armored)?;
        Ok(Self { body: body.unwrap_or_default(), signatures })
    }

    /// Returns what is to be said about the signatures.
    pub(crate) fn verify(&self, keyring: &Keyring, now: u64) -> Vec<Finding> {
        let covered = covered(&self.body);
        let judge = |signature| keyring.judge(signature, now, || covered.as_slice());
        // Memory can always be read.
        self.signatures.iter().flat_map(judge).collect()
    }
}

/// Returns `body` with a signature around it.
///
/// # Errors
/// [`KeyError`] when the key cannot sign.
pub(crate) fn sign(body: &[u8], key: &SigningKey, time: u64) -> Result<Vec<u8>, KeyError> {
    let signature = key.sign(SignatureType::Text, time, &mut covered(body).as_slice())?;
    let mut text = BEGIN.to_vec();
    let hash = match key.hash() {
        HashAlgorithm::Sha512 => "SHA512",
        HashAlgorithm::Sha384 => "SHA384",
        _ => "SHA256",
    };
    text.extend(format!("\nHash: {hash}\n\n").into_bytes());
    for line in body.split(|byte| *byte == b'\n') {
        if line.starts_with(b"-") {
            text.extend(b"- ");
        }
        text.extend(line.strip_suffix(b"\r").unwrap_or(line));
        text.push(b'\n');
    }
    text.extend(armor::encode(&signature));
    Ok(text)
}

/// Returns what a signature around `body` is made over.
fn covered(body: &[u8]) -> Vec<u8> {
    let mut covered = Vec::with_capacity(body.len() + body.len() / 16);
    for (number, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if number > 0 {
            covered.extend(b"\r\n");
        }
        let end = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
        covered.extend(&line[..end.map_or(0, |end| end + 1)]);
    }
    covered
}
