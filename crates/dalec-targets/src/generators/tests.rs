//! What generators become in the graph.

use std::sync::Arc;

use dalec_llb::{ImageRef, Local, Platform, SourceMap, describe};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{Gomod, Patch, Repository, RepositoryUse, Source};
use expect_test::{Expect, expect};

use super::*;
use crate::fixture;
use crate::request::{Answers, Options};

fn local(name: &str) -> State {
    State::local(Local { name: name.into(), ..Local::default() })
}

/// Two sources with modules, one of them patched from a third.
fn spec() -> TargetSpec {
    let generator = |subpath: &str, paths: &[&str]| Generator {
        subpath: subpath.into(),
        gomod: Some(Gomod {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            ..Gomod::default()
        }),
        span: Span::new(0, 4),
        ..Generator::default()
    };
    let source = |generate: Vec<Generator>| Source { generate, ..Source::default() };
    let mut spec = fixture::spec();
    spec.sources.insert("app".into(), source(vec![generator("cmd", &[".", "tool"])]));
    spec.sources.insert("fixes".into(), source(Vec::new()));
    spec.sources.insert("lib".into(), source(vec![generator("", &["."])]));
    let patch = Patch { source: "fixes".into(), path: "a b.patch".into(), strip: 2, ..Patch::default() };
    spec.patches.insert("lib".into(), vec![patch]);
    spec
}

#[track_caller]
fn check(options: Options, expected: Expect) {
    let graph = graph(&spec(), options);
    let lines = graph.lines().filter(|line| !line.starts_with("    |"));
    expected.assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
}

fn graph(spec: &TargetSpec, options: Options) -> String {
    let answers = Answers::default();
    let request = Request {
        spec,
        source_map: Arc::new(SourceMap {
            filename: "spec.yml".into(),
            language: "yaml".into(),
            data: b"line\n".to_vec(),
        }),
        platform: Platform::linux("amd64"),
        answers: &answers,
        frontend: State::scratch(),
        options,
    };
    let tree = |name: &str, path: &str| Tree { state: local(name), path: path.into(), is_dir: true };
    let trees =
        [("app", tree("app", "/")), ("fixes", tree("fixes", "/")), ("lib", tree("lib", "/lib"))].into();
    let root = State::image(ImageRef { reference: "worker".into(), ..ImageRef::default() });
    let group = ProgressGroup::new("sources");
    let generators = Generators { request: &request, root, env: BTreeMap::new(), group, trees: &trees };
    let (_, modules) = generators.downloads().pop().expect("modules");
    describe(&modules.marshal(&Platform::linux("amd64")))
}

/// SRC-020, SRC-021, SRC-033, SRC-034: one cache for all, filled from the cache of downloads; of patched sources.
#[test]
fn go_modules() {
    check(
        Options::default(),
        expect![[r#"
        #0 source docker-image://worker
        #1 source local://lib
        #2 source local://fixes
        #3 exec network=NONE
            arg /bin/sh
            arg -c
            arg set -eu
            cwd /
            mount / #0
            mount /work/src #1 [/lib]
            mount /work/patches/fixes #2 ro
            name Patch source lib for downloads
        #4 source local://app
        #5 exec network=UNSET
            arg /bin/sh
            arg -c
            arg # Downloads the modules of Go programs: gomod.sh PATH...
            arg gomod
            arg cmd/.
            arg cmd/tool
            env GOPATH=/go
            cwd /
            mount / #0
            mount /work/src #4
            mount /work/cache cache dalec-gomod-proxy-cache SHARED
            mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
            mount /work/modules scratch
            name Download Go modules for source app
        #6 exec network=UNSET
            arg /bin/sh
            arg -c
            arg # Downloads the modules of Go programs: gomod.sh PATH...
            arg gomod
            arg /.
            env GOPATH=/go
            cwd /
            mount / #0
            mount /work/src #3.1 [/lib]
            mount /work/cache cache dalec-gomod-proxy-cache SHARED
            mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
            mount /work/modules #5.2
            name Download Go modules for source lib
        #7 result #6.2
    "#]],
    );
}

/// SRC-022.
#[test]
fn a_proxy_for_go_modules() {
    let spec = spec();
    assert_eq!(wanted(&spec).map(|kind| kind.title).collect::<Vec<_>>(), ["the Go modules"]);
    let options = Options { gomod_proxy: "https://proxy.example.org".into(), ..Options::default() };
    check(
        options,
        expect![[r#"
        #0 source docker-image://worker
        #1 source local://lib
        #2 source local://fixes
        #3 exec network=NONE
            arg /bin/sh
            arg -c
            arg set -eu
            cwd /
            mount / #0
            mount /work/src #1 [/lib]
            mount /work/patches/fixes #2 ro
            name Patch source lib for downloads
        #4 source local://app
        #5 exec network=UNSET
            arg /bin/sh
            arg -c
            arg # Downloads the modules of Go programs: gomod.sh PATH...
            arg gomod
            arg cmd/.
            arg cmd/tool
            env GOPATH=/go
            env GOPROXY=https://proxy.example.org
            cwd /
            mount / #0
            mount /work/src #4
            mount /work/cache cache dalec-gomod-proxy-cache SHARED
            mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
            mount /work/modules scratch
            name Download Go modules for source app
        #6 exec network=UNSET
            arg /bin/sh
            arg -c
            arg # Downloads the modules of Go programs: gomod.sh PATH...
            arg gomod
            arg /.
            env GOPATH=/go
            env GOPROXY=https://proxy.example.org
            cwd /
            mount / #0
            mount /work/src #3.1 [/lib]
            mount /work/cache cache dalec-gomod-proxy-cache SHARED
            mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
            mount /work/modules #5.2
            name Download Go modules for source lib
        #7 result #6.2
    "#]],
    );
}

/// Programs from a spec's own repositories write no cache that other specs read.
#[test]
fn repositories_of_the_spec_have_a_cache_of_their_own() {
    for (phase, cache) in [
        (RepositoryUse::Build, " cache dalec-gomod-proxy-cache-untrusted "),
        (RepositoryUse::Install, " cache dalec-gomod-proxy-cache "),
    ] {
        let mut spec = spec();
        spec.dependencies.extra_repos = vec![Repository { envs: vec![phase], ..Repository::default() }];
        let graph = graph(&spec, Options::default());
        assert_eq!(graph.matches(cache).count(), 2, "{graph}");
    }
}

#[test]
fn the_script_is_one() {
    let script = include_str!("gomod.sh");
    let checked = std::process::Command::new("sh").args(["-n", "-c", script]).status();
    assert!(checked.expect("a shell").success());
}
