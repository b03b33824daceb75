//! Why something in the engine failed, before it becomes a [`GatewayError`].

use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::sync::Arc;

use dalec_gateway::{GatewayError, SolveFailure};
use thiserror::Error;

use crate::solver::Failure;

/// Result of the engine's inner functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause of any kind.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// Why something in the engine failed.
#[derive(Debug, Error)]
pub enum Error {
    /// Someone said stop.
    #[error("the build was cancelled")]
    Cancelled,
    /// A call to the operating system failed.
    #[error("cannot {action} {path}")]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// With what.
        path: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The store's database failed.
    #[error("cannot use the database {path}")]
    Database {
        /// The database file.
        path: String,
        /// Why it failed.
        source: rusqlite::Error,
    },
    /// The surroundings lack something.
    #[error("{message}")]
    Environment {
        /// What failed.
        message: String,
        /// What to do.
        hint: String,
        /// Why.
        source: Option<Cause>,
    },
    /// An op failed in a way of its own.
    #[error("{message}")]
    Op {
        /// What went wrong, in one line.
        message: String,
        /// What to do; empty when there is nothing to say.
        hint: String,
        /// Why.
        source: Option<Cause>,
    },
    /// A process ended in a way that counts as failure.
    #[error("{message}")]
    Process {
        /// What went wrong, in one line.
        message: String,
        /// What to do; empty when there is nothing to say.
        hint: String,
        /// Its exit code, when it had one.
        exit_code: Option<i32>,
        /// The last lines it wrote.
        log: Vec<String>,
    },
    /// A graph within the graph failed.
    #[error("{}", .0.message())]
    Below(Box<Failure>),
    /// The definition makes no sense.
    #[error("{0}")]
    Request(String),
    /// An image is nowhere to be had.
    #[error("cannot find the image {reference}")]
    Image {
        /// The reference asked for.
        reference: String,
        /// What was tried, and what to do.
        hint: String,
        /// Why the last way failed.
        source: Option<Cause>,
    },
}

impl Error {
    /// Returns the failure of a graph within a graph.
    pub fn below(failure: Failure) -> Self {
        Self::Below(Box::new(failure))
    }

    /// Returns an op failure without cause.
    pub fn op(message: impl Into<String>) -> Self {
        Self::Op { message: message.into(), hint: String::new(), source: None }
    }

    /// Returns what the surroundings lack when that is the reason, in words: the disk is full, or may not
    /// be written. `state` is the state directory, which the hint names.
    pub fn environment(&self, state: &Path) -> Option<(String, String)> {
        if let Self::Environment { message, hint, .. } = self {
            return Some((message.clone(), hint.clone()));
        }
        let mut cause: Option<&(dyn StdError + 'static)> = Some(self);
        while let Some(error) = cause {
            if let Some(reason) = reason(error) {
                return Some(reason.words(state));
            }
            cause = error.source();
        }
        None
    }

    /// Turns the error into a gateway's; `state` is the state directory.
    pub fn into_gateway(self, state: &Path) -> GatewayError {
        let environment = self.environment(state);
        match (self, environment) {
            (Self::Cancelled, _) => GatewayError::Cancelled,
            (Self::Request(message), _) => GatewayError::Request { message },
            (Self::Image { reference, hint, source }, None) => {
                GatewayError::Image { reference, hint, source }
            }
            // What failed before there was a graph is a failed build all the same.
            (Self::Op { message, hint, source }, None) => GatewayError::Solve(Box::new(SolveFailure {
                vertex: String::new(),
                name: "look things up".to_owned(),
                message,
                hint: (!hint.is_empty()).then_some(hint),
                exit_code: None,
                log: Vec::new(),
                excerpts: Vec::new(),
                details: Vec::new(),
                cause: source,
            })),
            (error, environment) => {
                let (message, hint) = environment.unwrap_or_else(|| (error.to_string(), String::new()));
                let source = match error {
                    Self::Environment { source, .. } | Self::Op { source, .. } => source,
                    Self::Io { source, .. } => Some(source.into()),
                    Self::Database { source, .. } => Some(source.into()),
                    _ => None,
                };
                GatewayError::Environment { message, hint, source }
            }
        }
    }
}

/// Returns the code of the first failed call to the operating system among the causes of `error`.
pub fn os_code(error: &(dyn StdError + 'static)) -> Option<i32> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return error.raw_os_error();
        }
        cause = error.source();
    }
    None
}

enum Reason {
    DiskFull,
    ReadOnly,
}

impl Reason {
    fn words(&self, state: &Path) -> (String, String) {
        let state = state.display();
        match self {
            Self::DiskFull => (
                format!("no space left for the state directory {state}"),
                "free some space on that disk, or name a directory elsewhere with --state-dir".to_owned(),
            ),
            Self::ReadOnly => (
                format!("the state directory {state} cannot be written"),
                "name a directory that you may write with --state-dir".to_owned(),
            ),
        }
    }
}

fn reason(error: &(dyn StdError + 'static)) -> Option<Reason> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => Some(Reason::DiskFull),
            Some(libc::EROFS) => Some(Reason::ReadOnly),
            _ => None,
        };
    }
    match error.downcast_ref::<rusqlite::Error>()?.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => Some(Reason::DiskFull),
        Some(rusqlite::ErrorCode::ReadOnly) => Some(Reason::ReadOnly),
        _ => None,
    }
}

impl From<dalec_files::BadPattern> for Error {
    fn from(error: dalec_files::BadPattern) -> Self {
        Self::Request(error.to_string())
    }
}

impl From<dalec_files::FollowError> for Error {
    fn from(error: dalec_files::FollowError) -> Self {
        match error {
            dalec_files::FollowError::Pattern(pattern) => pattern.into(),
            dalec_files::FollowError::Io { action, path, source } => {
                Self::Io { action, path: path.display().to_string(), source }
            }
        }
    }
}

/// Adds to an I/O error what was attempted, and with what.
pub trait IoContext<T> {
    /// Says that `action` (a verb) was attempted with `path`.
    ///
    /// # Errors
    /// The error itself, with the context.
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T, E: Into<io::Error>> IoContext<T> for std::result::Result<T, E> {
    fn at(self, action: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|error| Error::Io {
            action,
            path: path.as_ref().display().to_string(),
            source: error.into(),
        })
    }
}

/// An error that several waiters get.
#[derive(Debug, Clone)]
pub struct Shared(pub Arc<Error>);

impl Shared {
    /// Returns the cause of the error, when it has one.
    pub fn cause(&self) -> Option<Cause> {
        self.0.source().map(|_| Box::new(SharedCause(self.clone())) as Cause)
    }
}

/// The cause of a shared error, and through it the error.
#[derive(Debug)]
struct SharedCause(Shared);

impl std::fmt::Display for SharedCause {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.0.source() {
            Some(cause) => std::fmt::Display::fmt(cause, formatter),
            None => Ok(()),
        }
    }
}

impl StdError for SharedCause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.0.source()?.source()
    }
}

impl std::fmt::Display for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl StdError for Shared {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}
