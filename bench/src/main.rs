//! Measures the product and prints JSON; what is measured, and how to read it, stands in `README.md` beside this.

mod hosting;
mod image;
mod inside;
mod kinds;
mod process;
mod request;
mod sandbox;
mod scenarios;
mod signing;
mod specs;
mod together;
mod windows;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::{Map, Value};

use crate::request::{Part, Request};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(sandbox::TRIVIAL) {
        return ExitCode::SUCCESS;
    }
    dalec_engine::sandbox::shim_main_if_requested();
    match run() {
        Ok(report) => {
            println!("{report:#}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Value, String> {
    let mut request = Request::parse(std::env::args().skip(1))?;
    let mut report = Map::new();
    let of_binaries = [Part::Builds, Part::Signing, Part::Hosting, Part::Rpm, Part::Windows, Part::Together];
    if of_binaries.iter().any(|part| request.has(*part)) && request.binaries.is_empty() {
        request.binaries.push(release_build()?);
    }
    let Request { runs, binaries, .. } = &request;
    if request.has(Part::Buildkit) {
        report.insert("buildkit".into(), inside::measure(*runs, request.upstream.as_deref())?);
    }
    if request.has(Part::Signing) {
        report.insert("signing".into(), each(binaries, |binary| signing::measure(binary, *runs))?);
    }
    if request.has(Part::Hosting) {
        report.insert("hosting".into(), each(binaries, |binary| hosting::measure(binary, *runs))?);
    }
    if request.has(Part::Windows) {
        report.insert("windows".into(), each(binaries, |binary| windows::measure(binary, *runs))?);
    }
    if request.has(Part::Together) {
        report.insert("together".into(), each(binaries, |binary| together::measure(binary, *runs))?);
    }
    if request.has(Part::Rpm) {
        let flags = dalec_e2e::rpm_world::contexts("azlinux3");
        report.insert("rpm".into(), scenarios::measure_changes(binaries, *runs, "azlinux3/rpm", &flags)?);
    }
    if request.has(Part::Builds) {
        report.insert("binaries".into(), scenarios::measure(binaries, *runs)?);
    }
    if request.has(Part::Specs) {
        report.insert("specs".into(), specs::measure(request.spec_runs)?);
    }
    if request.has(Part::Builds) {
        // Last, because it moves this process into a namespace of its own.
        report.insert("sandbox_start".into(), scenarios::summary(&sandbox::starts(100)?));
    }
    Ok(report.into())
}

/// Measures each of `binaries`, and returns what was found by their names.
fn each(binaries: &[PathBuf], measure: impl Fn(&Path) -> Result<Value, String>) -> Result<Value, String> {
    let mut report = Map::new();
    for binary in binaries {
        report.insert(binary.display().to_string(), measure(binary)?);
    }
    Ok(report.into())
}

fn release_build() -> Result<PathBuf, String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["build", "--release", "--package", "dalec", "--message-format=json-render-diagnostics"];
    let mut build = Command::new(cargo);
    build.args(arguments).current_dir(workspace).stderr(std::process::Stdio::inherit());
    let built = build.output().map_err(|error| format!("cannot start cargo: {error}"))?;
    let messages = String::from_utf8_lossy(&built.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_binary = message["target"]["name"] == "dalec" && message["executable"].is_string();
        is_binary.then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executables.next_back().filter(|_| built.status.success()).ok_or_else(|| "dalec does not build".into())
}
