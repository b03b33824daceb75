//! Blocks of PEM in a text that may hold anything between them, as exports of many tools do.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// A block between two lines with dashes.
pub(crate) struct Block {
    /// What it is said to be.
    pub(crate) label: String,
    /// Its bytes; none when they are not base64, or are encrypted in the way of old.
    pub(crate) der: Option<Zeroizing<Vec<u8>>>,
    /// Whether it is encrypted outside of its bytes, as OpenSSL once did.
    pub(crate) is_locked_of_old: bool,
}

impl Block {
    /// Returns whether it is a certificate.
    pub(crate) fn is_certificate(&self) -> bool {
        ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"].contains(&self.label.as_str())
    }

    /// Returns whether it is a private key.
    pub(crate) fn is_private_key(&self) -> bool {
        self.label.ends_with("PRIVATE KEY")
    }
}

/// Returns all blocks in `text`.
pub(crate) fn blocks(text: &[u8]) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(String, Zeroizing<Vec<u8>>, bool)> = None;
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if let Some(label) = between(line, b"-----BEGIN ") {
            // All of the room at once: a buffer that grows leaves copies behind.
            open = Some((label, Zeroizing::new(Vec::with_capacity(text.len())), false));
        } else if let Some(label) = between(line, b"-----END ") {
            if let Some((begun, body, is_locked_of_old)) = open.take().filter(|(begun, ..)| *begun == label) {
                found.push(Block { label: begun, der: decode(&body), is_locked_of_old });
            }
        } else if let Some((_, body, is_locked_of_old)) = &mut open {
            *is_locked_of_old |= line.starts_with(b"Proc-Type:");
            body.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }
    found
}

fn between(line: &[u8], start: &[u8]) -> Option<String> {
    let label = line.strip_prefix(start)?.strip_suffix(b"-----")?;
    String::from_utf8(label.to_vec()).ok()
}

fn decode(body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; body.len()]);
    let length = Base64::decode(body, &mut bytes).ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}
