//! npm packages: what `package.json` asks for, inside of the source that asks.

use std::collections::BTreeMap;

use dalec_llb::{Exec, State};
use dalec_spec::target_spec::{Generator, Nodemod};

use super::{Generators, TreeOf};
use crate::locate::locate;
use crate::proxies;
use crate::sources::Tree;
use crate::worker::ca_bundle;

const SCRIPT: &str = include_str!("nodemod.sh");

/// Returns whether a generator is of this kind.
pub(super) fn is_wanted(generator: &Generator) -> bool {
    generator.nodemod.is_some()
}

/// Returns the sources that have packages in them, without the patches of the spec, by name.
pub(super) fn plan<'a>(generators: &Generators<'a>) -> BTreeMap<&'a str, Tree> {
    let mut filled = BTreeMap::new();
    for source in generators.trees() {
        let mut wanted = source.generators(|generator| generator.nodemod.as_ref()).peekable();
        if wanted.peek().is_none() {
            continue;
        }
        let is_patched = generators.is_patched(&source);
        let patched = is_patched.then(|| generators.patched(&source));
        let mut pair = Pair { patched, plain: source.tree.clone() };
        for (generator, nodemod) in wanted {
            pair = install(generators, &source, &pair, generator, nodemod);
        }
        filled.insert(source.name, pair.plain);
    }
    filled
}

/// A source with the patches of the spec, if there are any, and without.
struct Pair {
    patched: Option<Tree>,
    plain: Tree,
}

fn install(
    generators: &Generators<'_>,
    source: &TreeOf<'_>,
    before: &Pair,
    generator: &Generator,
    nodemod: &Nodemod,
) -> Pair {
    let paths = nodemod.paths.iter().map(|path| [generator.subpath.as_str(), path].join("/"));
    let args = ["/bin/sh", "-c", SCRIPT, "nodemod"].map(str::to_owned).into_iter().chain(paths);
    let mut exec = Exec::new(args)
        .envs(generators.env.clone())
        .envs(proxies::environment(generators.request.options.without_proxies))
        .name(format!("Install npm packages for source {}", source.name))
        .group(&generators.group)
        .at(locate(&generators.request.source_map, [generator.span]))
        .mounts(before.patched.as_ref().map(|tree| tree.writable("/work/patched")))
        .mount(before.plain.writable("/work/src"))
        .mount(ca_bundle());
    if !nodemod.registry.is_empty() {
        exec = exec.env("npm_config_registry", &nodemod.registry);
    }
    let executed = generators.root.run(exec);
    let after = |tree: &Tree, place: &str| {
        let state: State = executed.output(place);
        Tree { state, ..tree.clone() }
    };
    let patched = before.patched.as_ref().map(|tree| after(tree, "/work/patched"));
    Pair { patched, plain: after(&before.plain, "/work/src") }
}
