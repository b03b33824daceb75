//! Builds that are stopped in the middle, and what they leave behind: nothing.

use std::path::Path;

use rustix::process::Signal;

use crate::run::{Invocation, Project, Who, kept_state};
use crate::running::Running;

/// Returns a name that no other process has in its command line.
pub fn mark(name: &str) -> String {
    format!("dalec-test-mark-{name}-{}", std::process::id())
}

/// Returns a command that says `the step has started` and goes on for ever, with `mark` in its command line.
pub fn endless(mark: &str) -> String {
    format!("sh -c 'echo the step has started; while :; do sleep 1; done' {mark}")
}

/// Sends `signal` to `build`, a build of `project` by `who`, and checks that it ends by that, and that no process with `mark`
/// in its command line, no mount, no unfinished work in the store and no output is left.
///
/// # Panics
/// When something is left, or it ends otherwise.
#[track_caller]
pub fn leaves_nothing(mut build: Running, project: &Project, who: Who, signal: Signal, mark: &str) {
    build.signal(signal);
    let ran = build.end();
    assert!(ran.code == Some(128 + signal.as_raw()) || ran.signal == Some(signal.as_raw()), "{ran:?}");
    assert_eq!(project.outputs(), Vec::<String>::new());
    assert_eq!(processes_with(mark), Vec::<String>::new());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts are listed");
    let state = kept_state(who);
    assert!(!mounts.contains(&state.display().to_string()), "{mounts}");
    assert_eq!(leftovers(&state), Vec::<String>::new(), "left in the store");
}

/// Starts `build`, a build of `project` in which an [`endless`] step has `mark`, and checks that Ctrl-C in that step leaves
/// nothing.
///
/// # Panics
/// When something is left, or the step does not start.
#[track_caller]
pub fn in_a_step_leaves_nothing(build: Invocation, project: &Project, mark: &str) {
    let mut build = build.start();
    build.says("the step has started");
    leaves_nothing(build, project, Who::Me, Signal::INT, mark);
}

/// Returns what lies in the store's folder for unfinished work and belongs to no running process.
fn leftovers(state: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(state.join("tmp")).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    // Other tests build at the same time; their folders are named after their processes.
    names
        .filter(|name| {
            let pid: String = name.chars().take_while(char::is_ascii_digit).collect();
            pid.is_empty() || !Path::new("/proc").join(pid).exists()
        })
        .collect()
}

fn processes_with(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("processes are listed").flatten() {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command).contains(mark) {
            found.push(entry.path().display().to_string());
        }
    }
    found
}
