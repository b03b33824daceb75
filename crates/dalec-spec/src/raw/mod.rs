//! What the author wrote: spans kept, arguments unexpanded.
//!
//! One file per part of the language; each key is one row of an `object!` table. This module does not know the
//! YAML parser, nor what a distribution makes of a spec.

mod artifacts;
mod build;
mod change;
pub(crate) mod image;
pub(crate) mod language;
pub(crate) mod package;
pub(crate) mod rules;
mod source;
mod test;

pub(crate) use self::artifacts::RawArtifacts;
pub(crate) use self::build::RawBuild;
pub(crate) use self::change::RawChange;
pub(crate) use self::image::RawImage;
pub(crate) use self::package::{Packages, RawDependencies};
pub(crate) use self::source::{RawPatch, RawSource};
pub(crate) use self::test::RawTest;

use self::rules::{FileName, Line, PackageName, Prose, Revision, SourceName, Version};
use crate::codes;
use crate::decode::{Decoder, Flag, List, Map, Template, Text, object, suggest};
use crate::diagnostic::Diagnostic;
use crate::lint;
use crate::resolve::{Budget, ResolveOptions, UnknownArgs, resolve};
use crate::source_text::SourceText;
use crate::target_spec::TargetSpec;

object! {
    /// The whole spec.
    RawRoot: "a spec", open, check check_root {
        /// Package name.
        "name" name: Text<PackageName>,
        /// Description; its first line is the summary.
        "description" description: Text<Prose>,
        /// Project home page.
        "website" website: Text<Line>,
        /// Upstream version.
        "version" version: Template<Version>,
        /// Packaging revision.
        "revision" revision: Template<Revision>,
        /// Licence expression.
        "license" license: Text<Line>,
        /// Vendor.
        "vendor" vendor: Text<Line>,
        /// Packager.
        "packager" packager: Text<Line>,
        /// True when nothing depends on the architecture.
        "noarch" noarch: Flag,
        /// Arguments with their defaults.
        "args" args: Map<Text>,
        /// Sources by name.
        "sources" sources: Map<RawSource, SourceName>,
        /// Patches by the name of the source they apply to.
        "patches" patches: Map<List<RawPatch>, SourceName>,
        /// Packages this one may not be installed beside.
        "conflicts" conflicts: Option<Packages>,
        /// Packages this one replaces.
        "replaces" replaces: Option<Packages>,
        /// Virtual packages this one provides.
        "provides" provides: Option<Packages>,
        /// Dependency lists.
        "dependencies" dependencies: Option<RawDependencies>,
        /// How the sources become artifacts.
        "build" build: Option<RawBuild>,
        /// What the package installs.
        "artifacts" artifacts: Option<RawArtifacts>,
        /// Container settings.
        "image" image: Option<RawImage>,
        /// Changelog entries.
        "changelog" changelog: List<RawChange>,
        /// Tests.
        "tests" tests: List<RawTest>,
        /// What differs for one target, by target key.
        "targets" targets: Map<RawTarget, FileName>,
    }
}

object! {
    /// What differs for one target.
    RawTarget: "a target", open {
        /// Dependency lists that replace the root's.
        "dependencies" dependencies: Option<RawDependencies>,
        /// Container settings over the root's.
        "image" image: Option<RawImage>,
        /// Tests after the root's.
        "tests" tests: List<RawTest>,
        /// Artifacts instead of the root's.
        "artifacts" artifacts: Option<RawArtifacts>,
        /// Packages this one may not be installed beside, instead of the root's.
        "conflicts" conflicts: Option<Packages>,
        /// Packages this one replaces, instead of the root's.
        "replaces" replaces: Option<Packages>,
        /// Virtual packages this one provides, instead of the root's.
        "provides" provides: Option<Packages>,
    }
}

/// Patches name sources; which must be there, and hold a patch file at the path.
fn check_root(root: &RawRoot, decoder: &mut Decoder<'_>) {
    if root.sources.entries.is_empty() && decoder.findings.has_errors() {
        // The sources themselves may be what could not be read.
        return;
    }
    let names = || root.sources.entries.iter().map(|entry| entry.key.value.as_str());
    let unknown = |name: &str, span, message: String| {
        let diagnostic = Diagnostic::error(codes::UNKNOWN_SOURCE, span, message);
        match suggest(name, names()) {
            Some(known) => diagnostic.help(format!("did you mean `{known}`?")),
            None => diagnostic.help(format!("add `{name}` under `sources`")),
        }
    };
    for patched in &root.patches.entries {
        if decoder.findings.is_full() {
            break;
        }
        let name = &patched.key.value;
        if root.sources.get(name).is_none() {
            decoder.report(unknown(name, patched.key.span, format!("there is no source `{name}` to patch")));
        }
        for patch in &patched.value.items {
            let name = &patch.source.value;
            match root.sources.get(name) {
                Some(source) => check_patch_path(patch, source, decoder),
                None if name.is_empty() => {}
                None => decoder.report(unknown(
                    name,
                    patch.source.span,
                    format!("there is no source `{name}` that could hold the patch"),
                )),
            }
        }
    }
}

fn check_patch_path(patch: &RawPatch, source: &RawSource, decoder: &mut Decoder<'_>) {
    let name = &patch.source.value;
    let message = match (source.is_dir(), patch.path.value.is_empty()) {
        (Some(true), true) => format!("the source `{name}` is a directory: which file in it is the patch?"),
        (Some(false), false) => {
            format!("the source `{name}` is the patch file itself: `path` would look inside it")
        }
        _ => return,
    };
    let (code, span, help) = if patch.path.value.is_empty() {
        (codes::MISSING_KEY, patch.source.span, "add `path: <file in the source>`")
    } else {
        (codes::CONFLICTING_KEYS, patch.path.span, "remove `path`")
    };
    decoder.report(Diagnostic::error(code, span, message).help(help));
}

/// A spec as written.
#[derive(Debug, Clone)]
pub struct RawSpec {
    source: SourceText,
    root: RawRoot,
    doubts: Vec<Diagnostic>,
    is_broken: bool,
    weight: usize,
}

impl RawSpec {
    /// Joins what loading gave; `is_broken` tells that it found errors, `weight` is the size with all aliases written
    /// out, in bytes.
    pub(crate) fn new(
        source: SourceText,
        root: RawRoot,
        doubts: Vec<Diagnostic>,
        is_broken: bool,
        weight: usize,
    ) -> Self {
        Self { source, root, doubts, is_broken, weight }
    }

    /// Returns the text this was loaded from.
    pub fn source(&self) -> &SourceText {
        &self.source
    }

    /// Returns the keys under `targets`, in the order written.
    pub fn target_keys(&self) -> Vec<&str> {
        self.root.targets.entries.iter().map(|entry| entry.key.value.as_str()).collect()
    }

    /// Returns the names of the declared arguments, in the order written.
    pub fn arg_names(&self) -> Vec<&str> {
        self.root.args.entries.iter().map(|entry| entry.key.value.as_str()).collect()
    }

    /// Returns the spec of one target with everything that was found; none when there are errors, here or in loading.
    ///
    /// The findings of [`load`](crate::load) are not repeated. A spec that has errors there can still be resolved to
    /// find more of them in the same run.
    pub fn resolve(&self, options: &ResolveOptions) -> (Option<TargetSpec>, Vec<Diagnostic>) {
        let options = self.tolerant(options);
        let (spec, findings, _) = resolve(&self.root, &self.source, &options, &mut Budget::default());
        (spec.filter(|_| !self.is_broken), findings)
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
}
