//! OpenPGP signatures as bytes and as text.

use std::io::BufReader;

use pgp::armor::{BlockType, Dearmor, DearmorOptions};
use pgp::packet::{Packet, PacketParser, Signature, SignatureType};

use crate::error::Broken;

/// The most bytes that are taken for signatures.
pub(crate) const LIMIT: u64 = 1 << 20;

/// Each signature has its data hashed anew, so there have to be few.
const MOST_SIGNATURES: usize = 16;

const BEGIN: &[u8] = b"-----BEGIN PGP SIGNATURE-----";

/// Returns a signature packet as text.
pub(crate) fn encode(packet: &[u8]) -> Vec<u8> {
    struct Raw<'a>(&'a [u8]);
    impl pgp::ser::Serialize for Raw<'_> {
        fn to_writer<W: std::io::Write>(&self, writer: &mut W) -> pgp::errors::Result<()> {
            Ok(writer.write_all(self.0)?)
        }
        fn write_len(&self) -> usize {
            self.0.len()
        }
    }
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = pgp::armor::write(&Raw(packet), BlockType::Signature, &mut text, None, true);
    text
}

/// Returns the signatures in `bytes`, armored or binary; there is at least one.
///
/// # Errors
/// [`Broken`] when there is anything else.
pub(crate) fn signatures(bytes: &[u8]) -> Result<Vec<Signature>, Broken> {
    let broken = || Broken("it holds no OpenPGP signature".to_owned());
    if bytes.len() as u64 > LIMIT {
        return Err(Broken("it is larger than any signature".to_owned()));
    }
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or_default();
    let found = if bytes[start..].starts_with(BEGIN) {
        let options = DearmorOptions::new().set_limit(bytes.len());
        let mut text = Dearmor::with_options(&bytes[start..], options);
        text.read_header().map_err(|_| broken())?;
        packets(BufReader::new(text))
    } else {
        packets(bytes)
    };
    match found {
        Some(found) if found.len() > MOST_SIGNATURES => {
            Err(Broken(format!("it holds more than {MOST_SIGNATURES} signatures")))
        }
        Some(found) if !found.is_empty() => Ok(found),
        _ => Err(broken()),
    }
}

/// Returns the signatures in `bytes`, none of which was made over text: whoever signs texts of others would sign packages.
///
/// # Errors
/// [`Broken`] when there is anything else.
pub(crate) fn signatures_of_bytes(bytes: &[u8]) -> Result<Vec<Signature>, Broken> {
    let signatures = signatures(bytes)?;
    match signatures.iter().any(|signature| signature.typ() == Some(SignatureType::Text)) {
        true => Err(Broken("its signature was made over text".to_owned())),
        false => Ok(signatures),
    }
}

/// Returns the signatures in a stream of packets; none when there is anything else.
fn packets(source: impl std::io::BufRead) -> Option<Vec<Signature>> {
    let packets = PacketParser::new(source).map(|packet| match packet {
        Ok(Packet::Signature(signature)) => Some(signature),
        _ => None,
    });
    packets.take(MOST_SIGNATURES + 1).collect()
}
