//! Results out of the engine: into a directory, as one tar archive, or as an image. Reads layers without mounting them.

mod folders;
pub mod image;
mod local;
pub mod oci;
mod tar;

pub use folders::folders;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Cancel;
use crate::error::{Error, Result};
use crate::snapshot::MergedTree;

/// Where a result goes.
pub enum Export {
    /// Its files, merged into this directory of the host.
    ///
    /// Each file appears complete, under a rename; what is there already and the same is left alone. Files belong
    /// to the calling user, so none of them runs as its owner or group. A symbolic link below the directory is
    /// never followed.
    Local {
        /// The directory; made when it is missing.
        dest: PathBuf,
    },
    /// One tar archive: entries sorted, every time the same constant.
    Tar {
        /// Takes the bytes.
        writer: Box<dyn Write + Send>,
    },
}

/// What an export did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportSummary {
    /// Paths of the files and symbolic links in the result, relative to the destination, sorted.
    pub files: Vec<PathBuf>,
    /// How many of them were not there before, or different.
    pub written: usize,
    /// Bytes of file content in the result.
    pub bytes: u64,
}

/// Writes out `trees`, each below a folder; an empty folder name is the destination itself.
///
/// # Errors
/// When something cannot be read or written, or someone says stop.
pub fn export(trees: &[(Vec<u8>, MergedTree)], export: Export, cancel: &Cancel) -> Result<ExportSummary> {
    let mut summary = match export {
        Export::Local { dest } => local::export(trees, &dest, cancel)?,
        Export::Tar { writer } => tar::export(trees, writer, cancel)?,
    };
    summary.files.sort_unstable();
    Ok(summary)
}

fn check(cancel: &Cancel) -> Result<()> {
    if cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}

/// Returns the error for a destination that cannot be written, which is not the store's fault.
fn unwritable(path: &Path, source: io::Error) -> Error {
    let hint = match source.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => "free some space there, or choose another destination",
        Some(libc::EACCES | libc::EPERM | libc::EROFS) => "choose a destination that you may write",
        _ => "",
    };
    Error::Environment {
        message: format!("cannot write {}", path.display()),
        hint: hint.into(),
        source: Some(Box::new(source)),
    }
}
