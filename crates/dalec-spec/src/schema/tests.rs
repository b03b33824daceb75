//! The schema and the loader agree on every spec there is.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::{SourceText, has_errors, load, yaml};

/// Specs with errors that the schema cannot see, by why it cannot.
const BEYOND_SCHEMA: &[(&str, &[&str])] = &[
    ("keys of one object that only make sense beside another", &["build", "build-network"]),
    ("two keys that mean the same path", &["duplicate-file"]),
    ("merge keys are gone before an editor asks its schema", &["merge-of-text"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn specs(folder: &str) -> Vec<PathBuf> {
    let folder = root().join(folder);
    let mut specs: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    specs.sort();
    assert!(!specs.is_empty(), "{} is empty", folder.display());
    specs
}

/// Returns what an editor makes of `text`: its first document by the core schema of YAML 1.2, merge keys written out.
fn document(source: &SourceText) -> Option<Value> {
    let (node, found) = yaml::parse(source);
    let node = node.filter(|_| !has_errors(&found))?;
    Some(extension_tree(&node, &mut Decoder::new(source)).to_json())
}

fn read(path: &Path) -> SourceText {
    let name = path.file_name().expect("a file name").to_string_lossy();
    SourceText::from_bytes(&name, fs::read(path).expect("a readable spec")).expect("UTF-8")
}

fn complaints(validator: &jsonschema::Validator, document: &Value) -> Vec<String> {
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).expect("a valid schema")
}

#[test]
fn the_schema_is_a_schema() {
    jsonschema::draft202012::meta::validate(&schema()).expect("a valid schema");
}

#[test]
fn what_loads_is_valid() {
    let validator = validator();
    for path in ["crates/dalec-spec/tests/ok", "examples", "examples/gallery"].into_iter().flat_map(specs) {
        let source = read(&path);
        assert!(!load(&source).has_errors(), "{}", path.display());
        let complaints = complaints(&validator, &document(&source).expect("YAML"));
        assert!(complaints.is_empty(), "{}:\n{}", path.display(), complaints.join("\n"));
    }
}

#[test]
fn what_does_not_load_is_invalid() {
    let validator = validator();
    let mut unexpected = Vec::new();
    for path in specs("crates/dalec-spec/tests/err") {
        let source = read(&path);
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        // What is no YAML has no schema.
        let Some(document) = document(&source) else { continue };
        let is_valid = validator.is_valid(&document);
        let is_beyond = BEYOND_SCHEMA.iter().any(|(_, names)| names.contains(&name.as_str()));
        if is_valid != (is_beyond || !load(&source).has_errors()) {
            let complaints = complaints(&validator, &document).join("\n  ");
            unexpected.push(format!(
                "{name}: the schema says it is {}valid\n  {complaints}",
                if is_valid { "" } else { "not " }
            ));
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
}
