//! Programs for Windows on the embedded engine, on a worker that is ready: a zip file of one program.

use std::path::Path;
use std::process::Command;

use dalec_e2e::bases::cross_worker;
use dalec_e2e::run::Project;
use serde_json::{Value, json};

use crate::process::run;
use crate::scenarios::summary;

const SPEC: &str = "\
name: hello
version: 1.0.0
revision: 1
sources:
  src:
    context: {}
build:
  steps:
    - command: x86_64-w64-mingw32-gcc -O2 -o hello.exe src/hello.c
artifacts:
  binaries:
    hello.exe: {}
";

/// How many builds of each kind make a run.
const BUILDS: usize = 5;

/// Measures `runs` times five builds after one line changed, and as many of which nothing changed; seconds.
///
/// # Errors
/// When a build fails, with what it said.
pub fn measure(binary: &Path, runs: usize) -> Result<Value, String> {
    let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
    let project = Project::new(SPEC);
    let change = |number: usize| {
        project.write("src/hello.c", format!("int main(void) {{ return 0 * {number}; }}\n"));
    };
    let build = || {
        let mut command = Command::new(&binary);
        command.args([
            "build",
            "-f",
            "spec.yml",
            "--target",
            "windowscross/zip",
            "-o",
            "out",
            "--progress",
            "plain",
        ]);
        command.arg(format!("--build-context=dalec-windowscross-worker={}", cross_worker().context()));
        command.args(["--state-dir", "state", "src"]).current_dir(project.path(""));
        run(&mut command, false)
    };
    change(0);
    eprintln!("filling the store: spec.yml");
    build()?;
    let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
    for number in 1..=runs * BUILDS {
        change(number);
        changed.push(build()?.seconds);
        unchanged.push(build()?.seconds);
    }
    Ok(json!({ "line_changed": summary(&changed), "nothing_changed": summary(&unchanged) }))
}
