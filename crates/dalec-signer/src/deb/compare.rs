//! What of a Debian package no signer may change: everything but members that hold signatures, at the end.

use std::fs::File;
use std::io::Read;

use crate::ar;
use crate::armor;
use crate::clearsign::Text;
use crate::compare::{Part, Signature};
use crate::error::{Broken, ReadError};
use crate::parts::Parts;

/// Returns the parts of a package that are no signatures, and its signatures.
///
/// # Errors
/// [`ReadError`] when it cannot be read or is no package, or a member that is called a signature is none.
pub(crate) fn parts(file: &File) -> Result<(Vec<Part>, Vec<Signature>), ReadError> {
    super::Layout::read(file)?;
    let members = ar::members(file)?;
    let content = members.iter().rposition(|member| !is_signature(&member.name)).map_or(0, |last| last + 1);
    let mut parts = Vec::new();
    for member in &members[..content] {
        parts.push(Part::range(format!("member {}", String::from_utf8_lossy(&member.name)), member.whole));
    }
    let mut signatures = Vec::new();
    for member in &members[content..] {
        let name = String::from_utf8_lossy(&member.name);
        let mut bytes = Vec::new();
        Parts::new(file, [member.content]).take(armor::LIMIT + 1).read_to_end(&mut bytes)?;
        // dpkg-sig writes text that lists the hashes of the members.
        let packets = match bytes.starts_with(b"-----BEGIN PGP SIGNED MESSAGE-----") {
            true => Text::parse(&bytes).map(|text| text.signatures),
            false => armor::signatures(&bytes),
        };
        let packets =
            packets.map_err(|broken| Broken(format!("its member {name} is no signature: {broken}")))?;
        signatures.extend(packets.iter().map(|packet| Signature::of(packet, &name)));
    }
    Ok((parts, signatures))
}

/// Returns whether a member is called a signature: `_gpgorigin`, `_gpgbuilder` and whatever other roles there are.
fn is_signature(name: &[u8]) -> bool {
    name.strip_prefix(b"_gpg").is_some_and(|role| !role.is_empty() && role.iter().all(u8::is_ascii_lowercase))
}
