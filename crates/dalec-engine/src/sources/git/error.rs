//! Why files of a git repository cannot be had, told from what git said.

use thiserror::Error;

use super::listing::LONGEST_MODULES;
use super::remote::{Remote, Transport};
use super::setup::Login;
use crate::error::Error;

/// Why files of a git repository cannot be had.
#[derive(Debug, Error)]
pub enum GitError {
    /// The program is not there.
    #[error("git sources need the program git, which cannot be started")]
    Missing {
        /// Why not.
        source: std::io::Error,
    },
    /// The program does not know the settings that keep it within bounds.
    #[error("git sources need git 2.32 or newer, and this is {version}")]
    TooOld {
        /// What the program says of itself.
        version: String,
    },
    /// The address is not one that can be fetched from.
    #[error("cannot fetch from {address:?}: {reason}")]
    Address {
        /// The address.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that no branch, tag or commit can have.
    #[error("{name:?} cannot be a commit, tag or branch")]
    Name {
        /// The name.
        name: String,
    },
    /// The repository has no such branch or tag.
    #[error("{remote} has no branch or tag called {name:?}")]
    NoSuchReference {
        /// Address of the repository.
        remote: String,
        /// What was asked for.
        name: String,
    },
    /// The repository has no commits.
    #[error("{remote} has no default branch")]
    NoDefaultBranch {
        /// Address of the repository.
        remote: String,
    },
    /// The repository has no such commit, or does not give it.
    #[error("{remote} does not have the commit {commit}")]
    NoSuchCommit {
        /// Address of the repository.
        remote: String,
        /// What was asked for.
        commit: String,
    },
    /// The name stands for another commit than it should.
    #[error("{name} of {remote} is {actual}, expected {expected}")]
    Checksum {
        /// Address of the repository.
        remote: String,
        /// What was asked for.
        name: String,
        /// The checksum of the request.
        expected: String,
        /// The commit that it stands for.
        actual: String,
    },
    /// There is no repository, or none that this login may see.
    #[error("{remote} is not there")]
    NotFound {
        /// Address of the repository.
        remote: String,
        /// What can be done about it.
        hint: String,
    },
    /// The server wants a login, or another one.
    #[error("{remote} refuses access")]
    Denied {
        /// Address of the repository.
        remote: String,
        /// What can be done about it.
        hint: String,
    },
    /// No answer.
    #[error("cannot reach {host} for {remote}: {said}")]
    Unreachable {
        /// Address of the repository.
        remote: String,
        /// The server.
        host: String,
        /// What git said.
        said: String,
    },
    /// The server is not the one it should be.
    #[error("cannot trust {host} for {remote}: {said}")]
    Untrusted {
        /// Address of the repository.
        remote: String,
        /// The server.
        host: String,
        /// What git said.
        said: String,
        /// What can be done about it.
        hint: String,
    },
    /// Anything else that git said.
    #[error("git cannot {action} {remote}: {said}")]
    Failed {
        /// What was attempted, as a verb.
        action: &'static str,
        /// Address of the repository.
        remote: String,
        /// What git said.
        said: String,
    },
    /// The commit holds more than is taken.
    #[error("{remote} holds more than {limit} in the commit {commit}")]
    TooLarge {
        /// Address of the repository.
        remote: String,
        /// The commit.
        commit: String,
        /// The limit, in words.
        limit: String,
    },
    /// The directory that is to be taken is none.
    #[error("{remote} has no directory {path:?} in the commit {commit}")]
    NoSuchDirectory {
        /// Address of the repository.
        remote: String,
        /// The commit.
        commit: String,
        /// The directory.
        path: String,
    },
    /// A path in a commit would lead elsewhere.
    #[error("{remote} has the path {path:?} in the commit {commit}, which is none of a file")]
    Path {
        /// Address of the repository.
        remote: String,
        /// The commit.
        commit: String,
        /// The path.
        path: String,
    },
    /// The server names another address, which a login is not sent to.
    #[error("{remote} has moved: its server answers with another address{}", on(host))]
    Moved {
        /// Address of the repository.
        remote: String,
        /// The server of the other address; empty when it is not known.
        host: String,
    },
    /// A submodule cannot be had.
    #[error("the submodule {path:?} of {remote}: {reason}")]
    Submodule {
        /// Address of the repository that it is a part of.
        remote: String,
        /// Where it is there.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl GitError {
    /// Returns the error that a commit says more of its submodules than is taken.
    pub fn modules_too_large(remote: &Remote, commit: &str) -> Self {
        Self::TooLarge {
            remote: remote.url().to_owned(),
            commit: commit.to_owned(),
            limit: format!("{LONGEST_MODULES} bytes about submodules"),
        }
    }

    /// Returns what git's words stand for: it was to `action` something of `remote`, and knew `login`.
    pub fn of_words(action: &'static str, remote: &Remote, login: &Login, words: &str) -> Self {
        let has = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
        let (url, host) = (remote.url().to_owned(), remote.host().to_owned());
        let said = last_words(words);
        if has(&["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"]) {
            let hint = login.host_key_hint(words);
            return Self::Untrusted { remote: url, host, said: "its host key is another one".into(), hint };
        }
        if has(&["SSL certificate problem", "server certificate verification failed", "certificate"]) {
            let hint = "if its certificate authority is your own, name it with --ca-bundle".to_owned();
            return Self::Untrusted { remote: url, host, said, hint };
        }
        if has(&[
            "Authentication failed",
            "could not read Username",
            "could not read Password",
            "returned error: 401",
            "returned error: 403",
            "Permission denied (",
        ]) {
            return Self::Denied { remote: url, hint: login.denied_hint(remote) };
        }
        if has(&["returned error: 301", "returned error: 302", "returned error: 303"])
            || has(&["returned error: 307", "returned error: 308"])
        {
            return Self::Moved { remote: url, host: String::new() };
        }
        if has(&["Could not resolve host", "unable to look up", "Connection refused", "Connection timed out"])
            || has(&["Failed to connect", "unable to connect", "Couldn't connect", "No route to host"])
            || has(&["Network is unreachable", "Could not connect"])
        {
            return Self::Unreachable { remote: url, host, said };
        }
        if has(&[
            "not found",
            "returned error: 404",
            "does not appear to be a git repository",
            "access denied or repository not exported",
        ]) {
            let mut hint = "check the address".to_owned();
            if remote.transport() != Transport::Git {
                hint += "; servers also say so to who has not logged in: ";
                hint += &login.denied_hint(remote);
            }
            return Self::NotFound { remote: url, hint };
        }
        Self::Failed { action, remote: url, said }
    }

    /// Returns what to do about it; empty when there is nothing to say.
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { .. } => "install it, for example with: apt-get install git".into(),
            Self::TooOld { .. } => "install a newer one".into(),
            Self::NoSuchReference { name, .. } if is_part_of_hash(name) => {
                "write the whole hash of the commit, 40 characters".into()
            }
            Self::NoSuchReference { .. } => "check the name; it may have been renamed or removed".into(),
            Self::NoDefaultBranch { .. } => "name a branch, a tag or a commit".into(),
            Self::NoSuchCommit { .. } => {
                "check the hash; commits that no branch or tag leads to are gone for good one day".into()
            }
            Self::Checksum { actual, .. } => {
                format!("if it moved on purpose, set the checksum to {actual}; if not, do not trust it")
            }
            Self::NotFound { hint, .. } | Self::Denied { hint, .. } | Self::Untrusted { hint, .. } => {
                hint.clone()
            }
            Self::Unreachable { .. } => {
                "check the address, the network and the proxy settings (HTTPS_PROXY, NO_PROXY)".into()
            }
            Self::Moved { remote, .. } => format!(
                "a login is not sent on to it: write the new address, as a browser shows it for {remote}"
            ),
            Self::Address { .. }
            | Self::Name { .. }
            | Self::Path { .. }
            | Self::Failed { .. }
            | Self::TooLarge { .. }
            | Self::NoSuchDirectory { .. }
            | Self::Submodule { .. } => String::new(),
        }
    }
}

impl From<GitError> for Error {
    fn from(error: GitError) -> Self {
        let (message, hint) = (error.to_string(), error.hint());
        match error {
            GitError::Missing { source } => {
                Self::Environment { message, hint, source: Some(Box::new(source)) }
            }
            GitError::TooOld { .. } => Self::Environment { message, hint, source: None },
            _ => Self::Op { message, hint, source: None },
        }
    }
}

/// Returns where another address is.
fn on(host: &str) -> String {
    if host.is_empty() { String::new() } else { format!(", on {host}") }
}

fn is_part_of_hash(name: &str) -> bool {
    (4..40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the line that says what went wrong: the last one that git marks so, or else the last one.
fn last_words(words: &str) -> String {
    let lines = || words.lines().map(str::trim).filter(|line| !line.is_empty()).rev();
    let marked = lines().find(|line| ["fatal: ", "error: "].iter().any(|mark| line.starts_with(mark)));
    let line = marked.or_else(|| lines().next()).unwrap_or("it does not say why");
    line.trim_start_matches("fatal: ").trim_start_matches("error: ").to_owned()
}
