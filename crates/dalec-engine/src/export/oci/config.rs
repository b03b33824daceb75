//! The configuration of an image that is written: what the caller says, with the layers that it really has.

use serde_json::{Map, Value, json};

use super::{OciError, OciImage};
use crate::oci::Digest;

/// Returns the configuration of `image` with the layers `diff_ids`, and the version of its operating system, empty where
/// it says none.
///
/// # Errors
/// When it is not a JSON object.
pub fn complete(
    image: &OciImage<'_>,
    diff_ids: &[Digest],
    created: Option<i64>,
) -> Result<(Vec<u8>, String), OciError> {
    let bad = |source| OciError::Config { platform: image.platform.clone(), source };
    let mut config: Map<String, Value> = serde_json::from_slice(image.config).map_err(bad)?;
    config.insert("architecture".into(), image.platform.architecture.as_str().into());
    config.insert("os".into(), image.platform.os.as_str().into());
    if image.platform.variant.is_empty() {
        // Taking an entry out must not change the order of the others.
        config.shift_remove("variant");
    } else {
        config.insert("variant".into(), image.platform.variant.as_str().into());
    }
    if let Some(created) = created.map(rfc3339) {
        config.insert("created".into(), created.into());
    }
    let text = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_owned);
    let (created, os_version) = (text("created"), text("os.version").unwrap_or_default());
    config.insert("rootfs".into(), json!({"type": "layers", "diff_ids": diff_ids}));
    let history = history(config.get("history"), diff_ids.len(), created.as_deref());
    config.insert("history".into(), history);
    Ok((serde_json::to_vec(&config).map_err(bad)?, os_version))
}

/// Returns the history `known`, if there is one that fits, with an entry for every layer it does not know of.
fn history(known: Option<&Value>, layers: usize, created: Option<&str>) -> Value {
    let mut entries = known.and_then(Value::as_array).cloned().unwrap_or_default();
    let is_layer = |entry: &&Value| !entry.get("empty_layer").and_then(Value::as_bool).unwrap_or(false);
    let mut described = entries.iter().filter(is_layer).count();
    if described > layers {
        entries.clear();
        described = 0;
    }
    for _ in described..layers {
        let mut entry = json!({"created_by": "dalec build"});
        if let Some(created) = created {
            entry["created"] = created.into();
        }
        entries.push(entry);
    }
    entries.into()
}

/// Returns a time in seconds since 1970 as `2006-01-02T15:04:05Z`.
fn rfc3339(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Returns year, month and day of the day `days` after 1970-01-01, in the Gregorian calendar.
///
/// Counts in years that start in March, so that the leap day is the last day of one, and in eras of 400 years,
/// which all have 146 097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let since_march_0 = days + 719_468;
    let (era, day_of_era) = (since_march_0.div_euclid(146_097), since_march_0.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (315_619_200, "1980-01-02T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), expected);
        }
    }

    fn check(config: &str, layers: usize, expected: expect_test::Expect) {
        let image = OciImage {
            platform: "linux/arm/v7".parse().unwrap(),
            config: config.as_bytes(),
            layers: Vec::new(),
            annotations: std::collections::BTreeMap::new(),
        };
        let diff_ids = vec![Digest::sha256_of(b""); layers];
        let text = String::from_utf8(complete(&image, &diff_ids, Some(0)).unwrap().0).unwrap();
        expected.assert_eq(&text.replace(Digest::sha256_of(b"").as_str(), "DIGEST"));
    }

    #[test]
    fn what_the_caller_says_stays_and_the_layers_are_true() {
        let config = r#"{"config":{"Env":["A=b"]},"x":1,"rootfs":{"type":"layers","diff_ids":["old"]},
            "history":[{"created_by":"base"},{"created_by":"ENV","empty_layer":true}]}"#;
        check(
            config,
            2,
            expect_test::expect![[
                r#"{"config":{"Env":["A=b"]},"x":1,"rootfs":{"type":"layers","diff_ids":["DIGEST","DIGEST"]},"history":[{"created_by":"base"},{"created_by":"ENV","empty_layer":true},{"created_by":"dalec build","created":"1970-01-01T00:00:00Z"}],"architecture":"arm","os":"linux","variant":"v7","created":"1970-01-01T00:00:00Z"}"#
            ]],
        );
        check(
            config,
            0,
            expect_test::expect![[
                r#"{"config":{"Env":["A=b"]},"x":1,"rootfs":{"type":"layers","diff_ids":[]},"history":[],"architecture":"arm","os":"linux","variant":"v7","created":"1970-01-01T00:00:00Z"}"#
            ]],
        );
    }
}
