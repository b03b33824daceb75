//! Why a request failed, as facts; the command line and the wire turn them into words and details.

use dalec_gateway::GatewayError;
use dalec_spec::span::Span;
use dalec_spec::{Diagnostic, SourceText};
use thiserror::Error;

/// Why a request failed.
#[derive(Debug, Error)]
pub enum FrontendError {
    /// The spec is wrong; the diagnostics say where and what to write instead.
    #[error("{} has errors", source_text.name())]
    Spec {
        /// The text the diagnostics point into.
        source_text: SourceText,
        /// What was found, warnings included.
        diagnostics: Vec<Diagnostic>,
    },
    /// The spec is valid, but what it says cannot be built for this target.
    #[error("{message}")]
    Plan {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
        /// The text the spans point into.
        source_text: SourceText,
        /// The pieces of the spec it is about.
        spans: Vec<Span>,
    },
    /// The machine that builds cannot do what was asked for.
    #[error("{message}")]
    Machine {
        /// What it cannot do, and why.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The spec file is not there or not readable as text.
    #[error("cannot read the spec {filename}")]
    SpecFile {
        /// Name of the file.
        filename: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No route has the requested name.
    #[error(
        "error handling requested build target {target:?}: no such handler for target {target:?}: \
         available targets: {}",
        routes.join(", ")
    )]
    UnknownTarget {
        /// What was asked for; empty when nothing was.
        target: String,
        /// Routes that exist.
        routes: Vec<String>,
    },
    /// What was asked for is no build and nothing that can be answered.
    #[error("unsupported subrequest {id:?}")]
    UnknownSubrequest {
        /// What was asked for.
        id: String,
    },
    /// An option of the request is wrong.
    #[error("{option}: {message}")]
    Option {
        /// Name of the option.
        option: String,
        /// What is wrong with it.
        message: String,
    },
    /// The packages were built, but not signed as they should be.
    #[error("error signing packages with {image}: {error}")]
    Signing {
        /// Image of the signer.
        image: String,
        /// The signer in the spec, if it stands there.
        place: Option<(SourceText, Span)>,
        /// Why.
        error: Box<GatewayError>,
    },
    /// The gateway could not do what something in the spec asks for.
    #[error("{error}")]
    At {
        /// Why.
        error: Box<GatewayError>,
        /// The text the spans point into.
        source_text: SourceText,
        /// The pieces of the spec that ask, at least one.
        spans: Vec<Span>,
    },
    /// The gateway could not do what was asked.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}
