//! `%changelog`: every entry of the spec, newest first, as RPM insists.

use dalec_spec::target_spec::{ChangelogEntry, Date, TargetSpec};

use crate::date::changelog_day;
use crate::rpm::escape::{line, lines};

/// RPM knows no older days in a changelog.
const FIRST_DAY: Date = Date { year: 1990, month: 1, day: 1 };

/// Returns the section, or nothing without entries.
pub(super) fn render(spec: &TargetSpec) -> String {
    let mut entries: Vec<&ChangelogEntry> = spec.changelog.iter().collect();
    // Stable: entries of one day stay in the order they were written in.
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.date));
    let entries: Vec<String> = entries.into_iter().map(|entry| render_one(spec, entry)).collect();
    if entries.is_empty() { String::new() } else { format!("%changelog\n{}", entries.join("\n")) }
}

fn render_one(spec: &TargetSpec, entry: &ChangelogEntry) -> String {
    let authors = [entry.author.as_str(), &spec.packager, "dalec"].map(line);
    let author = authors.into_iter().find(|author| !author.trim().is_empty()).unwrap_or_default();
    let changes: String = entry.changes.iter().map(|change| item(change)).collect();
    format!("* {} {author}\n{changes}", changelog_day(entry.date.max(FIRST_DAY)))
}

/// Further lines are indented, so none can be taken for an entry.
fn item(change: &str) -> String {
    let mut text = String::new();
    for (index, line) in lines(change.trim()).lines().filter(|line| !line.trim().is_empty()).enumerate() {
        let line = if line.ends_with("\\ ") { line.trim_start() } else { line.trim() };
        text.push_str(&format!("{}{line}\n", if index == 0 { "- " } else { "  " }));
    }
    text
}
