//! The `dalec` command: flags in, files, words and exit codes out.
//!
//! This room decides nothing about specs, targets or how a build runs; it asks the other rooms and shows what they say.

mod bases;
mod cli;
mod commands;
mod compare_signed;
mod credential_helper;
mod emulator;
mod errors;
mod new_file;
mod observe;
mod options;
mod outputs;
mod progress;
mod role;
mod sign_tree;
mod signals;
mod signed;
mod spec_file;
mod summary;
mod surroundings;
mod terminal;
mod timestamps;
mod unmatched;

use clap::Parser;
use cli::{Cli, Command};
use errors::CommandError;
use role::Part;

/// Does what this process was started for, and returns its exit code: the command line, or a part.
pub fn main() -> i32 {
    dalec_engine::sandbox::shim_main_if_requested();
    match role::of(std::env::args_os()) {
        Some(part) => run_part(part),
        None => ended(run(Cli::parse())),
    }
}

/// As [`main`], in a program that has no command line: images of ours start parts alone, and are smaller so.
pub fn main_of_image() -> i32 {
    run_part(role::of(std::env::args_os()).unwrap_or_else(|| Part::Unknown("dalec".into())))
}

fn run_part(part: Part) -> i32 {
    match part {
        Part::TestRunner(args) => dalec_testrunner::main(args.into_iter()),
        Part::Compare(args) => compare_signed::main(&args),
        Part::Unmatched(args) => unmatched::main(&args),
        Part::CredentialHelper(args) => credential_helper::main(&args),
        Part::Frontend => ended(commands::frontend::run(&commands::frontend::Args {})),
        Part::Signer => ended(commands::frontend::serve(commands::frontend::sign)),
        Part::SignTree(args) => sign_tree::main(&args),
        Part::Unknown(name) => {
            eprintln!("error: this program has no part called `{name}`");
            role::UNKNOWN
        }
    }
}

/// Says why a command failed, and returns how the process ends.
fn ended(outcome: Result<(), CommandError>) -> i32 {
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            commands::report(&error);
            error.exit().code()
        }
    }
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
        Command::Cache(args) => commands::cache::run(args),
        Command::Frontend(args) => commands::frontend::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
    }
}
