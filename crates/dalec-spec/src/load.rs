//! Spec text to [`RawSpec`].

use crate::diagnostic::{Diagnostic, has_errors};
use crate::raw::RawSpec;
use crate::source_text::SourceText;

/// What loading a spec gave.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The spec as written; none when the text is not YAML or no mapping. It may be incomplete when
    /// `diagnostics` holds errors.
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
    Loaded {
        raw: Some(RawSpec::new(source)),
        diagnostics: Vec::new(),
    }
}
