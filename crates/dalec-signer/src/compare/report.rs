//! What a comparison found out, as data for other programs.

use pgp::packet::Signature as Packet;
use serde::{Deserialize, Serialize};

/// What came back from a signer that changed nothing but signatures.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Every file that was built, by path.
    pub artifacts: Vec<Artifact>,
}

/// A file that was built, and came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Where, from the top of the tree.
    pub path: String,
    /// One word: `deb`, `rpm`, `dsc`, `changes`, `buildinfo`, `pe` or `file`.
    pub kind: String,
    /// SHA-256 of what was built, as hexadecimal digits.
    pub before: String,
    /// The same of what came back.
    pub after: String,
    /// The signatures in it and beside it, as they describe themselves.
    pub signatures: Vec<Signature>,
}

/// What a signature says of itself. Nobody has checked it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Signature {
    /// OpenPGP.
    OpenPgp {
        /// Where it is: a part of the file, or the name of the file beside it.
        place: String,
        /// Fingerprint of the key, or its id where there is no more, in upper-case hexadecimal digits.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The hash that it rests on, such as `SHA256`.
        hash: String,
        /// When it was made, in seconds since 1970.
        #[serde(skip_serializing_if = "Option::is_none")]
        time: Option<u64>,
    },
    /// A certificate's, in a Windows program.
    X509 {
        /// Whom the certificate is for.
        subject: String,
        /// Who made the certificate.
        issuer: String,
        /// SHA-256 of the certificate, in upper-case hexadecimal digits.
        fingerprint: String,
        /// The hash that it rests on, such as `SHA256`.
        hash: String,
    },
}

impl Signature {
    /// Describes the OpenPGP signature that is found at `place`.
    pub(crate) fn of(packet: &Packet, place: &str) -> Self {
        let hash = packet.hash_alg().map_or_else(|| "unknown".to_owned(), |hash| hash.to_string());
        Self::OpenPgp {
            place: place.to_owned(),
            key: dalec_openpgp::issuer(packet),
            hash: hash.to_uppercase(),
            time: packet.created().map(|created| created.as_secs().into()),
        }
    }

    fn hash(&self) -> &str {
        match self {
            Self::OpenPgp { hash, .. } | Self::X509 { hash, .. } => hash,
        }
    }
}

impl Comparison {
    /// Returns the paths of what takes a signature and has none. Other files, such as archives, need none.
    pub fn unsigned(&self) -> impl Iterator<Item = &str> {
        let takes_one = |artifact: &&Artifact| artifact.kind != "file" && artifact.signatures.is_empty();
        self.artifacts.iter().filter(takes_one).map(|artifact| artifact.path.as_str())
    }

    /// Returns what people should hear although the answer is taken: each a sentence without a full stop.
    pub fn warnings(&self) -> Vec<String> {
        if !self.artifacts.is_empty() && self.artifacts.iter().all(|artifact| artifact.signatures.is_empty())
        {
            return vec!["the signer returned everything without any signature".to_owned()];
        }
        let mut warnings: Vec<String> =
            self.unsigned().map(|path| format!("the signer returned {path} without a signature")).collect();
        for artifact in &self.artifacts {
            let weak = artifact.signatures.iter().map(Signature::hash).find(|hash| is_weak(hash));
            warnings.extend(weak.map(|hash| {
                format!("the signature of {} rests on {hash}, which distributions refuse", artifact.path)
            }));
        }
        warnings
    }
}

fn is_weak(hash: &str) -> bool {
    matches!(hash, "MD5" | "SHA1" | "RIPEMD160")
}
