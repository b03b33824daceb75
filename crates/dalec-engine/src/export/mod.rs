//! Results out of the engine: into a directory, or as one tar archive.

pub mod oci;

use std::io::Write;
use std::path::PathBuf;

/// Where a result goes.
pub enum Export {
    /// Its files, merged into this directory of the host.
    Local {
        /// The directory; made when it is missing.
        dest: PathBuf,
    },
    /// One tar archive with sorted entries.
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
