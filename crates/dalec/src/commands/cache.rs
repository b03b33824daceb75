//! `dalec cache`: what the embedded engine keeps from build to build. Starts no engine.

mod list;
mod prune;
mod verify;

use std::path::PathBuf;

use dalec_engine::store::{Entry, Kind, Store};
use dalec_gateway::GatewayError;
use serde_json::{Value, json};

use crate::errors::{CommandError, SpecName};
use crate::progress::words::{bytes, count};
use crate::surroundings;
use crate::terminal::{Keep, clean};

/// Shows, checks and removes what builds keep
///
/// It is for the embedded engine; a buildkitd has commands of its own (`buildctl du`, `buildctl prune`). Builds may run at
/// the same time.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// Where results are kept [default: $XDG_CACHE_HOME/dalec or ~/.cache/dalec]
    #[arg(long, value_name = "DIR", global = true)]
    state_dir: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Ls(list::Args),
    Prune(prune::Args),
    Verify(verify::Args),
}

/// Does what was asked.
///
/// # Errors
/// When the store cannot be used, or is damaged.
pub fn run(args: Args) -> Result<(), CommandError> {
    // What a build that runs without root keeps belongs to other ids.
    surroundings::enter()?;
    let state_dir = surroundings::state_dir(args.state_dir)?;
    let store = Store::open(&state_dir).map_err(failed)?;
    match args.command {
        Command::Ls(args) => list::run(&args, &store),
        Command::Prune(args) => prune::run(&args, &store),
        Command::Verify(args) => verify::run(&args, &store),
    }
}

fn failed(error: GatewayError) -> CommandError {
    CommandError::Engine { error: Box::new(error), spec: SpecName::default() }
}

/// Returns lines such as `12 layers, 34.5 MB`, one for each kind that there is.
fn by_kind(entries: &[Entry]) -> Vec<String> {
    let kinds = Kind::ALL.into_iter().map(|kind| {
        let sizes = entries.iter().filter(move |entry| entry.kind == kind).map(|entry| entry.size);
        (kind, sizes.clone().count() as u64, sizes.sum::<u64>())
    });
    let there = kinds.filter(|(_, number, _)| *number > 0);
    there.map(|(kind, number, size)| format!("{}, {}", counted(kind, number), bytes(size))).collect()
}

fn counted(kind: Kind, number: u64) -> String {
    match kind {
        Kind::Repository if number != 1 => format!("{number} repositories"),
        _ => count(number, kind.name()),
    }
}

fn total(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.size).sum()
}

/// Returns what people call an entry, safe to show: names of caches are anybody's text.
fn title(entry: &Entry) -> String {
    match entry.name.as_str() {
        "" => clean(entry.id.as_bytes(), Keep::Nothing),
        name => clean(name.as_bytes(), Keep::Nothing),
    }
}

fn record(entry: &Entry) -> Value {
    let mut record = json!({
        "kind": entry.kind.name(),
        "id": entry.id,
        "size": entry.size,
        "used": super::time(entry.used.max(0).unsigned_abs()),
    });
    if !entry.name.is_empty() {
        record["name"] = json!(entry.name);
    }
    record
}
