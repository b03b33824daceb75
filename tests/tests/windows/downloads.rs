//! What is downloaded for programs for Windows beside their sources.

use std::fs;

use dalec_e2e::bases::cross_worker_with_npm;
use dalec_e2e::engine::Engine;
use dalec_e2e::run::Project;
use dalec_e2e::windows::{headers, names_in, unpacked};
use dalec_e2e::{modules, node, on_both_engines, private_modules, python};

use crate::greet::build;

on_both_engines!(
    root: go_modules,
    private_go_modules,
    python_packages,
    npm_packages,
);

/// Has what the build steps leave as `from` packaged as the program `to`.
fn packaged(project: &Project, artifacts: &str, from: &str, to: &str) {
    let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
    assert!(spec.contains(artifacts), "{spec}");
    let binaries = format!("binaries: {{{from}: {{name: {to}}}}}");
    project.write("spec.yml", spec.replace(artifacts, &binaries));
}

/// Returns what is in the only file of the zip file.
fn content(project: &Project, name: &str) -> String {
    let zip = project.output(".zip");
    assert_eq!(names_in(&zip), [name]);
    fs::read_to_string(unpacked(&zip).join(name)).unwrap()
}

/// WIN-002, SRC-020, SRC-033: Go builds for Windows without being told, from modules that were downloaded before.
fn go_modules(engine: Engine) {
    let server = modules::proxy();
    let project = modules::project();
    let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
    let binaries = "{bin/quoted: {name: quoted.exe}, bin/tool: {name: tool.exe}}";
    let spec = spec.replace("{bin/quoted: {}, bin/tool: {}}", binaries);
    // As the other test wants them, so that they are installed once.
    project.write("spec.yml", spec.replace("[golang-go]", "[git, golang-go, openssh-client]"));
    let proxy = format!("DALEC_GOMOD_PROXY={}", server.url(""));
    build(engine, &project, "windowscross/zip").args(["--build-arg", &proxy]).succeeds();
    let zip = project.output(".zip");
    assert_eq!(names_in(&zip), ["quoted.exe", "tool.exe"]);
    let program = headers(&unpacked(&zip).join("tool.exe"));
    assert!(program.contains("pei-x86-64"), "{program}");
}

/// SRC-023
fn private_go_modules(engine: Engine) {
    private_modules::are_downloaded(engine, &|project| build(engine, project, "windowscross/zip"), ".zip");
}

/// SRC-028, SRC-029, SRC-032
fn python_packages(engine: Engine) {
    let server = python::index();
    let project = python::project(&server.url("simple"));
    packaged(&project, "docs: {version: {}}", "version", "version.exe");
    build(engine, &project, "windowscross/zip").succeeds();
    assert_eq!(content(&project, "version.exe"), "1.16.0 own src/app/site-packages/six.py\n");
}

/// SRC-030, SRC-033
fn npm_packages(engine: Engine) {
    let server = node::registry();
    let project = node::project(&server.url(""));
    packaged(&project, "docs: {answer: {}}", "answer", "answer.exe");
    let worker = format!("--build-context=dalec-windowscross-worker={}", cross_worker_with_npm().context());
    engine.build(&project, "windowscross/zip").arg(worker).succeeds();
    assert_eq!(content(&project, "answer.exe"), "true\n");
}
