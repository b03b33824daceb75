//! The one place where errors become words for people, records for programs, and exit codes.
//!
//! Rooms report facts; here they get a headline, the piece of the spec that caused them, the chain of causes and
//! what to do. Nothing here prints, and nothing decides what is an error.

mod excerpt;
mod signing;
mod step_log;
pub mod wire;
mod words;

use std::error::Error;
use std::path::{Path, PathBuf};

use dalec_frontend::FrontendError;
use dalec_gateway::GatewayError;
use dalec_signer::{CodeKeyError, KeyError, SignError};
use dalec_spec::{Diagnostic, SourceText};

pub use excerpt::{Report, excerpts_of_warning};
pub use words::{Style, Words};

use crate::summary::Summary;

/// The cause of an error where only its words matter.
pub type Cause = Box<dyn Error + Send + Sync>;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The build failed, or a signature is missing or does not hold.
    Failed,
    /// The command line, the spec or the key is wrong.
    Usage,
    /// The environment is missing something.
    Environment,
    /// This program is wrong, or what started it (`EX_SOFTWARE`).
    Internal,
    /// A signal asked to stop.
    Signal(i32),
}

impl Exit {
    /// Returns the exit code.
    pub fn code(self) -> i32 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Internal => 70,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// Under which names the spec is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpecName {
    /// What the build calls it; not a path of the host.
    pub in_build: String,
    /// What people call it: the path as they typed it.
    pub shown: String,
}

impl SpecName {
    /// Returns the words for a file that the build calls `filename`.
    fn show<'a>(&'a self, filename: &'a str) -> &'a str {
        if filename == self.in_build { &self.shown } else { filename }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum CommandError {
    /// The command line is wrong.
    Usage {
        /// What is wrong.
        message: String,
        /// What to type instead.
        help: Option<String>,
        /// Why.
        source: Option<Cause>,
    },
    /// The spec is wrong.
    Spec {
        /// Its text under the name that people know.
        source_text: SourceText,
        /// What was found, warnings included.
        diagnostics: Vec<Diagnostic>,
    },
    /// The frontend says that a request cannot be built, or building it failed.
    Frontend {
        /// What it says.
        error: Box<FrontendError>,
        /// What the spec is called.
        spec: SpecName,
    },
    /// The engine cannot do something outside of a request: open its store, write a result.
    Engine {
        /// What it says.
        error: Box<GatewayError>,
        /// What the spec is called.
        spec: SpecName,
    },
    /// The machine is missing something.
    Environment {
        /// What failed.
        message: String,
        /// What to do.
        help: Option<String>,
        /// Why.
        source: Option<Cause>,
    },
    /// Another program started this one in a way that it cannot work with.
    Internal {
        /// What failed.
        message: String,
        /// Why.
        source: Cause,
    },
    /// A secret key cannot sign.
    Key {
        /// What people call it.
        name: String,
        /// Why.
        error: KeyError,
        /// The flag that gives its passphrase.
        passphrase_flag: &'static str,
    },
    /// A private key cannot sign programs.
    CodeKey {
        /// What people call it.
        name: String,
        /// Why.
        error: Box<CodeKeyError>,
    },
    /// Files cannot be signed.
    Sign(Box<SignError>),
    /// Of several targets, some failed; the others were built to their ends.
    Targets {
        /// Those that failed, each with why.
        failed: Vec<(String, CommandError)>,
        /// What came of the others.
        built: Box<Summary>,
    },
    /// A signal asked to stop.
    Interrupted {
        /// Its number.
        signal: i32,
        /// What came of that.
        what: &'static str,
    },
    /// Everything was said already.
    Said(Exit),
    /// The reader of standard output went away; nobody is left to tell.
    StdoutClosed,
}

impl CommandError {
    /// Returns an error of the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: None, source: None }
    }

    /// Returns an error of the command line, with what to type instead.
    pub fn usage_help(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), help: Some(help.into()), source: None }
    }

    /// Returns an error of the command line: it names `path`, which cannot be read as `what`.
    pub fn unreadable(what: &str, path: &Path, source: std::io::Error) -> Self {
        let message = match source.kind() {
            std::io::ErrorKind::NotFound => format!("there is no {what} {}", path.display()),
            _ => format!("cannot read the {what} {}", path.display()),
        };
        let source = (source.kind() != std::io::ErrorKind::NotFound).then(|| source.into());
        Self::Usage { message, help: None, source }
    }

    /// Returns an error of the environment: `path` cannot be written.
    pub fn unwritable(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        let help = match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Some("free some space on that disk".to_owned())
            }
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Some("choose a place that you may write to".to_owned())
            }
            _ => None,
        };
        let message = format!("cannot write {}", path.into().display());
        Self::Environment { message, help, source: Some(source.into()) }
    }

    /// Returns the error of writing to standard output.
    pub fn stdout(source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::BrokenPipe => Self::StdoutClosed,
            _ => Self::unwritable("standard output", source),
        }
    }

    /// Returns an error of the command line: a target that does not exist.
    pub fn target(error: FrontendError) -> Self {
        Self::Frontend { error: Box::new(error), spec: SpecName::default() }
    }

    /// Returns how the command ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } | Self::Spec { .. } | Self::Key { .. } | Self::CodeKey { .. } => Exit::Usage,
            Self::Sign(error) => signing::exit_of(error),
            Self::Targets { failed, .. } => {
                let mut exits = failed.iter().map(|(_, error)| error.exit());
                let first = exits.next().unwrap_or(Exit::Failed);
                // A build that failed says more than what kept others from starting.
                if exits.all(|exit| exit == first) { first } else { Exit::Failed }
            }
            Self::Frontend { error, .. } => match error.as_ref() {
                FrontendError::Gateway(error) => exit_of(error),
                FrontendError::Signing { error, .. } | FrontendError::At { error, .. } => exit_of(error),
                FrontendError::Machine { .. } => Exit::Environment,
                _ => Exit::Usage,
            },
            Self::Engine { error, .. } => exit_of(error),
            Self::Environment { .. } => Exit::Environment,
            Self::Internal { .. } => Exit::Internal,
            Self::Interrupted { signal, .. } => Exit::Signal(*signal),
            Self::Said(exit) => *exit,
            Self::StdoutClosed => Exit::Signal(libc::SIGPIPE),
        }
    }

    /// Returns one line about it, for the step of a build that it ends.
    pub fn headline(&self) -> String {
        let said = match self {
            Self::StdoutClosed => Some("nobody reads standard output any more".to_owned()),
            error => error.words().and_then(|words| words.message().lines().next().map(str::to_owned)),
        };
        said.unwrap_or_else(|| "failed".to_owned())
    }

    /// Returns the words, none when nothing is left to say.
    pub fn words(&self) -> Option<Words> {
        match self {
            Self::Usage { message, help, source } | Self::Environment { message, help, source } => {
                let source = source.as_deref().map(|source| source as &(dyn Error + 'static));
                Some(words::of_message(self.exit(), message, source, help.clone()))
            }
            Self::Internal { message, source } => {
                Some(words::of_message(self.exit(), message, Some(source.as_ref()), None))
            }
            Self::Spec { source_text, diagnostics } => {
                Some(words::of_findings(self.exit(), source_text.clone(), diagnostics.clone()))
            }
            Self::Frontend { error, spec } => Some(words::of_frontend(self.exit(), error, spec)),
            Self::Engine { error, spec } => Some(words::of_gateway(self.exit(), error, spec)),
            Self::Key { name, error, passphrase_flag } => {
                Some(signing::of_key(self.exit(), name, error, passphrase_flag))
            }
            Self::CodeKey { name, error } => Some(signing::of_code_key(self.exit(), name, error)),
            Self::Sign(error) => Some(signing::of_sign(self.exit(), error)),
            Self::Targets { failed, .. } => words::of_targets(self.exit(), failed),
            Self::Interrupted { what, .. } => Some(words::of_message(self.exit(), what, None, None)),
            Self::Said(_) | Self::StdoutClosed => None,
        }
    }
}

fn exit_of(error: &GatewayError) -> Exit {
    match error {
        GatewayError::Environment { .. } => Exit::Environment,
        GatewayError::Request { .. } => Exit::Usage,
        GatewayError::Solve(_)
        | GatewayError::Frontend { .. }
        | GatewayError::NotFound { .. }
        | GatewayError::Image { .. }
        | GatewayError::Cancelled => Exit::Failed,
    }
}

#[cfg(test)]
mod tests;
