//! Main contexts that are no directories: repositories and downloads, on BuildKit and by its clients.

use std::fs;
use std::process::{Command, Stdio};

use dalec_e2e::engine::{Engine, inside};
use dalec_e2e::http::{Response, Server};
use dalec_e2e::repositories::Repository;
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::specs::script;

/// A spec that takes the file `note` from the main context.
fn noting(name: &str) -> String {
    let sources = "sources:\n  files:\n    context: {}\n    includes: [note]\n";
    script(name, "").replace("sources:\n", sources)
}

/// Returns what the source package of `project` has as its note. It is all that these tests build, because it is quick.
fn note(project: &Project, name: &str) -> String {
    let mut tar = Command::new("tar");
    tar.arg("-xzOf").arg(project.output(".orig.tar.gz")).arg(format!("{name}-1.0.0/files/note"));
    let read = tar.output().expect("tar starts");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    String::from_utf8(read.stdout).expect("the note is text")
}

fn package(project: &Project) -> Invocation {
    inside(project).args(["--target", "bookworm/dsc", "--output", "out"])
}

/// A repository with two specs and two notes.
fn repository() -> Repository {
    Repository::new(&[
        ("spec.yml", &noting("whole")),
        ("note", "of the whole\n"),
        ("part/spec.yml", &noting("part")),
        ("part/note", "of a part\n"),
    ])
}

/// FE-003: the spec and what it takes from its context are those of the repository.
#[test]
fn a_repository_is_the_context() {
    let repository = repository();
    let server = repository.over_http(None);
    for (fragment, name, expected) in [
        ("", "whole", "of the whole\n"),
        ("#v1:part", "part", "of a part\n"),
        // Clients ask our image whether it knows this form.
        ("?ref=v1&subdir=part", "part", "of a part\n"),
    ] {
        let project = Project::new("unused: true");
        package(&project).args(["-f", "spec.yml"]).arg(server.url() + fragment).succeeds();
        assert_eq!(note(&project, name), expected, "{fragment}");
    }
    let project = Project::new("unused: true");
    let wrong = package(&project).args(["-f", "spec.yml"]).arg(server.url() + "?depth=1").fails(1);
    wrong.says(&["`depth` means nothing in the address of a git repository"]);
}

/// FE-003: a spec of the client's on a context elsewhere, from a file and from standard input.
#[test]
fn the_clients_spec_is_built_on_a_repository() {
    let repository = repository();
    let server = repository.over_http(None);
    let project = Project::new(&noting("own"));
    package(&project).arg("-f").arg(project.path("spec.yml")).arg(server.url()).succeeds();
    assert_eq!(note(&project, "own"), "of the whole\n");
    let project = Project::new(&noting("given"));
    let mut build = package(&project).args(["-f", "-"]).arg(server.url());
    build.command.stdin(Stdio::from(fs::File::open(project.path("spec.yml")).unwrap()));
    build.succeeds();
    assert_eq!(note(&project, "given"), "of the whole\n");
}

/// FE-003: an archive from a server or from standard input, and a spec that is downloaded alone.
#[test]
fn a_download_is_the_context() {
    let project = Project::new("unused: true");
    project.write("tree/other.yml", noting("packed"));
    project.write("tree/note", "of an archive\n");
    let tar = Command::new("tar").arg("-czC").arg(project.path("tree")).args(["other.yml", "note"]).output();
    let tar = tar.unwrap().stdout;
    project.write("context.tgz", &tar);
    let spec = script("alone", "");
    let server = Server::start(move |path| match path {
        "/context.tgz" => Response::ok(tar.clone()),
        _ => Response::ok(spec.clone()),
    });
    package(&project).args(["-f", "other.yml"]).arg(server.url("/context.tgz")).succeeds();
    assert_eq!(note(&project, "packed"), "of an archive\n");
    fs::remove_dir_all(project.path("out")).unwrap();
    let mut build = package(&project).args(["-f", "other.yml", "-"]);
    build.command.stdin(Stdio::from(fs::File::open(project.path("context.tgz")).unwrap()));
    build.succeeds();
    assert_eq!(note(&project, "packed"), "of an archive\n");
    fs::remove_dir_all(project.path("out")).unwrap();
    package(&project).arg(server.url("/any.yml")).succeeds();
    project.output("alone_1.0.0.orig.tar.gz");
}

/// A repository as a named context, for our image and for our client.
#[test]
fn a_repository_is_a_named_context() {
    let repository = repository();
    let server = repository.over_http(None);
    for engine in [Engine::Inside, Engine::Against] {
        let spec = noting("named").replace("context: {}", "context: {name: other}");
        let project = Project::new(&spec);
        let context = format!("other={}?ref=v1&subdir=part", server.url());
        engine.build(&project, "bookworm/dsc").args(["--build-context", &context]).succeeds();
        assert_eq!(note(&project, "named"), "of a part\n", "{engine:?}");
    }
}
