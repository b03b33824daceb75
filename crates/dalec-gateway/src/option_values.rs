//! How the values of a request's options are written: truth values, and what is said of inputs.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Among what is said of an input: the configuration of the image that it is.
const IMAGE_CONFIG: &str = "containerimage.config";

/// What is said of an input cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("what is said of the input `{input}` cannot be read: {reason}")]
pub struct BadInputMetadata {
    /// Name of the input.
    pub input: String,
    /// Why not, in words.
    pub reason: String,
}

/// Reads a truth value in the forms of Go's `strconv.ParseBool`, as BuildKit does; none for other text, the empty one
/// included.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Returns the image configuration of the input `input`, if `options` have one in `input-metadata:INPUT`: JSON whose
/// values are base64.
///
/// # Errors
/// [`BadInputMetadata`] when it is malformed.
pub fn input_image_config<T: DeserializeOwned>(
    options: &BTreeMap<String, String>,
    input: &str,
) -> Result<Option<T>, BadInputMetadata> {
    let Some(metadata) = options.get(&format!("input-metadata:{input}")) else { return Ok(None) };
    let bad = |reason: String| BadInputMetadata { input: input.to_owned(), reason };
    let unreadable = |error: serde_json::Error| bad(error.to_string());
    let mut values: BTreeMap<String, String> = serde_json::from_str(metadata).map_err(unreadable)?;
    let Some(config) = values.remove(IMAGE_CONFIG) else { return Ok(None) };
    let config = STANDARD.decode(config).map_err(|error| bad(format!("it is no base64: {error}")))?;
    serde_json::from_slice(&config).map(Some).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(metadata: &str) -> Result<Option<serde_json::Value>, String> {
        let options = [("input-metadata:a".to_owned(), metadata.to_owned())].into();
        input_image_config(&options, "a").map_err(|error| error.to_string())
    }

    #[test]
    fn inputs_may_be_images() {
        assert_eq!(
            config(r#"{"containerimage.config":"eyJhIjoxfQ=="}"#),
            Ok(Some(serde_json::json!({"a": 1})))
        );
        assert_eq!(config("{}"), Ok(None));
        assert_eq!(input_image_config::<serde_json::Value>(&BTreeMap::new(), "a"), Ok(None));
        for malformed in ["", "[]", r#"{"containerimage.config":"!"}"#, r#"{"containerimage.config":"e30"}"#]
        {
            let error = config(malformed).unwrap_err();
            assert!(error.starts_with("what is said of the input `a` cannot be read: "), "{error}");
        }
    }

    #[test]
    fn truth_is_what_go_takes_for_it() {
        for (text, value) in [("1", Some(true)), ("True", Some(true)), ("f", Some(false)), ("0", Some(false))]
        {
            assert_eq!(parse_bool(text), value);
        }
        for text in ["", "yes", "tRUE", "2"] {
            assert_eq!(parse_bool(text), None);
        }
    }
}
