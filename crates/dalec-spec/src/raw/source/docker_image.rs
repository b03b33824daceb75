//! Container images as sources, and the commands that run in them.

use std::collections::BTreeMap;

use super::{RawMount, RawSource};
use crate::codes;
use crate::decode::{Decoder, List, Map, Template, Text, object};
use crate::diagnostic::Diagnostic;
use crate::raw::build::RawBuildStep;
use crate::raw::rules::{EnvName, ImageRef, MountPoint, Path};
use crate::resolve::Resolver;
use crate::span::Span;
use crate::target_spec::ImageSource;

object! {
    /// Files of a container image. The source's `path` says which; with commands, only what they write there is taken.
    RawImageSource: "an image source", closed, needs ["ref"] => ImageSource {
        /// The image.
        /// Example: "registry.example.org/tools:1.2@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        "ref" reference: Template<ImageRef>,
        /// Commands to run in the image first.
        /// Example: {steps: [{command: "make -C /src DESTDIR=/out install"}]}
        "cmd" command: Option<RawImageCommand>,
    }
}

object! {
    /// Commands that run in an image, one after the other, each with `/bin/sh -c`.
    RawImageCommand: "the commands of an image source", open, needs ["steps"], check check_command => ImageCommand {
        /// Working directory.
        /// Default: the image's
        /// Example: /src
        "dir" dir: Text<Path>,
        /// Sources mounted for all steps.
        /// Example: [{dest: /src, spec: {context: {}}}]
        "mounts" mounts: List<RawMount>,
        /// Environment of all steps.
        /// Example: {GOFLAGS: -trimpath}
        "env" env: Map<Template, EnvName>,
        /// The steps.
        /// Example: [{command: "make -C /src DESTDIR=/out install"}]
        "steps" steps: List<RawBuildStep>,
    }
}

/// Two mounts at one place hide each other.
fn check_command(command: &mut RawImageCommand, decoder: &mut Decoder<'_>) {
    check_twice(&command.mounts, decoder);
    for step in &command.steps.items {
        check_twice(&step.mounts, decoder);
        for entry in step.env.entries.iter().filter(|entry| entry.value.value.contains('\\')) {
            let message = "upstream Dalec expands this value twice, so a backslash needs two there";
            let diagnostic = Diagnostic::warning(codes::UPSTREAM_DIFFERS, entry.value.span, message);
            decoder.doubt(diagnostic.help("set it under `env` of `cmd`, where both expand once"));
        }
    }
}

fn check_twice(mounts: &List<RawMount>, decoder: &mut Decoder<'_>) {
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for dest in mounts.items.iter().map(|mount| &mount.dest).filter(|dest| !dest.value.is_empty()) {
        if let Some(first) = seen.insert(dest.value.trim_end_matches('/'), dest.span) {
            let message = format!("two mounts have the place `{}`", dest.value);
            let diagnostic = Diagnostic::error(codes::CONFLICTING_KEYS, dest.span, message);
            decoder.report(
                diagnostic.label(first, "the other one").help("choose another place for one of them"),
            );
        }
    }
}

/// Finds mounts inside `taken`, the path of `source` that is taken: they would end up in the source.
///
/// All of the image takes what the first step leaves.
pub(super) fn mounts_inside(source: &RawSource, taken: &str) -> Vec<Diagnostic> {
    let inside = components(taken);
    let command = source.image.as_ref().and_then(|image| image.command.as_ref());
    let Some(command) = command.filter(|_| !inside.is_empty()) else { return Vec::new() };
    let steps = command.steps.items.iter().flat_map(|step| &step.mounts.items);
    let places = command.mounts.items.iter().chain(steps).map(|mount| &mount.dest);
    let finding = |place: &Text<MountPoint>| {
        let message =
            format!("this mount lies inside `{}`, which the source takes", taken.trim_end_matches('/'));
        Diagnostic::error(codes::CONFLICTING_KEYS, place.span, message)
            .label(source.path.span, "the source takes this")
            .help("mount it elsewhere and copy what is needed")
    };
    places.filter(|place| components(&place.value).starts_with(&inside)).map(finding).collect()
}

/// Returns the components of a path inside of an image; nothing climbs above its root.
fn components(path: &str) -> Vec<&str> {
    path.split('/').fold(Vec::new(), |mut components, component| {
        match component {
            "" | "." => {}
            ".." => drop(components.pop()),
            component => components.push(component),
        }
        components
    })
}

impl RawImageSource {
    /// Returns the image called `reference`.
    pub fn of_reference(reference: Template<ImageRef>) -> Self {
        Self { span: reference.span, reference, ..Self::default() }
    }
}

/// A tag can move to another image.
pub(super) fn doubt_tag(raw: &RawImageSource, image: &ImageSource, resolver: &mut Resolver<'_>) {
    if !image.reference.contains('@') && !image.reference.is_empty() {
        let message = format!("`{}` is a tag, which may be another image tomorrow", image.reference);
        let diagnostic = Diagnostic::warning(codes::UNPINNED_SOURCE, raw.reference.span, message);
        resolver
            .doubts
            .push(diagnostic.help(format!("add the digest of the image: `{}@sha256:...`", image.reference)));
    }
}
