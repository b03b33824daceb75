//! Authenticode: signatures inside of Windows programs, as `signtool` and `osslsigncode` make and check them.
//!
//! Follows Microsoft's "Windows Authenticode Portable Executable Signature Format". A signed message with the digest of
//! the program stands in the certificate table at the end of the file; the checksum in the header is brought up to date.
//! Nothing else changes, but for zeros that fill up the end of a program whose size is not a multiple of eight.

mod table;

use std::fs::File;
use std::time::Duration;

use dalec_openpgp::CLOCK_TOLERANCE;
use der::asn1::{GeneralizedTime, ObjectIdentifier, OctetString, UtcTime};
use der::{Any, Sequence, Tag};
use sha2::{Sha256, Sha384, Sha512};
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;

use crate::compare::Signature;
use crate::error::{Broken, ReadError, SignError};
use crate::keyring::{Fault, Finding, SignatureFault};
use crate::message::{self, Draft, Message};
use crate::parts::Parts;
use crate::pe::{Checksum, Identity, Image};
use crate::place::Copy;
use crate::timestamp::{self, Timestamps};
use crate::x509::chain::Roots;
use crate::x509::error::CodeKeyError;
use crate::x509::hash::Hash;
use crate::x509::key::CodeKey;
use crate::x509::{Certificate, CertificateFacts, CertificateFault, Purpose};

const INDIRECT_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.4");
const PE_IMAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.15");
const STATEMENT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.11");
const INDIVIDUAL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.21");
const OPUS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.12");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
/// A timestamp of the signature, among what is not signed.
const TIMESTAMP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.3.3.1");
/// Further signatures, among what is not signed.
const NESTED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.4.1");
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const MD5: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.5");
/// What takes the place of a description of the file: no flags, and an empty name of it.
const NO_DESCRIPTION: [u8; 9] = [3, 1, 0, 0xa0, 4, 0xa2, 2, 0x80, 0];
/// No program has nearly as many signatures.
const MOST_SIGNATURES: usize = 16;

/// What is signed in place of the program.
#[derive(Sequence)]
struct IndirectData {
    data: Kind,
    digest: ProgramDigest,
}

#[derive(Sequence)]
struct Kind {
    id: ObjectIdentifier,
    description: Any,
}

#[derive(Sequence)]
struct ProgramDigest {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
}

/// Writes the program in `file` to `copy`, signed.
///
/// # Errors
/// [`SignError`] when it is no program, the copy cannot be written, the key cannot sign, or there is no timestamp.
pub(crate) fn sign(
    file: &File,
    copy: &mut Copy<'_>,
    key: &CodeKey,
    timestamps: Option<&dyn Timestamps>,
    time: u64,
) -> Result<(), SignError> {
    let source = copy.source();
    let image = Image::read(file).map_err(ReadError::of(source))?;
    let too_large = || SignError::broken(source)(Broken("it is larger than four gigabytes".to_owned()));
    let before = Identity::of(file).map_err(ReadError::of(source))?;
    let mut checksum = Checksum::default();
    copy.read(Parts::new(file, image.covered()), &mut checksum)?;
    checksum.update(image.padding());
    let mut draft = draft(key, before.digest(), time)?;
    if let Some(service) = timestamps {
        let timestamp = timestamp::fetch(service, draft.signature()).map_err(SignError::timestamp(source))?;
        draft.attach(TIMESTAMP, timestamp);
    }
    let table = table::encode(&draft.finish()?);
    let at = u32::try_from(image.content.size + image.padding().len() as u64);
    let size = u32::try_from(table.len());
    let (Ok(at), Ok(size)) = (at, size) else { return Err(too_large()) };
    if at.checked_add(size).is_none() {
        return Err(too_large());
    }
    let entry = [at.to_le_bytes(), size.to_le_bytes()].concat();
    // The checksum counts as zero in itself.
    [&[0; 4], entry.as_slice(), &table].into_iter().for_each(|bytes| checksum.update(bytes));
    let [first, second, rest] = image.covered();
    copy.take(&mut Parts::new(file, [first]))?;
    copy.append(&checksum.finish().to_le_bytes())?;
    copy.take(&mut Parts::new(file, [second]))?;
    copy.append(&entry)?;
    copy.take(&mut Parts::new(file, [rest]))?;
    copy.append(image.padding())?;
    copy.append(&table)?;
    let after = Identity::of(copy.file()).map_err(ReadError::of(source))?;
    match before.difference(&after) {
        None => Ok(()),
        Some(what) => {
            Err(SignError::broken(source)(Broken(format!("its {what} changed while it was signed"))))
        }
    }
}

/// Signs the `digest` of a program.
fn draft(key: &CodeKey, digest: &[u8], time: u64) -> Result<Draft, CodeKeyError> {
    let encode = || {
        let description = Any::new(Tag::Sequence, NO_DESCRIPTION)?;
        let digest = ProgramDigest { algorithm: message::algorithm(), digest: OctetString::new(digest)? };
        let content = IndirectData { data: Kind { id: PE_IMAGE, description }, digest };
        let nothing = Any::new(Tag::Sequence, [])?;
        let statement = Any::encode_from(&vec![INDIVIDUAL])?;
        let time = Any::encode_from(&signing_time(time)?)?;
        Ok((Any::encode_from(&content)?, vec![(OPUS, nothing), (STATEMENT, statement), (SIGNING_TIME, time)]))
    };
    let (content, attributes) = encode().map_err(|_: der::Error| CodeKeyError::Useless)?;
    Draft::sign(key, INDIRECT_DATA, content, attributes)
}

/// Returns `time` as signed messages write it: with two digits for the year until 2050.
fn signing_time(time: u64) -> der::Result<Time> {
    let time = Duration::from_secs(time);
    match UtcTime::from_unix_duration(time) {
        Ok(time) => Ok(Time::UtcTime(time)),
        Err(_) => GeneralizedTime::from_unix_duration(time).map(Time::GeneralTime),
    }
}

/// Returns what is to be said about the signatures of the program in `file`; nothing when it is not signed.
///
/// # Errors
/// [`ReadError`] when it cannot be read, is no program, or its certificate table holds something else than signatures.
pub(crate) fn verify(file: &File, roots: &Roots, now: u64) -> Result<Vec<Finding>, ReadError> {
    let image = Image::read(file)?;
    let messages = messages(&image, file)?;
    messages.iter().map(|message| judge(message, &image, file, roots, now)).collect()
}

/// Describes the signatures of the program in `file`, as they describe themselves.
///
/// # Errors
/// Those of [`verify`].
pub(crate) fn describe(file: &File) -> Result<Vec<Signature>, ReadError> {
    let image = Image::read(file)?;
    let describe = |message: &Message| {
        let hash = match content(message)?.digest.algorithm.oid {
            SHA1 => "SHA1",
            MD5 => "MD5",
            other => Hash::of(other).map_or("unknown", Hash::name),
        };
        let signer = message.signer().ok_or_else(|| ReadError::broken("its signature has no certificate"))?;
        let CertificateFacts { subject, issuer, fingerprint, .. } = signer.facts();
        Ok(Signature::X509 { subject, issuer, fingerprint, hash: hash.to_owned() })
    };
    messages(&image, file)?.iter().map(describe).collect()
}

/// Returns the signatures in the certificate table, and those within them.
fn messages(image: &Image, file: &File) -> Result<Vec<Message>, ReadError> {
    let Some(range) = image.table else { return Ok(Vec::new()) };
    let table = table::read(file, range)?;
    let outer = table::entries(&table)?;
    let outer: Vec<Message> = outer.into_iter().map(Message::parse).collect::<Result<_, _>>()?;
    let nested: Vec<Vec<u8>> = outer.iter().flat_map(|message| message.unsigned(NESTED)).collect();
    if outer.len() + nested.len() > MOST_SIGNATURES {
        return Err(ReadError::broken(format!("it has more than {MOST_SIGNATURES} signatures")));
    }
    let nested = nested.iter().map(|encoded| Message::parse(encoded)).collect::<Result<Vec<_>, _>>()?;
    Ok(outer.into_iter().chain(nested).collect())
}

/// Returns what `message` says about a program.
fn content(message: &Message) -> Result<IndirectData, ReadError> {
    let content: Option<IndirectData> = message.content.decode_as().ok();
    let content = content.filter(|content| message.kind == INDIRECT_DATA && content.data.id == PE_IMAGE);
    content.ok_or_else(|| ReadError::broken("its signature is not one over a program"))
}

fn judge(
    message: &Message,
    image: &Image,
    file: &File,
    roots: &Roots,
    now: u64,
) -> Result<Finding, ReadError> {
    let content = content(message)?;
    let fault = match Hash::of(content.digest.algorithm.oid) {
        None => Some(Fault::Signature(SignatureFault::Weak)),
        Some(hash) => {
            let digest = match hash {
                Hash::Sha256 => image.digest::<Sha256>(file),
                Hash::Sha384 => image.digest::<Sha384>(file),
                Hash::Sha512 => image.digest::<Sha512>(file),
            };
            match digest? == content.digest.digest.as_bytes() {
                true => message.check().err(),
                false => Some(Fault::Signature(SignatureFault::Mismatch)),
            }
        }
    };
    let signer = message.signer();
    let timestamps = message.unsigned(TIMESTAMP);
    let latest = now + CLOCK_TOLERANCE;
    let timestamp =
        timestamps.iter().find_map(|one| timestamp::judge(one, message.signature(), roots, latest));
    let counts =
        timestamp.as_ref().filter(|timestamp| timestamp.fault.is_none()).map(|timestamp| timestamp.time);
    let trust = || match signer {
        None => Some(Fault::Certificate(CertificateFault::Missing)),
        Some(signer) => roots
            .check(signer, &message.certificates, Purpose::CodeSigning, counts.unwrap_or(now))
            .err()
            .map(Fault::Certificate),
    };
    let own_words = message.signed::<Time>(SIGNING_TIME).map(|time| time.to_unix_duration().as_secs());
    Ok(Finding {
        issuer: None,
        signer: None,
        certificate: signer.map(Certificate::facts),
        time: counts.or(own_words),
        timestamp,
        fault: fault.or_else(trust),
    })
}
