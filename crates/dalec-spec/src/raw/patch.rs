//! Patches.

use std::collections::HashMap;

use crate::codes;
use crate::decode::{Decode, Decoder, Field, Number, Template, Text, object, suggest};
use crate::diagnostic::Diagnostic;
use crate::raw::RawRoot;
use crate::raw::rules::{InnerPath, SourceName};
use crate::raw::source::RawSource;
use crate::resolve::Resolver;
use crate::target_spec::{Patch, TargetSpec};

object! {
    /// A patch for one source, in the format of `diff -u`.
    RawPatch: "a patch", closed, needs ["source"] => Patch, span self, then point_at_path {
        /// Name of the source that is or holds the patch.
        /// Example: fixes
        "source" source: Text<SourceName>,
        /// File in that source, when it is a directory.
        /// Example: 0001-fix-build.patch
        "path" path: Template<InnerPath>,
        /// Leading path components to strip, as with `patch -p`.
        /// Example: 0
        "strip" strip: Number<1>,
    }
}

/// What is wrong with a patch is wrong with the file, and that is what its path names.
fn point_at_path(raw: &RawPatch, patch: &mut Patch, _: &mut Resolver<'_>) {
    if raw.path.is_given() {
        patch.span = raw.path.span;
    }
}

/// Patches name sources, which must be there, and hold a patch file at the path.
pub(super) fn check_patches(root: &RawRoot, decoder: &mut Decoder<'_>) {
    if root.sources.entries.is_empty() && decoder.findings.has_errors() {
        // The sources themselves may be what could not be read.
        return;
    }
    let sources: HashMap<&str, &RawSource> =
        root.sources.entries.iter().map(|entry| (entry.key.value.as_str(), &entry.value)).collect();
    let names = || root.sources.entries.iter().map(|entry| entry.key.value.as_str());
    let unknown = |name: &str, span, message: String| {
        let diagnostic = Diagnostic::error(codes::UNKNOWN_SOURCE, span, message);
        match suggest(name, names()) {
            Some(known) => diagnostic.help(format!("did you mean `{known}`?")),
            None => diagnostic.help(format!("add `{name}` under `sources`")),
        }
    };
    for patched in &root.patches.entries {
        if decoder.findings.is_full(codes::UNKNOWN_SOURCE) {
            break;
        }
        let name = &patched.key.value;
        if !sources.contains_key(name.as_str()) {
            decoder.report(unknown(name, patched.key.span, format!("there is no source `{name}` to patch")));
        }
        for patch in &patched.value.items {
            let name = &patch.source.value;
            match sources.get(name.as_str()) {
                // What could not be read may be the path.
                Some(_) if decoder.findings.error_within(patch.span) => {}
                Some(source) => check_path(patch, source, decoder),
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

/// A path that is there has to be there still when its arguments are expanded.
pub(super) fn check_resolved(root: &RawRoot, spec: &mut TargetSpec, resolver: &mut Resolver<'_>) {
    for patched in &root.patches.entries {
        let Some(resolved) = spec.patches.get(&patched.key.value) else { continue };
        for (patch, resolved) in patched.value.items.iter().zip(resolved) {
            let name = &patch.source.value;
            let is_dir = root.sources.get(name).and_then(RawSource::is_dir);
            if let Some(span) = patch.path.vanished(&resolved.path).filter(|_| is_dir == Some(true)) {
                resolver.report_vanished(span, no_path(name));
            }
        }
    }
}

/// Returns what is wrong with a patch without a path in the directory `source`.
fn no_path(source: &str) -> String {
    format!("the source `{source}` is a directory: which file in it is the patch?")
}

fn check_path(patch: &RawPatch, source: &RawSource, decoder: &mut Decoder<'_>) {
    let name = &patch.source.value;
    let message = match (source.is_dir(), patch.path.value.is_empty()) {
        (Some(true), true) => no_path(name),
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
