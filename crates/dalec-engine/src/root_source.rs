//! Root file systems put together by another room, for images that no registry has to give.
//!
//! The engine asks a [`RootSource`] what it would make ([`RootSource::resolve`]), remembers the recipe by its
//! digest, and has it made ([`RootSource::materialize`]) when a build step needs the files.

use std::path::Path;

use thiserror::Error;

/// Assembles root file systems.
pub trait RootSource: Send + Sync {
    /// Returns what names the way this source is set up, for example its mirror. Answers that were given under
    /// another name are not used again.
    fn identity(&self) -> String {
        String::new()
    }

    /// Returns what would be assembled for an image, without making it; none when the image is not one that
    /// this source can assemble.
    ///
    /// # Errors
    /// When it should be able to but cannot now: a mirror that does not answer, a signature that is wrong.
    fn resolve(&self, request: &RootRequest) -> Result<Option<ResolvedRoot>, RootError>;

    /// Puts the tree that `recipe` describes into the empty directory `root`.
    ///
    /// `run` runs a command inside `root`, in the engine's sandbox and without network. `progress` takes the
    /// name of a part of the work, how far it is and how far it goes (0: not known). The work stops with an
    /// error soon after `cancelled` says so.
    ///
    /// # Errors
    /// When a package cannot be had, is not what the recipe says, or a command fails.
    fn materialize(
        &self,
        recipe: &[u8],
        root: &Path,
        run: &mut dyn FnMut(&RootCommand) -> Result<(), RootError>,
        progress: &(dyn Fn(&str, u64, u64) + Sync),
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), RootError>;
}

/// A root file system that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootRequest {
    /// Image reference with domain, for example `docker.io/library/debian:bookworm`.
    pub reference: String,
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// Packages to put in as well.
    pub packages: Vec<String>,
    /// Ask the package repository what is new, instead of trusting what was asked lately.
    pub refresh: bool,
}

/// A root file system that can be assembled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedRoot {
    /// Everything that decides what the tree holds; the same bytes give the same tree.
    pub recipe: Vec<u8>,
    /// OCI image configuration as JSON.
    pub config: Vec<u8>,
    /// Where it comes from, in words for people.
    pub origin: String,
}

/// A command to run inside a root file system that is being assembled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootCommand {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// Environment variables, nothing else is set.
    pub env: Vec<(String, String)>,
}

/// Why a root file system could not be assembled.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct RootError {
    /// What failed, in one line.
    pub message: String,
    /// What to do; empty when there is nothing to say.
    pub hint: String,
    /// The last lines that a command wrote.
    pub log: Vec<String>,
    /// Why.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}
