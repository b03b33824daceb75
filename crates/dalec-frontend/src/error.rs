//! Why a request failed, as facts; the command line and the wire turn them into words and details.

use std::fmt::Write;

use dalec_gateway::{Excerpt, GatewayError};
use dalec_spec::span::Span;
use dalec_spec::{Diagnostic, Severity, SourceText};
use thiserror::Error;

use crate::spec::excerpt;

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
    /// The gateway could not do what was asked.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

impl FrontendError {
    /// Returns everything to be said in one text, for clients that show nothing else.
    pub fn message(&self) -> String {
        let mut text = match self {
            Self::UnknownTarget { target, routes } => format!(
                "error handling requested build target {target:?}: no such handler for target {target:?}: \
                 available targets: {}",
                routes.join(", ")
            ),
            error => error.to_string(),
        };
        match self {
            Self::Spec { source_text, diagnostics } => {
                let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
                errors.for_each(|error| text.push_str(&line(source_text, error)));
            }
            Self::SpecFile { source, .. } => text.push_str(&format!(": {source}")),
            Self::Plan { hint: Some(hint), .. } => text.push_str(&format!("\n{hint}")),
            _ => {}
        }
        if let Some(hint) = self.gateway().and_then(hint) {
            text.push_str(&format!("\n{hint}"));
        }
        text
    }

    /// Returns the pieces of source text that the error is about, but for those that [`FrontendError::gateway`] has.
    pub fn excerpts(&self) -> Vec<Excerpt> {
        let found = match self {
            Self::Spec { source_text, diagnostics } => {
                let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
                excerpt(source_text, errors.filter_map(|error| error.span))
            }
            Self::Plan { source_text, spans, .. } => excerpt(source_text, spans.iter().copied()),
            Self::Signing { place: Some((source_text, span)), .. } => excerpt(source_text, [*span]),
            _ => None,
        };
        found.into_iter().collect()
    }

    /// Returns what the gateway said, if that is the cause.
    pub fn gateway(&self) -> Option<&GatewayError> {
        match self {
            Self::Gateway(error) => Some(error),
            Self::Signing { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Returns `error` as a line of its own, with its place.
fn line(source_text: &SourceText, error: &Diagnostic) -> String {
    let mut line = format!("\n{}:", source_text.name());
    if let Some(span) = error.span {
        let start = source_text.position(span.start);
        // Writing to a string cannot fail.
        let _ = write!(line, "{}:{}:", start.line, start.column);
    }
    let _ = write!(line, " {}", error.message);
    if let Some(help) = &error.help {
        let _ = write!(line, " ({help})");
    }
    line
}

fn hint(error: &GatewayError) -> Option<&str> {
    match error {
        GatewayError::Solve(failure) => failure.hint.as_deref(),
        GatewayError::Frontend { hint, .. } => hint.as_deref(),
        GatewayError::Image { hint, .. } | GatewayError::Environment { hint, .. } => {
            Some(hint.as_str()).filter(|hint| !hint.is_empty())
        }
        GatewayError::NotFound { .. } | GatewayError::Cancelled | GatewayError::Request { .. } => None,
    }
}
