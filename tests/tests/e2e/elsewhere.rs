//! Sources and contexts that lie elsewhere: in git repositories and at URLs.

use dalec_e2e::binary::is_root;
use dalec_e2e::deb::Deb;
use dalec_e2e::http::{Response, Server};
use dalec_e2e::repositories::{HttpServer, Repository};
use dalec_e2e::run::{Invocation, Project, Who, kept_state};

/// A spec whose script comes from the source `tool`, which `source` describes.
fn spec(source: &str) -> String {
    format!(
        "\
name: elsewhere
version: 1.0.0
revision: 1
noarch: true
description: A script from elsewhere
website: https://example.org
license: MIT
packager: Test Maintainers <test@example.org>
sources:
  tool:
    {source}
artifacts:
  binaries:
    tool/run.sh: {{name: elsewhere}}
"
    )
}

fn repository(text: &str) -> Repository {
    Repository::new(&[("run.sh", &format!("#!/bin/sh\necho {text}\n"))])
}

fn git(server: &HttpServer, commit: &str) -> String {
    spec(&format!("git: {{url: \"{}\", commit: {commit}}}", server.url()))
}

/// Returns the script that the package of `project` installs.
fn script(project: &Project) -> String {
    let deb = Deb::read(&project.output(".deb"));
    String::from_utf8(deb.files["/usr/bin/elsewhere"].content.clone()).unwrap()
}

/// A build without a main context and spec of its own.
fn build(project: &Project, arguments: &[&str]) -> Invocation {
    let mut invocation = Invocation::new(Who::Me, &project.path(""));
    invocation.command.args(["build", "--target", "bookworm/deb", "-o", "out"]);
    invocation.command.env("DALEC_PROGRESS", "plain").env("DALEC_STATE_DIR", kept_state(Who::Me));
    invocation.args(arguments)
}

#[test]
fn a_commit_needs_its_server_once() {
    let repository = repository("first");
    let server = repository.over_http(None);
    let project = Project::new(&git(&server, repository.commit()));
    project.build("bookworm/deb").succeeds();
    assert_eq!(script(&project), "#!/bin/sh\necho first\n");
    let asked = server.requests();
    assert!(asked > 0);
    project.build("bookworm/deb").succeeds().says(&["nothing has changed"]);
    assert_eq!(server.requests(), asked);
}

#[test]
fn a_branch_that_moves_is_built_anew() {
    let repository = repository("first");
    let server = repository.over_http(None);
    let project = Project::new(&git(&server, "main"));
    project.build("bookworm/deb").succeeds();
    repository.change(&[("run.sh", "#!/bin/sh\necho second\n")]);
    project.build("bookworm/deb").succeeds();
    assert_eq!(script(&project), "#!/bin/sh\necho second\n");
}

#[test]
fn a_machine_without_git_is_told_so() {
    let repository = repository("first");
    let server = repository.over_http(None);
    let project = Project::new(&git(&server, repository.commit()));
    let mut build = project.build("bookworm/deb");
    build.command.env("PATH", project.path("nothing"));
    build.fails(3).says(&["git sources need the program git", "apt-get install git"]);
}

/// SRC-002.
#[test]
fn a_token_is_a_secret() {
    let repository = repository("private");
    let server = repository.over_http(Some("open-sesame-4711"));
    let project = Project::new(&git(&server, "main"));
    let build = || {
        let mut build = project.build("bookworm/deb");
        build.command.env("TOKEN", "open-sesame-4711");
        build
    };
    let refused = build().fails(1);
    refused.says(&["repo.git refuses access", "--secret id=GIT_AUTH_TOKEN,env=", "git: {url:"]);
    let built = build().args(["--secret", "id=GIT_AUTH_TOKEN,env=TOKEN"]).succeeds();
    assert_eq!(script(&project), "#!/bin/sh\necho private\n");
    assert!(!built.stderr.contains("open-sesame"), "{}", built.stderr);
}

/// SRC-019.
#[test]
fn a_name_that_is_not_there_is_shown_in_the_spec() {
    let repository = repository("first");
    let server = repository.over_http(None);
    let project = Project::new(&git(&server, "none"));
    let failed = project.build("bookworm/deb").fails(1);
    let message = format!("{} has no branch or tag called \"none\"", server.url());
    failed.says(&[&message, "spec.yml:11:", "git: {url:"]);
}

#[test]
fn a_context_may_be_a_repository() {
    let repository = repository("named");
    let server = repository.over_http(None);
    let project = Project::new(&spec("context: {name: tool}"));
    let context = format!("tool={}#main", server.url());
    project.build("bookworm/deb").args(["--build-context", &context]).succeeds();
    assert_eq!(script(&project), "#!/bin/sh\necho named\n");
}

/// FE-003.
#[test]
fn the_main_context_may_be_a_repository_with_the_spec_in_it() {
    let repository = repository("main");
    repository.change(&[
        ("packaging/dalec.yml", &spec("context: {}")),
        ("packaging/run.sh", "#!/bin/sh\necho packaged\n"),
        ("other.yml", &spec("context: {}\n    path: packaging")),
    ]);
    let server = repository.over_http(None);
    let project = Project::new("");
    build(&project, &[&format!("{}#main:packaging", server.url())]).succeeds();
    assert_eq!(script(&project), "#!/bin/sh\necho packaged\n");
    build(&project, &["-f", "other.yml", &server.url()]).succeeds();
    let here = Project::new(&spec("context: {}"));
    build(&here, &["-f", &here.path("spec.yml").display().to_string(), &server.url()]).succeeds();
    assert_eq!(script(&here), "#!/bin/sh\necho main\n");
}

/// The spec that is fetched is no good, which shows that it was fetched, and ends the build before it has begun.
#[test]
fn a_repository_behind_ssh_needs_an_agent_and_keeps_its_host_key() {
    // A real sshd starts for root only.
    if !is_root() {
        return;
    }
    let repository = Repository::new(&[("dalec.yml", "nmae: elsewhere\n")]);
    let mut server = repository.over_ssh();
    let project = Project::new("");
    let state = project.path("state").display().to_string();
    let url = server.url();
    let fetch = |ssh: &str| build(&project, &["--state-dir", &state, "--ssh", ssh, &url]);
    let agent = server.agent().display().to_string();
    fetch(&format!("default={agent}")).fails(2).says(&["unknown key `nmae`"]);
    fetch(&format!("other={agent}")).fails(1).says(&["no ssh agent called \"default\" was given"]);
    server.change_host_key();
    let ran = fetch(&format!("default={agent}")).fails(1);
    ran.says(&["cannot trust 127.0.0.1:", "its host key is another one", "remove line 1 of ", "known_hosts"]);
}

/// FE-003.
#[test]
fn the_main_context_may_be_at_a_url() {
    let mut archive =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let files = [("dalec.yml", spec("context: {}")), ("run.sh", "#!/bin/sh\necho packed\n".to_owned())];
    for (name, text) in &files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let archive = archive.into_inner().unwrap().finish().unwrap();
    let inline = spec("inline: {dir: {files: {run.sh: {contents: \"echo alone\\n\"}}}}");
    let server = Server::start(move |path| match path {
        "/context.tar.gz" => Response::ok(archive.clone()),
        "/spec.yml" => Response::ok(inline.clone()),
        _ => Response::not_found(),
    });
    let project = Project::new("");
    build(&project, &[&server.url("context.tar.gz")]).succeeds();
    assert_eq!(script(&project), "#!/bin/sh\necho packed\n");
    build(&project, &[&server.url("spec.yml")]).succeeds();
    assert_eq!(script(&project), "echo alone\n");
}
