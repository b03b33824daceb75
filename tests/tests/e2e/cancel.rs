//! Ctrl-C and SIGTERM in the middle of a step leave nothing behind.

use std::path::Path;

use dalec_e2e::run::{Project, Who, kept_state};
use rustix::process::Signal;

use crate::specs::script;

fn cancelled(name: &str, signal: Signal, who: Who) {
    let mark = format!("dalec-test-mark-{name}-{}", std::process::id());
    let steps = format!(
        "build:\n  steps:\n    - command: |\n        echo the step has started\n        exec sh -c 'while :; do sleep 1; done' {mark}\n"
    );
    let project = Project::new(&script(name, &steps));
    let mut build = project.build_as(who, "bookworm/deb").start();
    build.says("the step has started");
    build.signal(signal);
    let ran = build.end();
    assert!(ran.code == Some(128 + signal.as_raw()) || ran.signal == Some(signal.as_raw()), "{ran:?}");
    assert_eq!(project.outputs(), Vec::<String>::new());
    assert_eq!(processes_with(&mark), Vec::<String>::new());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let state = kept_state(who);
    assert!(!mounts.contains(&state.display().to_string()), "{mounts}");
    let left = leftovers(&state);
    assert_eq!(left, Vec::<String>::new(), "left in the store");
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
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command).contains(mark) {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

#[test]
fn interrupt() {
    cancelled("interrupt", Signal::INT, Who::Me);
}

#[test]
fn terminate_as_an_ordinary_user() {
    cancelled("terminate", Signal::TERM, Who::Ordinary);
}
