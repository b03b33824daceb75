//! The engine, for real: graphs in, file systems out. Every case runs as whoever runs the tests, and for root also
//! as an ordinary user.
//!
//! This executable is its own test runner, because it is also the shim of the sandboxes that the engine starts
//! and the programs that run in them (`probe`, and `frontend` for the frontends that it hosts). It lists and filters like `cargo test` does.

#[path = "engine/caching.rs"]
mod caching;
#[path = "engine/exports.rs"]
mod exports;
#[path = "engine/failures.rs"]
mod failures;
#[path = "engine/frontend.rs"]
mod frontend;
#[path = "engine/git.rs"]
mod git;
#[path = "engine/git_server.rs"]
mod git_server;
#[path = "engine/graph.rs"]
mod graph;
#[path = "engine/hosting.rs"]
mod hosting;
#[path = "engine/images.rs"]
mod images;
#[path = "engine/layers.rs"]
mod layers;
#[path = "engine/nesting.rs"]
mod nesting;
#[path = "engine/outputs.rs"]
mod outputs;
#[allow(dead_code, reason = "the tests of the sandbox use all of it")]
#[path = "sandbox/people.rs"]
mod people;
#[path = "engine/probe.rs"]
mod probe;
#[path = "engine/processes.rs"]
mod processes;
#[path = "engine/pruning.rs"]
mod pruning;
#[path = "engine/scopes.rs"]
mod scopes;
#[path = "engine/sharing.rs"]
mod sharing;
#[path = "engine/world.rs"]
mod world;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use dalec_engine::userns;
use world::{Case, World};

const CASES: [&[(&str, Case)]; 13] = [
    caching::CASES,
    exports::CASES,
    failures::CASES,
    git::CASES,
    hosting::CASES,
    images::CASES,
    layers::CASES,
    nesting::CASES,
    outputs::CASES,
    processes::CASES,
    pruning::CASES,
    scopes::CASES,
    sharing::CASES,
];

fn main() -> ExitCode {
    dalec_engine::sandbox::shim_main_if_requested();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["probe", ref commands @ ..] => probe::main(commands),
        ["frontend"] => frontend::main(),
        ["inside", person, ref filters @ ..] => inside(person, filters),
        ["build-until-killed", state] => sharing::build_until_killed(state.as_ref()),
        _ => outside(&arguments),
    }
}

/// Runs the cases as each person; arguments are those of the usual test runner.
fn outside(arguments: &[String]) -> ExitCode {
    let filters: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in CASES.concat() {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let passed: Vec<bool> = people::all().iter().map(|person| person.run(&filters)).collect();
    if passed.iter().all(|passed| *passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
    println!("\nas {person}: {}", entered.mode);
    people::check_mode(person, &entered);
    let mut failed = 0;
    for (name, case) in CASES.concat() {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter)) {
            continue;
        }
        let passed = std::panic::catch_unwind(AssertUnwindSafe(|| case(&World::new(entered.mode)))).is_ok();
        println!("test {person}::{name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += usize::from(!passed);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
