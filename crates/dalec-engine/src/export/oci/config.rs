//! The configuration of an image that is written: what the caller says, with the layers that it really has.

use jiff::Timestamp;
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
    // A time that RFC 3339 has no way to write is as good as none.
    if let Some(created) = created.and_then(|seconds| Timestamp::from_second(seconds).ok()) {
        config.insert("created".into(), created.to_string().into());
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

#[cfg(test)]
mod tests {
    use super::*;

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
