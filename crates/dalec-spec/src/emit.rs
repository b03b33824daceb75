//! A resolved spec as YAML or JSON in the spec language's own keys.

use crate::target_spec::TargetSpec;

/// Returns `spec` in the keys of the spec language.
pub fn to_json(spec: &TargetSpec) -> serde_json::Value {
    serde_json::json!({ "name": spec.name })
}

/// Returns `spec` as YAML that loads again to the same spec.
pub fn to_yaml(spec: &TargetSpec) -> String {
    to_json(spec).to_string()
}
