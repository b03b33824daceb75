//! The work that is timed: builds of the hello example with one binary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::process::{Cost, run};

/// Measures builds by `binaries` in turns, each `runs` times, and returns what was found by their names.
///
/// # Errors
/// When a build fails, with what it said.
pub fn measure(binaries: &[PathBuf], runs: usize) -> Result<Value, String> {
    in_turns(binaries, runs, "bookworm/deb", &[], Scenarios::measure)
}

/// As [`measure`], for `target` with these flags; nothing but what a changed line costs, and nothing changed.
///
/// # Errors
/// When a build fails, with what it said.
pub fn measure_changes(
    binaries: &[PathBuf],
    runs: usize,
    target: &'static str,
    flags: &[String],
) -> Result<Value, String> {
    in_turns(binaries, runs, target, flags, Scenarios::measure_changes)
}

fn in_turns(
    binaries: &[PathBuf],
    runs: usize,
    target: &'static str,
    flags: &[String],
    measure: fn(&mut Scenarios) -> Result<(), String>,
) -> Result<Value, String> {
    let mut scenarios = Vec::new();
    for binary in binaries {
        scenarios.push(Scenarios::new(binary, target, flags)?);
    }
    for run in 0..runs {
        for scenario in &mut scenarios {
            eprintln!("run {} of {runs}: {}", run + 1, scenario.binary.display());
            measure(scenario)?;
        }
    }
    let mut report = Map::new();
    for scenario in scenarios {
        report.insert(scenario.binary.display().to_string(), scenario.report());
    }
    Ok(report.into())
}

/// The measurements of one binary.
struct Scenarios {
    binary: PathBuf,
    target: &'static str,
    flags: Vec<String>,
    folder: TempDir,
    runs: BTreeMap<&'static str, Vec<f64>>,
    changes: u32,
}

impl Scenarios {
    /// Returns no measurements yet of builds for `target`, which need `flags`.
    ///
    /// # Errors
    /// When the scratch folder cannot be made.
    fn new(binary: &Path, target: &'static str, flags: &[String]) -> Result<Self, String> {
        // The usual place for temporary files may be in memory; a store belongs on a disk.
        let folder =
            TempDir::with_prefix_in("dalec-bench-", "/var/tmp").map_err(|error| error.to_string())?;
        let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
        Ok(Self { binary, target, flags: flags.to_vec(), folder, runs: BTreeMap::new(), changes: 0 })
    }

    /// Takes every measurement once.
    ///
    /// # Errors
    /// When a build fails, with what it said.
    fn measure(&mut self) -> Result<(), String> {
        let state = self.folder.path().join("state");
        self.write_context()?;
        remove(&state)?;
        let cold = self.build(true)?;
        self.add("cold_empty", cold.seconds);
        self.add("peak_memory", cold.peak as f64);
        let entries = std::fs::read_dir(&state).map_err(|error| error.to_string())?;
        for entry in entries
            .flatten()
            .filter(|entry| !["downloads", "bootstrap"].iter().any(|kept| entry.file_name() == *kept))
        {
            remove(&entry.path())?;
        }
        let kept = self.build(false)?;
        self.add("cold_downloads_kept", kept.seconds);
        for _ in 0..3 {
            self.measure_change()?;
            let lint = run(self.command("lint").arg("spec.yml"), false)?;
            self.add("lint", lint.seconds);
            let resolve =
                run(self.command("resolve").args(["-f", "spec.yml", "--target", "bookworm"]), false)?;
            self.add("resolve", resolve.seconds);
        }
        Ok(())
    }

    /// Takes those measurements three times that start from a build which was made before, all but `lint` and `resolve`.
    ///
    /// # Errors
    /// When a build fails, with what it said.
    fn measure_changes(&mut self) -> Result<(), String> {
        self.write_context()?;
        self.build(false)?;
        for _ in 0..3 {
            self.measure_change()?;
        }
        Ok(())
    }

    fn measure_change(&mut self) -> Result<(), String> {
        self.changes += 1;
        self.write_context()?;
        let changed = self.build(false)?;
        self.add("line_changed", changed.seconds);
        let unchanged = self.build(false)?;
        self.add("nothing_changed", unchanged.seconds);
        Ok(())
    }

    /// Returns all measurements as JSON.
    fn report(&self) -> Value {
        self.runs.iter().map(|(name, runs)| ((*name).to_owned(), summary(runs))).collect()
    }

    fn add(&mut self, name: &'static str, value: f64) {
        self.runs.entry(name).or_default().push(value);
    }

    fn build(&self, watch_memory: bool) -> Result<Cost, String> {
        let mut command = self.command("build");
        command.args(["-f", "spec.yml", "--target", self.target, "-o", "out", "--progress", "plain"]);
        command.args(&self.flags).args(["--state-dir", "state", "context"]);
        run(&mut command, watch_memory)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg(name).current_dir(self.folder.path());
        command
    }

    fn write_context(&self) -> Result<(), String> {
        let examples =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above").join("examples");
        let read = |name: &str| {
            let path = examples.join(name);
            std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let context = self.folder.path().join("context");
        let write = |path: PathBuf, text: String| {
            std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        std::fs::create_dir_all(&context).map_err(|error| error.to_string())?;
        write(self.folder.path().join("spec.yml"), read("hello.yml")?)?;
        let source = read("hello/hello.c")?.replace("return 0;", &format!("return 0 * {};", self.changes));
        write(context.join("hello.c"), source)
    }
}

/// Returns the runs with their least, middle and greatest.
pub fn summary(runs: &[f64]) -> Value {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2);
    json!({ "min": sorted.first(), "median": median, "max": sorted.last(), "runs": runs })
}

/// Removes a file or a directory tree, whose directories may be read-only.
fn remove(path: &Path) -> Result<(), String> {
    let done = Command::new("rm").arg("-rf").arg(path).status().map_err(|error| error.to_string())?;
    match done.success() {
        true => Ok(()),
        false => Err(format!("cannot remove {}", path.display())),
    }
}
