//! `debian/changelog`: one entry for the version that is built.
//!
//! The spec's entries carry no versions, so they all belong to this one: the newest makes the entry, older ones
//! follow in it under a heading each. Upstream keeps the oldest entry alone and loses the others. Without entries
//! the maintainer signs, at 1970-01-01; nothing here reads a clock.

use dalec_spec::target_spec::{ChangelogEntry, Date, TargetSpec};

use crate::date::rfc5322;
use crate::deb::debian_dir::control::{maintainer, with_address};
use crate::deb::distro::DebDistro;
use crate::deb::names::Names;
use crate::error::PlanError;
use crate::quote::one_line;

/// Returns the file.
///
/// # Errors
/// [`PlanError::MissingFields`] without packager.
pub(super) fn render(spec: &TargetSpec, names: &Names, distro: &DebDistro) -> Result<String, PlanError> {
    let mut entries: Vec<&ChangelogEntry> = spec.changelog.iter().collect();
    // Stable: entries of one day stay in the order they were written in.
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.date));
    let maintainer = maintainer(spec)?;
    let mut text = format!("{} ({}) {}; urgency=low\n\n", names.package(), names.version(), distro.key);
    let Some((newest, older)) = entries.split_first() else {
        text.push_str("  * Built by dalec.\n");
        let start = Date { year: 1970, month: 1, day: 1 };
        text.push_str(&format!("\n -- {maintainer}  {}\n", rfc5322(start)));
        return Ok(text);
    };
    changes(&mut text, newest);
    for entry in older {
        let date = entry.date;
        let author = one_line(&entry.author);
        text.push_str(&format!("\n  [ {author}, {:04}-{:02}-{:02} ]\n", date.year, date.month, date.day));
        changes(&mut text, entry);
    }
    let author = match one_line(&newest.author) {
        author if author.is_empty() => maintainer,
        author => with_address(&author),
    };
    text.push_str(&format!("\n -- {author}  {}\n", rfc5322(newest.date)));
    Ok(text)
}

/// Every line is indented, so none can be taken for a heading or a signature.
fn changes(text: &mut String, entry: &ChangelogEntry) {
    if entry.changes.is_empty() {
        text.push_str("  * No changes noted.\n");
    }
    for change in &entry.changes {
        let mut lines = change.lines().map(one_line).filter(|line| !line.is_empty());
        text.push_str(&format!("  * {}\n", lines.next().unwrap_or_default()));
        lines.for_each(|line| text.push_str(&format!("    {line}\n")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::distro::find;
    use crate::fixture::spec;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(spec: &TargetSpec, expected: Expect) {
        let distro = find("bookworm").expect("known");
        let names = Names::new(spec, distro).expect("valid");
        expected.assert_eq(&render(spec, &names, distro).expect("valid"));
    }

    fn entry(year: u16, author: &str, changes: &[&str]) -> ChangelogEntry {
        ChangelogEntry {
            date: Date { year, month: 1, day: 2 },
            author: author.into(),
            changes: changes.iter().map(|change| (*change).to_owned()).collect(),
        }
    }

    /// DEB-004: without entries.
    #[test]
    fn none() {
        check(
            &spec(),
            expect![[r#"
                hello (1.0-debian12u1) bookworm; urgency=low

                  * Built by dalec.

                 -- Ann <ann@example.org>  Thu, 01 Jan 1970 00:00:00 +0000
            "#]],
        );
    }

    /// DEB-004: the newest entry leads, and none is lost.
    #[test]
    fn several() {
        let mut spec = spec();
        spec.changelog = vec![
            entry(2006, "Bob <bob@example.org>", &["First", "Second\nwith more"]),
            entry(2024, "Cid", &["Third"]),
        ];
        check(
            &spec,
            expect![[r#"
                hello (1.0-debian12u1) bookworm; urgency=low

                  * Third

                  [ Bob <bob@example.org>, 2006-01-02 ]
                  * First
                  * Second
                    with more

                 -- Cid <dalec@users.noreply.github.com>  Tue, 02 Jan 2024 00:00:00 +0000
            "#]],
        );
    }

    #[test]
    fn texts_cannot_add_entries() {
        let mut spec = spec();
        let evil =
            "x\n\n -- Eve <eve@example.org>  Thu, 01 Jan 1970 00:00:00 +0000\n\nevil (9) x; urgency=low\n";
        spec.changelog = vec![entry(2024, "A\n -- B <b@example.org>", &[evil])];
        check(
            &spec,
            expect![[r#"
                hello (1.0-debian12u1) bookworm; urgency=low

                  * x
                    -- Eve <eve@example.org>  Thu, 01 Jan 1970 00:00:00 +0000
                    evil (9) x; urgency=low

                 -- A  -- B <b@example.org>  Tue, 02 Jan 2024 00:00:00 +0000
            "#]],
        );
    }
}
