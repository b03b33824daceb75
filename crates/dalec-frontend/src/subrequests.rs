//! Requests that are no builds, in the words of BuildKit's `frontend/subrequests`: what there is, as data and as text.

use std::collections::BTreeMap;

use dalec_gateway::{FrontendResult, Gateway};
use dalec_spec::Platform;
use serde_json::{Value, json};

use crate::error::FrontendError;
use crate::options::Options;
use crate::routes::{self, Target};
use crate::spec::Spec;

/// Lists subrequests.
pub const DESCRIBE: &str = "frontend.subrequests.describe";
/// Lists targets.
pub const TARGETS: &str = "frontend.targets";
/// Returns the spec with its arguments expanded, for each platform.
pub const RESOLVE: &str = "frontend.dalec.resolve";
/// Returns the platform that is built for when none is asked for.
pub const DEFAULT_PLATFORM: &str = "frontend.dalec.defaultPlatform";
/// Returns the schema of specs.
pub const SCHEMA: &str = "frontend.dalec.schema";

/// Where the data of an answer is.
pub const JSON: &str = "result.json";
/// Where the text of an answer is.
const TEXT: &str = "result.txt";

/// Every subrequest with a line about it.
const ALL: [(&str, &str); 5] = [
    (TARGETS, "List all targets current build supports"),
    (DESCRIBE, "List available subrequest types"),
    (SCHEMA, "Returns the JSON schema for Dalec specs"),
    (RESOLVE, "Returns the spec with its arguments expanded, once per platform"),
    (DEFAULT_PLATFORM, "Returns the platform that is built for by default"),
];

/// Returns the list of subrequests.
pub fn describe() -> FrontendResult {
    let list = ALL.map(|(name, description)| {
        json!({
            "name": name,
            "version": VERSION,
            "type": "rpc",
            "description": description,
            "opts": null,
            "inputs": null,
            "metadata": [{ "name": JSON, "description": "" }, { "name": TEXT, "description": "" }],
            "refs": null,
        })
    });
    let rows = ALL.map(|(name, description)| {
        let name = name.strip_prefix("frontend.").unwrap_or(name);
        vec![name.to_owned(), VERSION.to_owned(), description.to_owned()]
    });
    versioned(&json!(list), table(&["NAME", "VERSION", "DESCRIPTION"], &rows))
}

/// Returns the schema of specs.
pub fn schema() -> FrontendResult {
    let schema = dalec_spec::schema();
    let text = pretty(&schema);
    answer(text.clone(), text)
}

/// Returns the platform that is built for when none is asked for.
pub fn default_platform(options: &Options) -> FrontendResult {
    let platform = &options.build_platform;
    answer(platform_json(platform).to_string(), platform.to_string())
}

/// Returns the list of `targets`; with a target in the request, that one and what is below it.
pub fn list(options: &Options, targets: Vec<Target>) -> FrontendResult {
    let wanted = |target: &Target| {
        let rest = target.name.strip_prefix(&options.target);
        options.target.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let targets: Vec<Target> = targets.into_iter().filter(wanted).collect();
    let rows: Vec<Vec<String>> = targets
        .iter()
        .map(|target| {
            let mark = if target.default { " (default)" } else { "" };
            vec![format!("{}{mark}", target.name), target.description.clone()]
        })
        .collect();
    versioned(&json!({ "targets": targets }), table(&["TARGET", "DESCRIPTION"], &rows))
}

/// Returns `spec` as each requested platform sees it; with the overrides of the requested target.
///
/// # Errors
/// [`FrontendError::Spec`] when it is wrong.
pub fn resolved(
    gateway: &dyn Gateway,
    options: &Options,
    spec: &Spec,
) -> Result<FrontendResult, FrontendError> {
    let mut documents = Vec::new();
    let mut text = String::new();
    let platforms = match options.platforms.as_slice() {
        [] => vec![routes::default_platform(&options.target, &options.build_platform)],
        asked => asked.to_vec(),
    };
    for platform in platforms {
        let spec = spec.resolve(gateway, options, options.target_key(), &platform)?;
        documents.push(dalec_spec::to_json(&spec));
        text.push_str(&list_item(&dalec_spec::to_yaml(&spec)));
    }
    Ok(answer(Value::Array(documents).to_string(), text))
}

/// Returns `platform` as OCI documents write it.
pub fn platform_json(platform: &Platform) -> Value {
    let mut value = json!({ "architecture": platform.arch, "os": platform.os });
    if !platform.variant.is_empty() {
        value["variant"] = json!(platform.variant);
    }
    value
}

/// Version of every subrequest here.
const VERSION: &str = "1.0.0";

fn versioned(data: &Value, text: String) -> FrontendResult {
    let mut answer = answer(pretty(data), text);
    answer.metadata.insert("version".into(), VERSION.into());
    answer
}

fn answer(data: String, text: String) -> FrontendResult {
    let metadata = [(JSON.to_owned(), data.into_bytes()), (TEXT.to_owned(), text.into_bytes())];
    FrontendResult { refs: Vec::new(), metadata: BTreeMap::from(metadata) }
}

fn pretty(value: &Value) -> String {
    // Values of this kind always become text.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Returns the YAML `document` as one item of a list.
fn list_item(document: &str) -> String {
    let lines = document.lines().enumerate().map(|(index, line)| match (index, line) {
        (0, line) => format!("- {line}\n"),
        (_, "") => "\n".to_owned(),
        (_, line) => format!("  {line}\n"),
    });
    lines.collect()
}

/// Returns rows in columns, one blank apart.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rows = || std::iter::once(&head).chain(rows);
    let width = |column: usize| rows().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join(" ").trim_end())
    };
    rows().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_become_items() {
        assert_eq!(list_item("name: a\nb: |\n  c\n\n  d\n"), "- name: a\n  b: |\n    c\n\n    d\n");
    }

    /// FE-007: every subrequest is described, as data too.
    #[test]
    fn subrequests_are_described() {
        let answer = describe();
        let text = String::from_utf8_lossy(&answer.metadata[TEXT]).into_owned();
        for name in ["targets", "subrequests.describe", "dalec.schema", "dalec.resolve"] {
            assert!(text.lines().any(|line| line.starts_with(&format!("{name} "))), "{text}");
        }
        let list: Vec<Value> = serde_json::from_slice(&answer.metadata[JSON]).expect("a list");
        assert_eq!(list.len(), ALL.len());
        assert_eq!(answer.metadata["version"], b"1.0.0");
    }
}
