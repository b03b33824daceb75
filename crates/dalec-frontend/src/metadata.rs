//! What a build says of its results, under the names that BuildKit's exporters know, and one of our own.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use dalec_spec::Platform;
use dalec_targets::image_config::ImageConfig;
use serde_json::{Value, json};

use crate::options::Options;
use crate::subrequests::platform_json;

/// Name of what is said about signing. Of names like this one, BuildKit hands those that start with `frontend.` to clients.
pub const SIGNING: &str = "frontend.dalec.signing";
const CONFIG: &str = "containerimage.config";
const BASE_CONFIG: &str = "containerimage.base.config";
const PLATFORMS: &str = "refs.platforms";

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
    /// Who signed what.
    pub signing: Option<Value>,
}

/// Returns the metadata of results for `platforms`.
pub fn of(options: &Options, platforms: &[Platform], facts: Vec<Facts>) -> BTreeMap<String, Vec<u8>> {
    let mut metadata = BTreeMap::new();
    let mut add = |key: String, value: &Value| metadata.insert(key, value.to_string().into_bytes());
    let list = platforms
        .iter()
        .map(|platform| json!({ "ID": platform.to_string(), "Platform": platform_json(platform) }));
    add(PLATFORMS.into(), &json!({ "Platforms": list.collect::<Vec<_>>() }));
    let created = created(options);
    for (platform, facts) in platforms.iter().zip(facts) {
        let key = |name: &str| match options.names_platforms {
            true => format!("{name}/{platform}"),
            false => name.to_owned(),
        };
        let config = facts.config.map(|mut config| {
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

/// Returns when images say that they were made: `SOURCE_DATE_EPOCH` if it was given, or else now.
fn created(options: &Options) -> String {
    let given = options.build_args.get("SOURCE_DATE_EPOCH").and_then(|text| text.trim().parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs());
    rfc3339(given.unwrap_or_else(now))
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
