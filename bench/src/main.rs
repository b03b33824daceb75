//! Measures the product and prints JSON; what is measured, and how to read it, stands in `README.md` beside this.

mod process;
mod sandbox;
mod scenarios;
mod signing;
mod specs;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::{Map, Value, json};

use crate::scenarios::Scenarios;

const HELP: &str = "\
Measures dalec and prints JSON.

usage: dalec-bench [--runs N] [--binary PATH]... [--signing | --rpm] | --specs N

  --runs N       how often each measurement is taken (default 3)
  --binary PATH  a dalec binary to measure; several take turns (default: a release build of this checkout)
  --signing      measure nothing but signing packages
  --rpm          measure nothing but builds of RPM packages, which needs root
  --specs N      measure nothing but reading specs, N times each
";

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
    let (mut runs, mut binaries, mut is_signing, mut is_rpm) = (3, Vec::new(), false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--signing" {
            is_signing = true;
            continue;
        }
        if argument == "--rpm" {
            is_rpm = true;
            continue;
        }
        let value = arguments.next().ok_or(HELP)?;
        match argument.as_str() {
            "--runs" => runs = value.parse().map_err(|_| format!("{value:?} is no number of runs"))?,
            "--specs" => {
                let runs = value.parse().map_err(|_| format!("{value:?} is no number of runs"))?;
                return Ok(json!({ "specs": specs::measure(runs)? }));
            }
            "--binary" => binaries.push(PathBuf::from(value)),
            _ => return Err(HELP.into()),
        }
    }
    if binaries.is_empty() {
        binaries.push(release_build()?);
    }
    if is_rpm {
        let flags = dalec_e2e::rpm_world::contexts("azlinux3");
        let scenarios = scenarios_of(&binaries, "azlinux3/rpm", &flags)?;
        return Ok(json!({ "rpm": measured(scenarios, runs, Scenarios::measure_changes)? }));
    }
    let mut signing = Map::new();
    for binary in &binaries {
        signing.insert(binary.display().to_string(), signing::measure(binary, runs)?);
    }
    if is_signing {
        return Ok(json!({ "signing": signing }));
    }
    let scenarios = scenarios_of(&binaries, "bookworm/deb", &[])?;
    let report = measured(scenarios, runs, Scenarios::measure)?;
    // Last, because it moves this process into a namespace of its own.
    let starts = sandbox::starts(100)?;
    let specs = specs::measure(20)?;
    Ok(
        json!({ "binaries": report, "signing": signing, "specs": specs, "sandbox_start": scenarios::summary(&starts) }),
    )
}

fn scenarios_of(
    binaries: &[PathBuf],
    target: &'static str,
    flags: &[String],
) -> Result<Vec<Scenarios>, String> {
    binaries.iter().map(|binary| Scenarios::new(binary, target, flags.to_vec())).collect()
}

/// Has the binaries take turns, and returns all of their measurements.
fn measured(
    mut scenarios: Vec<Scenarios>,
    runs: usize,
    measure: fn(&mut Scenarios) -> Result<(), String>,
) -> Result<Map<String, Value>, String> {
    for run in 0..runs {
        for scenario in &mut scenarios {
            eprintln!("run {} of {runs}: {}", run + 1, scenario.binary().display());
            measure(scenario)?;
        }
    }
    let report = |scenario: &Scenarios| (scenario.binary().display().to_string(), scenario.report());
    Ok(scenarios.iter().map(report).collect())
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
