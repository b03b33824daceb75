//! Runs every test with plain `cargo test` and counts the results.
//!
//! Fast tests come first. A test that is marked as ignored, or a suite that ends without its summary, is a failure. What
//! an ordinary user cannot run is left out, and said to be.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use dalec_e2e::binary::{cargo, is_root};

/// Words in the names of all tests that need root, because of a BuildKit daemon or to make the images that they use, and of
/// no others.
const NEED_ROOT: [&str; 2] = ["buildkit::", "root::"];

/// Results of one or several test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Runs all tests; the last line printed is `N passed, N failed`.
///
/// # Errors
/// When a test failed, was ignored, or a suite could not be run.
pub fn run() -> Result<(), String> {
    dalec_e2e::run::make_room();
    let mut count = Count::default();
    let fast = cargo_test(&["--workspace", "--exclude", "dalec-e2e", "--no-fail-fast"], &mut count)?;
    let all: &[&str] = &["--package", "dalec-e2e", "--no-fail-fast"];
    let [buildkit, root] = NEED_ROOT;
    let without_root = [all, &["--", "--skip", buildkit, "--skip", root]].concat();
    let end_to_end = match fast {
        true if is_root() => cargo_test(all, &mut count)?,
        true => {
            println!(
                "left out, because they need root: the tests against a real BuildKit, and those of RPM targets"
            );
            cargo_test(&without_root, &mut count)?
        }
        false => true,
    };
    if count.ignored > 0 {
        println!("{} tests are marked as ignored, which is not allowed here", count.ignored);
    }
    println!("{} passed, {} failed", count.passed, count.failed + count.ignored);
    match fast && end_to_end && count.failed + count.ignored == 0 && count.passed > 0 {
        true => Ok(()),
        false => Err("not all tests passed".into()),
    }
}

fn cargo_test(arguments: &[&str], count: &mut Count) -> Result<bool, String> {
    let child = cargo().arg("test").args(arguments).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("cannot start cargo: {error}"))?;
    let output = child.stdout.take().ok_or("cargo has no output")?;
    for line in BufReader::new(output).lines() {
        let line = line.map_err(|error| format!("cannot read cargo's output: {error}"))?;
        println!("{line}");
        count.add(&line);
    }
    let status = child.wait().map_err(|error| format!("cannot wait for cargo: {error}"))?;
    Ok(status.success())
}

impl Count {
    /// Adds a summary line of a test program: `test result: ok. 5 passed; 0 failed; 0 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(summary) = line.strip_prefix("test result: ") else { return };
        for part in summary.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn summaries_add_up() {
        let mut count = Count::default();
        count.add(
            "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        count.add(
            "test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1s",
        );
        count.add("test thing ... ok");
        assert_eq!(count, Count { passed: 6, failed: 2, ignored: 1 });
    }
}
