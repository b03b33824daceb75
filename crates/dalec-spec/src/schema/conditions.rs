//! What only several keys of an object together can tell, as far as a JSON schema can say it.
//!
//! The loader's own checks stand beside the objects; the corpus of specs shows that both agree.

use serde_json::{Value, json};

use super::given;
use crate::resolve::SOURCE_DATE_EPOCH;

/// Returns the conditions of the object called `object`, beside those that follow from its keys.
pub(super) fn of_object(object: &str) -> Vec<Value> {
    match object {
        "a spec" => vec![no_capabilities()],
        "a source" => one_file_has_no_parts(),
        "a build source" => vec![json!({"properties": {"source": {"not": given("build")}}})],
        "the build section" => vec![steps_if_anything(), one_go_cache()],
        "a build step" => vec![json!({"properties": {"command": {"pattern": "[^ \\t\\r\\n]"}}})],
        "a base" => vec![json!({"properties": {"rootfs": given("image")}})],
        "a symlink" => vec![json!({"properties": {"paths": {"items": {"not": {"enum": [null, ""]}}}}})],
        _ => Vec::new(),
    }
}

/// Files that are not executed have no capabilities; upstream looks at the root alone.
fn no_capabilities() -> Value {
    let none = json!({"additionalProperties": {"properties": {"linux_capabilities": {"enum": [null, []]}}}});
    json!({"properties": {"artifacts": {"properties": {
        "manpages": none, "data_dirs": none, "configFiles": none, "docs": none, "licenses": none, "headers": none,
    }}}})
}

/// An http source and an inline file are one file, of which nothing can be selected.
fn one_file_has_no_parts() -> Vec<Value> {
    let inline_file = json!({
        "required": ["inline"],
        "properties": {"inline": {"type": "object", "required": ["file"], "properties": {"file": {"type": "object"}}}},
    });
    let parts: Vec<Value> = ["path", "includes", "excludes"].into_iter().map(given).collect();
    [given("http"), inline_file]
        .into_iter()
        .map(|file| json!({"if": file, "then": {"not": {"anyOf": parts}}}))
        .collect()
}

/// Settings of build steps need build steps; the time of the build may always be set.
fn steps_if_anything() -> Value {
    json!({"anyOf": [given("steps"), {"properties": {
        "env": {"propertyNames": {"const": SOURCE_DATE_EPOCH}},
        "network_mode": {"enum": [null, ""]},
        "caches": {"enum": [null, []]},
    }}]})
}

fn one_go_cache() -> Value {
    json!({"properties": {"caches": {"contains": given("gobuild"), "minContains": 0, "maxContains": 1}}})
}
