//! Checking what [`crate::sign`] makes, and what others sign in the same way.
//!
//! Says what is true of each signature; a file is valid when one of them is good and none is bad.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::control::Lists;
use crate::error::{Broken, ReadError, SignError, VerifyError};
use crate::keyring::{Fault, Finding, Keyring, SignatureFault};
use crate::kind::{self, Kind, Named};
use crate::parts::Parts;
use crate::sign::{is_true, read_text};
use crate::x509::CertificateFault;
use crate::x509::chain::{NOBODY, Roots};
use crate::{armor, authenticode, deb, rpm};

/// What is to be said about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// As it was given.
    pub path: PathBuf,
    /// How such a file is signed.
    pub kind: Kind,
    /// Whether its signatures hold.
    pub verdict: Verdict,
    /// Each of its signatures.
    pub findings: Vec<Finding>,
}

/// Whether the signatures of a file hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There is a good one, and no bad one.
    Valid,
    /// There is none.
    Unsigned,
    /// There is a bad one, or none by a key that is trusted; the findings say which.
    Invalid,
    /// The file itself is damaged, or not what it says.
    Broken(Broken),
}

/// Who is trusted.
#[derive(Clone, Copy)]
pub struct Trust<'a> {
    /// Keys for everything but programs.
    pub keyring: &'a Keyring,
    /// Certificates for programs.
    pub roots: &'a Roots,
}

impl<'a> From<&'a Keyring> for Trust<'a> {
    /// Trusts keys, and no certificate.
    fn from(keyring: &'a Keyring) -> Self {
        Self { keyring, roots: &NOBODY }
    }
}

/// Checks the signatures of `path` at `now`, in seconds since 1970.
///
/// # Errors
/// [`VerifyError`] when a file cannot be read; whatever is wrong with its content is in the report.
pub fn verify<'a>(path: &Path, trust: impl Into<Trust<'a>>, now: u64) -> Result<Report, VerifyError> {
    let file = open(path)?;
    let Trust { keyring, roots } = trust.into();
    let named =
        kind::of(path, &file).map_err(|source| VerifyError::Read { path: path.to_owned(), source })?;
    let kind = match named {
        Named::Signable(kind) => kind,
        Named::Signature => Kind::Detached,
    };
    let found = match kind {
        Kind::Program => authenticode::verify(&file, roots, now),
        Kind::Deb => deb::verify(&file, keyring, now),
        Kind::Rpm => rpm::verify(&file, keyring, now),
        Kind::Detached => detached(path, &file, keyring, now)?,
        Kind::Dsc | Kind::Buildinfo | Kind::Changes => control(path, &file, keyring, now)?,
    };
    let (verdict, findings) = match found {
        Err(ReadError::Io(source)) => return Err(VerifyError::Read { path: path.to_owned(), source }),
        Err(ReadError::Broken(broken)) => (Verdict::Broken(broken), Vec::new()),
        Ok(findings) => (judge(&findings), findings),
    };
    Ok(Report { path: path.to_owned(), kind, verdict, findings })
}

fn judge(findings: &[Finding]) -> Verdict {
    let is_good = findings.iter().any(|finding| finding.fault.is_none());
    // That of somebody whom nobody knows does not speak against another one.
    let is_bad = findings.iter().any(|finding| {
        let unknown =
            [Fault::Signature(SignatureFault::UnknownKey), Fault::Certificate(CertificateFault::Untrusted)];
        finding.fault.is_some_and(|fault| !unknown.contains(&fault))
    });
    match (findings.is_empty(), is_good && !is_bad) {
        (true, _) => Verdict::Unsigned,
        (false, true) => Verdict::Valid,
        (false, false) => Verdict::Invalid,
    }
}

type Found = Result<Vec<Finding>, ReadError>;

/// Checks a control file, and that the files it lists are those beside it.
fn control(path: &Path, file: &File, keyring: &Keyring, now: u64) -> Result<Found, VerifyError> {
    let text = match read_text(file) {
        Ok(text) => text,
        Err(error) => return Ok(Err(error)),
    };
    let lists = match Lists::read(&text.body) {
        Ok(lists) => lists,
        Err(broken) => return Ok(Err(broken.into())),
    };
    let findings = text.verify(keyring, now);
    if judge(&findings) != Verdict::Valid {
        return Ok(Ok(findings));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    for name in lists.names() {
        let is_true = is_true(&lists, name, folder).map_err(|error| match error {
            SignError::Read { path, source } => VerifyError::Read { path, source },
            _ => VerifyError::NotAFile { path: path.to_owned() },
        })?;
        if !is_true {
            let name = String::from_utf8_lossy(name);
            return Ok(Err(ReadError::broken(format!("it lists {name}, but that file is another one"))));
        }
    }
    Ok(Ok(findings))
}

/// Checks a file by the signatures beside it, or a signature by the file beside it.
fn detached(path: &Path, file: &File, keyring: &Keyring, now: u64) -> Result<Found, VerifyError> {
    if kind::of_name(path) == Named::Signature {
        let data = open(&path.with_extension(""))?;
        return Ok(over(&data, file, keyring, now));
    }
    let mut findings = Vec::new();
    for extension in [".asc", ".sig"] {
        let mut name = path.as_os_str().to_owned();
        name.push(extension);
        let beside = PathBuf::from(name);
        if beside.symlink_metadata().is_err() {
            continue;
        }
        match over(file, &open(&beside)?, keyring, now) {
            Ok(found) => findings.extend(found),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(findings))
}

fn over(data: &File, signature: &File, keyring: &Keyring, now: u64) -> Found {
    let mut bytes = Vec::new();
    signature.take(armor::LIMIT + 1).read_to_end(&mut bytes)?;
    let size = data.metadata()?.len();
    let all = || Parts::new(data, [crate::parts::Range { at: 0, size }]);
    let signatures = armor::signatures(&bytes)?;
    Ok(signatures.iter().map(|signature| keyring.judge(signature, now, all)).collect::<Result<_, _>>()?)
}

fn open(path: &Path) -> Result<File, VerifyError> {
    let read = |source| VerifyError::Read { path: path.to_owned(), source };
    match std::fs::metadata(path).map_err(read)?.is_file() {
        true => File::open(path).map_err(read),
        false => Err(VerifyError::NotAFile { path: path.to_owned() }),
    }
}
