//! What can go wrong with a sandbox, as the engine sees it. Words for people are put together elsewhere.

use std::io;

use super::wire::{Failure, FailureKind};

/// A sandbox that did not start, or got lost.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The helper process cannot be started or spoken to.
    #[error("cannot start the sandbox helper")]
    Launch {
        /// Why.
        source: io::Error,
    },
    /// The sandbox cannot be put together; the command was not started.
    #[error("cannot prepare the sandbox: {step}")]
    Setup {
        /// What was attempted.
        step: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The command cannot be executed: not found, not executable, or for another machine.
    #[error("cannot run `{command}`")]
    Command {
        /// The program as it was given.
        command: String,
        /// Why; [`io::ErrorKind::NotFound`] if there is no such program or interpreter.
        source: io::Error,
    },
    /// The user or group is not known in the root.
    #[error("cannot run as user `{user}`: {reason}")]
    User {
        /// The user as it was given.
        user: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The helper ended without a word before the command was started.
    #[error("the sandbox helper ended before the command was started")]
    Lost,
}

impl SandboxError {
    /// Returns the exit status by which a shell would report this: 127 for a program that is not found, 126 for
    /// one that cannot be executed, nothing for failures that are not the command's.
    pub fn shell_status(&self) -> Option<i32> {
        match self {
            SandboxError::Command { source, .. } if source.kind() == io::ErrorKind::NotFound => Some(127),
            SandboxError::Command { .. } => Some(126),
            _ => None,
        }
    }

    /// Returns what the user can do about it, if there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            SandboxError::Setup { step, source }
                if step.starts_with("mount /proc") && source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Some(
                    "parts of this machine's /proc are hidden, as in a container; run it there with an unmasked /proc \
                     (docker: --security-opt systempaths=unconfined)",
                )
            }
            SandboxError::Setup { source, .. } if source.raw_os_error() == Some(libc::ENOSYS) => {
                Some("sandboxes need Linux 5.12 or newer")
            }
            _ => None,
        }
    }
}

impl From<Failure> for SandboxError {
    fn from(failure: Failure) -> Self {
        let source = match failure.errno {
            Some(errno) => io::Error::from_raw_os_error(errno),
            None => io::Error::other(failure.reason.clone()),
        };
        match failure.kind {
            FailureKind::Setup => SandboxError::Setup { step: failure.subject, source },
            FailureKind::Command => SandboxError::Command { command: failure.subject, source },
            FailureKind::User => SandboxError::User { user: failure.subject, reason: failure.reason },
        }
    }
}
