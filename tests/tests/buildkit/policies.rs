//! Source policies: which sources a client lets a build have, and what it puts in their place.

use std::process::Command;

use dalec_e2e::bases;
use dalec_e2e::engine::{Engine, frontend, inside};
use dalec_e2e::http::{Response, Server};
use dalec_e2e::registry::Registry;
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::specs::script;
use dalec_e2e::upstream::sccache_release;
use serde_json::{Value, json};

/// What a spec's base image is called; no context replaces it here.
const BASE: &str = "docker-image://docker.io/library/debian:bookworm";

/// Lets `build` follow a policy of one rule.
fn under(mut build: Invocation, project: &Project, rule: &Value) -> Invocation {
    project.write("policy.json", json!({ "rules": [rule] }).to_string());
    build.command.env("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY", project.path("policy.json"));
    build
}

fn denied(source: &str) -> Value {
    json!({ "action": "DENY", "selector": { "identifier": source } })
}

fn replaced(source: &str, with: &str) -> Value {
    json!({ "action": "CONVERT", "selector": { "identifier": source }, "updates": { "identifier": with } })
}

/// Returns a build of a source package that has nothing but our own image as a context.
fn without_bases(project: &Project) -> Invocation {
    let build = dalec_e2e::buildkit::Buildkit::shared().buildx(&project.path(""));
    let name = "dalec.example/frontend";
    let build = build.arg("--build-context").arg(format!("{name}={}", frontend().context()));
    let build = build.arg("--build-arg").arg(format!("BUILDKIT_SYNTAX={name}"));
    build.args(["-f", "spec.yml", "--target", "bookworm/dsc", "--output", "out", "."])
}

#[test]
fn images_are_kept_out_or_replaced() {
    let project = Project::new(&script("ruled", ""));
    let refused =
        under(without_bases(&project), &project, &denied("docker-image://docker.io/library/debian:*"));
    let refused = refused.fails(1);
    refused.says(&[
        "cannot find the image docker.io/library/debian:bookworm",
        "denied by policy",
        "help: it is the client's policy for sources",
    ]);
    let server = Server::start(|_| Response::ok("no image"));
    let no_image = replaced(BASE, &server.url("/base.tar"));
    let refused = under(without_bases(&project), &project, &no_image).fails(1);
    let words = format!("a source policy puts {} in its place, which is no image", server.url("/base.tar"));
    refused.says(&[&words]);

    let registry = Registry::open();
    let mirror = registry.push(&bases::worker("bookworm"), "mirror:1");
    let mirrored = replaced(BASE, &format!("docker-image://{mirror}"));
    under(without_bases(&project), &project, &mirrored).succeeds();
    project.output(".dsc");
}

#[test]
fn downloads_are_kept_out_or_replaced() {
    let server = Server::start(|path| Response::ok(format!("this is {path}\n")));
    let url = server.url("/first");
    let source = format!("sources:\n  note:\n    http:\n      url: {url}\n");
    let project = Project::new(&script("fetched", "").replace("sources:\n", &source));
    for engine in [Engine::Inside, Engine::Against] {
        let build = || engine.build(&project, "bookworm/dsc");
        let refused = under(build(), &project, &denied(&url)).fails(1);
        refused.says(&[&format!("source \"{url}\" denied by policy")]);
        under(build(), &project, &replaced(&url, &server.url("/second"))).succeeds();
        let mut tar = Command::new("tar");
        tar.arg("-xzOf").arg(project.output(".orig.tar.gz")).arg("fetched-1.0.0/note");
        assert_eq!(String::from_utf8_lossy(&tar.output().unwrap().stdout), "this is /second\n", "{engine:?}");
        std::fs::remove_dir_all(project.path("out")).unwrap();
    }
    let alone = inside(&project).args(["--target", "bookworm/dsc", "--output", "out"]);
    let refused = under(alone.arg(&url), &project, &denied(&url)).fails(1);
    refused.says(&["denied by policy"]);
}

/// BLD-009: sccache is downloaded, and nothing but the release that is known is taken. Its host cannot be reached from
/// everywhere, so what comes is another archive with a program of that version, and its digest.
#[test]
fn sccache_is_what_is_known_or_what_a_client_says() {
    let archive = sccache_release();
    let digest = archive.digest();
    let server = Server::start(move |_| Response::ok(archive.content.clone()));
    let steps = "build:\n  caches: [{rustsccache: {}}]\n  steps:\n    - command: |\n        \
                 \"$RUSTC_WRAPPER\" --version | grep -x 'sccache 0.10.0'\n        ls \"$SCCACHE_DIR\"\n";
    let project = Project::new(&script("faster", steps));
    let unlike = replaced("https://*/sccache-v0.10.0-x86_64-unknown-linux-musl.tar.gz", &server.url("/"));
    let mut like = unlike.clone();
    like["updates"]["attrs"] = json!({ "http.checksum": digest });
    let build = |rule: &Value| under(Engine::Inside.build(&project, "bookworm/deb"), &project, rule);
    build(&like).succeeds();
    build(&unlike).fails(1).says(&["digest mismatch", &digest]);
}
