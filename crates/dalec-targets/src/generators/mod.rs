//! What is downloaded for a build beside its sources, with the tools among the build dependencies.
//!
//! Each [`Kind`] of generator yields one tree for all sources, which a package has beside them. Generators see their sources
//! with the patches of the spec; the sources themselves stay as they are, but for those that get npm packages.

mod cargohome;
pub(crate) mod edits;
mod go;
mod gomod;
mod nodemod;
pub(crate) mod pip;

use std::collections::BTreeMap;

use dalec_llb::{Copy, Exec, File, Mount, Network, ProgressGroup, State};
use dalec_spec::target_spec::{Generator, TargetSpec};

use crate::marker::Marks;
use crate::patches::APPLY;
use crate::quote::shell;
use crate::request::Request;
use crate::sources::Tree;

/// A kind of generator whose downloads are a directory beside the sources.
#[derive(Debug)]
pub(crate) struct Kind {
    /// What is downloaded, in words.
    pub title: &'static str,
    /// Name of the directory, which is upstream's.
    pub directory: &'static str,
    /// Name of the directory in Debian source packages, which is upstream's.
    pub debian_directory: &'static str,
    /// Variable by which programs of the build find the directory.
    pub variable: &'static str,
    /// Name of the route that yields the directory alone, below `debug/`.
    pub route: &'static str,
    /// The named context that replaces what that route works in.
    pub worker: &'static str,
    /// Packages of Debian's with what that route takes.
    pub tools: &'static [&'static str],
    /// Returns whether a generator is of this kind.
    is_wanted: fn(&Generator) -> bool,
    /// Returns the downloads for all sources; none when no source asks for any.
    plan: fn(&Generators<'_>) -> Option<State>,
}

/// Every kind, in the order in which packages have them.
pub(crate) const KINDS: &[Kind] = &[gomod::KIND, cargohome::KIND, pip::KIND];

/// Returns the kinds that sources of `spec` ask for.
pub(crate) fn wanted(spec: &TargetSpec) -> impl Iterator<Item = &'static Kind> + use<'_> {
    let generators = || spec.sources.values().flat_map(|source| &source.generate);
    KINDS.iter().filter(move |kind| generators().any(kind.is_wanted))
}

/// Returns whether sources of `spec` ask for anything.
pub(crate) fn wants_any(spec: &TargetSpec) -> bool {
    let mut generators = spec.sources.values().flat_map(|source| &source.generate);
    wanted(spec).next().is_some() || generators.any(nodemod::is_wanted)
}

/// Returns whether sources of `spec` ask for Go modules.
pub(crate) fn wants_gomod(spec: &TargetSpec) -> bool {
    spec.sources.values().flat_map(|source| &source.generate).any(gomod::KIND.is_wanted)
}

/// What generators are planned with.
pub(crate) struct Generators<'a> {
    /// The request.
    pub request: &'a Request<'a>,
    /// Root file system with the build dependencies.
    pub root: State,
    /// Environment of its processes.
    pub env: BTreeMap<String, String>,
    /// Phase that the downloads belong to.
    pub group: ProgressGroup,
    /// The sources of the spec, by name.
    pub trees: &'a BTreeMap<&'a str, Tree>,
}

/// One source.
struct TreeOf<'a> {
    name: &'a str,
    tree: &'a Tree,
    generate: &'a [Generator],
}

impl<'a> TreeOf<'a> {
    /// Returns the generators of one kind, which `kind` picks.
    fn generators<T: 'a>(
        &self,
        kind: impl Fn(&'a Generator) -> Option<&'a T>,
    ) -> impl Iterator<Item = (&'a Generator, &'a T)> {
        self.generate.iter().filter_map(move |generator| Some((generator, kind(generator)?)))
    }
}

impl<'a> Generators<'a> {
    /// Returns what the sources ask for of one kind; none when no source asks for any.
    pub(crate) fn downloads_of(&self, kind: &Kind) -> Option<State> {
        Some(self.without_excluded((kind.plan)(self)?))
    }

    /// Returns what the sources ask for, by kind.
    pub(crate) fn downloads(&self) -> Vec<(&'static Kind, State)> {
        KINDS.iter().filter_map(|kind| Some((kind, self.downloads_of(kind)?))).collect()
    }

    /// Returns `downloads` without what this build leaves out of all directories.
    fn without_excluded(&self, downloads: State) -> State {
        let tree = Tree { state: downloads, path: "/".into(), is_dir: true };
        self.without_excluded_in(tree).state
    }

    /// Returns the sources that have what they ask for in them, by name: they take the place of those that have not.
    pub(crate) fn filled(&self) -> BTreeMap<&'a str, Tree> {
        let filled = nodemod::plan(self).into_iter();
        filled.map(|(name, tree)| (name, self.without_excluded_in(tree))).collect()
    }

    /// As [`Generators::without_excluded`], for a source.
    fn without_excluded_in(&self, tree: Tree) -> Tree {
        let exclude = self.request.answers.excludes.clone();
        if exclude.is_empty() {
            return tree;
        }
        let copy = Copy { contents_only: true, exclude, ..Copy::default() };
        let file = File::new("Filter downloads").copy(&tree.state, &tree.path, "/", copy).group(&self.group);
        Tree { state: State::scratch().file(file), path: "/".into(), ..tree }
    }

    fn trees(&self) -> impl Iterator<Item = TreeOf<'a>> {
        let sources = self.request.spec.sources.iter();
        sources.filter_map(|(name, source)| {
            let tree = self.trees.get(name.as_str())?;
            Some(TreeOf { name, tree, generate: &source.generate })
        })
    }

    /// Returns the patches that edits of `go.mod` make, by their names.
    pub(crate) fn edits(&self) -> BTreeMap<String, Tree> {
        let edited = self.trees().filter_map(|source| {
            let edited = edits::plan(self, &source, &self.patched_by_spec(&source))?;
            Some((edits::patch_name(source.name), edited.patch))
        });
        edited.collect()
    }

    /// Returns whether the spec has patches or edits for the source.
    fn is_patched(&self, source: &TreeOf<'_>) -> bool {
        let spec = self.request.spec;
        let has_patches = spec.patches.get(source.name).is_some_and(|patches| !patches.is_empty());
        has_patches || spec.sources.get(source.name).is_some_and(|source| edits::wanted(source).is_some())
    }

    /// Returns the source with the patches and edits that the spec has for it.
    fn patched(&self, source: &TreeOf<'_>) -> Tree {
        let patched = self.patched_by_spec(source);
        match edits::plan(self, source, &patched) {
            Some(edited) => edited.tree,
            None => patched,
        }
    }

    fn patched_by_spec(&self, source: &TreeOf<'_>) -> Tree {
        let patches = self.request.spec.patches.get(source.name);
        let Some(patches) = patches.filter(|patches| !patches.is_empty()) else { return source.tree.clone() };
        let mut script = format!("set -eu\ncd /work/src\n{APPLY}");
        let mut marks = Marks::default();
        let mut mounts: BTreeMap<&str, Mount> = BTreeMap::new();
        for patch in patches {
            let Some(tree) = self.trees.get(patch.source.as_str()) else { continue };
            let dir = format!("/work/patches/{}", patch.source);
            let file = [dir.as_str(), patch.path.trim_start_matches('/')].join("/");
            let file = file.trim_end_matches('/');
            let title = file.trim_start_matches("/work/patches/");
            let mark = marks.mark(patch.span);
            let words = [mark.as_str(), title, file, source.name].map(shell).join(" ");
            script.push_str(&format!("apply {words} -p{}\n", patch.strip));
            mounts.entry(&patch.source).or_insert_with(|| tree.mount(dir));
        }
        let exec = Exec::shell(script)
            .envs(self.env.clone())
            .name(format!("Patch source {} for downloads", source.name))
            .group(&self.group)
            .at(marks.location(&self.request.source_map))
            .network(Network::None)
            .mount(source.tree.writable("/work/src"))
            .mounts(mounts.into_values());
        Tree { state: self.root.run(exec).output("/work/src"), ..source.tree.clone() }
    }
}

#[cfg(test)]
mod tests;
