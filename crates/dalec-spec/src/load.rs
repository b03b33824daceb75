//! Spec text to [`RawSpec`].

use crate::codes;
use crate::decode::Decoder;
use crate::diagnostic::{Diagnostic, Severity, has_errors, sort};
use crate::raw::{RawRoot, RawSpec};
use crate::source_text::SourceText;
use crate::yaml;

/// What loading a spec gave.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The spec as written; none when the text is not YAML. It is incomplete when `diagnostics` holds errors.
    pub raw: Option<RawSpec>,
    /// Everything that was found, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Returns whether the spec cannot be used.
    pub fn has_errors(&self) -> bool {
        has_errors(&self.diagnostics)
    }
}

/// Loads the spec in `source`; all problems are found in one run.
pub fn load(source: &SourceText) -> Loaded {
    let (node, found) = yaml::parse(source);
    let Some(node) = node else { return Loaded { raw: None, diagnostics: found } };
    let mut decoder = Decoder::new(source);
    let (mut diagnostics, doubts): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
    doubts.into_iter().for_each(|doubt| decoder.doubt(doubt));
    if node.is_null() {
        let diagnostic = Diagnostic::warning(codes::NO_EFFECT, node.span(), "this spec is empty");
        decoder.doubt(diagnostic.help("write at least `name`, `version`, `license` and `description`"));
    }
    let root: RawRoot = decoder.read(&node);
    diagnostics.extend(decoder.findings.into_sorted());
    sort(&mut diagnostics);
    let is_broken = has_errors(&diagnostics);
    let weight = node.value.weight.saturating_add(decoder.memory.taken());
    let doubts = decoder.doubts.into_sorted();
    let raw =
        RawSpec { source: source.clone(), root, extensions: decoder.extensions, doubts, is_broken, weight };
    Loaded { raw: Some(raw), diagnostics }
}
