//! Replays the corpus of the fuzzer with the stable compiler; what must hold is written down with the fuzzer.
//!
//! Expansion is private to its room and replays its part of the corpus there.

#[path = "../../../fuzz/src/lib.rs"]
mod checks;

use std::path::Path;

/// Runs `check` on every input of the fuzz target `target`.
fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in std::fs::read_dir(&corpus).expect("the corpus folder").flatten() {
        // A failing test shows what was printed last.
        println!("{}", entry.path().display());
        check(&std::fs::read(entry.path()).expect("a readable input"));
        inputs += 1;
    }
    assert!(inputs > 0, "{} is empty", corpus.display());
}

#[test]
fn specs_hold() {
    replay("load", checks::load);
}

#[test]
fn command_lines_hold() {
    replay("shlex", checks::shlex);
}
