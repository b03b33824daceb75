//! The `dalec` command: flags in, files, words and exit codes out.
//!
//! This room decides nothing about specs, targets or how a build runs; it asks the other rooms and shows what they say.

mod bases;
mod cli;
mod commands;
mod errors;
mod new_file;
mod observe;
mod options;
mod outputs;
mod progress;
mod signals;
mod spec_file;
mod summary;
mod surroundings;
mod terminal;

use clap::Parser;
use cli::{Cli, Command};
use errors::CommandError;

fn main() {
    dalec_engine::sandbox::shim_main_if_requested();
    if let Some(code) = test_runner() {
        std::process::exit(code);
    }
    let code = match run(Cli::parse()) {
        Ok(()) => 0,
        Err(error) => {
            commands::report(&error);
            error.exit().code()
        }
    };
    std::process::exit(code);
}

fn run(cli: Cli) -> Result<(), CommandError> {
    match cli.command {
        Command::Build(args) => commands::build::run(*args),
        Command::Lint(args) => commands::lint::run(&args),
        Command::Resolve(args) => commands::resolve::run(&args),
        Command::Targets(args) => commands::targets::run(&args),
        Command::Schema(args) => commands::schema::run(&args),
        Command::Key(args) => commands::key::run(&args),
        Command::Sign(args) => commands::sign::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
    }
}

/// Runs a step or a check of a spec's test when this program was put into a container for that: `frontend test-runner …`.
fn test_runner() -> Option<i32> {
    let mut args = std::env::args_os().skip(1);
    let requested = args.next().is_some_and(|first| first == "test-runner");
    requested.then(|| dalec_testrunner::main(args))
}
