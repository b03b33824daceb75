//! The command line as a whole: which commands there are, and the words of the help that no command owns.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

use crate::commands::{
    build, cache, completions, frontend, key, lint, resolve, schema, sign, targets, verify,
};

const ENVIRONMENT: &str = "\
Environment variables:
  DALEC_STATE_DIR    where results are kept; default $XDG_CACHE_HOME/dalec or ~/.cache/dalec
  DALEC_APT_MIRROR   Debian mirror for base images, as for --apt-mirror
  DALEC_PROGRESS     kind of progress display, as for --progress
  SOURCE_DATE_EPOCH  passed on as a build argument unless one is given; the time of signatures
  SSL_CERT_FILE      CA certificates that downloads trust, as for --ca-bundle
  HTTP_PROXY, HTTPS_PROXY, NO_PROXY
                     proxies for downloads, and for steps that have a network
  NO_COLOR           no colours when set to anything

Exit codes:
  0  done
  1  the build failed, a file cannot be signed, a signature does not hold, or the cache is damaged
  2  the command line, the spec or the key is wrong
  3  the environment is missing something
  70 the build engine that started `dalec frontend` cannot be answered
  130, 143  stopped by Ctrl-C (SIGINT) or SIGTERM";

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Turns a YAML spec into system packages and minimal containers.
///
/// Standard output carries data, standard error progress and words.
#[derive(Debug, Parser)]
#[command(name = "dalec", version, styles = STYLES, max_term_width = 100)]
#[command(after_help = "Run `dalec help COMMAND` for what a command does, with examples.")]
#[command(after_long_help = ENVIRONMENT)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Build(Box<build::Args>),
    Lint(lint::Args),
    Resolve(resolve::Args),
    Targets(targets::Args),
    Schema(schema::Args),
    Key(key::Args),
    Sign(sign::Args),
    Verify(verify::Args),
    Cache(cache::Args),
    Frontend(frontend::Args),
    Completions(completions::Args),
}
