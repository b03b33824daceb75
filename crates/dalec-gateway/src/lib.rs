//! What a frontend can ask of whoever runs its graphs: the [`Gateway`] trait, and the words of its answers.
//!
//! The embedded engine implements the trait in process; over a wire it is BuildKit's `LLBBridge`
//! (`frontend/gateway/pb/gateway.proto`). This room knows no spec and no distribution.
//!
//! Calls block. A frontend that wants several answers at once asks from several threads.

mod error;
mod executable;
mod option_values;
mod progress;
mod relay;

use std::collections::BTreeMap;

use bollard_buildkit_proto::pb;

pub use error::{Excerpt, GatewayError, SolveFailure};
pub use executable::{FRONTEND_DIR, executable_image};
pub use option_values::{BadInputMetadata, input_image_config, parse_bool};
pub use progress::{Event, LogStream, Progress, ProgressSink, VertexEvent};
pub use relay::Relay;

/// Options, inputs and workers of the request that the frontend was called with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BuildOptions {
    /// Frontend options by name, as `docker buildx build` sends them: `target`, `platform`, `filename`,
    /// `build-arg:NAME`, `context:NAME`, `no-cache`, `requestid`…
    pub options: BTreeMap<String, String>,
    /// Platforms that can run processes, the preferred one first, as `os/architecture[/variant]`.
    pub platforms: Vec<String>,
    /// Session that serves local directories and secrets; empty in process.
    pub session: String,
    /// Name of the product that runs the build.
    pub product: String,
}

/// A graph to solve.
#[derive(Debug, Clone, Default)]
pub struct SolveRequest {
    /// The graph; an empty definition is the empty file system.
    pub definition: pb::Definition,
    /// Build it now, instead of when the reference is first read.
    pub evaluate: bool,
}

/// A call of another frontend, whose image speaks BuildKit's gateway protocol.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FrontendRequest {
    /// Which frontend: `gateway.v0` runs the image that the option `source` names.
    pub frontend: String,
    /// Its options by name, as in [`BuildOptions::options`].
    pub options: BTreeMap<String, String>,
    /// Graphs that it gets as inputs, by name.
    pub inputs: BTreeMap<String, pb::Definition>,
    /// Build what it returns now, instead of when it is first read.
    pub evaluate: bool,
    /// What the call is for; decides which secrets are served to it.
    pub purpose: Purpose,
}

/// What a call of another frontend is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Purpose {
    /// A part of the build.
    #[default]
    Build,
    /// Signing what was built: secrets that the client gave to signers alone are served, too.
    Sign,
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRange {
    /// Bytes before it.
    pub offset: u64,
    /// Most bytes of it; a file that ends earlier gives fewer.
    pub length: u64,
}

/// A file system that a solve yielded; it stays readable while the gateway lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference(pub String);

/// What to know about resolving an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolveImage {
    /// Reference with domain, for example `docker.io/library/debian:bookworm`.
    pub reference: String,
    /// `os/architecture[/variant]`; empty for the preferred one.
    pub platform: String,
    /// `default`, `pull` or `local`; empty for `default`.
    pub mode: String,
    /// What people call an image in an OCI layout, whose reference says nothing to them; empty for others.
    pub name: String,
    /// Packages that the caller will install right away. An engine that assembles the image itself may put
    /// them in; others ignore this.
    pub packages: Vec<String>,
}

/// An image that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResolvedImage {
    /// Reference to use in an image source op; pinned by digest where possible.
    pub reference: String,
    /// Attributes that the image source op needs beside it, for example where an OCI layout is served.
    pub attrs: BTreeMap<String, String>,
    /// Digest of what was found.
    pub digest: String,
    /// OCI image configuration as JSON.
    pub config: Vec<u8>,
    /// Whether the packages of the question are in it.
    pub has_packages: bool,
    /// Where it came from, in words.
    pub origin: String,
}

/// A file as `stat` sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStat {
    /// Base name.
    pub name: String,
    /// File type and permission bits as in `st_mode`.
    pub mode: u32,
    /// Size in bytes.
    pub size: u64,
    /// Text of a symbolic link; empty for anything else.
    pub link: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last change in nanoseconds since 1970.
    pub modified: i64,
}

/// A warning for the client.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Warning {
    /// One line.
    pub short: String,
    /// More lines.
    pub detail: Vec<String>,
    /// The text it is about.
    pub excerpt: Option<Excerpt>,
}

/// What the frontend hands back: one result, or one per platform.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FrontendResult {
    /// Results by platform; a single-platform request has one entry. `None` is the empty file system.
    pub refs: Vec<(String, Option<Reference>)>,
    /// Metadata, for example `containerimage.config` and `result.json`.
    pub metadata: BTreeMap<String, Vec<u8>>,
}

/// Runs graphs and answers questions for a frontend.
pub trait Gateway: Send + Sync {
    /// Returns what the frontend was called with.
    fn build_options(&self) -> &BuildOptions;

    /// Returns the inputs the client gave as graphs, by name.
    ///
    /// # Errors
    /// When they cannot be had from the client.
    fn inputs(&self) -> Result<BTreeMap<String, pb::Definition>, GatewayError>;

    /// Solves a graph. The answer is `None` for the empty file system.
    ///
    /// # Errors
    /// [`GatewayError::Solve`] when an op failed; with `evaluate` unset this may come later.
    fn solve(&self, request: SolveRequest) -> Result<Option<Reference>, GatewayError>;

    /// Calls another frontend.
    ///
    /// # Errors
    /// [`GatewayError::Image`] when its image is nowhere to be had, [`GatewayError::Frontend`] for what it says went
    /// wrong, [`GatewayError::Solve`] when an op that it asked for failed.
    fn solve_frontend(&self, request: FrontendRequest) -> Result<FrontendResult, GatewayError>;

    /// Returns the graph of a reference, to build on it.
    ///
    /// # Errors
    /// [`GatewayError::Request`] when the gateway does not know the reference.
    fn definition(&self, reference: &Reference) -> Result<pb::Definition, GatewayError>;

    /// Returns whether graphs may use what BuildKit calls by the capability `id`, for example `mergeop`.
    fn supports(&self, id: &str) -> bool;

    /// Returns the content of a file, or a part of it; builds the reference first if need be.
    ///
    /// # Errors
    /// [`GatewayError::NotFound`] when there is no such file, [`GatewayError::Solve`] when building fails.
    fn read_file(
        &self,
        reference: &Reference,
        path: &str,
        range: Option<FileRange>,
    ) -> Result<Vec<u8>, GatewayError>;

    /// Returns the entries of a directory, sorted by name.
    ///
    /// # Errors
    /// As [`Gateway::read_file`].
    fn read_dir(&self, reference: &Reference, path: &str) -> Result<Vec<FileStat>, GatewayError>;

    /// Returns what is at `path`, without following a symbolic link there.
    ///
    /// # Errors
    /// As [`Gateway::read_file`].
    fn stat_file(&self, reference: &Reference, path: &str) -> Result<FileStat, GatewayError>;

    /// Finds an image.
    ///
    /// # Errors
    /// [`GatewayError::Image`] when it is nowhere to be had.
    fn resolve_image(&self, image: &ResolveImage) -> Result<ResolvedImage, GatewayError>;

    /// Returns the graph of a file system that holds the frontend itself as `/frontend`.
    ///
    /// # Errors
    /// When the engine does not know it.
    fn frontend_image(&self) -> Result<pb::Definition, GatewayError>;

    /// Shows a warning to the client.
    fn warn(&self, warning: Warning);
}
