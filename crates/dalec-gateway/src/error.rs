//! Why a gateway call failed.

use bollard_buildkit_proto::google::protobuf::Any;
use bollard_buildkit_proto::pb;
use thiserror::Error;

/// Why a gateway call failed.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// An op of the graph failed.
    #[error(transparent)]
    Solve(Box<SolveFailure>),
    /// A path does not exist in a file system.
    #[error("{path}: no such file or directory")]
    NotFound {
        /// The path inside the file system.
        path: String,
    },
    /// An image is nowhere to be had.
    #[error("cannot find the image {reference}")]
    Image {
        /// The reference asked for.
        reference: String,
        /// What was tried, and what to do.
        hint: String,
        /// Why the last way failed.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Another frontend that was called failed.
    #[error("the frontend {image} failed: {message}")]
    Frontend {
        /// Its image.
        image: String,
        /// What it says, or how it ended.
        message: String,
        /// What to do, when there is something to say.
        hint: Option<String>,
        /// The last lines of its output.
        log: Vec<String>,
    },
    /// The build was cancelled.
    #[error("the build was cancelled")]
    Cancelled,
    /// The engine's surroundings lack something: disk space, a store that can be written, user namespaces.
    #[error("{message}")]
    Environment {
        /// What failed.
        message: String,
        /// What to do.
        hint: String,
        /// Why.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The request makes no sense to the engine.
    #[error("{message}")]
    Request {
        /// What is wrong with it.
        message: String,
    },
}

/// An op that failed, with everything a person needs to find out why.
#[derive(Debug, Error)]
#[error("{}{message}", if name.is_empty() { String::new() } else { format!("{name}: ") })]
pub struct SolveFailure {
    /// Digest of the vertex.
    pub vertex: String,
    /// Name of the vertex.
    pub name: String,
    /// What went wrong, in one line.
    pub message: String,
    /// What to do, when there is something to say.
    pub hint: Option<String>,
    /// Exit code of the process, when one ran.
    pub exit_code: Option<i32>,
    /// The last lines of its output.
    pub log: Vec<String>,
    /// The pieces of source text that caused the op.
    pub excerpts: Vec<Excerpt>,
    /// What another engine says of it, to be passed on as it is; empty for an op that failed here.
    pub details: Vec<Any>,
    /// Why.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Pieces of one source text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Excerpt {
    /// The text.
    pub info: pb::SourceInfo,
    /// The pieces, most important first.
    pub ranges: Vec<pb::Range>,
}
