//! Every spec in `ok/` loads, lints and resolves without findings; every spec in `err/` does not.
//!
//! Expected texts stand beside the specs: `NAME.resolved` holds the root and each target as `dalec resolve` prints
//! it, `NAME.stderr` the findings as people see them. `UPDATE_EXPECT=1` rewrites both. A first line
//! `# build-args: NAME=value ...` gives arguments.

use std::fs;
use std::path::{Path, PathBuf};

use dalec_spec::target_spec::{Extensions, TargetSpec};
use dalec_spec::{
    RenderOptions, ResolveOptions, SourceText, Target, check, load, render, silence_and_check, to_json,
    to_yaml,
};

/// The targets that exist in the specs.
const TARGETS: &[&str] = &["bookworm", "trixie", "azlinux3", "jammy", "noble", "windowscross"];

fn specs(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut specs: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    specs.sort();
    assert!(!specs.is_empty(), "{} is empty", folder.display());
    specs
}

fn read(path: &Path) -> SourceText {
    let name = path.file_name().expect("a file name").to_string_lossy();
    SourceText::from_bytes(&name, fs::read(path).expect("a readable spec")).expect("UTF-8")
}

fn options(source: &SourceText) -> ResolveOptions {
    let first = source.text().lines().next().unwrap_or_default();
    let args = first.strip_prefix("# build-args: ").unwrap_or_default();
    let pair = |arg: &str| arg.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    ResolveOptions { build_args: args.split(' ').filter_map(pair).collect(), ..ResolveOptions::default() }
}

fn expect(path: &Path, extension: &str, actual: &str) {
    let path = path.with_extension(extension);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, actual).expect("a writable folder");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs; UPDATE_EXPECT=1 rewrites it. Now it is:\n{actual}",
        path.display()
    );
}

fn shown(source: &SourceText, diagnostics: &[dalec_spec::Diagnostic]) -> String {
    render(source, diagnostics, RenderOptions::default())
}

/// Returns `spec` with all spans removed, as text.
fn without_spans(spec: &TargetSpec) -> String {
    let text = format!("{spec:#?}");
    let spans = regex::Regex::new(r"Span \{\s+start: \d+,\s+end: \d+,\s+\}").expect("a valid pattern");
    spans.replace_all(&text, "Span").into_owned()
}

#[test]
fn good_specs_resolve() {
    for path in specs("ok") {
        let source = read(&path);
        let options = options(&source);
        let loaded = load(&source);
        assert!(loaded.diagnostics.is_empty(), "{}", shown(&source, &loaded.diagnostics));
        let raw = loaded.raw.expect("a spec");
        let findings = silence_and_check(&source, raw.lint(&options));
        assert!(findings.is_empty(), "{}", shown(&source, &findings));
        let mut resolved = String::new();
        for target in std::iter::once("").chain(raw.target_keys()) {
            let options = ResolveOptions { target: target.to_owned(), ..options.clone() };
            let spec = raw.resolve(&options).0.expect("no errors");
            resolved.push_str(&format!("--- # target: {target:?}\n{}", to_yaml(&spec)));
            check_round_trip(&spec, &options);
        }
        expect(&path, "resolved", &resolved);
    }
}

/// What is written loads to the same spec, from YAML and from JSON.
fn check_round_trip(spec: &TargetSpec, options: &ResolveOptions) {
    // JSON leaves the author's own keys out.
    let bare = TargetSpec { extensions: Extensions::default(), ..spec.clone() };
    for (text, spec) in [(to_yaml(spec), spec), (to_json(spec).to_string(), &bare)] {
        let source = SourceText::new("resolved.yml", text);
        let loaded = load(&source);
        assert!(loaded.diagnostics.is_empty(), "{}\n{}", shown(&source, &loaded.diagnostics), source.text());
        let (again, findings) = loaded.raw.expect("a spec").resolve(options);
        assert!(findings.is_empty(), "{}", shown(&source, &findings));
        let (again, expected) = (without_spans(&again.expect("no errors")), without_spans(spec));
        let difference = again.lines().zip(expected.lines()).find(|(again, expected)| again != expected);
        assert!(again == expected, "{difference:?} in\n{}", source.text());
    }
}

#[test]
fn bad_specs_are_explained() {
    let targets: Vec<Target> = TARGETS.iter().map(|key| Target { key, needs: &[] }).collect();
    for path in specs("err") {
        let source = read(&path);
        let diagnostics = check(&source, &options(&source), &targets);
        assert!(!diagnostics.is_empty(), "{} has no findings", path.display());
        expect(&path, "stderr", &shown(&source, &diagnostics));
    }
}
