//! The root of a spec and one target, joined and resolved.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::args::SOURCE_DATE_EPOCH;
use super::{Budget, ResolveOptions, Resolver};
use crate::decode::{Decode, Field};
use crate::diagnostic::Diagnostic;
use crate::raw::RawRoot;
use crate::source_text::SourceText;
use crate::target_spec::TargetSpec;

/// What resolving gave.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The spec; none when there are errors.
    pub spec: Option<TargetSpec>,
    /// What is wrong, and what the build says too.
    pub findings: Vec<Diagnostic>,
    /// What is legal and doubtful.
    pub doubts: Vec<Diagnostic>,
    /// Arguments that were referred to.
    pub used: BTreeSet<String>,
}

/// Resolves `root` for the target and platform of `options`; what that takes is taken from `budget`.
pub(crate) fn resolve(
    root: &RawRoot,
    source: &SourceText,
    options: &ResolveOptions,
    budget: &mut Budget,
) -> Resolved {
    let mut resolver = Resolver::of(root, source, options, budget);
    let spec = resolve_merged(&merged(root, options), options, &mut resolver);
    Resolved {
        spec: (!resolver.findings.has_errors()).then_some(spec),
        findings: resolver.findings.into_sorted(),
        doubts: resolver.doubts.into_sorted(),
        used: resolver.used,
    }
}

/// Returns `root` with what the target of `options` overrides.
pub(crate) fn merged<'r>(root: &'r RawRoot, options: &ResolveOptions) -> Cow<'r, RawRoot> {
    match root.targets.get(&options.target) {
        Some(target) => Cow::Owned(RawRoot::merge(root, &target.spec)),
        None => Cow::Borrowed(root),
    }
}

/// Resolves `root`, in which the target's overrides are already applied.
pub(crate) fn resolve_merged(
    root: &RawRoot,
    options: &ResolveOptions,
    resolver: &mut Resolver<'_>,
) -> TargetSpec {
    let mut spec = root.resolve(resolver);
    spec.target.clone_from(&options.target);
    for (name, value) in &mut spec.args {
        if let Some((given, _)) = resolver.argument(name) {
            value.clone_from(given);
        }
    }
    if let Some((epoch, _)) = resolver.argument(SOURCE_DATE_EPOCH) {
        spec.build.env.entry(SOURCE_DATE_EPOCH.to_owned()).or_insert_with(|| epoch.clone());
    }
    spec
}
