//! Rust crates: what `Cargo.lock` names, as a home of cargo's, where it finds them without a network.
//!
//! There is no cache beside it: cargo takes what such a cache holds without checking it once more, and any spec's program
//! can write there.

use dalec_llb::{Exec, Mount, State};
use dalec_spec::target_spec::{Cargohome, Generator};

use super::{Generators, Kind, TreeOf};
use crate::locate::locate;
use crate::sources::Tree;
use crate::worker::ca_bundle;

const SCRIPT: &str = include_str!("cargohome.sh");

pub(super) const KIND: Kind = Kind {
    title: "the Rust crates",
    directory: "__cargohome",
    debian_directory: "xxxdalecCargoHomeInternal",
    variable: "CARGO_HOME",
    route: "cargohome",
    worker: "cargohome-worker",
    tools: &["ca-certificates", "cargo", "git", "patch"],
    is_wanted: |generator| generator.cargohome.is_some(),
    plan,
};

/// Returns the home of cargo's for all sources with this generator; none when no source has it.
fn plan(generators: &Generators<'_>) -> Option<State> {
    let mut crates: Option<State> = None;
    for source in generators.trees() {
        let mut patched = None;
        for (generator, cargohome) in source.generators(|generator| generator.cargohome.as_ref()) {
            let tree = patched.get_or_insert_with(|| generators.patched(&source));
            let before = crates.unwrap_or_default();
            crates = Some(download(generators, &source, tree, generator, cargohome, &before));
        }
    }
    crates
}

fn download(
    generators: &Generators<'_>,
    source: &TreeOf<'_>,
    tree: &Tree,
    generator: &Generator,
    cargohome: &Cargohome,
    before: &State,
) -> State {
    let paths = cargohome.paths.iter().map(|path| [generator.subpath.as_str(), path].join("/"));
    let args = ["/bin/sh", "-c", SCRIPT, "cargohome"].map(str::to_owned).into_iter().chain(paths);
    let exec = Exec::new(args)
        .envs(generators.env.clone())
        .name(format!("Download Rust crates for source {}", source.name))
        .group(&generators.group)
        .at(locate(&generators.request.source_map, [generator.span]))
        .mount(tree.writable("/work/src"))
        .mount(ca_bundle())
        .mount(Mount::bind("/work/crates", before));
    generators.root.run(exec).output("/work/crates")
}
