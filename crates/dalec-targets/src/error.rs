//! What can make a plan impossible. Rooms outside turn these into words, spans into lines, and pick the exit code.

use dalec_spec::span::Span;

use crate::unsupported::Feature;

/// Why no graph can be planned for a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No target is built under this route.
    #[error("unknown target {route:?}")]
    UnknownRoute {
        /// The route that was asked for.
        route: String,
        /// The routes there are.
        known: Vec<String>,
    },
    /// The spec lacks a field that this kind of package needs.
    #[error("`{field}` is required to build {product}")]
    MissingField {
        /// Key in the spec.
        field: &'static str,
        /// What was to be built, for example `a Debian source package`.
        product: &'static str,
        /// What to write.
        hint: String,
    },
    /// A source names a context that the client did not give.
    #[error("there is no build context {name:?}")]
    MissingContext {
        /// Name of the context.
        name: String,
        /// The source that wants it.
        span: Span,
    },
    /// An image was not among the answers; [`crate::routes::questions`] asks for every image a plan needs.
    #[error("image {reference} was not looked up")]
    MissingImage {
        /// The image.
        reference: String,
        /// What in the spec asked for it; empty for the target's own.
        span: Span,
    },
    /// The spec uses parts of the language that cannot be built yet.
    #[error("this version of dalec cannot build {}", names(features))]
    Unsupported {
        /// What cannot be built, in the order of the message.
        features: Vec<Feature>,
    },
    /// A value cannot be expressed in what is to be built.
    #[error("{message}")]
    Invalid {
        /// What is wrong, lower case, without full stop.
        message: String,
        /// Where in the spec, most important first.
        spans: Vec<Span>,
        /// What to write instead.
        hint: Option<String>,
    },
}

impl PlanError {
    /// Returns an [`PlanError::Invalid`] without hint.
    pub fn invalid(message: impl Into<String>, spans: impl IntoIterator<Item = Span>) -> Self {
        Self::Invalid { message: message.into(), spans: spans.into_iter().collect(), hint: None }
    }

    /// Returns an [`PlanError::Invalid`] of a value that is known without its place, with what to write instead.
    pub fn unplaced(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), spans: Vec::new(), hint: Some(hint.into()) }
    }

    /// Returns the places in the spec, most important first; empty when none can be named.
    pub fn spans(&self) -> Vec<Span> {
        let spans = match self {
            Self::UnknownRoute { .. } | Self::MissingField { .. } => Vec::new(),
            Self::MissingContext { span, .. } | Self::MissingImage { span, .. } => vec![*span],
            Self::Invalid { spans, .. } => spans.clone(),
            Self::Unsupported { features } => features.iter().map(|feature| feature.span).collect(),
        };
        let written = |span: &Span| span.end > span.start;
        spans.into_iter().filter(written).collect()
    }

    /// Returns what to do about it, when there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownRoute { known, .. } => Some(format!("known targets: {}", known.join(", "))),
            Self::MissingField { hint, .. } => Some(hint.clone()),
            Self::MissingContext { name, .. } if name == "context" => {
                Some("name a directory at the end of the command line, for example `.`".into())
            }
            Self::MissingContext { name, .. } => {
                Some(format!("give it with `--build-context {name}=DIRECTORY`"))
            }
            Self::MissingImage { .. } | Self::Unsupported { .. } => None,
            Self::Invalid { hint, .. } => hint.clone(),
        }
    }
}

/// Returns what the features are called, each once, joined with commas and "and".
fn names(features: &[Feature]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for feature in features {
        if !names.contains(&feature.name) {
            names.push(feature.name);
        }
    }
    match names.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
