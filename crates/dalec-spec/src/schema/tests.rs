//! The schema and the loader agree on every spec there is.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::emit::Tree;
use crate::{ResolveOptions, SourceText, has_errors, load, yaml};

/// Specs with errors that the schema cannot see, by why it cannot.
const BEYOND_SCHEMA: &[(&str, &[&str])] = &[
    (
        "what arguments make of a value is known when they are",
        &[
            "build-network-mode-expanded",
            "expanded-value",
            "git-url-expanded",
            "gomod-auth-host-expanded",
            "keys-that-become-one",
            "known-arg-undeclared",
            "patch-path-that-climbs",
            "substitution-syntax",
            "undeclared-arg",
        ],
    ),
    (
        "names of one part of the spec that another part must have",
        &[
            "patch-from-directory-without-path",
            "patch-from-file-with-path",
            "patch-from-unknown-source",
            "patch-of-unknown-source",
        ],
    ),
    (
        "two texts that mean the same place",
        &[
            "duplicate-file",
            "image-mount-inside-path",
            "image-mount-inside-path-in-a-step",
            "image-mounts-at-one-place",
            "image-mounts-at-one-place-in-a-step",
            "symlinks-at-one-place",
        ],
    ),
    ("a source of the same form needs `path` everywhere but as a base", &["image-source-without-path"]),
    (
        "languages of their own: command lines, patterns, the calendar",
        &[
            "date-not-in-the-calendar",
            "image-entrypoint-with-open-quote",
            "test-command-of-comments",
            "test-command-with-open-quote",
            "test-matches-look-ahead",
            "test-matches-unclosed",
        ],
    ),
    ("where numbers are text, patterns do not look at them", &["user-with-number"]),
    ("nobody types that character", &["text-with-nul"]),
    (
        "in JSON every key is text, and merge keys are gone",
        &["key-that-is-a-list", "key-that-is-a-list-in-a-map", "key-that-is-nothing", "merge-of-text"],
    ),
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

/// Returns whether the spec in `source` has errors, in itself or for one of its targets.
fn is_wrong(source: &SourceText) -> bool {
    let loaded = load(source);
    let found = || loaded.raw.as_ref().map(|raw| raw.lint(&ResolveOptions::default())).unwrap_or_default();
    loaded.has_errors() || has_errors(&found())
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

/// What can stand where something else stood.
fn strangers() -> Vec<Tree> {
    let text = |text: &str| Tree::Text(text.to_owned());
    let entry = |key: &str| Tree::Map(vec![(key.to_owned(), Tree::Null)]);
    vec![
        Tree::Null,
        text(""),
        text("a b"),
        text("../a"),
        text("/"),
        text("a/b"),
        Tree::Plain("12".to_owned()),
        Tree::Plain("-0.5".to_owned()),
        Tree::Bool(true),
        Tree::List(Vec::new()),
        Tree::List(vec![text("a"), Tree::Null]),
        Tree::Map(Vec::new()),
        entry("a"),
        entry("x-a"),
        entry("path"),
    ]
}

/// Puts each of `strangers` in place of each value below `tree`, one at a time.
fn replaced(tree: &Tree, visit: &mut dyn FnMut(&Tree)) {
    strangers().iter().for_each(&mut *visit);
    match tree {
        Tree::Map(entries) => {
            for (index, (_, value)) in entries.iter().enumerate() {
                replaced(value, &mut |other| {
                    let mut entries = entries.clone();
                    entries[index].1 = other.clone();
                    visit(&Tree::Map(entries));
                });
            }
        }
        Tree::List(items) => {
            for (index, item) in items.iter().enumerate() {
                replaced(item, &mut |other| {
                    let mut items = items.clone();
                    items[index] = other.clone();
                    visit(&Tree::List(items));
                });
            }
        }
        _ => {}
    }
}

/// The schema takes whatever the loader takes, in the corpus and near it.
#[test]
fn what_still_loads_is_still_valid() {
    let validator = validator();
    let mut unexpected = Vec::new();
    for name in ["everything", "sources", "build-and-repositories"] {
        let source = read(&root().join(format!("crates/dalec-spec/tests/ok/{name}.yml")));
        let (node, _) = yaml::parse(&source);
        let whole = extension_tree(&node.expect("YAML"), &mut Decoder::new(&source));
        let Tree::Map(entries) = whole else { panic!("{name} is a mapping") };
        // One key at a time: what the others hold changes nothing.
        for (key, value) in entries {
            // Patches do not stand alone.
            if key == "patches" {
                continue;
            }
            replaced(&value, &mut |other| {
                let tree = Tree::Map(vec![(key.clone(), other.clone())]);
                let text = tree.to_text();
                let source = SourceText::new("spec.yml", text.as_str());
                let document = document(&source).expect("YAML");
                if !validator.is_valid(&document) && !is_wrong(&source) {
                    let complaints = complaints(&validator, &document);
                    unexpected.push(format!("{text}{}", complaints.join("\n")));
                }
            });
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n\n"));
}

#[test]
fn what_does_not_load_is_invalid() {
    let validator = validator();
    let mut unexpected = Vec::new();
    let mut beyond: Vec<&str> = BEYOND_SCHEMA.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    for path in specs("crates/dalec-spec/tests/err") {
        let source = read(&path);
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        // What is no YAML has no schema.
        let Some(document) = document(&source) else { continue };
        let is_valid = validator.is_valid(&document);
        let is_beyond = beyond.contains(&name.as_str());
        beyond.retain(|known| *known != name);
        if is_valid != (is_beyond || !is_wrong(&source)) {
            let complaints = complaints(&validator, &document).join("\n  ");
            unexpected.push(format!(
                "{name}: the schema says it is {}valid\n  {complaints}",
                if is_valid { "" } else { "not " }
            ));
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    assert!(beyond.is_empty(), "there are no such specs: {beyond:?}");
}
