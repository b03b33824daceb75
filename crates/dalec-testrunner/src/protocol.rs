//! What planning and running agree on: the subcommands with their arguments, and the step description.
//!
//! Both directions live here, so that what [`Command::to_args`] writes is what [`Command::parse`] reads.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One invocation of the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run one step.
    Step(StepPaths),
    /// Check one file.
    Check(Subject),
}

/// Where a step is described and where what it prints goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepPaths {
    /// A file that holds a [`Step`] as JSON.
    pub step: PathBuf,
    /// An existing directory that receives the files [`STDOUT`] and [`STDERR`], as far as they are wanted.
    pub output: PathBuf,
}

/// Name of the file that receives standard output.
pub const STDOUT: &str = "stdout";
/// Name of the file that receives standard error.
pub const STDERR: &str = "stderr";
/// Directory that captured streams are checked in; a path in it is shown as its file name alone.
pub const OUTPUT_DIR: &str = "/tmp/internal/dalec/testrunner/step/output";

/// One step of a test. The environment is the runner's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Command line, split by [`dalec_spec::shlex::split`].
    pub command: String,
    /// Text for standard input; empty gives the null device.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdin: String,
    /// Keep standard output for checks.
    #[serde(default)]
    pub capture_stdout: bool,
    /// Keep standard error for checks.
    #[serde(default)]
    pub capture_stderr: bool,
}

/// A file and what must be true of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Path of the file.
    pub path: PathBuf,
    /// What must be true.
    pub check: Check,
}

/// What must be true of a file. `follow` says whether a symbolic link at the path is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// It is not there.
    NotExist {
        /// Follow a symbolic link.
        follow: bool,
    },
    /// It is there, and is a directory exactly when `expected`.
    IsDir {
        /// Whether it must be a directory.
        expected: bool,
        /// Follow a symbolic link.
        follow: bool,
    },
    /// It is there and has these permission bits (the lowest nine).
    Permissions {
        /// The bits.
        bits: u32,
        /// Follow a symbolic link.
        follow: bool,
    },
    /// It is a symbolic link with this text.
    LinkTarget(OsString),
    /// Its content is right. Symbolic links are always followed.
    Content(Content),
}

/// What must be true of the bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// There are none.
    Empty,
    /// They are exactly these.
    Equals(Value),
    /// These are somewhere among them.
    Contains(Value),
    /// This Go regular expression matches somewhere.
    Matches(Value),
    /// They begin with these.
    StartsWith(Value),
    /// They end with these.
    EndsWith(Value),
}

/// A text on the command line, or the path of a file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// The text itself.
    Text(String),
    /// A file with the text: for what cannot be an argument because it is too long or holds a NUL byte.
    File(PathBuf),
}

impl Value {
    /// Longest text in bytes that is passed as an argument; Linux refuses arguments from 128 KiB on.
    pub const MAX_ARGUMENT: usize = 96 * 1024;

    /// Returns whether `text` may stand on a command line.
    pub fn fits_argument(text: &str) -> bool {
        text.len() <= Self::MAX_ARGUMENT && !text.contains('\0')
    }
}

/// Why the arguments cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// No subcommand was given.
    #[error("test-runner needs a subcommand")]
    NoSubcommand,
    /// The subcommand is not known.
    #[error("test-runner has no subcommand {name:?}")]
    UnknownSubcommand {
        /// What was given.
        name: String,
    },
    /// A flag is not known to the subcommand or has a wrong value.
    #[error("{subcommand} does not understand {argument:?}")]
    Argument {
        /// The subcommand.
        subcommand: &'static str,
        /// The argument.
        argument: String,
    },
    /// Too few or too many arguments.
    #[error("{subcommand} takes {expected} arguments, {actual} were given")]
    Count {
        /// The subcommand.
        subcommand: &'static str,
        /// How many it takes.
        expected: usize,
        /// How many there were.
        actual: usize,
    },
}

const STEP: &str = "step-runner";
const NOT_EXISTS: &str = "check-file-not-exists";
const IS_DIR: &str = "check-file-isdir";
const PERMISSIONS: &str = "check-file-perms";
const LINK_TARGET: &str = "check-link-target";
const EMPTY: &str = "check-file-empty";
const EQUALS: &str = "check-file-equals";
const CONTAINS: &str = "check-file-contains";
const MATCHES: &str = "check-file-matches";
const STARTS_WITH: &str = "check-file-starts-with";
const ENDS_WITH: &str = "check-file-endswith";
const SUBCOMMANDS: [&str; 11] = [
    STEP,
    NOT_EXISTS,
    IS_DIR,
    PERMISSIONS,
    LINK_TARGET,
    EMPTY,
    EQUALS,
    CONTAINS,
    MATCHES,
    STARTS_WITH,
    ENDS_WITH,
];
const NO_FOLLOW: &str = "--no-follow-symlinks=";
const NOT: &str = "--not=";
const VALUE_FILE: &str = "--value-file=";

impl Command {
    /// Returns the subcommand with its arguments.
    pub fn to_args(&self) -> Vec<OsString> {
        match self {
            Self::Step(paths) => words(STEP, [], &paths.step, [paths.output.clone().into()]),
            Self::Check(Subject { path, check }) => match check {
                Check::NotExist { follow } => words(NOT_EXISTS, [no_follow(*follow)], path, []),
                Check::IsDir { expected, follow } => {
                    let not = format!("{NOT}{}", !expected).into();
                    words(IS_DIR, [not, no_follow(*follow)], path, [])
                }
                Check::Permissions { bits, follow } => {
                    let bits = format!("{bits:o}").into();
                    words(PERMISSIONS, [no_follow(*follow)], path, [bits])
                }
                Check::LinkTarget(target) => words(LINK_TARGET, [], path, [target.clone()]),
                Check::Content(Content::Empty) => words(EMPTY, [], path, []),
                Check::Content(Content::Equals(value)) => value_words(EQUALS, path, value),
                Check::Content(Content::Contains(value)) => value_words(CONTAINS, path, value),
                Check::Content(Content::Matches(value)) => value_words(MATCHES, path, value),
                Check::Content(Content::StartsWith(value)) => value_words(STARTS_WITH, path, value),
                Check::Content(Content::EndsWith(value)) => value_words(ENDS_WITH, path, value),
            },
        }
    }

    /// Returns what `args` ask for.
    ///
    /// Flags stand before the path; from there on every argument is taken as it is, so a text may begin with `-`.
    ///
    /// # Errors
    /// [`UsageError`] when the arguments are not what [`Command::to_args`] writes.
    pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Self, UsageError> {
        let mut args = args.peekable();
        let given = args.next().ok_or(UsageError::NoSubcommand)?;
        let Some(&subcommand) = SUBCOMMANDS.iter().find(|&&known| given == known) else {
            let name = given.to_string_lossy().into_owned();
            return Err(UsageError::UnknownSubcommand { name });
        };
        let mut flags = Flags::default();
        while let Some(flag) = args.next_if(|next| next.as_encoded_bytes().starts_with(b"--")) {
            flags.set(subcommand, &flag)?;
        }
        let rest: Vec<OsString> = args.collect();
        let follow = !flags.no_follow;
        let check = match subcommand {
            STEP => {
                let [step, output] = exactly(STEP, rest)?;
                let (step, output) = (step.into(), output.into());
                return Ok(Self::Step(StepPaths { step, output }));
            }
            NOT_EXISTS => path_alone(subcommand, rest, Check::NotExist { follow }),
            IS_DIR => {
                let expected = !flags.not;
                path_alone(subcommand, rest, Check::IsDir { expected, follow })
            }
            PERMISSIONS => {
                let [path, octal] = exactly(subcommand, rest)?;
                let bits = octal.to_str().and_then(|text| u32::from_str_radix(text, 8).ok());
                let bits = bits.ok_or_else(|| wrong(subcommand, &octal))?;
                Ok((path, Check::Permissions { bits, follow }))
            }
            LINK_TARGET => {
                let [path, target] = exactly(subcommand, rest)?;
                Ok((path, Check::LinkTarget(target)))
            }
            EMPTY => path_alone(subcommand, rest, Check::Content(Content::Empty)),
            _ => {
                let (path, value) = flags.path_and_value(subcommand, rest)?;
                let content = match subcommand {
                    EQUALS => Content::Equals(value),
                    CONTAINS => Content::Contains(value),
                    MATCHES => Content::Matches(value),
                    STARTS_WITH => Content::StartsWith(value),
                    _ => Content::EndsWith(value),
                };
                Ok((path, Check::Content(content)))
            }
        };
        check.map(|(path, check)| {
            let path = path.into();
            Self::Check(Subject { path, check })
        })
    }
}

#[derive(Default)]
struct Flags {
    no_follow: bool,
    not: bool,
    value_file: Option<PathBuf>,
}

impl Flags {
    fn set(&mut self, subcommand: &'static str, flag: &OsString) -> Result<(), UsageError> {
        let error = || wrong(subcommand, flag);
        let text = flag.to_str().ok_or_else(error)?;
        let boolean = |text: &str| text.parse().map_err(|_| error());
        let follows = matches!(subcommand, NOT_EXISTS | IS_DIR | PERMISSIONS);
        let takes_value = matches!(subcommand, EQUALS | CONTAINS | MATCHES | STARTS_WITH | ENDS_WITH);
        if let Some(value) = text.strip_prefix(NO_FOLLOW).filter(|_| follows) {
            self.no_follow = boolean(value)?;
        } else if let Some(value) = text.strip_prefix(NOT).filter(|_| subcommand == IS_DIR) {
            self.not = boolean(value)?;
        } else if let Some(value) = text.strip_prefix(VALUE_FILE).filter(|_| takes_value) {
            self.value_file = Some(value.into());
        } else {
            return Err(error());
        }
        Ok(())
    }

    fn path_and_value(
        self,
        subcommand: &'static str,
        rest: Vec<OsString>,
    ) -> Result<(OsString, Value), UsageError> {
        if let Some(file) = self.value_file {
            let [path] = exactly(subcommand, rest)?;
            return Ok((path, Value::File(file)));
        }
        let [path, text] = exactly(subcommand, rest)?;
        let text = text.into_string().map_err(|text| wrong(subcommand, &text))?;
        Ok((path, Value::Text(text)))
    }
}

fn words<const FLAGS: usize, const REST: usize>(
    subcommand: &str,
    flags: [OsString; FLAGS],
    path: &Path,
    rest: [OsString; REST],
) -> Vec<OsString> {
    let mut words = vec![subcommand.into()];
    words.extend(flags);
    words.push(path.into());
    words.extend(rest);
    words
}

fn value_words(subcommand: &str, path: &Path, value: &Value) -> Vec<OsString> {
    match value {
        Value::Text(text) => words(subcommand, [], path, [text.into()]),
        Value::File(file) => {
            let mut flag = OsString::from(VALUE_FILE);
            flag.push(file);
            words(subcommand, [flag], path, [])
        }
    }
}

fn no_follow(follow: bool) -> OsString {
    format!("{NO_FOLLOW}{}", !follow).into()
}

fn path_alone(
    subcommand: &'static str,
    rest: Vec<OsString>,
    check: Check,
) -> Result<(OsString, Check), UsageError> {
    let [path] = exactly(subcommand, rest)?;
    Ok((path, check))
}

fn exactly<const COUNT: usize>(
    subcommand: &'static str,
    rest: Vec<OsString>,
) -> Result<[OsString; COUNT], UsageError> {
    rest.try_into().map_err(|rest: Vec<OsString>| UsageError::Count {
        subcommand,
        expected: COUNT,
        actual: rest.len(),
    })
}

fn wrong(subcommand: &'static str, argument: &OsString) -> UsageError {
    UsageError::Argument { subcommand, argument: argument.to_string_lossy().into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, check: Check) -> Command {
        Command::Check(Subject { path: path.into(), check })
    }

    #[test]
    fn arguments_round_trip() {
        let text = |text: &str| Value::Text(text.into());
        let commands = [
            Command::Step(StepPaths { step: "/a/step.json".into(), output: "/out".into() }),
            check("/x", Check::NotExist { follow: true }),
            check("/x", Check::IsDir { expected: false, follow: false }),
            check("/x y", Check::Permissions { bits: 0o644, follow: true }),
            check("/x", Check::LinkTarget("--no".into())),
            check("/x", Check::Content(Content::Empty)),
            check("/x", Check::Content(Content::Equals(text("")))),
            check("/x", Check::Content(Content::Contains(text("--version")))),
            check("/x", Check::Content(Content::Matches(text("^a$")))),
            check("/x", Check::Content(Content::StartsWith(text("é")))),
            check("/x", Check::Content(Content::EndsWith(Value::File("/value".into())))),
        ];
        for command in commands {
            assert_eq!(Command::parse(command.to_args().into_iter()), Ok(command));
        }
    }

    #[test]
    fn wrong_usage_is_named() {
        for (line, expected) in [
            ("", "test-runner needs a subcommand"),
            ("nope /x", r#"test-runner has no subcommand "nope""#),
            ("check-file-empty", "check-file-empty takes 1 arguments, 0 were given"),
            ("check-file-perms /x 9", r#"check-file-perms does not understand "9""#),
            ("check-file-isdir --not=maybe /x", r#"check-file-isdir does not understand "--not=maybe""#),
            ("check-file-empty --not=true /x", r#"check-file-empty does not understand "--not=true""#),
        ] {
            let args = line.split_whitespace().map(OsString::from);
            assert_eq!(Command::parse(args).unwrap_err().to_string(), expected);
        }
    }
}
