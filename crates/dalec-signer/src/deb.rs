//! Debian packages: the signature `_gpgorigin` as debsigs makes it and debsig-verify reads it.
//!
//! It is a detached, binary signature over the contents of `debian-binary`, the control archive and the data archive,
//! one after another. It comes last, and every other byte of the package stays where it was.
//!
//! A package in which dpkg and a verifier could take different members for the same thing is refused.

mod compare;
mod control_end;

use std::fs::File;
use std::io::Read;

use pgp::packet::SignatureType;

use crate::ar::{self, Member};
use crate::armor;
use crate::error::{Broken, ReadError, SignError};
use crate::key::SigningKey;
use crate::keyring::{Finding, Keyring};
use crate::parts::{Parts, Range};
use crate::place::Copy;
pub(crate) use compare::parts;

const ORIGIN: &[u8] = b"_gpgorigin";
/// The most bytes that say which version of the format it is.
const LONGEST_VERSION: u64 = 8;

/// Where things are in a package.
pub(crate) struct Layout {
    /// What is signed, in this order.
    covered: [Range; 3],
    /// The compression of the control archive, as the end of its name.
    control_kind: Vec<u8>,
    /// The signature.
    signature: Option<Member>,
    /// Where the file ends.
    length: u64,
}

impl Layout {
    /// Reads the layout of a package.
    ///
    /// # Errors
    /// [`ReadError`] when it cannot be read or is no package.
    pub(crate) fn read(file: &File) -> Result<Self, ReadError> {
        let members = ar::members(file)?;
        let mut content = members.iter().filter(|member| !member.name.starts_with(b"_"));
        let mut next = |what: &str, fits: fn(&[u8]) -> bool| match content.next() {
            Some(member) if fits(&member.name) => Ok(member.content),
            _ => Err(ReadError::broken(format!("it has no {what} where that belongs"))),
        };
        let covered = [
            next("debian-binary", |name| name == b"debian-binary")?,
            next("control.tar", |name| is_archive(name, b"control.tar"))?,
            next("data.tar", |name| is_archive(name, b"data.tar"))?,
        ];
        if let Some(more) = content.next() {
            let name = String::from_utf8_lossy(&more.name);
            return Err(ReadError::broken(format!(
                "it has a member {name:?}, which no signature would cover"
            )));
        }
        if members.first().is_none_or(|first| first.content != covered[0]) {
            return Err(ReadError::broken("it does not begin with debian-binary"));
        }
        let mut version = Vec::new();
        Parts::new(file, [covered[0]]).take(LONGEST_VERSION).read_to_end(&mut version)?;
        if covered[0].size > LONGEST_VERSION || !is_version(&version) {
            return Err(ReadError::broken("its format is not version 2"));
        }
        let mut signatures = members.iter().filter(|member| member.name == ORIGIN);
        let signature = signatures.next().cloned();
        let control = members.iter().find(|member| member.content == covered[1]);
        let control_kind =
            control.and_then(|member| member.name.strip_prefix(b"control.tar")).unwrap_or_default().to_vec();
        if signatures.next().is_some() {
            return Err(ReadError::broken("it has several signatures of its origin"));
        }
        Ok(Self { covered, control_kind, signature, length: file.metadata()?.len() })
    }

    /// Returns whether the package is signed.
    pub(crate) fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    /// Returns everything but the signature.
    pub(crate) fn unsigned(&self) -> Vec<Range> {
        match &self.signature {
            None => vec![Range { at: 0, size: self.length }],
            Some(signature) => {
                let end = signature.whole.at + signature.whole.size;
                vec![
                    Range { at: 0, size: signature.whole.at },
                    Range { at: end, size: self.length.saturating_sub(end) },
                ]
            }
        }
    }
}

/// Returns whether `text` says version 2 and nothing more. dpkg reads on after that, but the signature does not say where
/// this member ends and the next one begins: what follows could have been a part of another one when it was signed.
fn is_version(text: &[u8]) -> bool {
    let minor = text.strip_prefix(b"2.").and_then(|rest| rest.strip_suffix(b"\n"));
    minor.is_some_and(|minor| !minor.is_empty() && minor.iter().all(u8::is_ascii_digit))
}

fn is_archive(name: &[u8], stem: &[u8]) -> bool {
    let ending = name.strip_prefix(stem);
    ending.is_some_and(|ending| matches!(ending, b"" | b".gz" | b".xz" | b".zst" | b".bz2" | b".lzma"))
}

/// Writes the package in `file` to `copy`, signed.
///
/// # Errors
/// [`SignError`] when it is no package, the copy cannot be written, or the key cannot sign.
pub(crate) fn sign(file: &File, copy: &mut Copy<'_>, key: &SigningKey, time: u64) -> Result<(), SignError> {
    let layout = Layout::read(file).map_err(ReadError::of(copy.source()))?;
    copy.take(&mut Parts::new(file, layout.unsigned()))?;
    // What is signed is what was written, whoever changes the original meanwhile.
    let written = Layout::read(copy.file()).map_err(ReadError::of(copy.source()))?;
    let mut signing = key.begin(SignatureType::Binary, time)?;
    let covered = Parts::new(copy.file(), written.covered);
    copy.read(covered, &mut signing)?;
    let signature = signing.finish()?;
    let mut end = Vec::new();
    if written.length % 2 == 1 {
        end.push(b'\n');
    }
    end.extend(ar::header("_gpgorigin", time, signature.len()));
    end.extend(&signature);
    if signature.len() % 2 == 1 {
        end.push(b'\n');
    }
    copy.append(&end)
}

/// Returns what is to be said about the signature of a package; nothing when it is not signed.
///
/// # Errors
/// [`ReadError`] when it cannot be read or is no package.
pub(crate) fn verify(file: &File, keyring: &Keyring, now: u64) -> Result<Vec<Finding>, ReadError> {
    let layout = Layout::read(file)?;
    let Some(member) = &layout.signature else { return Ok(Vec::new()) };
    if member.content.size > armor::LIMIT {
        return Err(Broken("its signature is larger than any".to_owned()).into());
    }
    let mut bytes = Vec::new();
    Parts::new(file, [member.content]).read_to_end(&mut bytes)?;
    let signatures = armor::signatures_of_bytes(&bytes)?;
    // The signature does not say where one member ends and the next one begins.
    let [_, control, data] = layout.covered;
    let mut first = Vec::new();
    Parts::new(file, [data]).take(1).read_to_end(&mut first)?;
    // Zeros are the end of an archive, and so of the one before.
    if first == [0] || !control_end::is_at_end(&layout.control_kind, Parts::new(file, [control]))? {
        return Err(ReadError::broken("its control archive does not end where its member ends"));
    }
    let judge = |signature| keyring.judge(signature, now, || Parts::new(file, layout.covered));
    Ok(signatures.iter().map(judge).collect::<Result<_, _>>()?)
}
