//! Signature files that a signer may put beside what was built.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Artifact, CompareError, Signature, unreadable};
use crate::armor;
use crate::clearsign::Text;

/// What a signature file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Signatures over the file.
    Detached,
    /// Text with a signature around it that says which SHA-256 the file has.
    Hash,
}

/// The ends of names of signature files. The longer ones come first.
const ENDINGS: [(&str, Form); 5] = [
    (".sha256.asc", Form::Hash),
    (".asc", Form::Detached),
    (".sig", Form::Detached),
    (".sign", Form::Detached),
    (".gpg", Form::Detached),
];

/// Returns what the file `path` would hold as a signature, and of which file.
pub(super) fn signed_file(path: &Path) -> Option<(Form, PathBuf)> {
    let name = path.file_name()?.to_str()?;
    ENDINGS.iter().find_map(|(ending, form)| {
        let of = name.strip_suffix(ending).filter(|of| !of.is_empty())?;
        Some((*form, path.with_file_name(of)))
    })
}

/// Returns the signatures in the file at `path`; where there are none, or it is about another file than `of`, in words why.
///
/// # Errors
/// [`CompareError::Read`] when it cannot be read.
pub(super) fn read(
    path: &Path,
    form: Form,
    of: Option<&Artifact>,
) -> Result<Result<Vec<Signature>, String>, CompareError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable(path))?;
    file.take(armor::LIMIT + 1).read_to_end(&mut bytes).map_err(unreadable(path))?;
    let packets = match form {
        Form::Detached => armor::signatures(&bytes),
        Form::Hash => Text::parse(&bytes).map(|text| match of {
            Some(of) if !says(&text.body, of) => Vec::new(),
            _ => text.signatures,
        }),
    };
    let place = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(match packets {
        Ok(packets) if packets.is_empty() => Err("it does not name the hash of the file".to_owned()),
        Ok(packets) => Ok(packets.iter().map(|packet| Signature::of(packet, &place)).collect()),
        Err(broken) => Err(broken.0),
    })
}

/// Returns whether `text` is one line with a hash of the file, and its name if any.
fn says(text: &[u8], of: &Artifact) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let mut words = text.split_whitespace();
    let name = Path::new(&of.path).file_name().unwrap_or_default().to_string_lossy();
    let hash = words.next().unwrap_or_default();
    let is_hash = of.after.eq_ignore_ascii_case(hash);
    let is_name = words.next().is_none_or(|word| word.trim_start_matches('*') == name);
    is_hash && is_name && words.next().is_none()
}
