//! Timestamps (RFC 3161): asking for one, and checking it.
//!
//! How a question reaches a service is not known here; see [`Timestamps`].

use std::error::Error;

use der::asn1::{BitString, Int, ObjectIdentifier, OctetString, OctetStringRef};
use der::{Any, Decode, DecodeValue, Encode, FixedTag, Header, Reader, Sequence, Tag, Tagged};
use rsa::rand_core::{OsRng, RngCore};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::keyring::{Fault, SignatureFault};
use crate::message::{self, Message};
use crate::x509::chain::Roots;
use crate::x509::hash::Hash;
use crate::x509::secret::HASH;
use crate::x509::{CertificateFacts, CertificateFault, Purpose};

const TIMESTAMP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// Granted as asked, or with changes that the answer shows.
const GRANTED: [u8; 2] = [0, 1];

/// A service that says when something was there.
pub trait Timestamps {
    /// Sends `question`, an encoded `TimeStampReq`, and returns the answer, an encoded `TimeStampResp` of at most
    /// [`TIMESTAMP_LIMIT`] bytes.
    ///
    /// # Errors
    /// When there is no answer.
    fn ask(&self, question: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;
}

/// The most bytes that an answer of a service may have.
pub const TIMESTAMP_LIMIT: usize = message::LIMIT;

/// Why there is no timestamp.
#[derive(Debug, thiserror::Error)]
pub enum TimestampError {
    /// The service did not answer.
    #[error("there is no answer from the timestamp service")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// The service does not want to.
    #[error("the timestamp service refused with status {status}{}", words(text.as_ref()))]
    Refused {
        /// The status, as RFC 3161 numbers them.
        status: u8,
        /// What it says about that.
        text: Option<String>,
    },
    /// The answer is none.
    #[error("the timestamp service gave an answer that cannot be read")]
    Unreadable,
    /// The answer is to another question.
    #[error("the timestamp service answered another question")]
    OtherQuestion,
    /// The timestamp in the answer is bad.
    #[error("the timestamp is bad: {0}")]
    Bad(Fault),
}

fn words(text: Option<&String>) -> String {
    text.map(|text| format!(": {text}")).unwrap_or_default()
}

/// When something was signed, by the word of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp {
    /// When, in seconds since 1970.
    pub time: u64,
    /// Whose word that is.
    pub by: Option<CertificateFacts>,
    /// Why it does not count; nothing when it does.
    pub fault: Option<Fault>,
}

#[derive(Sequence)]
struct Question {
    version: u8,
    imprint: Imprint,
    nonce: Int,
    wants_certificate: bool,
}

#[derive(Sequence)]
struct Imprint {
    algorithm: AlgorithmIdentifierOwned,
    digest: OctetString,
}

#[derive(Sequence)]
struct Answer {
    status: Status,
    #[asn1(optional = "true")]
    token: Option<Any>,
}

#[derive(Sequence)]
struct Status {
    status: u8,
    #[asn1(optional = "true")]
    text: Option<Vec<String>>,
    #[asn1(optional = "true")]
    failure: Option<BitString>,
}

/// A question that was asked.
struct Asked {
    digest: Vec<u8>,
    nonce: Int,
}

/// Returns the encoded timestamp of `signature` by `service`.
///
/// # Errors
/// [`TimestampError`] when there is none, or it is not to be relied on.
pub(crate) fn fetch(service: &dyn Timestamps, signature: &[u8]) -> Result<Any, TimestampError> {
    let mut nonce = [0; 16];
    OsRng.fill_bytes(&mut nonce);
    // A positive number without zeros in front: that is what some services can read.
    nonce[0] = nonce[0] & 0x3f | 0x40;
    let asked = Asked {
        digest: HASH.digest(signature),
        nonce: Int::new(&nonce).map_err(|_| TimestampError::Unreadable)?,
    };
    let question = asked.encode().map_err(|_| TimestampError::Unreadable)?;
    let answer = service.ask(&question).map_err(TimestampError::Unreachable)?;
    asked.take(&answer)
}

impl Asked {
    fn encode(&self) -> der::Result<Vec<u8>> {
        let imprint =
            Imprint { algorithm: message::algorithm(), digest: OctetString::new(self.digest.as_slice())? };
        Question { version: 1, imprint, nonce: self.nonce.clone(), wants_certificate: true }.to_der()
    }

    /// Returns the timestamp in `answer`, encoded.
    fn take(&self, answer: &[u8]) -> Result<Any, TimestampError> {
        if answer.len() > TIMESTAMP_LIMIT {
            return Err(TimestampError::Unreadable);
        }
        let answer = Answer::from_der(answer).map_err(|_| TimestampError::Unreadable)?;
        if !GRANTED.contains(&answer.status.status) {
            let text = answer.status.text.map(|lines| lines.join(" "));
            return Err(TimestampError::Refused { status: answer.status.status, text });
        }
        let any = answer.token.ok_or(TimestampError::Unreadable)?;
        let encoded = any.to_der().map_err(|_| TimestampError::Unreadable)?;
        let token = Token::parse(&encoded).ok_or(TimestampError::Unreadable)?;
        if token.info.nonce.as_ref() != Some(&self.nonce) || !token.is_of(&self.digest) {
            return Err(TimestampError::OtherQuestion);
        }
        token.check().map_err(TimestampError::Bad)?;
        Ok(any)
    }
}

/// Finds out about the timestamp in `encoded` of `signature`; nothing when it cannot even be read.
pub(crate) fn judge(encoded: &[u8], signature: &[u8], roots: &Roots, latest: u64) -> Option<Timestamp> {
    let token = Token::parse(encoded)?;
    let by = token.message.signer().map(|signer| signer.facts());
    let time = token.info.time;
    let fault = token.judge(signature, roots, latest).err();
    Some(Timestamp { time, by, fault })
}

/// A timestamp that can be read.
struct Token {
    message: Message,
    info: Info,
}

impl Token {
    fn parse(encoded: &[u8]) -> Option<Self> {
        let message = Message::parse(encoded).ok()?;
        if message.kind != TIMESTAMP {
            return None;
        }
        let content: OctetStringRef<'_> = message.content.decode_as().ok()?;
        let info = Info::from_der(content.as_bytes()).ok()?;
        Some(Self { message, info })
    }

    fn is_of(&self, digest: &[u8]) -> bool {
        self.info.imprint.digest.as_bytes() == digest
    }

    /// Checks the timestamp in itself: its signature, and that this certificate may make it.
    fn check(&self) -> Result<(), Fault> {
        self.message.check()?;
        let signer = self.message.signer().ok_or(Fault::Certificate(CertificateFault::Missing))?;
        let fit = signer.check_purpose(Purpose::Timestamping);
        fit.and_then(|()| signer.check_time(self.info.time)).map_err(Fault::Certificate)
    }

    fn judge(&self, signature: &[u8], roots: &Roots, latest: u64) -> Result<(), Fault> {
        let hash = Hash::of(self.info.imprint.algorithm.oid).ok_or(Fault::Signature(SignatureFault::Weak))?;
        if !self.is_of(&hash.digest(signature)) {
            return Err(Fault::Signature(SignatureFault::Mismatch));
        }
        self.check()?;
        if self.info.time > latest {
            return Err(Fault::Signature(SignatureFault::Future));
        }
        let signer = self.message.signer().ok_or(Fault::Certificate(CertificateFault::Missing))?;
        let checked = roots.check(signer, &self.message.certificates, Purpose::Timestamping, self.info.time);
        checked.map_err(Fault::Certificate)
    }
}

/// What a timestamp says, as far as it matters here.
struct Info {
    imprint: Imprint,
    time: u64,
    nonce: Option<Int>,
}

impl FixedTag for Info {
    const TAG: Tag = Tag::Sequence;
}

impl<'a> DecodeValue<'a> for Info {
    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> der::Result<Self> {
        reader.read_nested(header.length, |reader| {
            if u8::decode(reader)? != 1 {
                return Err(Tag::Integer.value_error());
            }
            // The policy; very short names are read by openssl and not here.
            Any::decode(reader)?;
            let imprint = Imprint::decode(reader)?;
            Int::decode(reader)?;
            let time = Any::decode(reader)?;
            if time.tag() != Tag::GeneralizedTime {
                return Err(Tag::GeneralizedTime.value_error());
            }
            let time = seconds(time.value()).ok_or_else(|| Tag::GeneralizedTime.value_error())?;
            let mut nonce = None;
            // How exact the time is, whether times can be compared, the nonce, a name of the service, extensions.
            while !reader.is_finished() {
                match reader.peek_tag()? {
                    Tag::Integer => nonce = Some(Int::decode(reader)?),
                    _ => drop(Any::decode(reader)?),
                }
            }
            Ok(Self { imprint, time, nonce })
        })
    }
}

/// Reads a time as RFC 3161 has it, which may have parts of a second. Returns seconds since 1970.
fn seconds(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, parts) = text.split_once('.').unwrap_or((text, "0"));
    if whole.len() != 14 || !whole.bytes().chain(parts.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| whole[from..to].parse::<u8>().ok();
    let year = whole[..4].parse().ok()?;
    let (month, day) = (number(4, 6)?, number(6, 8)?);
    let time = der::DateTime::new(year, month, day, number(8, 10)?, number(10, 12)?, number(12, 14)?).ok()?;
    Some(time.unix_duration().as_secs())
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_with_and_without_parts_of_a_second() {
        assert_eq!(seconds(b"20260101000000Z"), Some(1_767_225_600));
        assert_eq!(seconds(b"20260101000000.25Z"), Some(1_767_225_600));
        for bad in ["", "Z", "20260101000000", "2026010100000Z", "20261301000000Z", "20260101000000.xZ"] {
            assert_eq!(seconds(bad.as_bytes()), None, "{bad}");
        }
    }
}
