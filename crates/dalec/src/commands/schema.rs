//! `dalec schema`: what editors need to know about specs.

use crate::errors::CommandError;

/// Prints the JSON schema of specs
///
/// Editors complete and check specs with it: it says of each key what it takes, what it is for and what it means when
/// left out. It accepts every spec that loads; `dalec lint` finds more than it can say.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  dalec schema > dalec.schema.json

An editor with the YAML language server reads it when a spec begins with
  # yaml-language-server: $schema=dalec.schema.json")]
pub struct Args {}

/// Prints the schema.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(_args: &Args) -> Result<(), CommandError> {
    super::print(&super::to_json(&dalec_spec::schema())?)
}
