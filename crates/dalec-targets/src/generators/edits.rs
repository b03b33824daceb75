//! Edits of `go.mod`, and what follows from them in `go.sum`, `go.work` and `vendor`: one patch for each source.

use dalec_llb::{Mount, State};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{Generator, Gomod, Source, TargetSpec};

use super::{Generators, TreeOf, go};
use crate::marker::Marks;
use crate::quote::shell;
use crate::sources::Tree;

const SCRIPT: &str = include_str!("edits.sh");

/// A source whose `go.mod` was edited.
pub(super) struct Edited {
    /// The source.
    pub tree: Tree,
    /// The patch that makes it so, a file.
    pub patch: Tree,
}

/// Returns what asks for edits in `source`; none when nothing does.
pub(crate) fn wanted(source: &Source) -> Option<Span> {
    source
        .generate
        .iter()
        .find(|generator| !arguments_of(generator).is_empty())
        .map(|generator| generator.span)
}

/// Returns the name of the patch for `source`, which is upstream's.
pub(crate) fn patch_name(source: &str) -> String {
    format!("__gomod_patch_{source}")
}

/// Returns the names of all such patches for `spec`.
pub(crate) fn patch_names(spec: &TargetSpec) -> impl Iterator<Item = String> {
    let edited = spec.sources.iter().filter(|(_, source)| wanted(source).is_some());
    edited.map(|(name, _)| patch_name(name))
}

/// Returns the source, which has the patches of the spec as `patched`, with its edits; none when there are none.
pub(super) fn plan(generators: &Generators<'_>, source: &TreeOf<'_>, patched: &Tree) -> Option<Edited> {
    let mut marks = Marks::default();
    let mut calls = String::new();
    let mut edited: Vec<&Gomod> = Vec::new();
    for (generator, gomod) in source.generators(|generator| generator.gomod.as_ref()) {
        let arguments = arguments_of(generator);
        if arguments.is_empty() {
            continue;
        }
        edited.push(gomod);
        let mark = shell(&marks.mark(generator.span));
        let default = [".".to_owned()];
        // Upstream takes an empty list for none in edits alone.
        let paths = if gomod.paths.is_empty() { &default[..] } else { &gomod.paths };
        for path in paths {
            let path = shell(&clean(&generator.subpath, path));
            calls.push_str(&format!("edit {mark} {path} {}\n", arguments.join(" ")));
        }
    }
    if edited.is_empty() {
        return None;
    }
    let exec = go::exec(generators, edited, &format!("{SCRIPT}\n{calls}finish\n"), [])
        .name(format!("Edit go.mod of source {}", source.name))
        .at(marks.location(&generators.request.source_map))
        .mount(patched.writable("/work/b"))
        .mount(Mount::output("/work/patch"));
    let executed = generators.root.run(exec);
    let file = |state: State| Tree { state, path: "/edits.patch".into(), is_dir: false };
    Some(Edited {
        tree: Tree { state: executed.output("/work/b"), ..patched.clone() },
        patch: file(executed.output("/work/patch")),
    })
}

/// Returns the arguments of `go mod edit`, as words of a shell.
fn arguments_of(generator: &Generator) -> Vec<String> {
    let edits = generator.gomod.as_ref().and_then(|gomod| gomod.edits.as_ref());
    let Some(edits) = edits else { return Vec::new() };
    let replaced = edits.replace.iter().map(|replace| format!("-replace={}", replace.edit()));
    let dropped = edits.drop.iter().map(|module| format!("-droprequire={module}"));
    replaced.chain(dropped).map(|argument| shell(&argument)).collect()
}

/// Returns the directory `path` below `subpath`, without components that say nothing.
fn clean(subpath: &str, path: &str) -> String {
    let parts = subpath.split('/').chain(path.split('/')).filter(|part| !matches!(*part, "" | "."));
    parts.collect::<Vec<_>>().join("/")
}
