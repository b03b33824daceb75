//! What the author wrote: spans kept, arguments unexpanded.
//!
//! One file per part of the language; each key is one row of an `object!` table. This module does not know the
//! YAML parser, nor what a distribution makes of a spec.

mod artifacts;
mod build;
mod cache;
mod change;
#[cfg(test)]
mod expansion;
mod generator;
pub(crate) mod hints;
mod image;
mod package;
mod patch;
mod repository;
mod root;
pub(crate) mod rules;
mod side_files;
mod signing;
mod source;
#[cfg(test)]
mod specimen;
#[cfg(test)]
mod strictness;
mod system;
mod target;
mod test;

pub(crate) use self::package::Packages;
pub(crate) use self::root::RawRoot;
pub use self::side_files::{load_signing_config, load_source_filter};
pub(crate) use self::signing::RawFrontend;

use crate::check::Target;
use crate::decode::Decode;
use crate::diagnostic::Diagnostic;
use crate::emit::Tree;
use crate::explain::{Explanation, NoSuchField, explain};
use crate::lint;
use crate::resolve::{Budget, ResolveOptions, SOURCE_DATE_EPOCH, UnknownArgs, is_known, resolve};
use crate::source_text::SourceText;
use crate::target_spec::{Frontend, TargetSpec};

/// A spec as written.
#[derive(Debug, Clone)]
pub struct RawSpec {
    pub(crate) source: SourceText,
    pub(crate) root: RawRoot,
    /// The author's own keys at the top level.
    pub(crate) extensions: Vec<(String, Tree)>,
    /// What loading found doubtful.
    pub(crate) doubts: Vec<Diagnostic>,
    /// Whether loading found errors, so that parts are missing.
    pub(crate) is_broken: bool,
    /// Size with all aliases written out, as text and as values, in bytes, roughly.
    pub(crate) weight: usize,
}

impl RawSpec {
    /// Returns the text this was loaded from.
    pub fn source(&self) -> &SourceText {
        &self.source
    }

    /// Returns the keys under `targets`, in the order written.
    pub fn target_keys(&self) -> Vec<&str> {
        self.root.targets.entries.iter().map(|entry| entry.key.value.as_str()).collect()
    }

    /// Returns the declared arguments with their defaults, in the order written, but for empty ones and those that the
    /// tool itself looks at or sets.
    pub fn arg_defaults(&self) -> impl Iterator<Item = (&str, &str)> {
        let args = self.root.args.entries.iter();
        let args = args.map(|entry| (entry.key.value.as_str(), entry.value.value.as_str()));
        args.filter(|(name, value)| !value.is_empty() && !is_known(name) && *name != SOURCE_DATE_EPOCH)
    }

    /// Returns the frontend that builds the target `key` in place of this one.
    pub fn frontend(&self, key: &str) -> Option<Frontend> {
        self.root.targets.get(key)?.frontend()
    }

    /// Returns whether the target `key` has a signer of its own in place of one of the root.
    pub fn overrides_signer(&self, key: &str) -> bool {
        let has_signer = |root: &RawRoot| root.package_config.signer.is_given();
        has_signer(&self.root) && self.root.targets.get(key).is_some_and(|target| has_signer(&target.spec))
    }

    /// Returns the spec of one target with everything that was found; none when there are errors, here or in loading.
    ///
    /// The findings of [`load`](crate::load) are not repeated. A spec that has errors there can still be resolved to
    /// find more of them in the same run.
    pub fn resolve(&self, options: &ResolveOptions) -> (Option<TargetSpec>, Vec<Diagnostic>) {
        let resolved = resolve(&self.root, &self.source, &self.tolerant(options), &mut Budget::default());
        let spec = resolved.spec.filter(|_| !self.is_broken).map(|mut spec| {
            spec.extensions = self.extensions.iter().cloned().collect();
            spec
        });
        (spec, resolved.findings)
    }

    /// Returns where the values at `field` and below it come from, for the target and platform of `options`.
    ///
    /// `field` is a path such as `dependencies.runtime`, `tests[0].steps` or `build.env.CFLAGS`.
    ///
    /// # Errors
    /// [`NoSuchField`] when the language has no such field, or the spec has no such entry.
    pub fn explain(&self, options: &ResolveOptions, field: &str) -> Result<Vec<Explanation>, NoSuchField> {
        explain(&self.root, &self.source, &self.tolerant(options), field)
    }

    /// Returns `options` that do not complain about arguments whose declarations could not be read.
    fn tolerant(&self, options: &ResolveOptions) -> ResolveOptions {
        let mut options = options.clone();
        if self.is_broken && self.root.args.entries.is_empty() {
            options.unknown_args = UnknownArgs::Allow;
        }
        options
    }

    /// Returns what is wrong or doubtful for any target.
    ///
    /// Resolves the root and every target with the platforms and arguments of `options` (its target is not looked
    /// at) and adds the warnings that need the whole spec. The findings of [`load`](crate::load) are not repeated.
    pub fn lint(&self, options: &ResolveOptions) -> Vec<Diagnostic> {
        let lint = lint::Lint {
            root: &self.root,
            source: &self.source,
            doubts: &self.doubts,
            is_broken: self.is_broken,
            weight: self.weight,
        };
        lint.run(&self.tolerant(options))
    }

    /// Returns warnings about the targets that the spec names: those that are not in `known`, the targets that exist, and
    /// those that it lacks something for.
    pub fn doubts_about_targets(&self, known: &[Target]) -> Vec<Diagnostic> {
        let mut found = lint::unknown_targets(&self.root, known);
        found.extend(lint::unmet_needs(&self.root, known));
        found
    }
}
