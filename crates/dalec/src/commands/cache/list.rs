//! `dalec cache ls`.

use dalec_engine::store::Store;
use serde_json::json;

use super::super::{DataFormat, print, time, to_json};
use super::{by_kind, failed, record, title, total};
use crate::errors::CommandError;
use crate::progress::words::bytes;

/// Lists what is kept: its kind, size, last use and name
///
/// Layers are files that steps made; caches are directories that steps share; packages, blobs, repositories and records
/// were downloaded. Uses are noted once an hour.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  dalec cache ls
  dalec cache ls --format json | jq '[.entries[] | select(.kind == \"cache\")]'")]
pub struct Args {
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    format: DataFormat,
}

/// Prints the list.
///
/// # Errors
/// When the store cannot be read.
pub fn run(args: &Args, store: &Store) -> Result<(), CommandError> {
    let entries = store.entries().map_err(failed)?;
    if args.format == DataFormat::Json {
        let list: Vec<_> = entries.iter().map(record).collect();
        let list =
            json!({ "stateDir": store.root().to_string_lossy(), "size": total(&entries), "entries": list });
        return print(&to_json(&list)?);
    }
    let mut text = String::new();
    if !entries.is_empty() {
        text += &format!("{:<10}  {:>9}  {:<20}  NAME\n", "KIND", "SIZE", "LAST USED");
    }
    for entry in &entries {
        let used = time(entry.used.max(0).unsigned_abs());
        let size = bytes(entry.size);
        text += &format!("{:<10}  {size:>9}  {used:<20}  {}\n", entry.kind.name(), title(entry));
    }
    for line in by_kind(&entries) {
        text += &format!("{line}\n");
    }
    text += &format!("total: {}\n", bytes(total(&entries)));
    print(&text)
}
