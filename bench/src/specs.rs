//! What it takes to read specs, without the start of a process: a long one that people write, and one of 50,000 lines.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use dalec_spec::{RawSpec, ResolveOptions, SourceText, load, silence_and_check};
use serde_json::{Value, json};

use crate::scenarios::summary;

/// Lines of the generated spec.
const LINES: usize = 50_000;

/// How many targets are resolved, each on its own.
const TARGETS: usize = 20;

/// Measures each `runs` times; seconds.
///
/// # Errors
/// When the example cannot be read, or a spec has errors.
pub fn measure(runs: usize) -> Result<Value, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/gallery/tidegate.yml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let people = SourceText::new("tidegate.yml", text);
    let generated = SourceText::new("generated.yml", generate());
    Ok(json!({
        "lines": people.text().lines().count(),
        "lint": summary(&times(runs, || lint(&people))?),
        "load": summary(&times(runs, || loaded(&people).map(drop))?),
        "resolve_20_targets": resolve(&people, runs)?,
        "generated_lines": generated.text().lines().count(),
        "lint_generated": summary(&times(runs, || lint(&generated))?),
        "resolve_20_targets_generated": resolve(&generated, runs)?,
    }))
}

fn times(runs: usize, mut work: impl FnMut() -> Result<(), String>) -> Result<Vec<f64>, String> {
    // What is only done once in a process, such as compiling patterns, counts in the first run.
    let mut times = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(times)
}

fn resolve(source: &SourceText, runs: usize) -> Result<Value, String> {
    let raw = loaded(source)?;
    let keys: Vec<String> = raw.target_keys().into_iter().map(str::to_owned).collect();
    let times = times(runs, || {
        for target in keys.iter().cycle().take(TARGETS) {
            let options = ResolveOptions { target: target.clone(), ..ResolveOptions::default() };
            raw.resolve(&options).0.ok_or_else(|| format!("{} has errors", source.name()))?;
        }
        Ok(())
    })?;
    Ok(summary(&times))
}

fn loaded(source: &SourceText) -> Result<RawSpec, String> {
    let loaded = load(source);
    match loaded.raw {
        Some(raw) if loaded.diagnostics.is_empty() => Ok(raw),
        _ => Err(format!("{} has errors", source.name())),
    }
}

fn lint(source: &SourceText) -> Result<(), String> {
    let found = silence_and_check(source, loaded(source)?.lint(&ResolveOptions::default()));
    if found.is_empty() { Ok(()) } else { Err(format!("{} has findings", source.name())) }
}

/// Returns a spec with as much of everything as it takes.
fn generate() -> String {
    let mut text = String::from("name: generated\nargs:\n  VERSION: 1.2.3\nversion: ${VERSION}\nsources:\n");
    let mut section = |share: usize, head: &str, entry: &dyn Fn(usize) -> String| {
        text.push_str(head);
        let start = text.lines().count();
        for index in 0.. {
            let _ = write!(text, "{}", entry(index));
            if index % 100 == 0 && text.lines().count() - start >= LINES * share / 100 {
                break;
            }
        }
    };
    section(15, "", &|index| {
        format!(
            "  source-{index}:\n    http:\n      url: https://example.org/${{VERSION}}/{index}\n      digest: sha256:{index:064x}\n"
        )
    });
    section(20, "build:\n  steps:\n", &|index| {
        format!(
            "    - command: |\n        make part-{index}\n      env:\n        PART: \"{index} ${{VERSION}}\"\n"
        )
    });
    section(15, "dependencies:\n  build:\n", &|index| {
        format!("    lib{index}-dev:\n      version: [\">= ${{VERSION}}\"]\n")
    });
    section(15, "artifacts:\n  binaries:\n", &|index| format!("    out/{index}:\n      permissions: 0755\n"));
    section(20, "tests:\n", &|index| {
        format!(
            "  - name: test {index}\n    steps:\n      - command: tool {index}\n        stdout:\n          contains:\n            - \"${{VERSION}}\"\n          matches: [\"^tool {index}\"]\n"
        )
    });
    section(13, "changelog:\n", &|index| {
        format!("  - date: 2026-01-31\n    author: Someone\n    changes:\n      - change {index}\n")
    });
    text.push_str("targets:\n");
    for index in 0..TARGETS {
        let _ = write!(text, "  target-{index}:\n    dependencies:\n      runtime:\n        - lib{index}\n");
    }
    text
}
