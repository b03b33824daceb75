//! Where keys and passphrases for signing come from: a file, a variable, or standard input. Never the command line.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use dalec_signer::KeyMaterial;

use crate::errors::CommandError;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
    /// On standard input.
    Stdin,
}

impl KeySource {
    /// Reads `FILE`, `env:NAME` or `-`.
    pub fn parse(given: &OsStr) -> Self {
        match given.as_bytes() {
            b"-" => Self::Stdin,
            bytes => match bytes.strip_prefix(b"env:").and_then(|name| std::str::from_utf8(name).ok()) {
                Some(name) => Self::Variable(name.to_owned()),
                None => Self::File(given.into()),
            },
        }
    }

    /// Returns what people call it, `what` being the key or the passphrase.
    pub fn name(&self, what: &str) -> String {
        match self {
            Self::File(path) => format!("the {what} {}", path.display()),
            Self::Variable(name) => format!("the {what} in the variable {name}"),
            Self::Stdin => format!("the {what} from standard input"),
        }
    }

    /// Reads the secret.
    ///
    /// # Errors
    /// [`CommandError::Usage`] when it is not there, or too large.
    pub fn read(&self, what: &str) -> Result<KeyMaterial, CommandError> {
        let read = match self {
            Self::File(path) => File::open(path).and_then(KeyMaterial::read),
            Self::Stdin => KeyMaterial::read(io::stdin().lock()),
            Self::Variable(name) => match std::env::var_os(name) {
                Some(value) => Ok(KeyMaterial::new(value.into_vec())),
                None => {
                    return Err(CommandError::usage(format!(
                        "the variable {name} for the {what} is not set"
                    )));
                }
            },
        };
        read.map_err(|source| match self {
            Self::File(path) => CommandError::unreadable(what, path, source),
            _ => CommandError::Usage {
                message: format!("cannot read {}", self.name(what)),
                help: None,
                source: Some(source.into()),
            },
        })
    }

    /// Returns the file if anybody but its owner may read it.
    pub fn readable_by_others(&self) -> Option<&PathBuf> {
        let Self::File(path) = self else { return None };
        let found = std::fs::metadata(path).ok()?;
        (found.is_file() && found.permissions().mode() & 0o044 != 0).then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let parse = |text: &str| KeySource::parse(OsStr::new(text));
        assert_eq!(parse("-"), KeySource::Stdin);
        assert_eq!(parse("env:KEY"), KeySource::Variable("KEY".into()));
        assert_eq!(parse("key.asc"), KeySource::File("key.asc".into()));
        assert_eq!(parse("./env:KEY"), KeySource::File("./env:KEY".into()));
        assert_eq!(
            KeySource::parse(OsStr::from_bytes(b"\xff")),
            KeySource::File(OsStr::from_bytes(b"\xff").into())
        );
    }
}
