//! What a client has and its builds must not: tokens and ssh keys, with which a daemon opens repositories.

use dalec_e2e::engine::inside;
use dalec_e2e::repositories::Repository;
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::specs::script;

/// A build whose main context is the repository at `url`.
fn build(project: &Project, url: &str) -> Invocation {
    let build = inside(project).args(["-f", "spec.yml", "--target", "bookworm/dsc"]);
    build.args(["--output", "out", url])
}

fn repository(name: &str) -> Repository {
    let source = "sources:\n  code:\n    context: {}\n    includes: [code]\n";
    Repository::new(&[("code", name), ("spec.yml", &script(name, "").replace("sources:\n", source))])
}

#[test]
fn a_token_opens_a_repository() {
    const TOKEN: &str = "canary-of-a-token";
    let (project, repository) = (Project::new(""), repository("tokened"));
    let server = repository.over_http(Some(TOKEN));
    build(&project, &server.url()).fails(1).says(&[&server.url(), "could not read Username"]);
    project.write("token", TOKEN);
    let ran = build(&project, &server.url()).args(["--secret", "id=GIT_AUTH_TOKEN,src=token"]).succeeds();
    assert!(!ran.stderr.contains(TOKEN), "{}", ran.stderr);
    project.output(".dsc");
}

#[test]
fn an_agent_opens_a_repository() {
    let (project, repository) = (Project::new(""), repository("agented"));
    let server = repository.over_ssh();
    build(&project, &server.url()).fails(1);
    let socket = format!("default={}", server.agent().display());
    build(&project, &server.url()).args(["--ssh", &socket]).succeeds();
    project.output(".dsc");
}
