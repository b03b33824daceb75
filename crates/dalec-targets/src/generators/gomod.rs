//! Go modules: what `go.mod` asks for, as a module cache.

use dalec_llb::{CacheSharing, Exec, Mount, State};
use dalec_spec::target_spec::{Generator, Gomod, RepositoryUse};

use super::{Generators, Kind, TreeOf};
use crate::locate::locate;
use crate::worker::ca_bundle;

const SCRIPT: &str = include_str!("gomod.sh");
/// Name of the cache of downloads; specs share it, as upstream's do.
const CACHE: &str = "dalec-gomod-proxy-cache";
/// Name of the cache of specs whose own repositories may have brought the programs that write it. Sums find out about
/// modules that are not what they were, but not about those that no `go.sum` and no public database knows.
const UNTRUSTED_CACHE: &str = "dalec-gomod-proxy-cache-untrusted";

pub(super) const KIND: Kind = Kind {
    title: "the Go modules",
    directory: "__gomods",
    debian_directory: "xxxdalecGomodsInternal",
    variable: "GOMODCACHE",
    is_wanted: |generator| generator.gomod.is_some(),
    plan,
};

/// Returns the module cache for all sources with this generator; none when no source has it.
fn plan(generators: &Generators<'_>) -> Option<State> {
    let mut modules: Option<State> = None;
    for tree in generators.trees() {
        let mut patched = None;
        for (generator, gomod) in tree.generators(|generator| generator.gomod.as_ref()) {
            let source = patched.get_or_insert_with(|| generators.patched(&tree));
            let before = modules.unwrap_or_default();
            modules = Some(download(generators, &tree, source, generator, gomod, &before));
        }
    }
    modules
}

fn download(
    generators: &Generators<'_>,
    tree: &TreeOf<'_>,
    source: &Mount,
    generator: &Generator,
    gomod: &Gomod,
    before: &State,
) -> State {
    let paths = gomod.paths.iter().map(|path| [generator.subpath.as_str(), path].join("/"));
    let args = ["/bin/sh", "-c", SCRIPT, "gomod"].map(str::to_owned).into_iter().chain(paths);
    let request = generators.request;
    let mut repositories = request.spec.dependencies.extra_repos.iter();
    let own = repositories.any(|repository| repository.envs.contains(&RepositoryUse::Build));
    let cache = if own { UNTRUSTED_CACHE } else { CACHE };
    let mut exec = Exec::new(args)
        .envs(generators.env.clone())
        .env("GOPATH", "/go")
        .name(format!("Download Go modules for source {}", tree.name))
        .group(&generators.group)
        .at(locate(&request.source_map, [generator.span]))
        .mount(source.clone())
        .mount(Mount::cache("/work/cache", cache, CacheSharing::Shared))
        .mount(ca_bundle())
        .mount(Mount::bind("/work/modules", before));
    if !request.options.gomod_proxy.is_empty() {
        exec = exec.env("GOPROXY", &request.options.gomod_proxy);
    }
    generators.root.run(exec).output("/work/modules")
}
