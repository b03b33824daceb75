//! The project that most tests here build: a program with resources, and a library that it needs.

use dalec_e2e::bases::cross_worker;
use dalec_e2e::engine::Engine;
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::windows::bases;

const SPEC: &str = include_str!("../../specs/windows.yml");

const PROGRAM: &str = "\
#include <stdio.h>
__declspec(dllimport) const char *greeting(void);
int main(void) { puts(greeting()); return 0; }
";

/// What the specs call the images of Windows; named contexts give them.
pub const BASES: [&str; 2] = ["registry.example.org/windows:2019", "registry.example.org/windows:2022"];

/// Returns the project.
pub fn greet() -> Project {
    greet_with("")
}

/// Returns the project with `more` behind its spec.
pub fn greet_with(more: &str) -> Project {
    let project = Project::new(&format!("{SPEC}{more}"));
    project.write("src/greet.c", PROGRAM);
    greeting(&project, "Hello, Windows!");
    project
}

/// Writes the library, with `text` in it.
pub fn greeting(project: &Project, text: &str) {
    let library = format!("__declspec(dllexport) const char *greeting(void) {{ return \"{text}\"; }}\n");
    project.write("src/greeting.c", library);
}

/// Returns a project of one file, which is packaged as it is; `binaries` are the artifacts.
pub fn file(binaries: &str, more: &str) -> Project {
    let spec = format!(
        "name: plain\nversion: 1.0.0\nrevision: 1\nsources:\n  tool.exe:\n    inline:\n      file:\n        contents: MZ\n\
         artifacts:\n  binaries: {binaries}\n{more}"
    );
    Project::new(&spec)
}

/// Returns the build of `target`, with a worker and images of Windows at hand.
pub fn build(engine: Engine, project: &Project, target: &str) -> Invocation {
    let context = |name: &str, value: String| format!("--build-context={name}={value}");
    let worker = context("dalec-windowscross-worker", cross_worker().context());
    let bases = BASES.iter().zip(bases()).map(|(name, base)| context(name, base.context()));
    engine.build(project, target).arg(worker).args(bases)
}
