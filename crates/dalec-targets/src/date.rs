//! Days of a changelog in the forms that packaging tools read. There is no clock here.

use dalec_spec::target_spec::{Date, TargetSpec};

/// Returns the seconds from 1970-01-01 that every file of a package is dated at the latest.
///
/// That is `SOURCE_DATE_EPOCH` of the build environment if it is a number, else the newest changelog entry, else 0.
pub fn epoch(spec: &TargetSpec) -> i64 {
    let given = spec.build.env.get("SOURCE_DATE_EPOCH").and_then(|text| text.trim().parse::<i64>().ok());
    let newest = spec.changelog.iter().map(|entry| entry.date).max();
    // Archives of packages cannot hold times before 1970.
    given.or(newest.map(|date| days(date) * 86_400)).unwrap_or(0).max(0)
}

/// Returns the start of `date` as RFC 5322 writes it, for example `Mon, 02 Jan 2006 00:00:00 +0000`.
pub fn rfc5322(date: Date) -> String {
    let (weekday, month) = names(date);
    format!("{weekday}, {:02} {month} {:04} 00:00:00 +0000", date.day, date.year)
}

/// Returns `date` as the changelog of an RPM package writes it, for example `Mon Jan 02 2006`.
pub fn changelog_day(date: Date) -> String {
    let (weekday, month) = names(date);
    format!("{weekday} {month} {:02} {:04}", date.day, date.year)
}

/// Returns the short names of the day of the week and of the month.
fn names(date: Date) -> (&'static str, &'static str) {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let weekday = WEEKDAYS[days(date).rem_euclid(7) as usize];
    (weekday, MONTHS[usize::from(date.month.clamp(1, 12)) - 1])
}

/// Returns the days from 1970-01-01 to `date`, counted in years that start in March.
fn days(date: Date) -> i64 {
    let month = i64::from(date.month);
    let year = i64::from(date.year) - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(date.day) - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_week() {
        for (year, month, day, text) in [
            (1970, 1, 1, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (2006, 1, 2, "Mon, 02 Jan 2006 00:00:00 +0000"),
            (2024, 2, 29, "Thu, 29 Feb 2024 00:00:00 +0000"),
            (1969, 12, 31, "Wed, 31 Dec 1969 00:00:00 +0000"),
        ] {
            assert_eq!(rfc5322(Date { year, month, day }), text);
        }
    }

    #[test]
    fn seconds() {
        assert_eq!(days(Date { year: 2024, month: 3, day: 1 }) * 86_400, 1_709_251_200);
        assert_eq!(epoch(&TargetSpec::default()), 0);
    }
}
