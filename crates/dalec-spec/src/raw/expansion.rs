//! The table of where arguments are expanded: every place of the language where text can stand, found by walking the
//! descriptions of the types, and tried with `${V}` in it.
//!
//! A new key shows up here by itself, and fails the test until somebody has read what becomes of `${V}` in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::expect;

use super::specimen::{example, spec_around, with_key};
use crate::decode::Decode;
use crate::emit::Tree;
use crate::raw::RawRoot;
use crate::shape::{Shape, objects};
use crate::{Diagnostic, ResolveOptions, SourceText, codes, has_errors, load};

/// One step from the value of a key to a text in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Item,
    Key,
    Value,
}

impl Step {
    fn show(&self) -> &'static str {
        match self {
            Self::Item => "[]",
            Self::Key => "{key}",
            Self::Value => "{}",
        }
    }
}

/// A place where text can stand.
struct Place {
    steps: Vec<Step>,
    /// What the description says.
    is_expanded: bool,
}

/// Returns the places of text in a value of `shape`, those in objects left out.
fn places(shape: &Shape) -> Vec<Place> {
    let behind = |step: Step, inner: &Shape| {
        let mut found = places(inner);
        found.iter_mut().for_each(|place| place.steps.insert(0, step));
        found
    };
    match shape {
        Shape::Text(text) => vec![Place { steps: Vec::new(), is_expanded: text.expanded }],
        Shape::List(item) => behind(Step::Item, item),
        Shape::Map { key, value } => {
            let mut found = vec![Place { steps: vec![Step::Key], is_expanded: key.expanded }];
            found.extend(behind(Step::Value, value));
            found
        }
        Shape::Optional(inner) => places(inner),
        Shape::Either(shapes) => shapes.iter().flat_map(places).collect(),
        Shape::Object(_) | Shape::Flag | Shape::Number { .. } | Shape::Mode { .. } | Shape::Nothing => {
            Vec::new()
        }
    }
}

/// Changes the text at `steps` in `tree` and returns what it was; a list of names may stand for a mapping.
fn change(tree: &mut Tree, steps: &[Step], write: &dyn Fn(&str) -> String) -> String {
    match (steps, &mut *tree) {
        ([], Tree::Text(text) | Tree::Plain(text)) => {
            let text = text.clone();
            *tree = Tree::Text(write(&text));
            text
        }
        ([], Tree::Null) => {
            *tree = Tree::Text(write("text"));
            "text".to_owned()
        }
        ([Step::Item, rest @ ..], Tree::List(items)) => change(&mut items[0], rest, write),
        ([Step::Value, rest @ ..], Tree::Map(entries)) => change(&mut entries[0].1, rest, write),
        ([Step::Key, ..], Tree::Map(entries)) => {
            let written = write(&entries[0].0);
            std::mem::replace(&mut entries[0].0, written)
        }
        ([Step::Item], Tree::Map(entries)) => {
            let name = entries[0].0.clone();
            *tree = Tree::List(vec![Tree::Text(write(&name))]);
            name
        }
        ([Step::Key], Tree::List(items)) => {
            let Some(Tree::Plain(name)) = items.first().cloned() else { panic!("a list of names: {tree:?}") };
            *tree = Tree::Map(vec![(write(&name), Tree::Null)]);
            name
        }
        (steps, tree) => panic!("no {steps:?} in {tree:?}"),
    }
}

/// What becomes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Expanded,
    Literal,
    Refused,
}

/// Returns what becomes of `${V}` in `spec`, with `value` as default of the argument.
fn outcome(spec: Tree, value: &str) -> Outcome {
    let Tree::Map(mut entries) = spec else { panic!("a spec is a mapping") };
    // Examples refer to these.
    let declared = [("V", value), ("VERSION", "1"), ("KEY_ID", "1")]
        .map(|(name, value)| (name.to_owned(), Tree::Text(value.to_owned())));
    match entries.iter_mut().find(|(key, _)| key == "args") {
        Some((_, Tree::Map(args))) => {
            let given: Vec<String> = args.iter().map(|(name, _)| name.clone()).collect();
            args.extend(declared.into_iter().filter(|(name, _)| !given.contains(name)));
        }
        _ => entries.push(("args".to_owned(), Tree::Map(declared.into()))),
    }
    let source = SourceText::new("spec.yml", Tree::Map(entries).to_text());
    let loaded = load(&source);
    let found = loaded.raw.as_ref().expect("YAML").lint(&ResolveOptions::default());
    if loaded.has_errors() || has_errors(&found) {
        return Outcome::Refused;
    }
    let is_unused = |finding: &Diagnostic| {
        finding.code == codes::UNUSED_ARG && finding.span.is_some_and(|span| source.slice(span) == "V")
    };
    if found.iter().any(is_unused) { Outcome::Literal } else { Outcome::Expanded }
}

/// SPEC-022: what becomes of `${V}` in every text of the language: it is expanded, stays literal, or is refused because
/// a text with a `$` in it could not be right.
///
/// Upstream does the same, with these differences:
/// - versions under `recommends`, `test` and `sysext`, everything in `mounts` of a single step, and the images that
///   containers start from stay literal there; here a text is expanded or not for what it is, wherever it stands;
/// - `network_mode` is checked before it is expanded there, so that only literal words pass;
/// - the environment of a step of an image source is expanded twice there, so that a backslash needs another one;
/// - names that could not be right are not refused there.
#[test]
fn every_text_is_expanded_or_not_on_purpose() {
    let all = objects(RawRoot::shape());
    let mut table = String::new();
    let mut wrong = Vec::new();
    for object in &all {
        let mut rows: BTreeMap<Outcome, Vec<String>> = BTreeMap::new();
        for key in object.keys {
            for place in places(&(key.shape)()) {
                let name = format!("{}{}", key.name, place.steps.iter().map(Step::show).collect::<String>());
                let with = |write: &dyn Fn(&str) -> String| {
                    let mut value = example(key);
                    let text = change(&mut value, &place.steps, write);
                    (spec_around(&all, object.name, with_key(object, key.name, value)), text)
                };
                let (control, text) = with(&str::to_owned);
                assert_eq!(outcome(control, ""), Outcome::Literal, "{}: {name} as it is", object.name);
                // Alone it may be refused where it is welcome behind other text, as in `NAME=${V}`.
                let found = match outcome(with(&|_| "${V}".to_owned()).0, &text) {
                    Outcome::Refused => outcome(with(&|text| format!("{text}${{V}}")).0, ""),
                    found => found,
                };
                if (found == Outcome::Expanded) != place.is_expanded {
                    wrong.push(format!("{}: {name} is {found:?}", object.name));
                }
                rows.entry(found).or_default().push(name);
            }
        }
        if !rows.is_empty() {
            let _ = writeln!(table, "{}", object.name);
        }
        for (found, keys) in rows {
            let _ = writeln!(table, "  {found:?}: {}", keys.join(" "));
        }
    }
    assert!(wrong.is_empty(), "the description says something else:\n{}", wrong.join("\n"));
    expect![[r#"
        a spec
          Expanded: version revision
          Literal: description website license vendor packager args{key} args{} sources{key} targets{key}
          Refused: name patches{key} conflicts{key} conflicts[] replaces{key} replaces[] provides{key} provides[]
        the dependencies
          Refused: build{key} build[] runtime{key} runtime[] recommends{key} recommends[] sysext{key} sysext[] test{key} test[]
        the build section
          Expanded: env{} network_mode
          Refused: env{key}
        the image settings
          Expanded: labels{} base
          Literal: entrypoint cmd env[] labels{key} volumes{key} working_dir stop_signal user
        a source
          Expanded: path includes[] excludes[]
        the artifacts
          Literal: binaries{key} manpages{key} data_dirs{key} libexec{key} opt{key} configFiles{key} docs{key} licenses{key} libs{key} headers{key}
        a signer
          Expanded: args{}
          Literal: image cmdline args{key}
        a changelog entry
          Literal: author changes[]
          Refused: date
        a test
          Expanded: env{}
          Literal: name dir files{key}
          Refused: env{key}
        a target
          Refused: conflicts{key} conflicts[] replaces{key} replaces[] provides{key} provides[]
        a patch
          Expanded: path
          Refused: source
        a build step
          Expanded: env{}
          Literal: command
          Refused: env{key}
        the directories
          Literal: config{key} state{key}
        the systemd settings
          Literal: units{key} dropins{key}
        the post settings
          Literal: symlinks{key}
        a git source
          Expanded: url commit checksum
        an http source
          Expanded: url
          Refused: digest
        an image source
          Expanded: ref
        a context source
          Expanded: name
        a build source
          Expanded: dockerfile_path target
          Literal: args{key} args{}
        a generator
          Literal: subpath
        a package constraint
          Expanded: version[]
          Refused: arch[]
        a repository
          Literal: keys{key} config{key}
          Refused: envs[]
        an artifact
          Literal: subpath name
          Refused: user group
        a link
          Literal: source dest
          Refused: user group
        a user
          Refused: name
        a group
          Refused: name
        a mount
          Literal: dest
        a test step
          Expanded: env{} stdin
          Literal: command
          Refused: env{key}
        a file check
          Expanded: equals contains[] matches[] starts_with ends_with
          Literal: link_target
        a target frontend
          Literal: image cmdline
        the git credentials
          Literal: header token ssh
        a cache directory
          Literal: dest key
          Refused: sharing
        a Go build cache
          Literal: scope
        an sccache
          Literal: scope
        a Bazel cache
          Literal: scope
        a directory
          Refused: user group
        a systemd unit
          Literal: name
        a systemd drop-in
          Literal: name unit
        a symlink
          Literal: path paths[]
          Refused: user group
        an output check
          Expanded: equals contains[] matches[] starts_with ends_with
        the commands of an image source
          Expanded: env{}
          Literal: dir
          Refused: env{key}
        an inline file
          Literal: contents
        an inline directory
          Literal: files{key}
        the gomod generator
          Expanded: auth{key}
          Literal: paths[]
        the cargohome generator
          Literal: paths[]
        the pip generator
          Literal: paths[] requirements_file index_url extra_index_urls[]
        the nodemod generator
          Literal: paths[] registry
        a capability
          Refused: name
        the credentials of a module host
          Literal: token header
        the gomod edits
          Literal: replace[] drop[]
        the ssh login
          Literal: id username
        a gomod replacement
          Literal: old new
    "#]].assert_eq(&table);
}
