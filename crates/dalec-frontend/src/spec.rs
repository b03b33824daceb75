//! The spec of a request: its text, what was found in it, and what it says for one target and platform.

use std::sync::Arc;

use dalec_gateway::{Excerpt, Gateway, GatewayError, Warning};
use dalec_llb::SourceMap;
use dalec_spec::span::Span;
use dalec_spec::target_spec::TargetSpec;
use dalec_spec::{Diagnostic, Loaded, Platform, RawSpec, ResolveOptions, SourceText, UnknownArgs};
use dalec_targets::locate::locate;

use crate::error::FrontendError;
use crate::options::Options;

/// The spec of a request.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Its text.
    pub source_text: SourceText,
    loaded: Loaded,
}

impl Spec {
    /// Loads the spec in `source_text`; what is wrong with it is told when it is resolved.
    pub fn load(source_text: SourceText) -> Self {
        let loaded = dalec_spec::load(&source_text);
        Self { source_text, loaded }
    }

    /// Returns the spec as it is written, if it can be used.
    pub fn raw(&self) -> Option<&RawSpec> {
        self.loaded.raw.as_ref().filter(|_| !self.loaded.has_errors())
    }

    /// Returns the spec for `target`, a target key, and `platform`. What is doubtful becomes warnings.
    ///
    /// # Errors
    /// [`FrontendError::Spec`] when it is wrong.
    pub fn resolve(
        &self,
        gateway: &dyn Gateway,
        options: &Options,
        target: &str,
        platform: &Platform,
    ) -> Result<TargetSpec, FrontendError> {
        let (spec, diagnostics) = self.resolve_silently(options, target, platform);
        match spec {
            Some(spec) => {
                diagnostics.iter().for_each(|diagnostic| gateway.warn(self.warning(diagnostic)));
                Ok(spec)
            }
            None => Err(FrontendError::Spec { source_text: self.source_text.clone(), diagnostics }),
        }
    }

    /// As [`Spec::resolve`], for those who only look: nobody is told what was found.
    pub fn resolve_silently(
        &self,
        options: &Options,
        target: &str,
        platform: &Platform,
    ) -> (Option<TargetSpec>, Vec<Diagnostic>) {
        let mut diagnostics = self.loaded.diagnostics.clone();
        let mut spec = None;
        if let Some(raw) = &self.loaded.raw {
            let mut build_args = options.build_args.clone();
            build_args.insert("DALEC_TARGET".into(), target.to_owned());
            let (resolved, found) = raw.resolve(&ResolveOptions {
                target: target.to_owned(),
                platform: platform.clone(),
                build_platform: options.build_platform.clone(),
                build_args,
                unknown_args: UnknownArgs::Reject,
            });
            diagnostics.extend(found);
            spec = resolved.filter(|_| !dalec_spec::has_errors(&diagnostics));
        }
        (spec, dalec_spec::silence(&self.source_text, diagnostics))
    }

    /// Returns the text for locations of the graph.
    pub fn source_map(&self) -> Arc<SourceMap> {
        source_map(&self.source_text)
    }

    /// Returns `error` with the pieces of the spec at `spans`, which ask for what the gateway could not do.
    pub fn at(&self, error: FrontendError, spans: Vec<Span>) -> FrontendError {
        let spans: Vec<Span> = spans.into_iter().filter(|span| span.end > span.start).collect();
        match error {
            FrontendError::Gateway(GatewayError::Cancelled) => GatewayError::Cancelled.into(),
            FrontendError::Gateway(error) if !spans.is_empty() => {
                FrontendError::At { error: Box::new(error), source_text: self.source_text.clone(), spans }
            }
            error => error,
        }
    }

    /// Returns what a finding in a usable spec says, with the piece of the spec that it is about.
    fn warning(&self, diagnostic: &Diagnostic) -> Warning {
        Warning {
            short: diagnostic.message.clone(),
            detail: diagnostic.help.iter().cloned().collect(),
            excerpt: excerpt(&self.source_text, diagnostic.span),
        }
    }
}

/// Returns the pieces of `source_text` at `spans`; none when there are none.
fn excerpt(source_text: &SourceText, spans: impl IntoIterator<Item = Span>) -> Option<Excerpt> {
    let location = locate(&source_map(source_text), spans)?;
    Some(Excerpt {
        info: location.map.to_pb(),
        ranges: location.ranges.iter().map(|range| range.to_pb()).collect(),
    })
}

fn source_map(source_text: &SourceText) -> Arc<SourceMap> {
    Arc::new(SourceMap {
        filename: source_text.name().to_owned(),
        language: "yaml".into(),
        data: source_text.text().as_bytes().to_vec(),
    })
}
