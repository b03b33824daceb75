//! `-o` values: where results go.

use std::path::{Path, PathBuf};

use super::fields;
use crate::errors::CommandError;
use crate::terminal::{self, Stream};

const FORM: &str = "write -o DIRECTORY, -o type=local,dest=DIRECTORY, -o type=tar,dest=FILE or -o - for a tar archive \
                    on standard output";

/// Where results go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Into a directory.
    Directory(PathBuf),
    /// Into one tar archive.
    TarFile(PathBuf),
    /// Into one tar archive on standard output.
    TarStdout,
}

impl Destination {
    /// Reads a value of `-o`.
    ///
    /// # Errors
    /// [`CommandError::Usage`] for anything that is not a destination, or a terminal as one.
    pub fn parse(text: &str) -> Result<Self, CommandError> {
        let wrong = |what: &str| CommandError::usage_help(format!("-o {text}: {what}"), FORM);
        let fields = fields::split("-o", text)?;
        let (kind, dest) = match fields.as_slice() {
            [(dest, None)] if dest == "-" => ("tar".to_owned(), dest.clone()),
            [(dest, None)] => ("local".to_owned(), dest.clone()),
            fields => {
                let (mut kind, mut dest) = (None, None);
                for (key, value) in fields {
                    match (key.as_str(), value) {
                        ("type", Some(value)) => kind = Some(value.clone()),
                        ("dest", Some(value)) => dest = Some(value.clone()),
                        (key, _) => return Err(wrong(&format!("there is no field `{key}`"))),
                    }
                }
                let kind = kind.ok_or_else(|| wrong("the type is missing"))?;
                let dest = match (kind.as_str(), dest) {
                    (_, Some(dest)) => dest,
                    ("tar", None) => "-".to_owned(),
                    (_, None) => return Err(wrong("the dest is missing")),
                };
                (kind, dest)
            }
        };
        match (kind.as_str(), dest.as_str()) {
            (_, "") => Err(wrong("the destination is empty")),
            ("local", "-") => Err(wrong("a directory cannot go to standard output")),
            ("local", dest) => Self::directory(dest.into()),
            ("tar", "-") if terminal::is_terminal(Stream::Stdout) => Err(CommandError::usage_help(
                "a tar archive on a terminal helps nobody",
                "send it on with `|` or `>`",
            )),
            ("tar", "-") => Ok(Self::TarStdout),
            ("tar", dest) if Path::new(dest).is_dir() => Err(wrong("it is a directory, not a file to write")),
            ("tar", dest) => Ok(Self::TarFile(dest.into())),
            (kind, _) => Err(wrong(&format!("the type `{kind}` is not supported"))),
        }
    }

    /// Returns where the result of `target` goes when several are built: directories get one folder per target.
    ///
    /// # Errors
    /// [`CommandError::Usage`] for an archive, which holds one result.
    pub fn for_one_of_several(&self, target: &str) -> Result<Self, CommandError> {
        match self {
            Self::Directory(dest) => Ok(Self::Directory(dest.join(folder_name(target)))),
            Self::TarFile(_) | Self::TarStdout => Err(CommandError::usage_help(
                "one tar archive cannot hold the results of several targets",
                "write to a directory, or build one target at a time",
            )),
        }
    }

    fn directory(dest: PathBuf) -> Result<Self, CommandError> {
        match std::fs::metadata(&dest) {
            Ok(found) if !found.is_dir() => {
                Err(CommandError::usage(format!("-o {}: it is a file, not a directory", dest.display())))
            }
            _ => Ok(Self::Directory(dest)),
        }
    }
}

/// Returns the folder for the result of one target, as platforms are written in folder names: `bookworm_deb`.
fn folder_name(target: &str) -> String {
    target.trim_matches('/').replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_written_as_for_buildx() {
        let parsed = |text: &str| Destination::parse(text).unwrap();
        let directory = Destination::Directory("no/such/out".into());
        assert_eq!(parsed("no/such/out"), directory);
        assert_eq!(parsed("type=local,dest=no/such/out"), directory);
        assert_eq!(parsed("dest=no/such/out,type=local"), directory);
        assert_eq!(parsed("type=tar,dest=out.tar"), Destination::TarFile("out.tar".into()));
        for text in [
            "",
            "type=local",
            "dest=out",
            "type=oci,dest=x",
            "type=local,dest=-",
            "type=tar,dest=/",
            "a=b",
            "/dev/null",
        ] {
            assert!(Destination::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn several_targets_get_a_folder_each() {
        let directory = Destination::Directory("out".into());
        assert_eq!(
            directory.for_one_of_several("bookworm/testing/container").unwrap(),
            Destination::Directory("out/bookworm_testing_container".into())
        );
        assert!(Destination::TarFile("out.tar".into()).for_one_of_several("a/b").is_err());
    }
}
