//! `dalec cache verify`.

use dalec_engine::store::Store;
use serde_json::{Value, json};

use super::super::{DataFormat, print, say, to_json};
use super::{by_kind, failed, record, title, total};
use crate::errors::{CommandError, Exit};
use crate::progress::words::{bytes, count};

/// Checks that what is kept is still what it was
///
/// Downloads are compared with the digests that they are named by, and layers with those that were found when something
/// read them. The exit code is 1 when something is damaged; with --remove it is removed, and the next build makes it again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Remove what is damaged
    #[arg(long)]
    remove: bool,
    /// How to print what was found
    #[arg(long, value_enum, default_value = "text")]
    format: DataFormat,
}

/// Prints what was found.
///
/// # Errors
/// When the store cannot be read, or something is damaged and stays.
pub fn run(args: &Args, store: &Store) -> Result<(), CommandError> {
    let verified = store.verify().map_err(failed)?;
    let mut text = String::new();
    let mut list: Vec<Value> = Vec::new();
    for damage in &verified.damaged {
        text += &format!("{} {}: {}\n", damage.entry.kind.name(), title(&damage.entry), damage.problem);
        let mut record = record(&damage.entry);
        record["problem"] = json!(damage.problem);
        list.push(record);
    }
    if verified.incomplete > 0 {
        say(&format!(
            "{} that lack layers will be made again\n",
            count(verified.incomplete as u64, "result")
        ));
    }
    text += &format!("{}: {} damaged\n", count(verified.checked as u64, "digest"), verified.damaged.len());
    let mut good = verified.damaged.is_empty();
    let mut freed = 0;
    if args.remove && !good {
        let pruned = store.remove_damaged(verified.damaged).map_err(failed)?;
        freed = total(&pruned.removed);
        by_kind(&pruned.removed).iter().for_each(|line| text += &format!("removed: {line}\n"));
        by_kind(&pruned.in_use).iter().for_each(|line| say(&format!("in use, and still there: {line}\n")));
        text += &format!("freed: {}\n", bytes(freed));
        good = pruned.in_use.is_empty();
    }
    let printed = match args.format {
        DataFormat::Text => text,
        DataFormat::Json => {
            to_json(&json!({ "checked": verified.checked, "damaged": list, "freed": freed }))?
        }
    };
    print(&printed)?;
    if good { Ok(()) } else { Err(CommandError::Said(Exit::Failed)) }
}
