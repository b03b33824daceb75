//! Results of Dockerfiles as sources.

use super::RawSource;
use crate::codes;
use crate::decode::{Decoder, Fallback, Map, Template, Text, object};
use crate::diagnostic::Diagnostic;
use crate::raw::rules::Path;

/// Name of the Dockerfile.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Dockerfile;

impl Fallback for Dockerfile {
    const TEXT: &'static str = "Dockerfile";
}

object! {
    /// The result of a Dockerfile.
    RawBuildSource: "a build source", closed, needs ["source"], check check_build => BuildSource {
        /// What is built: the Dockerfile and its context. It may be of any other kind.
        /// Example: {context: {}}
        "source" source: Box<RawSource>,
        /// Path of the Dockerfile in the source.
        /// Example: docs/Dockerfile
        "dockerfile_path" dockerfile_path: Template<Path, Dockerfile>,
        /// Stage to build.
        /// Default: the last one
        /// Example: artifacts
        "target" target: Template,
        /// Build arguments of the Dockerfile. They are passed on as they stand here.
        /// Example: {FLAVOR: small}
        "args" args: Map<Text>,
    }
}

fn check_build(build: &mut RawBuildSource, decoder: &mut Decoder<'_>) {
    if let Some(inner) = &build.source.build {
        let span = decoder.first_line(inner.span);
        let message = "a build source cannot be made from another build source";
        let diagnostic = Diagnostic::error(codes::CONFLICTING_KEYS, span, message);
        decoder.report(diagnostic.help("build both with one Dockerfile, or take a source of another kind"));
    }
}
