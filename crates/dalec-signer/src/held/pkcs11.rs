//! Tokens that speak PKCS #11: smart cards, and what behaves like one.
//!
//! The library that speaks to a token is loaded by OpenSC's `pkcs11-tool` and not by this program, which is linked
//! statically and can load none. The PIN reaches it in its environment, never as an argument, which everybody can read.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use super::process::{self, Said};
use super::uri::TokenUri;
use super::{DigestSigner, Hash, Holder, HolderError, RawSignature, Scheme, words};
use crate::key::KeyMaterial;

const PROGRAM: &str = "pkcs11-tool";
/// The variable that the PIN is in.
const PIN: &str = "DALEC_TOKEN_PIN";

/// A key on a token.
#[derive(Clone)]
pub struct Token {
    module: PathBuf,
    slot: String,
    id: String,
    pin: Option<Arc<KeyMaterial>>,
}

impl Token {
    /// Finds the key that `uri` names.
    ///
    /// # Errors
    /// [`HolderError`] when it is not there, or the PIN does not do.
    pub fn find(uri: &TokenUri, pin: Option<KeyMaterial>) -> Result<Self, HolderError> {
        let mut token = Self {
            module: uri.module.clone(),
            slot: String::new(),
            id: String::new(),
            pin: pin.map(Arc::new),
        };
        let said = token.run(&["--list-token-slots"], &[])?;
        let text = String::from_utf8_lossy(&said.stdout);
        let slots = slots(&text);
        if slots.is_empty() && !said.success {
            return Err(refusal(&said));
        }
        let fits = |slot: &&Slot| {
            let has = |name: &str, value: &str| slot.facts.contains(&(name, value));
            uri.token.iter().all(|(name, value)| has(name, value)) && uri.slot.is_none_or(|id| slot.id == id)
        };
        let label = |slot: &&Slot| format!("slot {}", slot.id);
        let fitting: Vec<&Slot> = slots.iter().filter(fits).collect();
        token.slot = match fitting.as_slice() {
            [slot] => format!("{:#x}", slot.id),
            [] => return Err(HolderError::NoToken { wanted: uri.wanted() }),
            several => {
                return Err(HolderError::Several { what: "tokens", found: list(several.iter().map(label)) });
            }
        };
        token.id = token.object(uri)?;
        Ok(token)
    }

    /// Returns the id of the private key that `uri` names.
    fn object(&self, uri: &TokenUri) -> Result<String, HolderError> {
        let said = self.run(&["--list-objects", "--type", "privkey"], &[])?;
        if !said.success {
            return Err(refusal(&said));
        }
        let text = String::from_utf8_lossy(&said.stdout);
        let wanted = uri.id.as_ref().map(hex::encode);
        let objects = objects(&text);
        let mut fitting: Vec<&Object> = objects
            .iter()
            .filter(|object| wanted.as_ref().is_none_or(|id| object.id == *id))
            .filter(|object| uri.object.as_ref().is_none_or(|label| object.label == label))
            .collect();
        // Tokens list them in any order.
        fitting.sort_by_key(|object| object.id);
        match fitting.as_slice() {
            [object] => Ok(object.id.to_owned()),
            // A token shows its private keys to those who have its PIN.
            [] if self.pin.is_none() => Err(HolderError::Locked),
            [] => Err(HolderError::NoKey),
            several => Err(HolderError::Several {
                what: "keys",
                found: list(several.iter().map(|object| format!("{:?} (id {})", object.label, object.id))),
            }),
        }
    }

    fn run(&self, args: &[&str], input: &[u8]) -> Result<Said, HolderError> {
        let mut command = Command::new(PROGRAM);
        command.arg("--module").arg(&self.module);
        if !self.slot.is_empty() {
            command.args(["--slot", &self.slot]);
            if let Some(pin) = &self.pin {
                command.args(["--login", "--pin", &format!("env:{PIN}")]);
                command.env(PIN, OsStr::from_bytes(pin.bytes()));
            }
        }
        command.args(args);
        process::run(command, PROGRAM, input)
    }
}

/// A token holds one key that is meant, whatever its fingerprint.
impl Holder for Token {
    fn key(&self, _: &str) -> Result<Option<Box<dyn DigestSigner>>, HolderError> {
        Ok(Some(Box::new(self.clone())))
    }
}

impl DigestSigner for Token {
    fn sign(&self, scheme: Scheme, hash: Hash, digest: &[u8]) -> Result<RawSignature, HolderError> {
        let (mechanism, input) = match scheme {
            Scheme::Rsa => ("RSA-PKCS", [prefix(hash), digest].concat()),
            Scheme::Ecdsa => ("ECDSA", digest.to_vec()),
            Scheme::EdDsa => ("EDDSA", digest.to_vec()),
        };
        let said = self.run(&["--sign", "--mechanism", mechanism, "--id", &self.id], &input)?;
        match said.success && !said.stdout.is_empty() {
            false => Err(refusal(&said)),
            true if scheme == Scheme::Rsa => Ok(RawSignature::Rsa(said.stdout)),
            true => {
                let (r, s) = said.stdout.split_at(said.stdout.len() / 2);
                Ok(RawSignature::Pair(r.to_vec(), s.to_vec()))
            }
        }
    }
}

/// Returns what stands before a digest in a signature by RSA, see RFC 8017, section 9.2.
fn prefix(hash: Hash) -> &'static [u8] {
    match hash {
        Hash::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        Hash::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        Hash::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    }
}

/// A slot with a token.
struct Slot<'a> {
    id: u64,
    facts: Vec<(&'a str, &'a str)>,
}

/// Reads the list of slots.
fn slots(text: &str) -> Vec<Slot<'_>> {
    let mut slots: Vec<Slot<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("Slot ") {
            let id = rest.split_once("(0x").and_then(|(_, rest)| rest.split_once(')'));
            if let Some(id) = id.and_then(|(id, _)| u64::from_str_radix(id, 16).ok()) {
                slots.push(Slot { id, facts: Vec::new() });
            }
        } else if let (Some(slot), Some((name, value))) = (slots.last_mut(), line.split_once(':')) {
            slot.facts.push((name.trim(), value.trim()));
        }
    }
    slots
}

/// A private key on a token.
#[derive(Default)]
struct Object<'a> {
    label: &'a str,
    id: &'a str,
}

/// Reads the list of objects. Keys without an id cannot be named.
fn objects(text: &str) -> Vec<Object<'_>> {
    let mut objects: Vec<Object<'_>> = Vec::new();
    for line in text.lines() {
        if line.starts_with("Private Key Object") {
            objects.push(Object::default());
        } else if let (Some(object), Some((name, value))) = (objects.last_mut(), line.trim().split_once(':'))
        {
            match name {
                "label" => object.label = value.trim(),
                "ID" => object.id = value.trim(),
                _ => {}
            }
        }
    }
    objects.retain(|object| !object.id.is_empty());
    objects
}

/// Returns what a refusal means; PKCS #11 has names for reasons.
fn refusal(said: &Said) -> HolderError {
    let has = |name: &str| said.stderr.contains(name);
    if has("CKR_PIN_INCORRECT") || has("CKR_PIN_INVALID") || has("CKR_PIN_LEN_RANGE") {
        HolderError::WrongPin
    } else if has("CKR_PIN_LOCKED") {
        HolderError::Blocked
    } else if has("CKR_USER_NOT_LOGGED_IN") || has("CKR_PIN_EXPIRED") {
        HolderError::Locked
    } else if has("key not found") {
        HolderError::NoKey
    } else {
        HolderError::Refused { words: words(&said.stderr) }
    }
}

fn list(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
