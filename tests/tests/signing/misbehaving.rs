//! Signers that do what they must not: the build fails, says what they did, and leaves nothing behind.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use rustix::process::Signal;

use crate::spec::{UNCOMPARED, args, build, signed_in};

on_both_engines!(
    a_package_that_did_not_come_back,
    an_empty_answer,
    a_package_that_nobody_built,
    a_changed_payload,
    a_link_in_place_of_a_package,
    no_answer,
    a_crash,
    an_end_without_an_answer,
    more_words_than_anybody_reads,
    a_frontend_that_is_not_there,
    files_of_the_client_that_nobody_gave,
    an_interrupted_signer_that_hangs,
    what_is_not_compared_is_taken_with_a_warning,
    an_answer_without_signatures_is_taken_with_a_warning,
);

/// Returns a cmdline for `mode` that no other test has: the processes of one signer are told from those of others by it.
fn cmdline(mode: &str) -> String {
    static SIGNERS: AtomicU32 = AtomicU32::new(0);
    format!("{mode} {}-{}", std::process::id(), SIGNERS.fetch_add(1, Ordering::Relaxed))
}

/// Builds with a signer in `mode`, and expects a failure that says `words` and leaves neither outputs nor processes.
fn fails(engine: Engine, mode: &str, words: &[&str]) {
    let cmdline = cmdline(mode);
    let project = signed_in(&cmdline);
    let ran = build(engine, &project).fails(1);
    ran.says(words);
    assert!(ran.stderr.len() < 4 << 20, "{} bytes were said", ran.stderr.len());
    assert_eq!(project.outputs(), Vec::<String>::new());
    assert_eq!(signers_running(&cmdline), Vec::<String>::new());
}

/// Returns the signers with `cmdline` that still run.
fn signers_running(cmdline: &str) -> Vec<String> {
    let mark = format!("=cmdline={cmdline}\0");
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").expect("/proc can be read").flatten() {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(&mark) {
            found.push(process.path().display().to_string());
        }
    }
    found
}

fn a_package_that_did_not_come_back(engine: Engine) {
    fails(engine, "drop", &["signed_1.0.0-debian12u1_all.deb is missing"]);
}

fn an_empty_answer(engine: Engine) {
    fails(engine, "empty", &["signed_1.0.0-debian12u1_all.deb is missing"]);
}

fn a_package_that_nobody_built(engine: Engine) {
    fails(engine, "add", &["extra_1.0_all.deb was added"]);
}

fn a_changed_payload(engine: Engine) {
    fails(engine, "payload", &["signed_1.0.0-debian12u1_all.deb", "data.tar", "was changed"]);
}

fn a_link_in_place_of_a_package(engine: Engine) {
    fails(engine, "link", &["signed_1.0.0-debian12u1_all.deb was a ", "link now"]);
}

fn no_answer(engine: Engine) {
    fails(engine, "nothing", &["dalec.example/signer"]);
}

/// BuildKit keeps what a frontend writes to standard error to itself.
fn a_crash(engine: Engine) {
    let words = match engine {
        Engine::Embedded => "the signer fell over",
        Engine::Inside | Engine::Against => "exit code: 2",
    };
    fails(engine, "crash", &["dalec.example/signer", words]);
}

fn an_end_without_an_answer(engine: Engine) {
    fails(engine, "leave", &["dalec.example/signer"]);
}

/// Not with BuildKit: it waits for such a frontend until somebody interrupts it.
#[test]
fn words_that_are_no_protocol() {
    fails(Engine::Embedded, "garbage", &["dalec.example/signer"]);
}

fn more_words_than_anybody_reads(engine: Engine) {
    fails(engine, "chatter", &["dalec.example/signer", "said all there is to say"]);
}

fn a_frontend_that_is_not_there(engine: Engine) {
    fails(engine, "unknown", &["no-such-frontend.v0"]);
}

fn files_of_the_client_that_nobody_gave(engine: Engine) {
    fails(engine, "escape", &["dalec.example/signer"]);
}

fn an_interrupted_signer_that_hangs(engine: Engine) {
    let cmdline = cmdline("hang");
    let project = signed_in(&cmdline);
    let mut build = build(engine, &project).start();
    build.until(|| !signers_running(&cmdline).is_empty());
    build.signal(Signal::INT);
    let client = build.id();
    let ran = build.end();
    assert_ne!(ran.code, Some(0), "{}", ran.stderr);
    // BuildKit ends the signer when it learns that the client is gone.
    wait_until(|| signers_running(&cmdline).is_empty());
    assert_eq!(project.outputs(), Vec::<String>::new());
    if engine == Engine::Embedded {
        let state = dalec_e2e::run::kept_state(dalec_e2e::run::Who::Me);
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("it can be read");
        assert!(!mounts.contains(&state.display().to_string()), "{mounts}");
        assert!(!Path::new(&format!("/proc/{client}")).exists());
    }
}

fn wait_until(done: impl FnMut() -> bool) {
    let mut done = done;
    for _ in 0..1200 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("waited for two minutes");
}

/// The opt-out is loud.
fn what_is_not_compared_is_taken_with_a_warning(engine: Engine) {
    let project = signed_in("echo");
    let ran = build(engine, &project).args(args(&[UNCOMPARED])).succeeds();
    ran.says(&["DALEC_SIGNING_UNVERIFIED"]);
    assert!(project.path("out/manifest.json").exists());
    fails(engine, "echo", &["manifest.json was added"]);
}

fn an_answer_without_signatures_is_taken_with_a_warning(engine: Engine) {
    let project = signed_in(&cmdline("none"));
    let ran = build(engine, &project).succeeds();
    ran.says(&["the signer returned everything without any signature"]);
    assert!(project.output(".deb").exists());
}
