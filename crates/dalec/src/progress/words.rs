//! Times, sizes and counts in words; the same in every view.

use std::time::Duration;

use crate::progress::model::Part;

/// Returns a time span such as `0.0s`, `12.3s`, `2m05s` or `1h02m`.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{}.{}s", seconds, duration.subsec_millis() / 100),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Returns a time span like [`time`], in milliseconds when it is less than a second.
pub fn short_time(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{}ms", duration.as_millis()),
        _ => time(duration),
    }
}

/// Returns a number of bytes such as `17 B`, `1.2 kB` or `34.5 MB`, in powers of 1000.
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut unit = 0;
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        unit => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// Returns `1 step` or `N steps`.
pub fn count(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// Returns how far a part is, such as `12.3 MB / 45.0 MB` or `17 / 93`.
///
/// Events do not say whether they count bytes or items; nothing that is counted in items comes in tens of thousands.
pub fn amount(part: &Part) -> String {
    let in_bytes = counts_bytes(part);
    let show = |number| if in_bytes { bytes(number) } else { number.to_string() };
    match part.total {
        0 if part.current == 0 => String::new(),
        0 => show(part.current),
        total if part.completed || part.current >= total => show(total),
        total => format!("{} / {}", show(part.current), show(total)),
    }
}

/// Returns the speed of a part so far, such as `3.2 MB/s`; none when it is too young to tell or counts items.
pub fn speed(part: &Part) -> Option<String> {
    let elapsed = part.at.duration_since(part.first.0).ok()?.as_secs_f64();
    let moved = part.current.checked_sub(part.first.1)?;
    if elapsed < 0.5 || moved == 0 || !counts_bytes(part) {
        return None;
    }
    Some(format!("{}/s", bytes((moved as f64 / elapsed) as u64)))
}

fn counts_bytes(part: &Part) -> bool {
    part.total.max(part.current) >= 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_short() {
        let of = |millis| time(Duration::from_millis(millis));
        assert_eq!([of(0), of(99), of(12_345), of(59_999)], ["0.0s", "0.0s", "12.3s", "59.9s"]);
        assert_eq!([of(60_000), of(125_000), of(3_725_000)], ["1m00s", "2m05s", "1h02m"]);
        assert_eq!(
            [bytes(0), bytes(999), bytes(1000), bytes(999_949)],
            ["0 B", "999 B", "1.0 kB", "999.9 kB"]
        );
        assert_eq!(
            [bytes(999_950), bytes(34_512_000), bytes(u64::MAX)],
            ["1.0 MB", "34.5 MB", "18446744.1 TB"]
        );
        assert_eq!([count(1, "step"), count(2, "step")], ["1 step", "2 steps"]);
    }
}
