//! Which files of a directory a build takes: patterns, links that are followed, and files that nobody gets.
//!
//! The embedded engine and the client of a `buildkitd` both choose files by the same rules, those of BuildKit. This
//! room looks at directories of the host, changes nothing there, and knows neither of the two.

mod follow;
mod patterns;
mod private_keys;
mod withheld;

use std::path::PathBuf;

use thiserror::Error;

pub use follow::follow_links;
pub use patterns::{Pattern, Selection};
pub use private_keys::PrivateKeys;
pub use withheld::{Withheld, Without};

/// A pattern that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("malformed pattern {0:?}")]
pub struct BadPattern(pub String);

/// Why links could not be followed.
#[derive(Debug, Error)]
pub enum FollowError {
    /// A path holds a pattern that means nothing.
    #[error(transparent)]
    Pattern(#[from] BadPattern),
    /// Something on the way cannot be looked at.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// Returns the names in a path, without empty ones and `.`; `..` stays.
pub fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".")
}

/// Returns `path` without empty names and `.`, with `..` taken back and stopping at the top; no leading slash.
pub fn clean(path: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in components(path) {
        if name == b".." {
            names.pop();
        } else {
            names.push(name);
        }
    }
    names.join(&b'/')
}
