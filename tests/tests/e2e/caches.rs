//! Caches of builds in Debian packages.

use dalec_e2e::caches;
use dalec_e2e::engine::Engine;
use dalec_e2e::modules;
use dalec_e2e::on_both_engines;
use dalec_e2e::run::Project;

const TARGET: &str = "bookworm/deb";

on_both_engines!(
    steps_find_what_they_left,
    a_locked_cache_is_used_by_one_build_at_a_time,
    packages_are_the_same_without,
    bazel_reaches_the_server_of_the_client,
);

/// BLD-006, BLD-007, BLD-009, BLD-010
fn steps_find_what_they_left(engine: Engine) {
    caches::survive(&|project| engine.build(project, TARGET), "gcc");
}

/// BLD-006
fn a_locked_cache_is_used_by_one_build_at_a_time(engine: Engine) {
    caches::take_turns(&|project| engine.build(project, TARGET));
}

fn packages_are_the_same_without(engine: Engine) {
    caches::change_nothing(&|project| engine.build(project, TARGET), ".deb");
}

/// BLD-010. Buildx has no word for sockets that are no agent's.
fn bazel_reaches_the_server_of_the_client(engine: Engine) {
    let engine = if engine == Engine::Inside { Engine::Against } else { engine };
    caches::reach_a_server(&|project| engine.build(project, TARGET));
}

/// BLD-011
#[test]
fn distributions_have_caches_of_their_own() {
    caches::stay_apart(&|project| project.build(TARGET), &|project| project.build("trixie/deb"));
}

/// BLD-008, BLD-012: a compiler of one version is found, by the download of modules too, and has a cache without a word.
#[test]
fn go_of_a_version_needs_nothing_else() {
    let (server, project) = (modules::proxy(), modules::project());
    let spec = std::fs::read_to_string(project.path("spec.yml")).unwrap();
    let spec = spec.replace("golang-go", "golang-1.19-go").replace("GOCACHE: /tmp/go-cache, ", "");
    let spec = spec.replace(
        "        cd src &&",
        "        test \"$GOCACHE\" = /tmp/dalec/gobuild-cache\n        cd src &&",
    );
    project.write("spec.yml", spec);
    let proxy = format!("DALEC_GOMOD_PROXY={}", server.url(""));
    project.build(TARGET).args(["--build-arg", &proxy]).succeeds();
}

/// BLD-009: what cargo compiles a second time, it takes from the cache. The name is that of another test's package, for both
/// install the same then.
#[test]
fn cargo_takes_from_the_cache_of_sccache() {
    let spec = |check: &str| {
        let steps = format!(
            "dependencies:\n  build: {{cargo: {{}}, rustc: {{version: [\">= 1.56\"]}}}}\nbuild:\n  caches: [{{rustsccache: {{scope: KEY}}}}]\n  steps:\n    - command: |\n        \
             cargo init --quiet --vcs none --lib --name tool tool\n        cd tool && cargo build --quiet --offline --release\n        \
             \"$RUSTC_WRAPPER\" --show-stats | grep -x 'Cache {check} (Rust)  *[1-9]'\n        \"$RUSTC_WRAPPER\" --stop-server\n"
        );
        dalec_e2e::specs::script("shellharden", &steps)
    };
    let project = Project::new("");
    let key = project.path("").display().to_string().replace('/', "-");
    for check in ["misses", "hits"] {
        project.write("spec.yml", spec(check).replace("KEY", &key));
        let sccache = format!("--build-context=dalec-sccache={}", dalec_e2e::upstream::sccache().display());
        project.build("trixie/deb").arg(sccache).succeeds();
    }
}

/// BLD-010: what Bazel has made once, it takes from the cache.
#[test]
fn bazel_takes_from_its_cache() {
    let spec = |check: &str| {
        let steps = r#"dependencies:
  build: [bazel-bootstrap]
build:
  caches: [{bazel: {scope: KEY}}]
  steps:
    - command: |
        mkdir text && cd text && touch WORKSPACE
        echo 'genrule(name = "text", outs = ["text.txt"], cmd = "echo made > $@")' >BUILD
        export HOME=/tmp/home
        bazel --output_user_root=/tmp/bazel build //:text >log 2>&1 || { cat log; exit 1; }
        bazel --output_user_root=/tmp/bazel shutdown
        grep made bazel-bin/text.txt
        CHECK
"#;
        dalec_e2e::specs::script("bazeled", &steps.replace("CHECK", check))
    };
    let project = Project::new("");
    let key = project.path("").display().to_string().replace('/', "-");
    for check in ["! grep 'cache hit' log", "grep '1 remote cache hit' log"] {
        project.write("spec.yml", spec(check).replace("KEY", &key));
        project.build(TARGET).succeeds();
    }
}
