//! What can go wrong between a mirror and a root file system.
//!
//! Every variant is a situation that a caller can tell apart. Words for people beyond the one
//! line, such as what to type next, are in [`BootstrapError::hint`]; exit codes are not known here.

use std::path::PathBuf;

/// The cause of an error where its type is of no use to a caller.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a root file system could not be put together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// Neither an explicit mirror nor one from the host's apt configuration.
    #[error("no Debian mirror is known for {suite}")]
    NoMirror {
        /// The suite that was asked for.
        suite: String,
    },
    /// The text given as a mirror is not one.
    #[error("`{url}` is not a usable mirror: {reason}")]
    MirrorUrl {
        /// The text as given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Every mirror that could have the suite was tried.
    #[error("no mirror has a usable {suite}: {}", list(.tried))]
    NoUsableMirror {
        /// The suite that was asked for.
        suite: String,
        /// What happened at each mirror, in the order tried.
        tried: Vec<BootstrapError>,
    },
    /// The HTTP client could not be set up.
    #[error("cannot set up HTTPS")]
    Https {
        /// What the client said.
        source: Cause,
    },
    /// No answer from the server, after retries.
    #[error("cannot reach {url}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The last failure.
        source: Cause,
    },
    /// The server answered, with an error other than "not found".
    #[error("{url} answers with HTTP status {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status code.
        status: u16,
    },
    /// The server says that there is no such file.
    #[error("{url} does not exist")]
    NotFound {
        /// What was asked for.
        url: String,
    },
    /// The mirror's signed index names a file that the mirror does not have.
    #[error("{url} does not exist, though the mirror's signed index names it")]
    IndexMoved {
        /// What was asked for.
        url: String,
    },
    /// The bytes are not those that the signed index promises.
    #[error("{url} has SHA-256 {actual}, but the signed index says {expected}")]
    HashMismatch {
        /// Where the bytes came from.
        url: String,
        /// The digest in the signed index, in hexadecimal.
        expected: String,
        /// The digest of what was received, in hexadecimal.
        actual: String,
    },
    /// There are fewer or more bytes than the signed index promises.
    #[error("{url} has {actual} bytes, but the signed index says {expected}")]
    SizeMismatch {
        /// Where the bytes came from.
        url: String,
        /// Bytes promised.
        expected: u64,
        /// Bytes received before giving up.
        actual: u64,
    },
    /// An index is larger than any real one.
    #[error("{url} is larger than {limit} bytes")]
    TooLarge {
        /// Where the bytes came from.
        url: String,
        /// The most that is accepted, in bytes.
        limit: u64,
    },
    /// A file with public keys cannot be used.
    #[error("{path} holds no usable OpenPGP keys: {reason}")]
    Keyring {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The index is not clear-signed text.
    #[error("{url} is not a signed index: {reason}")]
    Unsigned {
        /// Where the index came from.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No signature by a trusted key holds.
    #[error("{url} carries no good signature by a trusted key: {reason}")]
    BadSignature {
        /// Where the index came from.
        url: String,
        /// What was found instead: one clause per signature.
        reason: String,
    },
    /// The mirror serves an index that its signer no longer vouches for.
    #[error("{url} expired: it was valid until {valid_until}")]
    Expired {
        /// Where the index came from.
        url: String,
        /// The date in the index, as written there.
        valid_until: String,
    },
    /// A good signature, but over another suite's index.
    #[error("{url} is the index of {found}, not of {wanted}")]
    WrongSuite {
        /// Where the index came from.
        url: String,
        /// The suite that was asked for.
        wanted: String,
        /// The code name in the index.
        found: String,
    },
    /// A good signature, but by another distribution.
    #[error("{url} belongs to {found}, not to Debian")]
    WrongOrigin {
        /// Where the index came from.
        url: String,
        /// The origin in the index.
        found: String,
    },
    /// A suite whose security or stable updates the mirror does not have.
    #[error("{suite} needs {missing}, but {url} does not exist")]
    SuiteMissing {
        /// The suite that was asked for.
        suite: String,
        /// The companion suite.
        missing: String,
        /// Where it was looked for last.
        url: String,
    },
    /// The suite exists, but not for this machine.
    #[error("{url} has no packages for {architecture}")]
    NoArchitecture {
        /// Where the index came from.
        url: String,
        /// The Debian architecture that was asked for.
        architecture: String,
    },
    /// A signed file that does not follow its format.
    #[error("{url} cannot be read: {reason}")]
    Syntax {
        /// Where the text came from.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A suite's name or a dependency expression that is none.
    #[error("`{text}` cannot be asked for: {reason}")]
    Request {
        /// The text as given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The packages asked for cannot be installed together.
    #[error("{suite} cannot provide {}:\n{explanation}", .packages.join(", "))]
    Unsatisfiable {
        /// The suite's code name.
        suite: String,
        /// The requests that cannot be met.
        packages: Vec<String>,
        /// A tree that says which package needs what, several lines.
        explanation: String,
    },
    /// A `.deb` that is damaged, hostile or of an unknown kind.
    #[error("package {package} cannot be unpacked: {reason}")]
    Package {
        /// The package's name.
        package: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two packages ship one file and neither says that it replaces the other.
    #[error("packages {first} and {second} both contain {path}")]
    FileConflict {
        /// One package.
        first: String,
        /// The other package.
        second: String,
        /// The path inside the root.
        path: String,
    },
    /// The file system said no.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// The verb, such as `write`.
        action: &'static str,
        /// The file, on the host.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A command inside the root failed.
    #[error("cannot {what}")]
    Command {
        /// What the command was to do, such as `configure the packages`.
        what: String,
        /// What the caller's runner reported.
        source: Cause,
    },
    /// The caller asked to stop.
    #[error("stopped")]
    Cancelled,
}

impl BootstrapError {
    /// Returns what the user can do about it, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoMirror { .. } => Some(
                "this host's apt configuration names no Debian repository; give one with --apt-mirror URL or DALEC_APT_MIRROR",
            ),
            Self::MirrorUrl { .. } => {
                Some("give URL or URL,SECURITY_URL, such as http://mirror.example/debian")
            }
            Self::Unreachable { .. } => {
                Some("check the network and the proxy settings, or choose another mirror with --apt-mirror")
            }
            Self::NotFound { .. } | Self::NoUsableMirror { .. } => {
                Some("the mirror may not carry this suite; choose another one with --apt-mirror")
            }
            Self::IndexMoved { .. } => Some("the mirror is probably being updated at this moment; try again"),
            Self::HashMismatch { .. } | Self::SizeMismatch { .. } => Some(
                "the mirror, or something between it and here, alters files; try again or choose another mirror",
            ),
            Self::BadSignature { .. } | Self::Unsigned { .. } => Some(
                "if the mirror signs with a key of its own: the keys in /usr/share/keyrings/debian-archive-keyring.gpg of this host are used beside Debian's; otherwise do not trust it",
            ),
            Self::Expired { .. } => Some(
                "the mirror is out of date, or this machine's clock is wrong; choose another mirror with --apt-mirror",
            ),
            Self::SuiteMissing { .. } => {
                Some("name the mirror's security archive after a comma: --apt-mirror URL,SECURITY_URL")
            }
            _ => None,
        }
    }

    /// Returns whether another mirror may do better.
    pub(crate) fn is_about_one_mirror(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Status { .. }
                | Self::NotFound { .. }
                | Self::Unsigned { .. }
                | Self::BadSignature { .. }
                | Self::Expired { .. }
                | Self::WrongSuite { .. }
                | Self::WrongOrigin { .. }
                | Self::Syntax { .. }
                | Self::TooLarge { .. }
        )
    }

    /// Returns the constructor of an [`BootstrapError::Io`] for `path`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

fn list(errors: &[BootstrapError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
