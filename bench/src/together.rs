//! Packages of several families of one spec: each in a run of its own, and all in one.

use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

use crate::kinds::{Kind, change, project};
use crate::process::run;
use crate::scenarios::summary;

/// How many builds of each kind make a run.
const BUILDS: usize = 5;

/// What all kinds in one run are called.
const TOGETHER: &str = "together";

/// Measures `runs` times five builds of each kind alone and as many of all together, each after one line changed;
/// seconds, and the median of all together as a part of the slowest kind's.
///
/// # Errors
/// When a build fails, with what it said.
pub fn measure(binary: &Path, runs: usize) -> Result<Value, String> {
    let binary = binary.canonicalize().map_err(|error| format!("{}: {error}", binary.display()))?;
    let (project, kinds) = (project(), Kind::all());
    let build = |name: &str, kinds: &[Kind]| {
        let mut command = Command::new(&binary);
        command.args(["build", "-f", "spec.yml", "--progress", "plain", "--state-dir", "state", "-o"]);
        command.arg(Path::new("out").join(name)).args(kinds.iter().flat_map(Kind::flags));
        command.args(kinds.iter().flat_map(|kind| ["--target", kind.target]));
        run(command.arg(".").current_dir(project.path("")), false)
    };
    let groups = kinds.iter().map(|kind| (kind.target, std::slice::from_ref(kind)));
    let mut groups: Vec<_> =
        groups.chain([(TOGETHER, &kinds[..])]).map(|group| (group, Vec::new())).collect();
    eprintln!("filling the store: {}", binary.display());
    build(TOGETHER, &kinds)?;
    let mut changes = 0;
    for number in 0..runs * BUILDS {
        eprintln!("packages of several families, {} of {}", number + 1, runs * BUILDS);
        for ((name, kinds), seconds) in &mut groups {
            changes += 1;
            change(&project, changes);
            seconds.push(build(name, kinds)?.seconds);
        }
    }
    let mut report: Map<String, Value> =
        groups.iter().map(|((name, _), seconds)| ((*name).to_owned(), summary(seconds))).collect();
    let median = |name: &str| report[name]["median"].as_f64();
    let slowest = kinds.iter().filter_map(|kind| median(kind.target)).fold(0.0, f64::max);
    let ratio = median(TOGETHER).map(|together| together / slowest);
    report.insert("ratio".into(), ratio.into());
    Ok(report.into())
}
