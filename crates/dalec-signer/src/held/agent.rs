//! The agent of GnuPG, which holds secret keys and asks people for passphrases.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::assuan::Assuan;
use super::sexp::Sexp;
use super::{DigestSigner, Hash, Holder, HolderError, RawSignature, Scheme};
use crate::key::KeyMaterial;

/// A connection to the agent.
pub struct Agent {
    shared: Arc<Shared>,
    grips: BTreeMap<String, String>,
}

struct Shared {
    link: Mutex<Assuan>,
    passphrase: Option<KeyMaterial>,
}

/// A key that the agent has.
struct Key {
    shared: Arc<Shared>,
    grip: String,
    fingerprint: String,
}

impl Agent {
    /// Connects to the agent at `socket`.
    ///
    /// `grips` names its keys by their fingerprints, see [`super::Gnupg::keygrips`]. `options` say where people can be
    /// asked, in the agent's words such as `ttyname`; with a passphrase nobody is asked.
    ///
    /// # Errors
    /// [`HolderError`] when there is no agent.
    pub fn connect(
        socket: &Path,
        grips: BTreeMap<String, String>,
        options: &[(&str, String)],
        passphrase: Option<KeyMaterial>,
    ) -> Result<Self, HolderError> {
        let mut link = Assuan::connect(socket)?;
        for (name, value) in options {
            if !value.bytes().any(|byte| byte.is_ascii_control()) {
                // An agent that is older than an option goes on without it.
                let _ = link.ask(&format!("OPTION {name}={value}"), None);
            }
        }
        if passphrase.is_some() {
            link.ask("OPTION pinentry-mode=loopback", None)?;
        }
        Ok(Self { shared: Arc::new(Shared { link: Mutex::new(link), passphrase }), grips })
    }
}

impl Holder for Agent {
    fn key(&self, fingerprint: &str) -> Result<Option<Box<dyn DigestSigner>>, HolderError> {
        let Some(grip) = self.grips.get(fingerprint) else { return Ok(None) };
        match self.shared.ask(&format!("HAVEKEY {grip}")) {
            Err(HolderError::NoKey) => Ok(None),
            Err(error) => Err(error),
            Ok(_) => {
                let (grip, fingerprint) = (grip.clone(), fingerprint.to_owned());
                Ok(Some(Box::new(Key { shared: Arc::clone(&self.shared), grip, fingerprint })))
            }
        }
    }
}

impl Shared {
    fn ask(&self, command: &str) -> Result<Vec<u8>, HolderError> {
        // A conversation that broke off says so itself.
        self.link.lock().unwrap_or_else(PoisonError::into_inner).ask(command, None)
    }
}

impl DigestSigner for Key {
    fn sign(&self, scheme: Scheme, hash: Hash, digest: &[u8]) -> Result<RawSignature, HolderError> {
        let mut link = self.shared.link.lock().unwrap_or_else(PoisonError::into_inner);
        let number = match hash {
            Hash::Sha256 => 8,
            Hash::Sha384 => 9,
            Hash::Sha512 => 10,
        };
        let digest: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        link.ask(&format!("SIGKEY {}", self.grip), None)?;
        link.ask(&format!("SETKEYDESC Sign+packages+with+the+key%0A{}", self.fingerprint), None)?;
        link.ask(&format!("SETHASH {number} {digest}"), None)?;
        let secret = self.shared.passphrase.as_ref().map(KeyMaterial::bytes);
        let answer = link.ask("PKSIGN", secret)?;
        read(&answer, scheme).ok_or(HolderError::Answer { reason: "it is no signature by such a key" })
    }
}

/// Reads the signature in an answer.
fn read(answer: &[u8], scheme: Scheme) -> Option<RawSignature> {
    let answer = Sexp::parse(answer)?;
    let [signature] = answer.after("sig-val")? else { return None };
    let name = match scheme {
        Scheme::Rsa => "rsa",
        Scheme::Ecdsa => "ecdsa",
        Scheme::EdDsa => "eddsa",
    };
    let values = signature.after(name)?;
    let value = |name| {
        let [value] = values.iter().find_map(|value| value.after(name))? else { return None };
        value.atom().map(<[u8]>::to_vec)
    };
    match scheme {
        Scheme::Rsa => Some(RawSignature::Rsa(value("s")?)),
        Scheme::Ecdsa | Scheme::EdDsa => Some(RawSignature::Pair(value("r")?, value("s")?)),
    }
}
