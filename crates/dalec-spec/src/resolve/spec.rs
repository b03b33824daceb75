//! The root of a spec and one target, joined and resolved.

use std::collections::{BTreeMap, BTreeSet};

use super::args::{SOURCE_DATE_EPOCH, collect};
use super::{Budget, ResolveOptions, Resolver};
use crate::decode::{Field, Text};
use crate::diagnostic::Diagnostic;
use crate::raw::{Packages, RawArtifacts, RawRoot, RawTarget, image, package};
use crate::source_text::SourceText;
use crate::target_spec::{PackageConstraint, TargetSpec};

/// Resolves `root` for the target and platform of `options`.
///
/// Returns the spec unless there are errors, everything that was found, and the arguments that were referred to. What
/// expanding takes is taken from `budget`.
pub(crate) fn resolve(
    root: &RawRoot,
    source: &SourceText,
    options: &ResolveOptions,
    budget: &mut Budget,
) -> (Option<TargetSpec>, Vec<Diagnostic>, BTreeSet<String>) {
    let mut resolver = Resolver::new(source, collect(&root.args, options), options.unknown_args, budget);
    let target = root.targets.get(&options.target);
    let spec = join(root, target, options, &mut resolver);
    let spec = (!resolver.findings.has_errors()).then_some(spec);
    (spec, resolver.findings.into_sorted(), resolver.used)
}

fn join(
    root: &RawRoot,
    target: Option<&RawTarget>,
    options: &ResolveOptions,
    resolver: &mut Resolver<'_>,
) -> TargetSpec {
    let dependencies =
        package::merge(root.dependencies.as_ref(), target.and_then(|target| target.dependencies.as_ref()));
    let artifacts = target.and_then(|target| target.artifacts.as_ref()).or(root.artifacts.as_ref());
    let target_image = target.and_then(|target| target.image.as_ref());
    let mut tests = root.tests.resolve(resolver);
    tests.extend(target.map(|target| target.tests.resolve(resolver)).unwrap_or_default());
    let mut build = root.build.resolve(resolver).unwrap_or_default();
    if let Some(epoch) = resolver.args.values.get(SOURCE_DATE_EPOCH) {
        build.env.entry(SOURCE_DATE_EPOCH.to_owned()).or_insert_with(|| epoch.clone());
    }
    TargetSpec {
        target: options.target.clone(),
        name: root.name.resolve(resolver),
        description: root.description.resolve(resolver),
        website: root.website.resolve(resolver),
        version: root.version.resolve(resolver),
        revision: root.revision.resolve(resolver),
        license: root.license.resolve(resolver),
        vendor: root.vendor.resolve(resolver),
        packager: root.packager.resolve(resolver),
        noarch: root.noarch.resolve(resolver),
        args: declared_args(root, resolver),
        sources: root.sources.resolve(resolver),
        patches: root.patches.resolve(resolver),
        conflicts: packages(target.map(|target| &target.conflicts), &root.conflicts, resolver),
        replaces: packages(target.map(|target| &target.replaces), &root.replaces, resolver),
        provides: packages(target.map(|target| &target.provides), &root.provides, resolver),
        dependencies: dependencies.resolve(resolver),
        build,
        artifacts: artifacts.map(|artifacts: &RawArtifacts| artifacts.resolve(resolver)).unwrap_or_default(),
        image: image::resolve(root.image.as_ref(), target_image, resolver),
        changelog: root.changelog.resolve(resolver),
        tests,
    }
}

/// Returns the target's list, or the root's where the target has none; an empty one clears.
fn packages(
    target: Option<&Option<Packages>>,
    root: &Option<Packages>,
    resolver: &mut Resolver<'_>,
) -> BTreeMap<String, PackageConstraint> {
    target
        .and_then(Option::as_ref)
        .or(root.as_ref())
        .map(|packages| packages.resolve(resolver))
        .unwrap_or_default()
}

fn declared_args(root: &RawRoot, resolver: &Resolver<'_>) -> BTreeMap<String, String> {
    let value =
        |name: &String, default: &Text| resolver.args.values.get(name).unwrap_or(&default.value).clone();
    root.args
        .entries
        .iter()
        .map(|entry| (entry.key.value.clone(), value(&entry.key.value, &entry.value)))
        .collect()
}
