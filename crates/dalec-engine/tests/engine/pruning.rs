//! What leaves the store, and what must not.

use std::fs;
use std::path::PathBuf;

use bollard_buildkit_proto::pb;
use dalec_engine::Engine;
use dalec_engine::store::{Entry, Kind, PruneOptions, Pruned};

use crate::exports;
use crate::graph::{Exec, Graph, Node, mkfile};
use crate::images::layout;
use crate::world::{Built, Case, World, cases};

pub const CASES: &[(&str, Case)] = cases![
    what_is_pruned_is_made_again,
    what_an_engine_uses_stays,
    a_cache_mount_that_is_used_stays,
    damage_is_named_and_removed,
    all_that_goes_is_told,
    a_base_whose_blob_is_damaged_is_pulled_again,
];

const ALL: PruneOptions = PruneOptions { all: true, keep_storage: None, older_than: None };

fn prune(world: &World, options: PruneOptions) -> Pruned {
    world.store().prune(&options).unwrap()
}

fn kinds(entries: &[Entry]) -> Vec<&'static str> {
    let mut kinds: Vec<_> = entries.iter().map(|entry| entry.kind.name()).collect();
    kinds.dedup();
    kinds
}

/// Adds a letter to a file of a cache, and takes it out.
pub fn counted(graph: &mut Graph) -> Node {
    let base = graph.base();
    let exec = Exec::new(&base, &["append=/count/n=x", "copy=/count/n=/n"]);
    graph.exec(exec.cache("/count", "count", pb::CacheSharingOpt::Shared)).remove(0)
}

fn what_is_pruned_is_made_again(world: &World) {
    assert_eq!(world.build(counted).read("/n"), "x");
    // Nothing is that old.
    let old = prune(world, PruneOptions { older_than: Some(1), ..ALL });
    assert_eq!(old, Pruned::default());
    let plenty = prune(world, PruneOptions { keep_storage: Some(u64::MAX), ..ALL });
    assert_eq!(plenty, Pruned::default());
    let made = prune(world, PruneOptions::default());
    assert_eq!(kinds(&made.removed), ["layer"]);
    assert_eq!(made.in_use, []);
    assert_eq!(kinds(&world.store().entries().unwrap()), ["cache"]);
    // The cache was kept.
    let again = world.build(counted);
    assert_eq!((again.read("/n").as_str(), again.stats().processes_started), ("xx", 1));
    drop(again);
    let all = prune(world, ALL);
    assert_eq!(kinds(&all.removed), ["layer", "cache"]);
    assert_eq!(all.removed.iter().find(|entry| entry.kind == Kind::Cache).unwrap().name, "count");
    assert_eq!(world.store().entries().unwrap(), []);
    assert_eq!(world.unfinished(), Vec::<PathBuf>::new());
    assert_eq!(world.build(counted).read("/n"), "x");
}

/// Results that a build found, made, or will only read later.
fn what_an_engine_uses_stays(world: &World) {
    drop(world.build(|graph| {
        let base = graph.base();
        graph.exec(Exec::new(&base, &["write=/unused=1"])).remove(0)
    }));
    drop(world.build(counted));
    let running = world.build(counted);
    let pruned = prune(world, ALL);
    assert_eq!(kinds(&pruned.in_use), ["layer"]);
    assert_eq!(kinds(&pruned.removed), ["layer", "cache"]);
    assert_eq!(running.read("/n"), "x");
    assert_eq!(running.stats().processes_started, 0);
    drop(running);
    assert_eq!(prune(world, ALL).in_use, []);
    assert_eq!(world.store().entries().unwrap(), []);
}

fn a_cache_mount_that_is_used_stays(world: &World) {
    let waits = |graph: &mut Graph| {
        let base = graph.base();
        let exec = Exec::new(&base, &["write=/count/here=x", "wait=/count/go", "copy=/count/here=/n"]);
        graph.exec(exec.cache("/count", "count", pb::CacheSharingOpt::Shared)).remove(0)
    };
    std::thread::scope(|scope| {
        let build = scope.spawn(|| world.build(waits).read("/n"));
        let cache = || {
            let caches = fs::read_dir(world.path("state/caches")).ok()?;
            caches.flatten().map(|entry| entry.path()).find(|path| path.join("here").exists())
        };
        let cache = loop {
            if let Some(cache) = cache() {
                break cache;
            }
            assert!(!build.is_finished(), "it waits for nothing");
            std::thread::yield_now();
        };
        let pruned = prune(world, ALL);
        assert!(pruned.in_use.iter().any(|entry| entry.kind == Kind::Cache), "{pruned:?}");
        fs::write(cache.join("go"), "").unwrap();
        assert_eq!(build.join().unwrap(), "x");
    });
}

fn damage_is_named_and_removed(world: &World) {
    let graph = |graph: &mut Graph| {
        let base = graph.base();
        let made = graph.file(None, None, vec![mkfile("/text", 0o644, "as it was\n")]);
        graph.exec(Exec::new(&base, &["copy=/in/text=/n"]).bind("/in", Some(&made), true)).remove(0)
    };
    drop(world.build(graph));
    assert_eq!(world.store().verify().unwrap().damaged, []);
    let layers = fs::read_dir(world.path("state/layers")).unwrap().flatten();
    let damaged = layers.map(|layer| layer.path().join("text")).find(|path| path.exists()).unwrap();
    fs::write(&damaged, "as it is\n").unwrap();
    let blob = world.path(&format!("state/blobs/sha256/{}", "0".repeat(64)));
    fs::write(&blob, "something\n").unwrap();
    let found = world.store().verify().unwrap();
    let named: Vec<_> =
        found.damaged.iter().map(|damage| (damage.entry.kind, damage.problem.as_str())).collect();
    let [(Kind::Layer, _), (Kind::Blob, problem)] = named[..] else { panic!("{found:?}") };
    assert!(problem.starts_with("its content has the digest sha256:"), "{problem}");
    let removed = world.store().remove_damaged(found.damaged).unwrap();
    assert_eq!((kinds(&removed.removed), removed.in_use.len()), (vec!["layer", "blob"], 0));
    assert_eq!(world.store().verify().unwrap().damaged, []);
    assert_eq!(world.build(graph).read("/n"), "as it was\n");
}

/// A result goes as a whole, whichever of its layers is one too many.
fn all_that_goes_is_told(world: &World) {
    let steps = |graph: &mut Graph| {
        let base = graph.base();
        let exec = Exec::new(&base, &["write=/first=1", "write=/out/second=2"]);
        graph.exec(exec.bind("/out", None, false)).remove(0)
    };
    drop(world.build(steps));
    let before = world.store().entries().unwrap();
    let size: u64 = before.iter().map(|entry| entry.size).sum();
    let pruned = prune(world, PruneOptions { keep_storage: Some(size / 2), ..ALL });
    let after = ids(&world.store().entries().unwrap());
    let mut gone = ids(&before);
    gone.retain(|id| !after.contains(id));
    assert!(gone.len() > 1, "{before:?}");
    // How much of the disk a file takes is only known when it is there, so sizes are those of different times.
    assert_eq!(ids(&pruned.removed), gone);
}

fn ids(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| entry.id.clone()).collect()
}

fn a_base_whose_blob_is_damaged_is_pulled_again(world: &World) {
    layout(&world.path("layout"), &[&[("etc/one", "1")]]);
    let image = || {
        let mut options = world.options();
        options.oci_layouts.insert("ctx".into(), world.path("layout"));
        let built = Built::new(Engine::new(options).unwrap(), |graph| {
            let base = graph.source("oci-layout://ctx:v1", &[]);
            graph.file(Some(&base), None, vec![mkfile("/added", 0o644, "x")])
        });
        let built = built.unwrap();
        let image = built.engine.image(&exports::result(&built, &["linux/amd64"]), &exports::options());
        image.unwrap().digest().to_string()
    };
    let first = image();
    let blobs = fs::read_dir(world.path("layout/blobs/sha256")).unwrap().flatten();
    // The other two are the image's manifest and configuration.
    let layer = blobs.max_by_key(|file| file.metadata().unwrap().len()).unwrap().file_name();
    fs::write(world.path("state/blobs/sha256").join(layer), "something else\n").unwrap();
    let found = world.store().verify().unwrap();
    let removed = world.store().remove_damaged(found.damaged).unwrap();
    assert_eq!((kinds(&removed.removed), removed.in_use.len()), (vec!["layer", "blob"], 0));
    assert_eq!(image(), first);
}
