//! Who signed what, as a build's metadata say it: read for the summary, and part of its record.

use std::collections::BTreeSet;

use dalec_frontend::is_about_signing;
use dalec_gateway::FrontendResult;
use dalec_signer::compare::{Artifact, Signature};
use serde::{Deserialize, Serialize};

use crate::progress::words;
use crate::terminal::{self, Keep};

/// What a signer did to the packages of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Who signed.
    pub signer: Signer,
    /// Target key that the packages are for.
    pub target: String,
    /// Whether the answer was compared with what was built.
    pub compared: bool,
    /// Every file that went to the signer; empty when nothing was compared.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
}

/// A frontend that signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    /// Its image, as it is named.
    pub image: String,
    /// Digest of the image, where it has one.
    pub digest: Option<String>,
}

impl Signed {
    /// Returns what `result` says was signed, for each platform.
    pub fn of(result: &FrontendResult) -> Vec<Self> {
        let found = result.metadata.iter().filter(|(key, _)| is_about_signing(key));
        found.filter_map(|(_, value)| serde_json::from_slice(value).ok()).collect()
    }

    /// Returns a line about it. The signer's name and those in signatures come from others, and may be made to steer
    /// the terminal.
    pub fn line(&self) -> String {
        let image = terminal::clean(self.signer.image.as_bytes(), Keep::Nothing);
        if !self.compared {
            return format!("signed with {image}, which may have changed anything: nothing was compared");
        }
        let signed = self.artifacts.iter().filter(|artifact| !artifact.signatures.is_empty());
        let count = words::count(signed.count() as u64, "file");
        let keys = self.keys();
        match keys.is_empty() {
            true => format!("no file was signed, although {image} was to do it"),
            false => format!("signed {count} with {image}: {}", keys.join(", ")),
        }
    }

    fn keys(&self) -> Vec<String> {
        let signatures = self.artifacts.iter().flat_map(|artifact| &artifact.signatures);
        let names = signatures.map(|signature| match signature {
            Signature::OpenPgp { key: Some(key), .. } => format!("key {key}"),
            Signature::OpenPgp { key: None, .. } => "a key that is not named".to_owned(),
            Signature::X509 { subject, .. } => format!("certificate {subject}"),
        });
        let names: BTreeSet<String> =
            names.map(|name| terminal::clean(name.as_bytes(), Keep::Nothing)).collect();
        names.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_the_terminal() {
        let signer = Signer { image: "example.org/s\u{1b}[2J\nall is well".into(), digest: None };
        let x509 = Signature::X509 {
            subject: "CN=\u{1b}]0;x\u{7}".into(),
            issuer: "CN=a".into(),
            fingerprint: "00".into(),
            hash: "SHA256".into(),
        };
        let artifact = Artifact {
            path: "a.exe".into(),
            kind: "pe".into(),
            before: "00".into(),
            after: "11".into(),
            signatures: vec![x509],
        };
        for (compared, artifacts) in [(false, vec![]), (true, vec![]), (true, vec![artifact])] {
            let signed =
                Signed { signer: signer.clone(), target: "windowscross".into(), compared, artifacts };
            let line = signed.line();
            assert!(line.contains("example.org/s") && !line.contains(char::is_control), "{line:?}");
        }
    }
}
