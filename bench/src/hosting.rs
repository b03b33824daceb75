//! What it costs the embedded engine to host a signer that does nothing.

use std::path::Path;
use std::process::Command;

use dalec_e2e::signers::go_signer;
use dalec_e2e::specs::hello;
use serde_json::{Value, json};

use crate::process::run;
use crate::scenarios::summary;

/// What the spec calls its signer.
const SIGNER: &str = "dalec.example/signer";

/// How many builds of each kind make a run.
const BUILDS: usize = 5;

/// Measures `runs` times five builds of which nothing changed, without and with the signer; seconds.
///
/// # Errors
/// When a build fails, with what it said.
pub fn measure(binary: &Path, runs: usize) -> Result<Value, String> {
    let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
    let project = hello();
    let spec = std::fs::read_to_string(project.path("spec.yml")).map_err(|error| error.to_string())?;
    let signer = format!("package_config:\n  signer:\n    image: {SIGNER}\n    cmdline: none\n");
    project.write("signed.yml", format!("{spec}\n{signer}"));
    let build = |spec: &str| {
        let mut command = Command::new(&binary);
        command.args(["build", "-f", spec, "--target", "bookworm/deb", "-o", "out", "--progress", "plain"]);
        command.arg(format!("--build-context={SIGNER}={}", go_signer().context()));
        command.args(["--state-dir", "state", "."]).current_dir(project.path(""));
        run(&mut command, false)
    };
    for spec in ["spec.yml", "signed.yml"] {
        eprintln!("filling the store: {spec}");
        build(spec)?;
    }
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..runs * BUILDS {
        without.push(build("spec.yml")?.seconds);
        with.push(build("signed.yml")?.seconds);
    }
    let differences: Vec<f64> = with.iter().zip(&without).map(|(with, without)| with - without).collect();
    Ok(json!({ "without": summary(&without), "with": summary(&with), "difference": summary(&differences) }))
}
