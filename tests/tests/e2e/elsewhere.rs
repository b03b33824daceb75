//! Sources and contexts that lie elsewhere: in git repositories and at URLs.

use dalec_e2e::deb::Deb;
use dalec_e2e::git::Repository;
use dalec_e2e::http::{Response, Server};
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

/// Returns a repository whose commits no other run has: the store is kept.
fn repository(text: &str) -> Repository {
    let repository = Repository::new();
    repository.write("unique", repository.url());
    repository.write("run.sh", format!("#!/bin/sh\necho {text}\n"));
    repository.commit();
    repository
}

fn git(repository: &Repository, commit: &str) -> String {
    spec(&format!("git: {{url: \"{}\", commit: {commit}}}", repository.url()))
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
    let commit = repository.git(&["rev-parse", "HEAD"]);
    let project = Project::new(&git(&repository, &commit));
    project.build("bookworm/deb").succeeds();
    assert_eq!(script(&project), "#!/bin/sh\necho first\n");
    let asked = repository.asked();
    assert!(asked > 0);
    let again = project.build("bookworm/deb").succeeds();
    assert_eq!(repository.asked(), asked);
    again.says(&["nothing has changed"]);
}

#[test]
fn a_branch_that_moves_is_built_anew() {
    let repository = repository("first");
    let project = Project::new(&git(&repository, "main"));
    project.build("bookworm/deb").succeeds();
    repository.write("run.sh", "#!/bin/sh\necho second\n");
    repository.commit();
    project.build("bookworm/deb").succeeds();
    assert_eq!(script(&project), "#!/bin/sh\necho second\n");
}

/// SRC-019.
#[test]
fn a_name_that_is_not_there_is_shown_in_the_spec() {
    let repository = repository("first");
    let project = Project::new(&git(&repository, "none"));
    let failed = project.build("bookworm/deb").fails(1);
    let message = format!("{} has no branch or tag called \"none\"", repository.url());
    failed.says(&[&message, "spec.yml:11:", "git: {url:"]);
}

#[test]
fn a_context_may_be_a_repository() {
    let repository = repository("named");
    let project = Project::new(&spec("context: {name: tool}"));
    let context = format!("tool={}#main", repository.url());
    project.build("bookworm/deb").args(["--build-context", &context]).succeeds();
    assert_eq!(script(&project), "#!/bin/sh\necho named\n");
}

#[test]
fn the_main_context_may_be_a_repository_with_the_spec_in_it() {
    let repository = repository("main");
    repository.write("packaging/dalec.yml", spec("context: {}"));
    repository.write("packaging/run.sh", "#!/bin/sh\necho packaged\n");
    repository.write("other.yml", spec("context: {}\n    path: packaging"));
    repository.commit();
    let project = Project::new("");
    build(&project, &[&format!("{}#main:packaging", repository.url())]).succeeds();
    assert_eq!(script(&project), "#!/bin/sh\necho packaged\n");
    build(&project, &["-f", "other.yml", &repository.url()]).succeeds();
    let here = Project::new(&spec("context: {}"));
    build(&here, &["-f", &here.path("spec.yml").display().to_string(), &repository.url()]).succeeds();
    assert_eq!(script(&here), "#!/bin/sh\necho main\n");
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
