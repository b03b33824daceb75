//! RPM packages: signatures in the signature header, as `rpmsign` makes them and `rpmkeys` checks them.
//!
//! The header holds a digest of the payload since rpm 4.14, so one signature over the header covers the package. Older
//! packages get a second one over header and payload. Nothing but the signature header is changed, and it keeps its
//! size as long as the space that `rpmbuild` reserves lasts.
//!
//! The format is read here and not by a library, so that sizes are held against the file first and the payload streams.

mod compare;
mod header;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use base64ct::{Base64, Encoding};
use pgp::packet::{Signature, SignatureType};
use sha2::Digest as _;

use crate::armor;
use crate::error::{ReadError, SignError};
use crate::key::SigningKey;
use crate::keyring::{Fault, Finding, Keyring, SignatureFault};
use crate::parts::{Parts, Range};
use crate::place::Copy;
pub(crate) use compare::parts;
use header::{BIN, Header, INT32, Limits, STRINGS};

/// What a package begins with; nothing in it counts but its own kind.
const LEAD: usize = 96;
const LEAD_MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];
/// The limits that rpm has, too.
const SIGNATURE_LIMITS: Limits = Limits { entries: 64, store: 64 << 20 };
const HEADER_LIMITS: Limits = Limits { entries: 0xffff, store: 256 << 20 };

// Tags of the signature header.
const REGION: u32 = 62;
/// Over the header, by a key that is not RSA.
const DSA: u32 = 267;
/// Over the header, by an RSA key.
const RSA: u32 = 268;
const SHA1: u32 = 269;
const SHA256: u32 = 273;
/// Over the header, in text: what rpm 6 writes.
const OPENPGP: u32 = 278;
/// Over header and payload, by an RSA key.
const PGP: u32 = 1002;
/// Over header and payload, by another key.
const GPG: u32 = 1005;
const RESERVED: u32 = 1008;
/// The same in packages of version 6.
const RESERVED_6: u32 = 999;
const SIGNATURES: [u32; 5] = [DSA, RSA, OPENPGP, PGP, GPG];

// Tags of the header.
const HEADER_REGION: u32 = 63;
const PAYLOAD_DIGEST: u32 = 5092;
const PAYLOAD_DIGEST_ALGORITHM: u32 = 5093;
/// Version of the package's format, where it is not told by what is missing.
const FORMAT: u32 = 5114;

/// Where things are in a package.
pub(crate) struct Package {
    signature: Header,
    header: Header,
    payload: Range,
}

/// The digest that a header says its payload has.
enum PayloadDigest {
    Sha256(Vec<u8>),
    Sha384(Vec<u8>),
    Sha512(Vec<u8>),
}

impl Package {
    /// Reads both headers and compares them.
    ///
    /// # Errors
    /// [`ReadError`] when the file cannot be read, is no package, or its header has another digest.
    pub(crate) fn read(file: &File) -> Result<Self, ReadError> {
        let length = file.metadata()?.len();
        let mut lead = [0; LEAD];
        if length < LEAD as u64 {
            return Err(ReadError::broken("it is not an RPM package"));
        }
        file.read_exact_at(&mut lead, 0)?;
        if lead[..4] != LEAD_MAGIC {
            return Err(ReadError::broken("it is not an RPM package"));
        }
        if lead[78..80] != [0, 5] {
            return Err(ReadError::broken("it is an RPM package of an unknown kind"));
        }
        let signature = Header::read(file, LEAD as u64, "signature header", &SIGNATURE_LIMITS)?;
        let at = LEAD as u64 + (signature.bytes().len() as u64).next_multiple_of(8);
        let header = Header::read(file, at, "header", &HEADER_LIMITS)?;
        if !header.is_whole(HEADER_REGION) {
            return Err(ReadError::broken("its header has parts that no signature would cover"));
        }
        let at = at + header.bytes().len() as u64;
        let package = Self { signature, header, payload: Range { at, size: length - at } };
        package.check_header()?;
        Ok(package)
    }

    /// Returns whether the package is signed.
    pub(crate) fn is_signed(&self) -> bool {
        self.signature.entries().any(|entry| SIGNATURES.contains(&entry.tag))
    }

    /// Returns whether the package is of a format that has a tag for signatures in text.
    fn is_of_version_6(&self) -> bool {
        self.header.find(FORMAT, INT32).is_some_and(|entry| entry.data >= [0, 0, 0, 6].as_slice())
    }

    fn check_header(&self) -> Result<(), ReadError> {
        let sha256 = hex::encode(sha2::Sha256::digest(self.header.bytes()));
        let sha1 = {
            use sha1::Digest as _;
            hex::encode(sha1::Sha1::digest(self.header.bytes()))
        };
        for (tag, actual) in [(SHA256, sha256), (SHA1, sha1)] {
            let said = self.signature.text(tag);
            if said.is_some_and(|said| !said.eq_ignore_ascii_case(actual.as_bytes())) {
                return Err(ReadError::broken("its header does not match its digest"));
            }
        }
        Ok(())
    }

    /// Returns the digest that the header says its payload has; none when it says nothing.
    fn payload_digest(&self) -> Result<Option<PayloadDigest>, ReadError> {
        let Some(entry) = self.header.find(PAYLOAD_DIGEST, STRINGS) else { return Ok(None) };
        let digits = entry.data.split(|byte| *byte == 0).next().unwrap_or_default();
        let bytes = hex::decode(digits).map_err(|_| ReadError::broken("its payload's digest is none"))?;
        let algorithm = self.header.find(PAYLOAD_DIGEST_ALGORITHM, INT32).map(|entry| entry.data);
        // OpenPGP's numbers for hashes.
        match algorithm {
            // Packages of version 6 have other tags for other digests.
            None | Some([0, 0, 0, 8]) => Ok(Some(PayloadDigest::Sha256(bytes))),
            Some([0, 0, 0, 9]) => Ok(Some(PayloadDigest::Sha384(bytes))),
            Some([0, 0, 0, 10]) => Ok(Some(PayloadDigest::Sha512(bytes))),
            _ => Err(ReadError::broken("its payload's digest is of an unknown kind")),
        }
    }

    /// Checks the payload in `data`; returns whether the header says anything about it.
    fn check_payload(&self, data: impl Read) -> Result<bool, ReadError> {
        let matches = match self.payload_digest()? {
            None => return Ok(false),
            Some(PayloadDigest::Sha256(said)) => digest::<sha2::Sha256>(data)? == said,
            Some(PayloadDigest::Sha384(said)) => digest::<sha2::Sha384>(data)? == said,
            Some(PayloadDigest::Sha512(said)) => digest::<sha2::Sha512>(data)? == said,
        };
        match matches {
            true => Ok(true),
            false => Err(ReadError::broken("its payload does not match its digest")),
        }
    }

    /// Returns the signature header with `signatures` for those that it had.
    fn signature_header(&self, signatures: Vec<(u32, Vec<u8>)>) -> Vec<u8> {
        let mut entries: Vec<(u32, u32, u32, Vec<u8>)> = Vec::new();
        let mut reserves = None;
        for entry in self.signature.entries() {
            if [RESERVED, RESERVED_6].contains(&entry.tag) {
                reserves = Some(entry.tag);
            } else if entry.tag != REGION && !SIGNATURES.contains(&entry.tag) {
                entries.push((entry.tag, entry.kind, entry.count, entry.data.to_vec()));
            }
        }
        for (tag, signature) in signatures {
            let (kind, count) = match tag {
                OPENPGP => (STRINGS, 1),
                _ => (BIN, u32::try_from(signature.len()).unwrap_or(u32::MAX)),
            };
            entries.push((tag, kind, count, signature));
        }
        if let Some(reserved) = reserves {
            let mut smallest = entries.clone();
            smallest.push((reserved, BIN, 1, vec![0]));
            let used = header::encode(REGION, smallest).len() - 1;
            let room = self.signature.bytes().len().saturating_sub(used);
            if let Some(count) = u32::try_from(room).ok().filter(|count| *count > 0) {
                entries.push((reserved, BIN, count, vec![0; room]));
            }
        }
        header::encode(REGION, entries)
    }
}

/// Writes the package in `file` to `copy`, signed.
///
/// # Errors
/// [`SignError`] when it is no package or damaged, the copy cannot be written, or the key cannot sign.
pub(crate) fn sign(file: &File, copy: &mut Copy<'_>, key: &SigningKey, time: u64) -> Result<(), SignError> {
    let source = copy.source();
    let package = Package::read(file).map_err(ReadError::of(source))?;
    let payload = || Parts::new(file, [package.payload]);
    let is_covered = package.check_payload(payload()).map_err(ReadError::of(source))?;
    let (over_header, over_all) = if key.is_rsa() { (RSA, PGP) } else { (DSA, GPG) };
    let signature = key.sign(SignatureType::Binary, time, &mut package.header.bytes())?;
    let mut signatures = Vec::new();
    if package.is_of_version_6() {
        let text = Base64::encode_string(&signature) + "\0";
        signatures.push((OPENPGP, text.into_bytes()));
    }
    // Older programs read packages of version 6, too, and look for signatures here.
    signatures.push((over_header, signature));
    if !is_covered {
        let mut signing = key.begin(SignatureType::Binary, time)?;
        signing.write_all(package.header.bytes()).map_err(SignError::read(source))?;
        copy.read(payload(), &mut signing)?;
        signatures.push((over_all, signing.finish()?));
    }
    let mut header = package.signature_header(signatures);
    header.resize(header.len().next_multiple_of(8), 0);
    copy.take(&mut Parts::new(file, [Range { at: 0, size: LEAD as u64 }]))?;
    copy.append(&header)?;
    copy.append(package.header.bytes())?;
    copy.take(&mut payload())
}

/// Returns what is to be said about the signatures of a package; nothing when it is not signed.
///
/// # Errors
/// [`ReadError`] when it cannot be read, is no package, or a part of it is covered by nothing.
pub(crate) fn verify(file: &File, keyring: &Keyring, now: u64) -> Result<Vec<Finding>, ReadError> {
    let package = Package::read(file)?;
    if !package.is_signed() {
        return Ok(Vec::new());
    }
    let header = || package.header.bytes();
    let all = || header().chain(Parts::new(file, [package.payload]));
    let mut is_covered = package.check_payload(Parts::new(file, [package.payload]))?;
    let mut findings = Vec::new();
    for entry in package.signature.entries().filter(|entry| SIGNATURES.contains(&entry.tag)) {
        for signature in signatures(&entry)? {
            let finding = match entry.tag {
                PGP | GPG => keyring.judge(&signature, now, all)?,
                _ => keyring.judge(&signature, now, header)?,
            };
            is_covered |= finding.fault.is_none() && [PGP, GPG].contains(&entry.tag);
            findings.push(finding);
        }
    }
    // A good signature that leaves the payload to anybody is worth nothing; where one is bad, that is said instead.
    let is_bad = findings
        .iter()
        .any(|finding| !matches!(finding.fault, None | Some(Fault::Signature(SignatureFault::UnknownKey))));
    let is_good = findings.iter().any(|finding| finding.fault.is_none());
    match is_good && !is_bad && !is_covered {
        true => Err(ReadError::broken("its signature does not cover its payload")),
        false => Ok(findings),
    }
}

fn signatures(entry: &header::Entry<'_>) -> Result<Vec<Signature>, ReadError> {
    if entry.tag != OPENPGP {
        return Ok(armor::signatures_of_bytes(entry.data)?);
    }
    let mut all = Vec::new();
    for text in entry.data.split(|byte| *byte == 0).filter(|text| !text.is_empty()) {
        let armored =
            [b"-----BEGIN PGP SIGNATURE-----\n\n", text, b"\n-----END PGP SIGNATURE-----\n"].concat();
        all.extend(armor::signatures_of_bytes(&armored)?);
    }
    Ok(all)
}

fn digest<D: sha2::Digest>(mut data: impl Read) -> io::Result<Vec<u8>> {
    let mut digest = D::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match data.read(&mut buffer) {
            Ok(0) => return Ok(digest.finalize().to_vec()),
            Ok(read) => digest.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
