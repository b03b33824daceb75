//! Which kind of signature a file takes, by its name.
//!
//! The name decides, not the content: a tar archive of packages is data, and what is called a package but is none is an
//! error that has to be seen. Only where a name can mean a Windows program or something else, its first bytes decide.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// How a file is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A signature inside of a Debian package.
    Deb,
    /// A signature inside of an RPM package.
    Rpm,
    /// A signature inside of a Windows program.
    Program,
    /// A signature file beside it.
    Detached,
    /// Text with a signature around it: the description of a source package.
    Dsc,
    /// The same: the record of a build, which may list the ones before.
    Buildinfo,
    /// The same: the list of an upload, which may list all others.
    Changes,
}

/// The kinds that are signed, and those that are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// Can be signed.
    Signable(Kind),
    /// A signature beside something else.
    Signature,
}

impl Kind {
    /// Returns one word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Program => "pe",
            Self::Detached => "detached",
            Self::Dsc => "dsc",
            Self::Buildinfo => "buildinfo",
            Self::Changes => "changes",
        }
    }

    /// Returns whether it is text that lists other files.
    pub(crate) fn is_control(self) -> bool {
        matches!(self, Self::Dsc | Self::Buildinfo | Self::Changes)
    }
}

/// Names that drivers, controls and programs for firmware have, and other files as well.
const MAYBE_PROGRAMS: [&[u8]; 7] = [b"sys", b"efi", b"ocx", b"scr", b"cpl", b"drv", b"mui"];

/// Returns how the file at `path` is signed; none when it is itself a signature.
///
/// # Errors
/// When it cannot be read.
pub fn kind_of(path: &Path) -> io::Result<Option<Kind>> {
    match of(path, &File::open(path)?)? {
        Named::Signable(kind) => Ok(Some(kind)),
        Named::Signature => Ok(None),
    }
}

/// Returns what `file`, which is at `path`, is.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn of(path: &Path, file: &File) -> io::Result<Named> {
    let named = of_name(path);
    let extension = path.extension().map(|extension| extension.as_bytes().to_ascii_lowercase());
    if !extension.is_some_and(|extension| MAYBE_PROGRAMS.contains(&extension.as_slice())) {
        return Ok(named);
    }
    let mut first = [0; 2];
    match file.read_exact_at(&mut first, 0) {
        Ok(()) if &first == b"MZ" => Ok(Named::Signable(Kind::Program)),
        Ok(()) => Ok(named),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(named),
        Err(error) => Err(error),
    }
}

/// Returns what the name of `path` says.
pub(crate) fn of_name(path: &Path) -> Named {
    let extension = path.extension().map(|extension| extension.as_bytes().to_ascii_lowercase());
    match extension.as_deref() {
        Some(b"deb" | b"udeb" | b"ddeb") => Named::Signable(Kind::Deb),
        Some(b"rpm") => Named::Signable(Kind::Rpm),
        Some(b"dsc") => Named::Signable(Kind::Dsc),
        Some(b"buildinfo") => Named::Signable(Kind::Buildinfo),
        Some(b"changes") => Named::Signable(Kind::Changes),
        Some(b"asc" | b"sig") => Named::Signature,
        Some(b"exe" | b"dll") => Named::Signable(Kind::Program),
        _ => Named::Signable(Kind::Detached),
    }
}
