//! Signed messages (RFC 5652): making one with a certificate, and checking what others made.
//!
//! Who is trusted is not decided here: a message is held against the certificate that comes with it.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use der::asn1::{ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Decode, Encode};
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::error::Broken;
use crate::keyring::{Fault, SignatureFault};
use crate::x509::error::CodeKeyError;
use crate::x509::hash::Hash;
use crate::x509::key::CodeKey;
use crate::x509::public::{self, EC, RSA};
use crate::x509::secret::HASH;
use crate::x509::{Certificate, CertificateFault};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SUBJECT_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
/// No message that is checked here is larger.
pub(crate) const LIMIT: usize = 1 << 20;
/// Sets are sorted when they are read, which takes long when somebody fills them.
const LARGEST_SET: usize = 64;
const DEEPEST: usize = 100;

/// A message that can be read, with one signature.
pub(crate) struct Message {
    /// What kind of content it has.
    pub(crate) kind: ObjectIdentifier,
    /// The content.
    pub(crate) content: Any,
    /// The certificates that come with it.
    pub(crate) certificates: Vec<Certificate>,
    signer: SignerInfo,
}

impl Message {
    /// Reads what `bytes` are.
    ///
    /// # Errors
    /// [`Broken`] when they are no signed message, or one with several signatures.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Broken> {
        let damaged = || Broken("its signature is damaged".to_owned());
        if bytes.len() > LIMIT || !is_sane(bytes, 0) {
            return Err(damaged());
        }
        let outer = ContentInfo::from_der(bytes).map_err(|_| damaged())?;
        if outer.content_type != SIGNED_DATA {
            return Err(Broken("its signature is no signed message".to_owned()));
        }
        // Read piece by piece: what stands beside the certificates of messages in use is more than any library reads.
        let (mut content, mut certificates, mut signers) = (None, Vec::new(), Vec::new());
        for (number, part) in values(outer.content.value()).enumerate() {
            match (number, part.tag) {
                (2, 0x30) => content = EncapsulatedContentInfo::from_der(part.whole).ok(),
                (3, 0xa0) => {
                    let all = values(part.content).filter(|one| one.tag == 0x30);
                    certificates.extend(all.filter_map(|one| Certificate::parse(one.whole)));
                }
                (3.., 0x31) => {
                    signers.extend(values(part.content).map(|one| SignerInfo::from_der(one.whole)))
                }
                _ => {}
            }
        }
        let signers = signers.into_iter().collect::<Result<Vec<_>, _>>().map_err(|_| damaged())?;
        let [signer] = <[SignerInfo; 1]>::try_from(signers)
            .map_err(|_| Broken("its signature is not by exactly one signer".to_owned()))?;
        let EncapsulatedContentInfo { econtent_type: kind, econtent } = content.ok_or_else(damaged)?;
        let content = econtent.ok_or_else(damaged)?;
        Ok(Self { kind, content, certificates, signer })
    }

    /// Returns the certificate that the signature says it is by; none when that does not come with it.
    pub(crate) fn signer(&self) -> Option<&Certificate> {
        let is_meant = |certificate: &&Certificate| {
            let parsed = &certificate.parsed.tbs_certificate;
            match &self.signer.sid {
                SignerIdentifier::IssuerAndSerialNumber(id) => {
                    parsed.issuer == id.issuer && parsed.serial_number == id.serial_number
                }
                SignerIdentifier::SubjectKeyIdentifier(id) => {
                    let mut extensions = parsed.extensions.iter().flatten();
                    let own = extensions.find(|extension| extension.extn_id == SUBJECT_KEY);
                    let own = own.and_then(|own| OctetString::from_der(own.extn_value.as_bytes()).ok());
                    own.is_some_and(|own| own == id.0)
                }
            }
        };
        self.certificates.iter().find(is_meant)
    }

    /// Checks that the content was signed with the key of [`Self::signer`].
    ///
    /// # Errors
    /// [`Fault`] when it was not, or the signature is too weak to count.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let signer = self.signer().ok_or(Fault::Certificate(CertificateFault::Missing))?;
        let hash = Hash::of(self.signer.digest_alg.oid).ok_or(Fault::Signature(SignatureFault::Weak))?;
        let algorithm = self.signer.signature_algorithm.oid;
        if ![RSA, EC, hash.with_rsa(), hash.with_ecdsa()].contains(&algorithm) {
            return Err(Fault::Signature(SignatureFault::Weak));
        }
        let kind: Option<ObjectIdentifier> = self.signed(CONTENT_TYPE);
        let digest: Option<OctetString> = self.signed(MESSAGE_DIGEST);
        let matches = kind == Some(self.kind)
            && digest.is_some_and(|digest| digest.as_bytes() == hash.digest(self.content.value()));
        let attributes = self
            .signer
            .signed_attrs
            .as_ref()
            .filter(|_| matches)
            .ok_or(Fault::Signature(SignatureFault::Mismatch))?;
        let message = attributes.to_der().map_err(|_| Fault::Signature(SignatureFault::Mismatch))?;
        let key = &signer.parsed.tbs_certificate.subject_public_key_info;
        public::verify(key, hash, &message, self.signature()).map_err(|bad| match bad {
            public::Bad::Mismatch => Fault::Signature(SignatureFault::Mismatch),
            public::Bad::Weak => Fault::Signature(SignatureFault::Weak),
        })
    }

    /// Returns the bare signature.
    pub(crate) fn signature(&self) -> &[u8] {
        self.signer.signature.as_bytes()
    }

    /// Returns the value of a signed attribute; none when it is not there exactly once.
    pub(crate) fn signed<T: for<'any> Decode<'any>>(&self, id: ObjectIdentifier) -> Option<T> {
        let mut found =
            self.signer.signed_attrs.iter().flat_map(|all| all.iter()).filter(|one| one.oid == id);
        let (first, second) = (found.next()?, found.next());
        match (first.values.len(), second) {
            (1, None) => T::from_der(&first.values.get(0)?.to_der().ok()?).ok(),
            _ => None,
        }
    }

    /// Returns the values of an attribute that is not signed, encoded.
    pub(crate) fn unsigned(&self, id: ObjectIdentifier) -> Vec<Vec<u8>> {
        let all = self.signer.unsigned_attrs.iter().flat_map(|all| all.iter());
        let values = all.filter(|one| one.oid == id).flat_map(|one| one.values.iter());
        values.filter_map(|value| value.to_der().ok()).collect()
    }
}

/// A message that is being made: signed, and nothing added to it yet.
pub(crate) struct Draft {
    kind: ObjectIdentifier,
    content: Any,
    certificates: Vec<CertificateChoices>,
    signer: SignerInfo,
    unsigned: Vec<(ObjectIdentifier, Any)>,
}

impl Draft {
    /// Signs `content`, of the kind `kind`, and `attributes` beside what every message has.
    ///
    /// # Errors
    /// [`CodeKeyError::Useless`] when the key cannot do it.
    pub(crate) fn sign(
        key: &CodeKey,
        kind: ObjectIdentifier,
        content: Any,
        mut attributes: Vec<(ObjectIdentifier, Any)>,
    ) -> Result<Self, CodeKeyError> {
        let useless = |_| CodeKeyError::Useless;
        let digest = OctetString::new(HASH.digest(content.value())).map_err(useless)?;
        attributes.push((CONTENT_TYPE, Any::encode_from(&kind).map_err(useless)?));
        attributes.push((MESSAGE_DIGEST, Any::encode_from(&digest).map_err(useless)?));
        let attributes = self::attributes(attributes).map_err(useless)?;
        let message = attributes.to_der().map_err(useless)?;
        let signature = key.secret().sign(&HASH.digest(&message))?;
        let leaf = &key.leaf().parsed.tbs_certificate;
        let signer = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: leaf.issuer.clone(),
                serial_number: leaf.serial_number.clone(),
            }),
            digest_alg: algorithm(),
            signed_attrs: Some(attributes),
            signature_algorithm: key.secret().algorithm(),
            signature: OctetString::new(signature).map_err(useless)?,
            unsigned_attrs: None,
        };
        let certificates = key.chain().iter().map(|one| CertificateChoices::Certificate(one.parsed.clone()));
        Ok(Self { kind, content, certificates: certificates.collect(), signer, unsigned: Vec::new() })
    }

    /// Returns the bare signature.
    pub(crate) fn signature(&self) -> &[u8] {
        self.signer.signature.as_bytes()
    }

    /// Adds an attribute that is not signed.
    pub(crate) fn attach(&mut self, id: ObjectIdentifier, value: Any) {
        self.unsigned.push((id, value));
    }

    /// Returns the message.
    ///
    /// # Errors
    /// [`CodeKeyError::Useless`] when it cannot be encoded.
    pub(crate) fn finish(self) -> Result<Vec<u8>, CodeKeyError> {
        self.encode().map_err(|_| CodeKeyError::Useless)
    }

    fn encode(mut self) -> der::Result<Vec<u8>> {
        if !self.unsigned.is_empty() {
            self.signer.unsigned_attrs = Some(attributes(self.unsigned)?);
        }
        let data = SignedData {
            version: CmsVersion::V1,
            digest_algorithms: SetOfVec::try_from(vec![algorithm()])?,
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: self.kind,
                econtent: Some(self.content),
            },
            certificates: Some(CertificateSet(SetOfVec::try_from(self.certificates)?)),
            crls: None,
            signer_infos: SignerInfos(SetOfVec::try_from(vec![self.signer])?),
        };
        ContentInfo { content_type: SIGNED_DATA, content: Any::encode_from(&data)? }.to_der()
    }
}

/// Returns how messages name [`HASH`].
pub(crate) fn algorithm() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: HASH.id(), parameters: Some(Any::null()) }
}

fn attributes(all: Vec<(ObjectIdentifier, Any)>) -> der::Result<Attributes> {
    let attribute = |(oid, value)| Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? });
    SetOfVec::try_from(all.into_iter().map(attribute).collect::<der::Result<Vec<_>>>()?)
}

/// Returns whether the values in `bytes` are not nested too deep, with no set among them that is too large.
///
/// What cannot be read ends the search: it cannot be read later either.
fn is_sane(bytes: &[u8], depth: usize) -> bool {
    const CONSTRUCTED: u8 = 0x20;
    const SEQUENCE: u8 = 0x30;
    let is_sane_part = |Value { tag, content, .. }: Value<'_>| {
        let is_small = tag == SEQUENCE || values(content).nth(LARGEST_SET).is_none();
        tag & CONSTRUCTED == 0 || depth < DEEPEST && is_small && is_sane(content, depth + 1)
    };
    values(bytes).all(is_sane_part)
}

/// A value as it is encoded.
#[derive(Debug, PartialEq, Eq)]
struct Value<'a> {
    /// The first byte of its tag.
    tag: u8,
    /// All of it.
    whole: &'a [u8],
    content: &'a [u8],
}

/// Returns the values in `bytes`, as far as they can be read.
fn values(mut bytes: &[u8]) -> impl Iterator<Item = Value<'_>> {
    std::iter::from_fn(move || {
        let (tag, rest) = bytes.split_first()?;
        let rest = match tag & 0x1f {
            // A number that goes on until a byte without the highest bit.
            0x1f => &rest[rest.iter().position(|byte| byte & 0x80 == 0)? + 1..],
            _ => rest,
        };
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match usize::from(first & 0x7f) {
            short if first & 0x80 == 0 => (short, rest),
            digits => {
                let (digits, rest) = rest.split_at_checked(digits)?;
                let length = digits.iter().try_fold(0_usize, |length, digit| {
                    length.checked_mul(256).map(|length| length + usize::from(*digit))
                });
                (length?, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let whole = &bytes[..bytes.len() - rest.len()];
        bytes = rest;
        Some(Value { tag: *tag, whole, content })
    })
}

#[cfg(test)]
mod tests {
    use super::{is_sane, values};

    #[test]
    fn values_are_found_in_any_encoding_of_length_and_tag() {
        let bytes = [2, 1, 7, 4, 0x81, 2, 8, 9, 0xbf, 0x81, 1, 0, 0x30, 0x84, 0, 0, 0, 1, 5, 4, 9, 1];
        let found: Vec<(u8, &[u8])> = values(&bytes).map(|value| (value.tag, value.content)).collect();
        assert_eq!(found, [(2, &[7][..]), (4, &[8, 9]), (0xbf, &[]), (0x30, &[5])]);
        let wholes: Vec<u8> = values(&bytes).flat_map(|value| value.whole.to_vec()).collect();
        assert_eq!(wholes, bytes[..bytes.len() - 3]);
        for bad in [&[][..], &[2], &[0x1f], &[0x1f, 0x80], &[2, 0x85], &[2, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1]]
        {
            assert_eq!(values(bad).count(), 0);
        }
    }

    #[test]
    fn large_sets_are_refused_and_large_sequences_are_not() {
        let members = [5, 0].repeat(65);
        for (tag, expected) in [(0x30, true), (0x31, false), (0xa0, false)] {
            let bytes = [&[tag, 0x81, 130][..], &members].concat();
            assert_eq!(is_sane(&bytes, 0), expected, "{tag}");
            assert!(is_sane(&bytes[..bytes.len() - 1], 0), "what is cut off is nothing");
        }
    }
}
