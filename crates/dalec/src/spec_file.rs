//! Which file is the spec, and its text.
//!
//! Commands that read the spec themselves use [`read`]; a build only checks here that there is one, the frontend
//! reads it as a build source.

use std::io::Read;
use std::path::{Path, PathBuf};

use dalec_spec::SourceText;

use crate::errors::CommandError;

/// Names that are looked for when none is given.
pub const DEFAULT_NAMES: [&str; 2] = ["dalec.yml", "dalec.yaml"];
/// Name of a spec that came through standard input.
const STDIN_NAME: &str = "<stdin>";
/// More than any spec; the rest of an endless input is not read.
const LARGEST: u64 = 16 << 20;

/// Where the spec is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecFile {
    /// A file.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

impl SpecFile {
    /// Returns the file that `given` names, `-` being standard input; without a name, the first default name that
    /// exists in the current directory, or else in the directory `context`.
    ///
    /// # Errors
    /// [`CommandError::Usage`] that says what was looked for.
    pub fn find(given: Option<&str>, context: Option<&Path>) -> Result<Self, CommandError> {
        match given {
            Some("-") => Ok(Self::Stdin),
            Some(path) => Ok(Self::Path(path.into())),
            None => {
                let there =
                    context.into_iter().flat_map(|folder| DEFAULT_NAMES.map(|name| folder.join(name)));
                let exists =
                    DEFAULT_NAMES.map(PathBuf::from).into_iter().chain(there).find(|path| path.is_file());
                exists.map(Self::Path).ok_or_else(|| {
                    let names = DEFAULT_NAMES.join(" and ");
                    let places = match context {
                        Some(folder) => {
                            format!("here or in {}: looked for {names} in both", folder.display())
                        }
                        None => format!("here: looked for {names}"),
                    };
                    CommandError::usage_help(
                        format!("there is no spec {places}"),
                        "name the spec with -f FILE, or `-f -` to read it from standard input",
                    )
                })
            }
        }
    }

    /// Returns the name that people know it by.
    pub fn shown(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Stdin => STDIN_NAME.to_owned(),
        }
    }

    /// Returns the bytes of the file.
    ///
    /// # Errors
    /// [`CommandError::Usage`] when it is not there, not readable or larger than any spec.
    pub fn bytes(&self) -> Result<Vec<u8>, CommandError> {
        let mut bytes = Vec::new();
        let read = match self {
            Self::Stdin => std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes),
            Self::Path(path) => {
                std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
            }
        };
        read.map_err(|source| CommandError::unreadable("spec", Path::new(&self.shown()), source))?;
        if bytes.len() as u64 > LARGEST {
            let message = format!("{} is larger than {} MiB, which no spec is", self.shown(), LARGEST >> 20);
            return Err(CommandError::usage(message));
        }
        Ok(bytes)
    }
}

/// Returns the text of a spec.
///
/// # Errors
/// [`CommandError::Usage`] when it cannot be read or is no text.
pub fn read(file: &SpecFile) -> Result<SourceText, CommandError> {
    SourceText::from_bytes(&file.shown(), file.bytes()?)
        .map_err(|error| CommandError::usage(error.to_string()))
}
