//! What a build says of its results, under the names that BuildKit's exporters know, and one of our own.

use std::collections::BTreeMap;

use dalec_spec::target_spec::{Date, TargetSpec};
use dalec_targets::image_config::ImageConfig;
use serde_json::{Value, json};

use crate::options::Options;
use crate::results::Wanted;

/// Name of what is said about signing. Of names like this one, BuildKit hands those that start with `frontend.` to clients.
pub const SIGNING: &str = "frontend.dalec.signing";
const CONFIG: &str = "containerimage.config";
const BASE_CONFIG: &str = "containerimage.base.config";
const PLATFORMS: &str = "refs.platforms";
/// 1980-01-02, the time of everything that has none of its own, in seconds since 1970.
const SOURCES: u64 = 315_619_200;

/// Returns whether `name` is [`SIGNING`], of one platform or of all.
pub fn is_about_signing(name: &str) -> bool {
    name.strip_prefix(SIGNING).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What is said of the result for one platform.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Configuration of the image that the result is.
    pub config: Option<ImageConfig>,
    /// Configuration of the image that it was made from.
    pub base_config: Option<ImageConfig>,
    /// The newest entry of the changelog.
    pub changed: Option<Date>,
    /// Who signed what.
    pub signing: Option<Value>,
}

impl Facts {
    /// Returns what is known before anything is built.
    pub fn new(spec: &TargetSpec) -> Self {
        Self { changed: spec.changelog.iter().map(|entry| entry.date).max(), ..Self::default() }
    }
}

/// Returns the metadata of the results `wanted`.
pub fn of(options: &Options, wanted: &[Wanted], facts: Vec<Facts>) -> BTreeMap<String, Vec<u8>> {
    let mut metadata = BTreeMap::new();
    let mut add = |key: String, value: &Value| metadata.insert(key, value.to_string().into_bytes());
    let list = wanted.iter().map(|one| json!({ "ID": one.id(), "Platform": one.json() }));
    add(PLATFORMS.into(), &json!({ "Platforms": list.collect::<Vec<_>>() }));
    for (one, facts) in wanted.iter().zip(facts) {
        let key = |name: &str| match options.names_platforms || wanted.len() > 1 {
            true => format!("{name}/{}", one.id()),
            false => name.to_owned(),
        };
        let config = facts.config.map(|mut config| {
            let created = created(options, facts.changed);
            config.other.insert("created".into(), json!(created));
            json!(config)
        });
        let base_config = facts.base_config.map(|config| json!(config));
        for (name, value) in [(CONFIG, config), (BASE_CONFIG, base_config), (SIGNING, facts.signing)] {
            if let Some(value) = value {
                add(key(name), &value);
            }
        }
    }
    metadata
}

/// Returns when images say that they were made: at `SOURCE_DATE_EPOCH` if it is given, or else on the day of the newest
/// entry of the changelog, or else at the constant time that sources have. The clock has no say: the same input gives the
/// same image.
fn created(options: &Options, changed: Option<Date>) -> String {
    let given = options.build_args.get("SOURCE_DATE_EPOCH").and_then(|text| text.trim().parse().ok());
    match (given, changed) {
        (Some(seconds), _) => rfc3339(seconds),
        (None, Some(Date { year, month, day })) => format!("{year:04}-{month:02}-{day:02}T00:00:00Z"),
        (None, None) => rfc3339(SOURCES),
    }
}

/// Returns a time, in seconds since 1970, as RFC 3339 writes it.
fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from March, so that the day that leap years add is their last one.
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
