//! Every code has a page in `docs/findings`, and what the pages say is true.
//!
//! A page is a title, one line with severity and summary, an explanation, and pairs of `## Wrong` and `## Right`. A wrong
//! spec has exactly one finding, that of the page, and the text below it is that finding as `dalec lint` prints it; a
//! right one has none. `<!-- build-args: NAME=value ... -->` above a spec gives arguments. `UPDATE_EXPECT=1` rewrites the
//! texts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use dalec_spec::codes::{self, Code};
use dalec_spec::{Diagnostic, RenderOptions, ResolveOptions, Severity, SourceText, Target, check, render};

/// The targets that exist in the examples.
const TARGETS: &[Target] = &[
    Target { key: "bookworm", needs: &["version", "packager"] },
    Target { key: "trixie", needs: &["version", "packager"] },
];

type MakeSpec = fn() -> String;

/// Codes about limits, whose wrong spec would be too large for a page: it is described, and made here.
const DESCRIBED: &[(&str, MakeSpec)] = &[
    (codes::EXPANSION_BUDGET, || {
        let env: String = (0..=64).map(|index| format!("    V{index}: ${{LONG}}\n")).collect();
        let long = "x".repeat(1 << 20);
        format!("args:\n  LONG: {long}\nbuild:\n  env:\n{env}  steps:\n    - command: make\n")
    }),
    (codes::NESTED_TOO_DEEP, || format!("x-deep: {}{}\n", "[".repeat(101), "]".repeat(101))),
    (codes::TOO_MANY_FINDINGS, || (0..=200).map(|index| format!("package-{index}:\n")).collect()),
];

/// Codes that need no advice on how to silence them: they are about that advice.
const ABOUT_COMMENTS: &[&str] = &[codes::UNKNOWN_CODE, codes::UNUSED_ALLOW];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/findings")
}

fn read(code: &Code) -> String {
    let path = folder().join(format!("{}.md", code.name));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// One `## Wrong` or `## Right` of a page.
struct Section {
    is_wrong: bool,
    build_args: String,
    blocks: Vec<Block>,
}

/// A fenced block.
struct Block {
    language: String,
    text: String,
    /// Where the text stands in the page, in bytes.
    start: usize,
}

/// Returns the sections of `page`; a heading of another name is an error.
fn sections(page: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut is_in_block = false;
    let mut at = 0;
    for line in page.split_inclusive('\n') {
        at += line.len();
        if let Some(heading) = line.strip_prefix("## ").filter(|_| !is_in_block) {
            let is_wrong = match heading.trim_end() {
                "Wrong" => true,
                "Right" => false,
                heading => panic!("a page has no `{heading}`"),
            };
            sections.push(Section { is_wrong, build_args: String::new(), blocks: Vec::new() });
        }
        let Some(section) = sections.last_mut() else { continue };
        if let Some(language) = line.strip_prefix("```") {
            is_in_block = !is_in_block;
            if is_in_block {
                let language = language.trim_end().to_owned();
                section.blocks.push(Block { language, text: String::new(), start: at });
            }
        } else if let Some(block) = section.blocks.last_mut().filter(|_| is_in_block) {
            block.text.push_str(line);
        } else if let Some(args) = line.strip_prefix("<!-- build-args: ") {
            args.trim_end().trim_end_matches(" -->").clone_into(&mut section.build_args);
        }
    }
    assert!(!is_in_block, "a block is not closed");
    sections
}

/// Returns all that there is to say about `text`; where that is one finding, it is what `dalec lint` says.
fn lint(text: &str, build_args: &str) -> (SourceText, Vec<Diagnostic>) {
    let source = SourceText::new("dalec.yml", text);
    let pair = |arg: &str| arg.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let build_args = build_args.split(' ').filter_map(pair).collect();
    let options = ResolveOptions { build_args, ..ResolveOptions::default() };
    let found = check(&source, &options, TARGETS);
    (source, found)
}

fn shown(source: &SourceText, findings: &[Diagnostic]) -> String {
    render(source, findings, RenderOptions::default())
}

#[test]
fn every_page_has_a_code() {
    let names = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.expect("a readable folder").file_name();
        name.to_string_lossy().trim_end_matches(".md").to_owned()
    };
    let pages: BTreeSet<String> = fs::read_dir(folder()).expect("a folder").map(names).collect();
    let expected: BTreeSet<String> =
        codes::ALL.iter().map(|code| code.name).chain(["README"]).map(str::to_owned).collect();
    assert_eq!(pages, expected);
}

#[test]
fn the_index_lists_all_codes() {
    let index = fs::read_to_string(folder().join("README.md")).expect("an index");
    let listed: Vec<&str> = index.lines().filter(|line| line.starts_with("| [")).collect();
    let row = |code: &Code| {
        let Code { name, severity, summary, .. } = code;
        format!("| [`{name}`]({name}.md) | {severity} | {summary} |")
    };
    assert_eq!(listed, codes::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn pages_have_one_form() {
    for code in codes::ALL {
        let page = read(code);
        let severity = if code.severity == Severity::Error { "Error" } else { "Warning" };
        let head = format!("# `{}`\n\n{severity}: {}.\n\n", code.name, code.summary);
        assert!(page.starts_with(&head), "{} begins with\n{head}", code.name);
        let explanation = page[head.len()..].split("\n## ").next().unwrap_or_default();
        assert!(explanation.len() > 100, "{} explains nothing", code.name);
        assert!(page.lines().all(|line| line.chars().count() <= 140), "{} has long lines", code.name);
        let says_how = page.contains(&format!("# dalec: allow {} (", code.name));
        let is_silenced = code.severity == Severity::Warning && !ABOUT_COMMENTS.contains(&code.name);
        assert_eq!(says_how, is_silenced, "{} says how to silence it", code.name);

        let sections = sections(&page);
        assert!(matches!(sections.len(), 2 | 4 | 6 | 8 | 10 | 12), "{}", code.name);
        let is_described = DESCRIBED.iter().any(|(name, _)| *name == code.name);
        for (index, section) in sections.iter().enumerate() {
            assert_eq!(section.is_wrong, index % 2 == 0, "sections of {}", code.name);
            let languages: Vec<&str> = section.blocks.iter().map(|block| block.language.as_str()).collect();
            let expected: &[&str] = match (section.is_wrong, is_described) {
                (true, true) => &[],
                (true, false) => &["yaml", "text"],
                (false, _) => &["yaml"],
            };
            assert_eq!(languages, expected, "section {index} of {}", code.name);
        }
    }
}

#[test]
fn wrong_specs_have_the_finding_of_their_page() {
    let mut differing = Vec::new();
    for code in codes::ALL {
        let mut page = read(code);
        for section in sections(&page).iter().rev().filter(|section| section.is_wrong) {
            let [spec, text] = &section.blocks[..] else { continue };
            let (source, found) = lint(&spec.text, &section.build_args);
            let actual = shown(&source, &found);
            assert!(found.len() == 1 && found[0].code == code.name, "{}\n{actual}", code.name);
            assert!(found[0].help.is_some(), "no help in\n{actual}");
            if text.text != actual {
                differing.push(code.name);
                page.replace_range(text.start..text.start + text.text.len(), &actual);
            }
        }
        // Other tests read the pages at the same time, so only those that differ are written.
        if !differing.is_empty() && std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(folder().join(format!("{}.md", code.name)), page).expect("a writable folder");
            differing.clear();
        }
    }
    assert!(differing.is_empty(), "findings have changed in {differing:?}; UPDATE_EXPECT=1 rewrites them");
}

#[test]
fn right_specs_have_no_findings() {
    for code in codes::ALL {
        for section in sections(&read(code)).iter().filter(|section| !section.is_wrong) {
            for spec in &section.blocks {
                let (source, found) = lint(&spec.text, &section.build_args);
                assert!(found.is_empty(), "{}\n{}", code.name, shown(&source, &found));
            }
        }
    }
}

#[test]
fn described_specs_have_the_finding_of_their_page() {
    for (name, spec) in DESCRIBED {
        let (source, found) = lint(&spec(), "");
        let finding = found.iter().find(|finding| finding.code == *name);
        let finding = finding.unwrap_or_else(|| panic!("{name} is not among\n{}", shown(&source, &found)));
        let page = read(codes::find(name).expect("a code"));
        assert!(page.contains(&format!("`{}`", finding.message)), "{name} lacks `{}`", finding.message);
    }
}
