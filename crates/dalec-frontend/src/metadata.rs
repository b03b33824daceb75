//! What a build says of its results, under the names that BuildKit's exporters know, and one of our own.

use std::collections::BTreeMap;

use dalec_spec::target_spec::{Date, TargetSpec};
use dalec_targets::image_config::ImageConfig;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::options::Options;
use crate::results::Wanted;

/// Name of what is said about signing. Of names like this one, BuildKit hands those that start with `frontend.` to clients.
pub const SIGNING: &str = "frontend.dalec.signing";
const CONFIG: &str = "containerimage.config";
const BASE_CONFIG: &str = "containerimage.base.config";
const PLATFORMS: &str = "refs.platforms";
/// The time of everything that has none of its own.
const SOURCES: &str = "1980-01-02T00:00:00Z";

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
            let epoch = options.build_args.get("SOURCE_DATE_EPOCH");
            let created = created(epoch.map(String::as_str), facts.changed);
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

/// Returns when images say that they were made: at `epoch`, the `SOURCE_DATE_EPOCH` of the request, if it is given, or
/// else on the day of the newest entry of the changelog, or else at the constant time that sources have. The clock has no
/// say: the same input gives the same image.
fn created(epoch: Option<&str>, changed: Option<Date>) -> String {
    let written = |seconds: i64| Timestamp::from_second(seconds).ok().map(|time| time.to_string());
    let given = epoch.and_then(|text| text.trim().parse::<u64>().ok());
    // A time that RFC 3339 has no way to write is as good as none.
    let given = given.and_then(|seconds| written(i64::try_from(seconds).ok()?));
    let day = |Date { year, month, day }| format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
    given.or(changed.map(day)).unwrap_or_else(|| SOURCES.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_has_no_say() {
        let day = Some(Date { year: 2024, month: 3, day: 1 });
        assert_eq!(created(Some("0"), day), "1970-01-01T00:00:00Z");
        assert_eq!(created(Some(" 951782400 "), None), "2000-02-29T00:00:00Z");
        for wrong in [None, Some(""), Some("-1"), Some("today"), Some("99999999999999")] {
            assert_eq!(created(wrong, day), "2024-03-01T00:00:00Z", "{wrong:?}");
            assert_eq!(created(wrong, None), "1980-01-02T00:00:00Z", "{wrong:?}");
        }
    }
}
