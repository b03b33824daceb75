//! Go modules: what `go.mod` asks for, as a module cache.

use dalec_llb::{Mount, State};
use dalec_spec::target_spec::{Generator, Gomod};

use super::{Generators, Kind, TreeOf, go};
use crate::locate::locate;
use crate::sources::Tree;

const SCRIPT: &str = include_str!("gomod.sh");

pub(super) const KIND: Kind = Kind {
    title: "the Go modules",
    directory: "__gomods",
    debian_directory: "xxxdalecGomodsInternal",
    variable: "GOMODCACHE",
    route: "gomods",
    worker: "gomod-worker",
    tools: &["ca-certificates", "git", "golang-go", "openssh-client", "patch"],
    is_wanted: |generator| generator.gomod.is_some(),
    plan,
};

/// Returns the module cache for all sources with this generator; none when no source has it.
fn plan(generators: &Generators<'_>) -> Option<State> {
    let mut modules: Option<State> = None;
    for source in generators.trees() {
        let mut patched = None;
        for (generator, gomod) in source.generators(|generator| generator.gomod.as_ref()) {
            let tree = patched.get_or_insert_with(|| generators.patched(&source));
            let before = modules.unwrap_or_default();
            modules = Some(download(generators, &source, tree, generator, gomod, &before));
        }
    }
    modules
}

fn download(
    generators: &Generators<'_>,
    source: &TreeOf<'_>,
    tree: &Tree,
    generator: &Generator,
    gomod: &Gomod,
    before: &State,
) -> State {
    let paths = gomod.paths.iter().map(|path| [generator.subpath.as_str(), path].join("/"));
    let exec = go::exec(generators, [gomod], SCRIPT, paths)
        .name(format!("Download Go modules for source {}", source.name))
        .at(locate(&generators.request.source_map, [generator.span]))
        .mount(tree.writable("/work/src"))
        .mount(Mount::bind("/work/modules", before));
    generators.root.run(exec).output("/work/modules")
}
