//! `dalec cache prune`.

use std::io::{BufRead, IsTerminal};

use dalec_engine::store::{PruneOptions, Store};
use serde_json::json;

use super::super::{DataFormat, print, say, to_json};
use super::{by_kind, failed, record, total};
use crate::errors::CommandError;
use crate::progress::words::bytes;

/// Removes what is kept, and says how much that frees
///
/// Without --all, results of builds are removed, which the next build makes again. What takes a download to have again and
/// what steps keep in caches stays. What a build uses that runs at the same time stays, too: its results and caches,
/// and all downloads. On a terminal it asks first.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  dalec cache prune --older-than 7d                     # what nobody used for a week
  dalec cache prune --all --keep-storage 20GB           # used longest ago first, until 20 GB are left
  dalec cache prune --all --force                       # everything, without a question")]
pub struct Args {
    /// Also downloads, and what steps keep in caches
    #[arg(short, long)]
    all: bool,
    /// Remove what was used longest ago until no more is left than this: a number with kB, MB, GB, TB, KiB, MiB, GiB or TiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    keep_storage: Option<u64>,
    /// Only what was not used for this long: numbers with s, m, h, d or w behind them
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: Option<i64>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// How to print what was removed
    #[arg(long, value_enum, default_value = "text")]
    format: DataFormat,
}

/// Removes it, and prints what is gone.
///
/// # Errors
/// When the store cannot be used.
pub fn run(args: &Args, store: &Store) -> Result<(), CommandError> {
    if !args.force && std::io::stdin().is_terminal() && !is_confirmed(args, store) {
        return Ok(());
    }
    let options =
        PruneOptions { all: args.all, keep_storage: args.keep_storage, older_than: args.older_than };
    let pruned = store.prune(&options).map_err(failed)?;
    let freed = total(&pruned.removed);
    let text = match args.format {
        DataFormat::Json => {
            let list = |entries: &[_]| entries.iter().map(record).collect::<Vec<_>>();
            to_json(&json!({
                "freed": freed,
                "removed": list(&pruned.removed),
                "inUse": list(&pruned.in_use),
            }))?
        }
        DataFormat::Text => {
            let lines = by_kind(&pruned.removed).into_iter().map(|line| format!("removed: {line}\n"));
            lines.chain([format!("freed: {}\n", bytes(freed))]).collect()
        }
    };
    for line in by_kind(&pruned.in_use) {
        say(&format!("in use: {line}\n"));
    }
    print(&text)
}

fn is_confirmed(args: &Args, store: &Store) -> bool {
    let what = if args.all { "results, downloads and caches" } else { "results of builds" };
    say(&format!("Remove {what} from {}? [y/N] ", store.root().display()));
    let mut answer = String::new();
    // No answer is none.
    let _ = std::io::stdin().lock().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Reads a number of bytes such as `20GB` or `1.5 GiB`.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || "write a number of bytes such as 500MB, 20GB or 1.5GiB".to_owned();
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let factor: u64 = match unit.as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((number * factor as f64) as u64),
        _ => Err(wrong()),
    }
}

/// Reads a time span such as `7d` or `1h30m`, in seconds.
fn duration(text: &str) -> Result<i64, String> {
    let wrong = || "write a time such as 12h, 7d or 1h30m".to_owned();
    let mut seconds: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|char: char| !char.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = rest.split_at(end);
        let factor = match unit.as_bytes()[0] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 24 * 3600,
            b'w' => 7 * 24 * 3600,
            _ => return Err(wrong()),
        };
        let part = number.parse::<i64>().ok().and_then(|number| number.checked_mul(factor));
        seconds = part.and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = &unit[1..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(seconds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read() {
        let sizes = [("0", 0), ("17", 17), ("20GB", 20_000_000_000), ("1.5 GiB", 3 << 29), ("2k", 2000)];
        for (text, bytes) in sizes {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GB", "1.2.3GB", "-1", "1 parsec", "nan"] {
            assert!(size(text).is_err(), "{text}");
        }
        for (text, seconds) in [("0s", 0), ("90m", 5400), ("1h30m", 5400), ("2w", 1_209_600)] {
            assert_eq!(duration(text), Ok(seconds), "{text}");
        }
        for text in ["", "7", "d", "7 d", "-1h", "99999999999999999w", "1ü"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
