//! Which caches the process that runs the build steps gets, in all families.

use std::collections::BTreeMap;

use dalec_llb::{ImageRef, Platform, State, describe};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{
    Artifact, BazelCache, BuildStep, Cache, CacheDir, CacheSharing, GobuildCache, SccacheCache, TargetSpec,
};
use expect_test::{Expect, expect};

use crate::error::PlanError;
use crate::fixture::{self, artifacts, constraint, inline_dir, spec};
use crate::request::{Answers, ImageAnswer, Options, Plan, Request};
use crate::routes;

const ROUTES: [&str; 3] = ["bookworm/deb", "azlinux3/rpm", "windowscross/zip"];

fn with(caches: Vec<Cache>) -> TargetSpec {
    let mut spec = spec();
    spec.website = "https://example.org".into();
    spec.sources = BTreeMap::from([("src".to_owned(), inline_dir(&[("a", 0o755)]))]);
    spec.build.steps = vec![BuildStep { command: "make".into(), ..BuildStep::default() }];
    spec.artifacts.binaries = artifacts([("src/a", Artifact::default())]);
    spec.build.caches = caches;
    spec
}

fn dir(dir: CacheDir) -> Cache {
    Cache { dir: Some(dir), span: Span::new(3, 4), ..Cache::default() }
}

fn at(dest: &str) -> CacheDir {
    CacheDir { dest: dest.into(), ..CacheDir::default() }
}

fn gobuild(scope: &str, disabled: bool) -> Cache {
    Cache { gobuild: Some(GobuildCache { scope: scope.into(), disabled }), ..Cache::default() }
}

fn rust() -> Cache {
    Cache { rustsccache: Some(SccacheCache { scope: "tools".into() }), ..Cache::default() }
}

fn image(name: &str) -> State {
    State::image(ImageRef { reference: name.into(), ..ImageRef::default() })
}

fn plan(route: &str, platform: &Platform, spec: &TargetSpec, contexts: &[&str]) -> Result<Plan, PlanError> {
    let route = routes::find(route).expect("a route");
    let questions = routes::questions(route, spec, &Options::default());
    let images = questions.images.into_iter().map(|question| {
        let state = image(&question.reference);
        (question, ImageAnswer { state, has_packages: true, ..ImageAnswer::default() })
    });
    let known = contexts.iter().filter(|name| questions.contexts.contains(&(**name).to_owned()));
    let answers = Answers {
        images: images.collect(),
        contexts: known.map(|name| ((*name).to_owned(), image(name))).collect(),
        build_platform: routes::is_cross(route).then(|| Platform::linux("amd64")),
        ..Answers::default()
    };
    let request = Request {
        platform: platform.clone(),
        frontend: image("frontend"),
        options: Options { skip_tests: true, ..Options::default() },
        ..fixture::request(spec, &answers, &"x".repeat(90))
    };
    routes::plan(route, &request)
}

/// Returns what the process that runs the build steps has of caches.
fn lines(route: &str, platform: &Platform, spec: &TargetSpec) -> Vec<String> {
    let plan = plan(route, platform, spec, &[]).expect("a plan");
    let text = describe(&plan.result.marshal(&Platform::linux("amd64")));
    let build = text.split("\n#").find(|vertex| vertex.contains("    name Build p")).expect("a build");
    let words = ["cache", "SCCACHE", "RUSTC", "bazel"];
    let lines = build.lines().map(str::trim_start).filter(|line| !line.starts_with('|'));
    lines.filter(|line| words.iter().any(|word| line.contains(word))).map(str::to_owned).collect()
}

#[track_caller]
fn check(spec: &TargetSpec, expected: Expect) {
    expected.assert_eq(&lines("bookworm/deb", &Platform::linux("amd64"), spec).join("\n"));
}

/// BLD-006.
#[test]
fn directories() {
    let caches = [
        at("/root/.cache/../tool"),
        CacheDir { key: "common".into(), sharing: CacheSharing::Locked, ..at("/a") },
        CacheDir { no_auto_namespace: true, sharing: CacheSharing::Private, ..at("/b") },
        CacheDir { no_auto_namespace: true, key: "whole name".into(), ..at("/c") },
    ];
    check(
        &with(caches.map(dir).into()),
        expect![[r#"
            mount /root/tool cache debian12-linux/amd64-/root/.cache/../tool SHARED
            mount /a cache debian12-linux/amd64-common LOCKED
            mount /b cache /b PRIVATE
            mount /c cache whole name SHARED"#]],
    );
}

#[test]
fn packages_are_built_elsewhere() {
    for dest in ["/work", "/work/out", "/work/./x", "/a/../work"] {
        let error = plan("bookworm/deb", &Platform::linux("amd64"), &with(vec![dir(at(dest))]), &[])
            .expect_err("an error");
        assert_eq!(error.spans(), [Span::new(3, 4)], "{dest}");
        assert_eq!(
            error.to_string(),
            format!("a cache cannot be at {dest:?}: packages are built in `/work`")
        );
    }
}

/// Whoever writes where package managers keep what they verified decides what the next build installs.
#[test]
fn what_others_download_is_out_of_reach() {
    let names = [
        "bookwormdalec-var-lib-apt",
        "bookwormdalec-var-cache-apt",
        "azlinux3-tdnf-cache-linux/amd64",
        "rockylinux9-dnf-cache-linux/amd64",
        "dalec-gomod-proxy-cache",
    ];
    for name in names {
        let cache = CacheDir { no_auto_namespace: true, key: name.into(), ..at("/c") };
        let error = plan("bookworm/deb", &Platform::linux("amd64"), &with(vec![dir(cache)]), &[])
            .expect_err("an error");
        assert_eq!(error.spans(), [Span::new(3, 4)], "{name}");
        let expected = "what is downloaded for all builds is kept there";
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

/// BLD-007, BLD-008.
#[test]
fn go() {
    let go = "mount /tmp/dalec/gobuild-cache cache debian12-linux/amd64-dalec-gobuildcache";
    let env = "env GOCACHE=/tmp/dalec/gobuild-cache";
    let mut spec = with(vec![gobuild("tools", false)]);
    let own = [env.to_owned(), format!("{go}-tools SHARED")];
    assert_eq!(lines("bookworm/deb", &Platform::linux("amd64"), &spec), own);
    // One that was asked for is the only one.
    spec.dependencies.build.insert("golang".into(), constraint(&[], &[]));
    assert_eq!(lines("bookworm/deb", &Platform::linux("amd64"), &spec), own);
    spec.build.caches.clear();
    let automatic = [env.to_owned(), format!("{go} SHARED")];
    assert_eq!(lines("bookworm/deb", &Platform::linux("amd64"), &spec), automatic);
    spec.build.caches = vec![gobuild("", true)];
    assert_eq!(lines("bookworm/deb", &Platform::linux("amd64"), &spec), [""; 0]);
}

#[test]
fn without_steps_there_is_nothing_to_make_faster() {
    let mut spec = with(Vec::new());
    spec.build.steps.clear();
    spec.dependencies.build.insert("golang".into(), constraint(&[], &[]));
    assert_eq!(lines("bookworm/deb", &Platform::linux("amd64"), &spec), [""; 0]);
}

/// BLD-009: the digest of what is downloaded is checked.
#[test]
fn rust_by_sccache() {
    check(
        &with(vec![rust()]),
        expect![[r#"
            env RUSTC_WRAPPER=/tmp/internal/dalec/sccache/sccache
            env SCCACHE_DIR=/tmp/dalec/sccache-cache
            env SCCACHE_SERVER_UDS=/tmp/dalec/sccache.socket
            mount /tmp/dalec/sccache-cache cache debian12-linux/amd64-dalec-rustsccache-tools SHARED
            mount /tmp/internal/dalec/sccache #6.1 ro"#]],
    );
    let plan = plan("bookworm/deb", &Platform::linux("amd64"), &with(vec![rust()]), &[]).expect("a plan");
    let text = describe(&plan.result.marshal(&Platform::linux("amd64")));
    let digest = "http.checksum = sha256:1fbb35e135660d04a2d5e42b59c7874d39b3deb17de56330b25b713ec59f849b";
    assert!(text.contains(digest), "{text}");
}

#[test]
fn sccache_comes_for_the_machine_or_from_a_context_or_not_at_all() {
    let text = |route: &str, architecture: &str, contexts: &[&str]| {
        let platform = Platform::linux(architecture);
        let plan = plan(route, &platform, &with(vec![rust()]), contexts).expect("a plan");
        (describe(&plan.result.marshal(&platform)), plan.warnings)
    };
    let (arm, warnings) = text("bookworm/deb", "arm64", &[]);
    assert!(arm.contains("-aarch64-unknown-linux-musl") && warnings.is_empty(), "{arm}");
    // Programs for Windows are built on this machine.
    assert!(text("windowscross/zip", "arm64", &[]).0.contains("-x86_64-unknown-linux-musl"));
    let (none, warnings) = text("bookworm/deb", "riscv64", &[]);
    assert!(!none.contains("SCCACHE"), "{none}");
    assert_eq!(
        warnings,
        ["there is no sccache for linux/riscv64: the build goes on without `rustsccache`; \
          give one with `--build-context dalec-sccache=DIRECTORY`"]
    );
    let (given, warnings) = text("bookworm/deb", "riscv64", &["dalec-sccache"]);
    assert!(given.contains(":/sccache -> /sccache") && !given.contains("github.com"), "{given}");
    assert!(given.contains("SCCACHE_DIR") && warnings.is_empty(), "{given}");
}

/// BLD-010.
#[test]
fn bazel() {
    let caches = vec![Cache { bazel: Some(BazelCache { scope: "x".into() }), ..Cache::default() }];
    check(
        &with(caches),
        expect![[r#"
            arg if [ -S /tmp/dalec/bazel-remote.sock ]; then
            mount /tmp/dalec/bazel-local-cache cache debian12-linux/amd64-dalec-bazelcache-x SHARED
            mount /etc/bazel.bazelrc #5 [/bazelrc]
            mount /tmp/dalec/bazel-remote.sock socket bazel-default"#]],
    );
}

/// BLD-011.
#[test]
fn targets_and_platforms_have_caches_of_their_own() {
    let mut names = Vec::new();
    for route in ROUTES {
        for architecture in ["amd64", "arm64"] {
            let os = if route.starts_with("windows") { "windows" } else { "linux" };
            let platform = Platform { os: os.into(), ..Platform::linux(architecture) };
            names.extend(lines(route, &platform, &with(vec![dir(at("/c"))])));
        }
    }
    expect![[r#"
        mount /c cache debian12-linux/amd64-/c SHARED
        mount /c cache debian12-linux/arm64-/c SHARED
        mount /c cache azlinux3-linux/amd64-/c SHARED
        mount /c cache azlinux3-linux/arm64-/c SHARED
        mount /c cache ubuntu22.04/windowscross-windows/amd64-/c SHARED
        mount /c cache ubuntu22.04/windowscross-windows/arm64-/c SHARED"#]]
    .assert_eq(&names.join("\n"));
}
