//! The sandbox, for real: every case runs as whoever runs the tests, and for root also as an ordinary user.
//!
//! This executable is its own test runner, because it is also the shim of the sandboxes it starts, the program that
//! runs in them (`probe`), and the process that becomes an ordinary user. It lists and filters like `cargo test` does.

#[path = "sandbox/cases.rs"]
mod cases;
#[path = "sandbox/mounts.rs"]
mod mounts;
#[path = "sandbox/people.rs"]
mod people;
#[path = "sandbox/probe.rs"]
mod probe;
#[path = "sandbox/streams.rs"]
mod streams;
#[path = "sandbox/world.rs"]
mod world;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use dalec_engine::userns;

fn main() -> ExitCode {
    dalec_engine::sandbox::shim_main_if_requested();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["probe", ref commands @ ..] => probe::main(commands),
        ["inside", person, ref filters @ ..] => inside(person, filters),
        ["hold", directory] => cases::hold_until_killed(directory.as_ref()),
        ["refused"] => people::explain_refusal(),
        _ => outside(&arguments),
    }
}

fn all_cases() -> impl Iterator<Item = &'static (&'static str, world::Case)> {
    cases::ALL.iter().chain(mounts::ALL).chain(streams::ALL)
}

/// Runs the cases as each person; arguments are those of the usual test runner.
fn outside(arguments: &[String]) -> ExitCode {
    let filters: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in all_cases() {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let mut success = people::refusal_is_explained();
    for person in people::all() {
        success &= person.run(&filters);
    }
    if success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the cases as `person`, which this process is already.
fn inside(person: &str, filters: &[&str]) -> ExitCode {
    let entered = match userns::enter(userns::Options::default()) {
        Ok(entered) => entered,
        Err(error) => {
            println!("{person}: {error} ({})", error.hint().unwrap_or("no hint"));
            return ExitCode::FAILURE;
        }
    };
    println!("\nas {person}: {} {}", entered.mode, entered.remark.as_deref().unwrap_or(""));
    people::check_mode(person, &entered);
    let world = world::World::new(entered.mode);
    let mut failed = 0;
    for (name, case) in all_cases() {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter)) {
            continue;
        }
        let passed = std::panic::catch_unwind(AssertUnwindSafe(|| case(&world))).is_ok();
        println!("test {person}::{name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += usize::from(!passed);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
