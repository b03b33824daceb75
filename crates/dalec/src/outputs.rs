//! Writing results to their destinations, and what was written.

mod archive;
pub mod exports;
mod images;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use dalec_engine::{Engine, Export, ExportSummary};
use dalec_gateway::{FrontendResult, Progress};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::errors::{CommandError, SpecName};
use crate::new_file::NewFile;
use crate::options::outputs::Destination;
use crate::signals::Watch;

pub use archive::SharedArchive;

/// What was written to one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Output {
    /// `local`, `tar`, `image`, `oci` or `docker`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The destination as given, `-` for standard output; the names of an image.
    pub dest: String,
    /// Bytes in all.
    pub size: u64,
    /// How many files were not there before, or different; per run and no part of the record.
    #[serde(skip)]
    pub written: usize,
    /// The files in a directory; nothing for an archive.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<OutputFile>,
    /// SHA-256 of an archive, or what names an image at its registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// One file of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputFile {
    /// Path in the destination.
    pub path: String,
    /// Size in bytes; none for what is no regular file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// `sha256:` and the digest in hexadecimal, where digests were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// How results are written.
pub struct Exporter<'a> {
    /// Holds the results.
    pub engine: &'a Engine,
    /// Removes what is half-written when the process is killed.
    pub watch: &'a Watch,
    /// What the spec is called, for errors.
    pub spec: &'a SpecName,
    /// Whether digests are wanted.
    pub digests: bool,
    /// Shows what takes its time.
    pub progress: &'a Progress,
    /// `SOURCE_DATE_EPOCH`, if it is given.
    pub epoch: Option<i64>,
}

impl Exporter<'_> {
    /// Writes `result` to `destination`; returns what was written, and what exporters of images say.
    ///
    /// # Errors
    /// When it cannot be written; nothing half-written is left.
    pub fn write(
        &self,
        result: &FrontendResult,
        destination: &Destination,
    ) -> Result<(Output, BTreeMap<String, Value>), CommandError> {
        let output = match destination {
            Destination::Directory(dest) => {
                let summary = self.export(result, Export::Local { dest: dest.clone() })?;
                describe(dest, &summary, self.digests)?
            }
            Destination::TarStdout => {
                let tar = self.tar(result, std::io::stdout())?;
                Output { dest: "-".into(), ..tar }
            }
            Destination::TarFile(dest) => {
                let unwritable = |source| CommandError::unwritable(dest, source);
                let file = NewFile::create(dest, self.watch).map_err(unwritable)?;
                let tar = self.tar(result, file.writer().map_err(unwritable)?)?;
                file.finish().map_err(unwritable)?;
                Output { dest: dest.display().to_string(), ..tar }
            }
            Destination::Image(image) => return self.image(result, image),
        };
        Ok((output, BTreeMap::new()))
    }

    fn tar(
        &self,
        result: &FrontendResult,
        writer: impl Write + Send + 'static,
    ) -> Result<Output, CommandError> {
        let archive = SharedArchive::new(Box::new(writer), self.digests);
        let exported = self.export(result, Export::Tar { writer: Box::new(archive.clone()) });
        archive.finish("tar", exported.map(drop))
    }

    fn export(&self, result: &FrontendResult, export: Export) -> Result<ExportSummary, CommandError> {
        self.engine.export(&result.refs, export).map_err(|error| self.engine_error(error))
    }
}

/// Returns what is in the directory `dest` of the `files` that went there.
///
/// # Errors
/// When one cannot be read again.
pub fn describe(dest: &Path, summary: &ExportSummary, digests: bool) -> Result<Output, CommandError> {
    let file = |path: &PathBuf| -> Result<OutputFile, CommandError> {
        let full = dest.join(path);
        let unreadable = |source| CommandError::unreadable("result", &full, source);
        let found = std::fs::symlink_metadata(&full).map_err(unreadable)?;
        let digest = match found.is_file() && digests {
            true => Some(digest(&full).map_err(unreadable)?),
            false => None,
        };
        Ok(OutputFile {
            path: path.display().to_string(),
            size: found.is_file().then_some(found.len()),
            digest,
        })
    };
    Ok(Output {
        kind: "local",
        dest: dest.display().to_string(),
        size: summary.bytes,
        written: summary.written,
        files: summary.files.iter().map(file).collect::<Result<_, _>>()?,
        digest: None,
    })
}

fn digest(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(shown(hash)),
            read => hash.update(&buffer[..read]),
        }
    }
}

fn shown(hash: Sha256) -> String {
    format!("sha256:{}", hex::encode(hash.finalize()))
}
