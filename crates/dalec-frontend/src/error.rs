//! Why a request failed, as facts; the command line and the wire turn them into words and details.

use dalec_gateway::GatewayError;
use dalec_spec::span::Span;
use dalec_spec::{Diagnostic, SourceText};
use thiserror::Error;

/// Why a request failed.
#[derive(Debug, Error)]
pub enum FrontendError {
    /// The spec is wrong; the diagnostics say where and what to write instead.
    #[error("{} is not a valid spec", source_text.name())]
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
    /// The spec file is not there or not readable as text.
    #[error("cannot read the spec {filename}")]
    SpecFile {
        /// Name of the file.
        filename: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No route has the requested name.
    #[error("there is no target `{target}`")]
    UnknownTarget {
        /// What was asked for; empty when nothing was.
        target: String,
        /// Routes that exist.
        routes: Vec<String>,
    },
    /// An option of the request is wrong.
    #[error("{option}: {message}")]
    Option {
        /// Name of the option.
        option: String,
        /// What is wrong with it.
        message: String,
    },
    /// The gateway could not do what was asked.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}
