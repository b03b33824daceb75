//! A private key for programs that somebody else holds.

use x509_cert::spki::AlgorithmIdentifierOwned;

use super::error::CodeKeyError;
use super::hash::Hash;
use super::public::{self, EC, P256, P384, RSA};
use super::secret::{self, HASH, Signs};
use super::{Certificate, certificates};
use crate::held::{DigestSigner, Hash as HeldHash, Holder, HolderError, RawSignature, Scheme};
use crate::x509::key::CodeKey;

impl CodeKey {
    /// Takes a private key that `holder` has; `others` holds its certificate and those above it (PEM, or one in DER).
    ///
    /// The certificate of the key is the one that a signature fits.
    ///
    /// # Errors
    /// [`CodeKeyError`] when the holder does not sign, or no certificate is the key's or may sign programs at `now`, in
    /// seconds since 1970.
    pub fn held(others: &[u8], holder: &dyn Holder, now: u64) -> Result<Self, CodeKeyError> {
        let known = certificates(others).filter(|known| !known.is_empty());
        let known = known.ok_or(CodeKeyError::BadCertificates)?;
        for certificate in &known {
            let Some(scheme) = scheme(certificate) else { continue };
            let signer = holder.key(&certificate.facts().fingerprint).map_err(held)?;
            let signer = signer.ok_or_else(|| held(HolderError::NoKey))?;
            let key = HeldKey { certificate: certificate.clone(), scheme, signer };
            match key.is_the_certificates() {
                Ok(true) => return Self::new(Box::new(key), known, now),
                // A token says so when asked for a kind of signature that its key does not make.
                Ok(false) | Err(CodeKeyError::Held { error: HolderError::Refused { .. } }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(CodeKeyError::OtherCertificate { subject: known[0].facts().subject })
    }
}

fn held(error: HolderError) -> CodeKeyError {
    CodeKeyError::Held { error }
}

/// The certificate of a key, and whom to ask for its signatures.
struct HeldKey {
    certificate: Certificate,
    scheme: Scheme,
    signer: Box<dyn DigestSigner>,
}

impl HeldKey {
    /// Returns whether the holder's key is the certificate's, by a signature over nothing.
    fn is_the_certificates(&self) -> Result<bool, CodeKeyError> {
        let signature = self.sign(&HASH.digest(&[]))?;
        let key = &self.certificate.parsed.tbs_certificate.subject_public_key_info;
        Ok(public::verify(key, HASH, &[], &signature).is_ok())
    }
}

impl Signs for HeldKey {
    fn public_key(&self) -> Option<Vec<u8>> {
        self.certificate.public_key()
    }

    fn algorithm(&self) -> AlgorithmIdentifierOwned {
        secret::algorithm(self.scheme == Scheme::Rsa)
    }

    fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, CodeKeyError> {
        let hash = match HASH {
            Hash::Sha256 => HeldHash::Sha256,
            Hash::Sha384 => HeldHash::Sha384,
            Hash::Sha512 => HeldHash::Sha512,
        };
        match self.signer.sign(self.scheme, hash, digest).map_err(held)? {
            RawSignature::Rsa(value) => Ok(value),
            RawSignature::Pair(r, s) => encode(&r, &s).ok_or(CodeKeyError::Useless),
        }
    }
}

/// Returns how the key of a certificate computes; none when programs are not signed with such keys.
fn scheme(certificate: &Certificate) -> Option<Scheme> {
    let algorithm = &certificate.parsed.tbs_certificate.subject_public_key_info.algorithm;
    let curve = algorithm.parameters.as_ref().and_then(|curve| curve.decode_as().ok());
    match (algorithm.oid, curve) {
        (RSA, _) => Some(Scheme::Rsa),
        (EC, Some(P256 | P384)) => Some(Scheme::Ecdsa),
        _ => None,
    }
}

/// Encodes the two numbers of a signature as certificates have them.
fn encode(r: &[u8], s: &[u8]) -> Option<Vec<u8>> {
    use der::Encode;
    use der::asn1::UintRef;
    vec![UintRef::new(r).ok()?, UintRef::new(s).ok()?].to_der().ok()
}
