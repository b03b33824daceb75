//! What the documentation shows is true: generated pages are fresh, every spec in it loads, lints clean and resolves.
//!
//! `UPDATE_EXPECT=1` rewrites the generated pages.

use std::fs;
use std::path::{Path, PathBuf};

use dalec_spec::{
    Platform, RenderOptions, ResolveOptions, SourceText, load, manual, render, schema, silence_and_check,
    to_yaml,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Returns the files of `folder` that end in `extension`, sorted.
fn files(folder: &str, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names =
        entries.map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned());
    let mut files: Vec<String> =
        names.filter(|name| name.ends_with(extension)).map(|name| format!("{folder}/{name}")).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} has no {extension}");
    files
}

#[track_caller]
fn check_fresh(path: &str, expected: &str) {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(root().join(path), expected).expect("a writable folder");
    }
    assert!(read(path) == expected, "{path} is not fresh; UPDATE_EXPECT=1 rewrites it");
}

#[test]
fn the_reference_is_fresh() {
    check_fresh("docs/reference.md", &manual());
}

#[test]
fn the_schema_is_fresh() {
    let schema = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
    check_fresh("docs/dalec.schema.json", &schema);
}

/// Checks that `text` has no findings and resolves for the root and each target, on two platforms.
fn check_spec(name: &str, text: &str) {
    let source = SourceText::new(name, text);
    let loaded = load(&source);
    let mut found = loaded.diagnostics;
    let raw = loaded.raw.unwrap_or_else(|| panic!("{}", render(&source, &found, RenderOptions::default())));
    if found.is_empty() {
        found.extend(silence_and_check(&source, raw.lint(&ResolveOptions::default())));
    }
    assert!(found.is_empty(), "{}", render(&source, &found, RenderOptions::default()));
    for target in std::iter::once("").chain(raw.target_keys()) {
        for platform in ["linux/amd64", "linux/arm64"] {
            let platform: Platform = platform.parse().expect("a platform");
            let options = ResolveOptions { target: target.to_owned(), platform, ..ResolveOptions::default() };
            let (spec, found) = raw.resolve(&options);
            let shown = render(&source, &found, RenderOptions::default());
            let written = to_yaml(&spec.unwrap_or_else(|| panic!("{shown}")));
            let again = load(&SourceText::new("resolved.yml", written.clone())).raw.expect("a spec");
            let (again, _) = again.resolve(&options);
            assert_eq!(to_yaml(&again.expect("no errors")), written, "{name} for {target:?}");
        }
    }
}

#[test]
fn examples_lint_clean_and_resolve() {
    for path in ["examples", "examples/gallery"].into_iter().flat_map(|folder| files(folder, ".yml")) {
        check_spec(&path, &read(&path));
    }
}

/// Returns the YAML blocks of a page, each with the line it begins at.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut block: Option<(usize, String)> = None;
    for (number, line) in page.lines().enumerate() {
        match &mut block {
            None if line.trim_end() == "```yaml" => block = Some((number + 2, String::new())),
            None => {}
            Some(_) if line.starts_with("```") => blocks.extend(block.take()),
            Some((_, text)) => *text = format!("{text}{line}\n"),
        }
    }
    blocks
}

#[test]
fn specs_in_pages_lint_clean_and_resolve() {
    let pages =
        files("docs", ".md").into_iter().chain(["README.md".into(), "examples/gallery/README.md".into()]);
    let mut count = 0;
    for page in pages {
        for (line, text) in blocks(&read(&page)) {
            check_spec(&format!("{page}:{line}"), &text);
            count += 1;
        }
    }
    assert!(count >= 10, "there are only {count}");
}
