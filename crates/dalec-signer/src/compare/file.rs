//! One file before and after signing.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use super::tree::shown;
use super::{Artifact, Change, CompareError, Part, Signature, text, unreadable};
use crate::error::ReadError;
use crate::kind::{self, Kind, Named};
use crate::parts::{Parts, Range};
use crate::pe::Identity;
use crate::sign::read_text;
use crate::{authenticode, deb, rpm};

/// By how many bytes signatures may make a file longer.
const MOST_GROWTH: u64 = 64 << 20;

/// A file that was built, and the one that came back.
pub(super) struct Pair {
    before: Open,
    after: Open,
}

struct Open {
    path: PathBuf,
    file: File,
    size: u64,
}

/// The parts of a file, and the signatures in it.
type Found = Result<(Vec<Part>, Vec<Signature>), ReadError>;

impl Pair {
    /// Opens both.
    ///
    /// # Errors
    /// [`CompareError::Read`] when one cannot be read.
    pub(super) fn open(before: &Path, after: &Path) -> Result<Self, CompareError> {
        Ok(Self { before: Open::new(before)?, after: Open::new(after)? })
    }

    /// Returns what the file at `path` has become, or how it differs. `returned` finds files that are listed in it.
    ///
    /// # Errors
    /// [`CompareError::Read`] when something cannot be read.
    pub(super) fn compare(
        &self,
        path: &Path,
        returned: impl Fn(&Path) -> Option<PathBuf>,
    ) -> Result<Result<Artifact, Vec<Change>>, CompareError> {
        let named = kind::of(path, &self.before.file).map_err(unreadable(&self.before.path))?;
        let kind = match named {
            Named::Signable(kind) => kind,
            Named::Signature => Kind::Detached,
        };
        if self.after.size > self.before.size.saturating_add(MOST_GROWTH) {
            return Ok(Err(vec![Change::Grown { by: self.after.size - self.before.size }]));
        }
        let found = match kind {
            Kind::Deb => self.by_parts(deb::parts)?,
            Kind::Rpm => self.by_parts(rpm::parts)?,
            Kind::Program => self.program()?,
            Kind::Dsc | Kind::Buildinfo | Kind::Changes => self.text(returned)?,
            Kind::Detached => self.bytes()?,
        };
        let signatures = match found {
            Ok(signatures) => signatures,
            Err(changes) => return Ok(Err(changes)),
        };
        let (before, after) = (self.before.hash()?, self.after.hash()?);
        let kind = match kind {
            Kind::Detached => "file",
            kind => kind.name(),
        };
        let path = shown(path);
        Ok(Ok(Artifact { path, kind: kind.to_owned(), before, after, signatures }))
    }

    /// Compares files of a format that has signatures inside.
    fn by_parts(
        &self,
        read: fn(&File) -> Found,
    ) -> Result<Result<Vec<Signature>, Vec<Change>>, CompareError> {
        // What is called a package and is none is data.
        let Some((before, _)) = self.before.known(read)? else { return self.bytes() };
        let (after, signatures) = match read(&self.after.file) {
            Ok(after) => after,
            Err(ReadError::Broken(broken)) => return Ok(Err(vec![Change::Broken { reason: broken.0 }])),
            Err(ReadError::Io(source)) => return Err(unreadable(&self.after.path)(source)),
        };
        self.differences(&before, &after, signatures)
    }

    /// Compares Windows programs.
    fn program(&self) -> Result<Result<Vec<Signature>, Vec<Change>>, CompareError> {
        let Some(before) = self.before.known(Identity::of)? else { return self.bytes() };
        let read = |file| Ok((Identity::of(file)?, authenticode::describe(file)?));
        Ok(match read(&self.after.file) {
            Ok((after, signatures)) => match before.difference(&after) {
                Some(name) => Err(vec![Change::Part { name }]),
                None => Ok(signatures),
            },
            Err(ReadError::Broken(broken)) => Err(vec![Change::Broken { reason: broken.0 }]),
            Err(ReadError::Io(source)) => return Err(unreadable(&self.after.path)(source)),
        })
    }

    /// Compares lists of files.
    fn text(
        &self,
        returned: impl Fn(&Path) -> Option<PathBuf>,
    ) -> Result<Result<Vec<Signature>, Vec<Change>>, CompareError> {
        let Some(before) = self.before.known(read_text)? else { return self.bytes() };
        let after = match read_text(&self.after.file) {
            Ok(after) => after,
            Err(ReadError::Broken(broken)) => return Ok(Err(vec![Change::Broken { reason: broken.0 }])),
            Err(ReadError::Io(source)) => return Err(unreadable(&self.after.path)(source)),
        };
        Ok(match text::is_same(&before, &after, returned)? {
            true => Ok(after.signatures.iter().map(|packet| Signature::of(packet, "text")).collect()),
            false => Err(vec![Change::Part { name: "text".to_owned() }]),
        })
    }

    /// Compares every byte.
    fn bytes(&self) -> Result<Result<Vec<Signature>, Vec<Change>>, CompareError> {
        let all = |open: &Open| [Part::range("content", Range { at: 0, size: open.size })];
        self.differences(&all(&self.before), &all(&self.after), Vec::new())
    }

    fn differences(
        &self,
        before: &[Part],
        after: &[Part],
        signatures: Vec<Signature>,
    ) -> Result<Result<Vec<Signature>, Vec<Change>>, CompareError> {
        let changes = super::differences((&self.before.file, before), (&self.after.file, after));
        let changes = changes.map_err(unreadable(&self.after.path))?;
        Ok(if changes.is_empty() { Ok(signatures) } else { Err(changes) })
    }
}

impl Open {
    fn new(path: &Path) -> Result<Self, CompareError> {
        let file = File::open(path).map_err(unreadable(path))?;
        let size = file.metadata().map_err(unreadable(path))?.len();
        Ok(Self { path: path.to_owned(), file, size })
    }

    /// Reads the file by `read`; none when it is not of that format.
    fn known<T>(&self, read: fn(&File) -> Result<T, ReadError>) -> Result<Option<T>, CompareError> {
        match read(&self.file) {
            Ok(found) => Ok(Some(found)),
            Err(ReadError::Broken(_)) => Ok(None),
            Err(ReadError::Io(source)) => Err(unreadable(&self.path)(source)),
        }
    }

    /// Returns the SHA-256 of the file.
    fn hash(&self) -> Result<String, CompareError> {
        let mut hash = sha2::Sha256::new();
        let mut data = Parts::new(&self.file, [Range { at: 0, size: self.size }]);
        let mut buffer = vec![0; 1 << 18];
        loop {
            match data.read(&mut buffer) {
                Ok(0) => return Ok(hex::encode(hash.finalize())),
                Ok(read) => hash.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(&self.path)(error)),
            }
        }
    }
}
