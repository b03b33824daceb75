//! What of an RPM package no signer may change: everything but signatures and unused space in the signature header.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::{LEAD, Package, REGION, RESERVED, RESERVED_6, SHA1, SHA256, SIGNATURES, signatures};
use crate::compare::{Part, Signature};
use crate::error::ReadError;

/// Signatures of single files, for the kernel: lists of them, and what is to be known about those lists.
const FILE_SIGNATURES: [u32; 4] = [274, 275, 276, 277];
/// What nobody reads of the lead, so each version of rpmsign writes its own: version, and then architecture, name and operating
/// system.
const LEAD_UNREAD: [std::ops::Range<usize>; 2] = [4..6, 8..78];

/// Returns the parts of a package that are no signatures, and its signatures.
///
/// # Errors
/// [`ReadError`] when it cannot be read, is no package, or a digest in it is wrong.
pub(crate) fn parts(file: &File) -> Result<(Vec<Part>, Vec<Signature>), ReadError> {
    let package = Package::read(file)?;
    let mut lead = vec![0; LEAD];
    file.read_exact_at(&mut lead, 0)?;
    for unread in LEAD_UNREAD {
        lead[unread].fill(0);
    }
    let mut parts = vec![Part::bytes("lead", lead)];
    let mut found = Vec::new();
    for entry in package.signature.entries() {
        if SIGNATURES.contains(&entry.tag) {
            let packets = signatures(&entry)?;
            found.extend(packets.iter().map(|packet| Signature::of(packet, "signature header")));
        } else if !is_signers(entry.tag) {
            let mut value = [entry.kind.to_be_bytes(), entry.count.to_be_bytes()].concat();
            value.extend(entry.data);
            parts.push(Part::bytes(format!("tag {} of the signature header", entry.tag), value));
        }
    }
    let end = LEAD as u64 + package.signature.bytes().len() as u64;
    let header = package.payload.at - package.header.bytes().len() as u64;
    let mut padding = vec![0; usize::try_from(header - end).unwrap_or_default()];
    file.read_exact_at(&mut padding, end)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(ReadError::broken("there is something between its headers"));
    }
    parts.push(Part::bytes("header", package.header.bytes().to_vec()));
    parts.push(Part::range("payload", package.payload));
    Ok((parts, found))
}

/// Returns whether what the signature header says by `tag` is the signer's business. The digests of the header are, for
/// they were compared with it.
fn is_signers(tag: u32) -> bool {
    [REGION, RESERVED, RESERVED_6, SHA1, SHA256].contains(&tag) || FILE_SIGNATURES.contains(&tag)
}
