//! Who signed what, as a build's metadata say it: read for the summary, and part of its record.

use std::collections::BTreeSet;

use dalec_frontend::SIGNING;
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
        let is_ours = |key: &str| {
            key.strip_prefix(SIGNING).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let found = result.metadata.iter().filter(|(key, _)| is_ours(key));
        found.filter_map(|(_, value)| serde_json::from_slice(value).ok()).collect()
    }

    /// Returns a line about it. Keys and names come out of signatures, which may be made to steer the terminal.
    pub fn line(&self) -> String {
        let image = &self.signer.image;
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
