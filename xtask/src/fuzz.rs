//! Fuzzes what reads specs: the loader, the expansion of arguments and the command-line splitter.
//!
//! Needs the nightly toolchain and `cargo install cargo-fuzz`; nothing is installed here. What is found stays in
//! `fuzz/artifacts`, new inputs in `fuzz/target`; the corpus in the repository is only read.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The targets, and beside their corpus the folders with texts to begin with.
const TARGETS: &[(&str, &[&str])] = &[
    ("expand", &[]),
    ("shlex", &[]),
    ("load", &["crates/dalec-spec/tests/ok", "crates/dalec-spec/tests/err", "examples"]),
];

/// What every run is held to: seconds and memory for one input, bytes of an input.
const LIMITS: &[&str] = &["-timeout=10", "-rss_limit_mb=2048", "-max_len=65536", "-dict=fuzz/yaml.dict"];

/// Fuzzes each target for `seconds`, one after the other.
///
/// # Errors
/// When a target cannot be run, or when it found something.
pub fn run(seconds: u32) -> Result<(), String> {
    let root = crate::root()?;
    let mut found = Vec::new();
    for (target, seeds) in TARGETS {
        println!("fuzzing {target} for {seconds} seconds");
        if !fuzz(root, target, seeds, seconds)? {
            found.push(*target);
        }
    }
    match found.is_empty() {
        true => Ok(()),
        false => Err(format!("{} failed; the inputs are in fuzz/artifacts", found.join(", "))),
    }
}

/// Fuzzes one target and returns whether it ended well.
fn fuzz(root: &Path, target: &str, seeds: &[&str], seconds: u32) -> Result<bool, String> {
    let new = PathBuf::from("fuzz/target/corpus").join(target);
    std::fs::create_dir_all(root.join(&new))
        .map_err(|error| format!("cannot create {}: {error}", new.display()))?;
    // Not this cargo: the toolchain is another one.
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "fuzz", "run", target]).arg(new);
    command.arg(format!("fuzz/corpus/{target}")).args(seeds);
    command.arg("--").args(LIMITS).arg(format!("-max_total_time={seconds}"));
    let status =
        command.current_dir(root).status().map_err(|error| format!("cannot start rustup: {error}"))?;
    Ok(status.success())
}
