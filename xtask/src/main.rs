//! Chores of the project: `cargo xtask NAME`.
//!
//! Nothing here is part of the product. What the tests need from the system is installed here, so that a fresh
//! machine with a Rust toolchain and a C compiler is enough.

mod fuzz;
mod image;
mod prepare;
mod suite;

use std::path::Path;
use std::process::ExitCode;

const HELP: &str = "\
Chores of the project.

usage: cargo xtask NAME

  test             install what the tests need, then run all of them; the last line counts them
  prepare          only install what the tests need
  image --oci DIR | --push REFERENCE [--signer] [--platform P,…] [--binary FILE]…
                   build the frontend's image, or the signers'; FILE is taken instead of compiling, one for each P
  fuzz [SECONDS]   fuzz what reads specs, each part for SECONDS (600); needs nightly and cargo-fuzz
";

/// Returns the folder of the workspace.
fn root() -> Result<&'static Path, String> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or_else(|| "this crate has no workspace above it".into())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["test"] => prepare::run().and_then(|()| suite::run()),
        ["prepare"] => prepare::run(),
        ["image", flags @ ..] => image::Request::parse(flags).and_then(|request| image::run(&request)),
        ["fuzz"] => fuzz::run(600),
        ["fuzz", seconds] => match seconds.parse() {
            Ok(seconds) => fuzz::run(seconds),
            Err(_) => Err(format!("`{seconds}` is no number of seconds")),
        },
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
