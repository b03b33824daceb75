//! The program that runs inside the tested container: one step of a spec's test, or one check.
//!
//! The build calls it as `frontend test-runner SUBCOMMAND ...`, one process per step and per check, so that
//! each can fail on its own and point at its own line of the spec. It needs nothing of the container: no
//! shell, no library, no tool. It deliberately knows no spec file and no build graph; [`protocol`] holds what
//! the planning side and this one agree on.

mod content;
mod file;
pub mod protocol;
mod report;
mod step;

use std::ffi::OsString;
use std::io::Write;

use protocol::{Check, Command, Subject, UsageError};
use report::Failure;

/// Runs the subcommand that `args` name, without the words `frontend test-runner`, and returns the exit code.
///
/// | code | meaning |
/// |---|---|
/// | 0 | the check holds, or the command of the step succeeded |
/// | 1 | wrong usage, or a step description that cannot be read |
/// | 2 | a file is not what it should be, cannot be read, or a command cannot be started |
/// | 3 | content is not what it should be |
/// | 70 | there is no such subcommand |
///
/// A step exits with the code of its command, or 128 and the number of the signal that ended it. What went
/// wrong is one line on standard error; for a check that does not hold it is
/// `"PATH": check_type=KIND expected: "EXPECTED", got "ACTUAL"`. A second line says the same in words, marked as
/// the headline of the failure (`dalec: error: @1: …`, where `@1` is the op's place in the spec).
pub fn main(args: impl Iterator<Item = OsString>) -> i32 {
    let mut errors = std::io::stderr();
    let outcome = Command::parse(args).map_err(Failure::from).and_then(|command| run(&command));
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(errors, "{failure}");
            if let Some(headline) = failure.headline() {
                let _ = writeln!(errors, "dalec: error: @1: {headline}");
            }
            failure.exit_code()
        }
    }
}

fn run(command: &Command) -> Result<i32, Failure> {
    match command {
        Command::Step(step) => step::run(step),
        Command::Check(Subject { path, check }) => {
            match check {
                Check::NotExist { follow } => file::not_exist(path, *follow),
                Check::IsDir { expected, follow } => file::is_dir(path, *expected, *follow),
                Check::Permissions { bits, follow } => file::permissions(path, *bits, *follow),
                Check::LinkTarget(target) => file::link_target(path, target),
                Check::Content(check) => content::check(path, check),
            }?;
            Ok(0)
        }
    }
}

impl From<UsageError> for Failure {
    fn from(error: UsageError) -> Self {
        match error {
            UsageError::UnknownSubcommand { .. } => Failure::UnknownSubcommand(error),
            _ => Failure::Usage(error),
        }
    }
}
