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
    /// The spec lacks fields that this kind of package needs.
    #[error("{} {} required to build {product}", keys(fields), if fields.len() == 1 { "is" } else { "are" })]
    MissingFields {
        /// Keys in the spec, at least one.
        fields: Vec<&'static str>,
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
    /// The result is for a platform whose programs nothing here runs, and it takes some that do.
    #[error(
        "{route} cannot be built for {platform} here: {why}, and nothing here runs programs for {platform}"
    )]
    Foreign {
        /// What was to be built.
        route: String,
        /// What for.
        platform: String,
        /// What would run, as a clause.
        why: &'static str,
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

    /// Returns an [`PlanError::Invalid`] about a part that files and packages are called by, with what it may be.
    pub(crate) fn invalid_name(message: String, hint: &str) -> Self {
        Self::Invalid { message, spans: Vec::new(), hint: Some(hint.to_owned()) }
    }

    /// Returns the error at `span`, besides where it was.
    #[must_use]
    pub(crate) fn at(mut self, span: Span) -> Self {
        if let Self::Invalid { spans, .. } = &mut self {
            spans.push(span);
        }
        self
    }

    /// Checks that `product` has what it needs: each of `fields`, with its value, is written.
    ///
    /// # Errors
    /// [`PlanError::MissingFields`] with all that are missing.
    pub(crate) fn require(product: &'static str, fields: &[(&'static str, &str)]) -> Result<(), Self> {
        let missing = fields.iter().filter(|(_, value)| value.trim().is_empty());
        let fields: Vec<&'static str> = missing.map(|(field, _)| *field).collect();
        if fields.is_empty() {
            return Ok(());
        }
        let hint = format!("add {} to the spec", keys(&fields));
        Err(Self::MissingFields { fields, product, hint })
    }

    /// Returns the places in the spec, most important first; empty when none can be named.
    pub fn spans(&self) -> Vec<Span> {
        let spans = match self {
            Self::UnknownRoute { .. } | Self::MissingFields { .. } | Self::Foreign { .. } => Vec::new(),
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
            Self::MissingFields { hint, .. } => Some(hint.clone()),
            Self::MissingContext { name, .. } if name == "context" => {
                Some("name a directory at the end of the command line, for example `.`".into())
            }
            Self::MissingContext { name, .. } => {
                Some(format!("give it with `--build-context {name}=DIRECTORY`"))
            }
            Self::Foreign { .. } => Some(
                "build on such a machine, or register an emulator (QEMU user mode, binfmt_misc); packages and minimal \
                 containers are built for other processors without one"
                    .into(),
            ),
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
    joined(&names)
}

/// Returns keys of a spec as they stand in messages.
fn keys(fields: &[&str]) -> String {
    let keys: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    joined(&keys.iter().map(String::as_str).collect::<Vec<_>>())
}

fn joined(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
