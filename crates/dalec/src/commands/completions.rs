//! `dalec completions`: scripts that teach a shell to complete commands, flags, targets and codes.

use clap::CommandFactory;
use clap::builder::PossibleValuesParser;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::errors::CommandError;

/// Prints completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  dalec completions bash > ~/.local/share/bash-completion/completions/dalec
  dalec completions zsh > ~/.zfunc/_dalec        # with ~/.zfunc in $fpath
  dalec completions fish > ~/.config/fish/completions/dalec.fish")]
pub struct Args {
    /// Shell to print completions for
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the completions.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: &Args) -> Result<(), CommandError> {
    let routes: Vec<String> = dalec_frontend::targets(None).into_iter().map(|target| target.name).collect();
    // Only completions know the names: on the command line, an unknown one gets an error with a suggestion.
    let with_targets = |command: clap::Command| {
        command.mut_arg("target", |arg| arg.value_parser(PossibleValuesParser::new(routes.clone())))
    };
    let with_codes = |command: clap::Command| {
        let codes = dalec_spec::codes::ALL.iter().map(|code| code.name);
        command.mut_arg("explain", |arg| arg.value_parser(PossibleValuesParser::new(codes)))
    };
    let mut command = Cli::command()
        .mut_subcommand("build", with_targets)
        .mut_subcommand("resolve", with_targets)
        .mut_subcommand("lint", with_codes);
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "dalec", &mut script);
    super::print(&String::from_utf8_lossy(&script))
}
