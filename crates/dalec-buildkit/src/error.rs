//! Why no `buildkitd` can be used.

use std::path::PathBuf;

use thiserror::Error;

/// A cause of any kind.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why no `buildkitd` can be used.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Nothing answers.
    #[error("nothing answers at {address}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why not.
        source: Cause,
    },
    /// TLS is spoken there, and not here.
    #[error("TLS is spoken at {address}, and no flag asks for it")]
    SpeaksTls {
        /// Where.
        address: String,
    },
    /// The daemon wants a certificate of this client: there is none, or it is not trusted.
    #[error("the buildkitd at {address} demands a client certificate that it trusts")]
    NotLetIn {
        /// Where.
        address: String,
        /// How it showed.
        source: Cause,
    },
    /// The two sides do not trust each other, or the other one speaks no TLS.
    #[error("TLS with {address} failed")]
    Tls {
        /// Where.
        address: String,
        /// Why.
        source: Cause,
    },
    /// A certificate or key cannot be read.
    #[error("cannot read the {what} {}", path.display())]
    TlsFile {
        /// What it is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What was found there cannot run builds of ours.
    #[error("the buildkitd at {address} is too old: {missing}")]
    TooOld {
        /// Where.
        address: String,
        /// What it lacks.
        missing: String,
    },
    /// A docker daemon refused to help.
    #[error("the docker daemon at {endpoint} refuses: {message}")]
    Docker {
        /// Where the daemon listens.
        endpoint: String,
        /// What it says.
        message: String,
    },
    /// This process cannot do what is needed.
    #[error("cannot {action}")]
    Process {
        /// What was attempted, as a verb.
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl ConnectError {
    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreachable { .. } => {
                "start buildkitd, or name another one with --buildkit-host or BUILDKIT_HOST".into()
            }
            Self::SpeaksTls { .. } => {
                "name the CA of the daemon with --tls-ca, and a client certificate and its key, if it demands \
                 one, with --tls-cert and --tls-key; --tls-dir names a folder with all of them"
                    .into()
            }
            Self::NotLetIn { .. } => {
                "name one that a CA of the daemon has signed with --tls-cert, and its key with --tls-key".into()
            }
            Self::Tls { .. } => {
                "name the CA of the daemon with --tls-ca, and the client's certificate and key with \
                 --tls-cert and --tls-key; --tls-server-name says which name the daemon's certificate must have"
                    .into()
            }
            Self::TlsFile { .. } => "name a PEM file that can be read".into(),
            Self::TooOld { .. } => "update it: BuildKit 0.13 is the oldest that works".into(),
            Self::Docker { .. } => "see `docker ps` and `docker info` for what runs there".into(),
            Self::Process { .. } => String::new(),
        }
    }
}
