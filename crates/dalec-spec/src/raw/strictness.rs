//! What the loader takes and refuses, tried at every key of the language.
//!
//! The keys come from the descriptions of the types, so a new one is tried by itself; the tables say what the rules
//! are, in one place.

use std::fmt::Write as _;

use expect_test::expect;

use super::hints;
use super::specimen::{example, spec_around, tree, with_key};
use crate::decode::Decode;
use crate::emit::Tree;
use crate::raw::RawRoot;
use crate::shape::{Key, ObjectShape, Shape, objects};
use crate::{Diagnostic, RenderOptions, ResolveOptions, Severity, SourceText, codes, load, render, to_yaml};

/// What loading and resolving a spec gave.
struct Tried {
    source: SourceText,
    errors: Vec<Diagnostic>,
    /// The resolved spec as text; none with errors.
    resolved: Option<String>,
}

impl Tried {
    fn show(&self) -> String {
        format!("{}\n{}", self.source.text(), render(&self.source, &self.errors, RenderOptions::default()))
    }
}

fn try_spec(spec: &Tree) -> Tried {
    let mut text = spec.to_text();
    if text.contains("${") {
        // Examples refer to these.
        text.push_str("args: {VERSION: a, KEY_ID: b}\n");
    }
    let source = SourceText::new("spec.yml", text);
    let loaded = load(&source);
    let options = ResolveOptions { target: "bookworm".to_owned(), ..ResolveOptions::default() };
    let (resolved, found) = loaded.raw.as_ref().expect("YAML").resolve(&options);
    let errors = loaded.diagnostics.into_iter().chain(found);
    let errors = errors.filter(|finding| finding.severity == Severity::Error).collect();
    Tried { source, errors, resolved: resolved.map(|spec| to_yaml(&spec)) }
}

fn all() -> Vec<ObjectShape> {
    objects(RawRoot::shape())
}

/// Returns what becomes of a spec in which `object` has `value` under `key`.
fn try_key(all: &[ObjectShape], object: &ObjectShape, key: &str, value: Tree) -> Tried {
    try_spec(&spec_around(all, object.name, with_key(object, key, value)))
}

/// Returns what is written for `key` where it is not left out.
fn written_shape(key: &Key) -> Shape {
    let mut shape = (key.shape)();
    while let Shape::Optional(inner) = shape {
        shape = *inner;
    }
    shape
}

/// SPEC-002: an unknown key is one finding at the key, with help, in every object.
#[test]
fn unknown_keys_are_found_everywhere() {
    let all = all();
    for object in &all {
        let tried = try_key(&all, object, "no_such_key", Tree::Null);
        let [error] = &tried.errors[..] else { panic!("{}: {}", object.name, tried.show()) };
        assert_eq!(error.code, codes::UNKNOWN_KEY, "{}", tried.show());
        assert_eq!(error.span.map(|span| tried.source.slice(span)), Some("no_such_key"), "{}", tried.show());
        assert!(error.help.is_some(), "{}", tried.show());
    }
}

/// SPEC-002: whoever writes a key that people write by mistake reads what to write instead.
#[test]
fn usual_mistakes_are_known() {
    let all = all();
    for (name, key, hint) in hints::HINTS {
        let object = all.iter().find(|object| object.name == *name).expect("an object");
        let tried = try_key(&all, object, key, Tree::Null);
        let [error] = &tried.errors[..] else { panic!("{}", tried.show()) };
        assert_eq!(
            (error.code, error.help.as_deref()),
            (codes::UNKNOWN_KEY, Some(*hint)),
            "{}",
            tried.show()
        );
    }
}

/// SPEC-002: a key that is not given where it must be is one finding, with help.
#[test]
fn missing_keys_are_found_everywhere() {
    let all = all();
    for object in &all {
        for needed in object.needs {
            let Tree::Map(mut entries) = with_key(object, needed, Tree::Null) else { continue };
            entries.retain(|(key, _)| key != needed);
            let tried = try_spec(&spec_around(&all, object.name, Tree::Map(entries)));
            let [error] = &tried.errors[..] else { panic!("{}: {}", object.name, tried.show()) };
            assert_eq!(error.code, codes::MISSING_KEY, "{}", tried.show());
            assert!(error.message.contains(&format!("`{needed}`")), "{}", tried.show());
            assert!(error.help.is_some(), "{}", tried.show());
        }
    }
}

/// SPEC-005: `x-` keys are the author's in open objects; in the others they are unknown keys.
///
/// Upstream draws the same line, between objects that it reads with a decoder of their own and those that it does not.
/// What stands inside a source and has no decoder of its own is strict there, too.
#[test]
fn extension_keys_are_for_open_objects() {
    let all = all();
    let (mut open, mut closed) = (String::new(), String::new());
    for object in &all {
        for key in ["x-note", "X-Note"] {
            let tried = try_key(&all, object, key, tree("{a: [1]}"));
            assert_eq!(tried.errors.is_empty(), object.extensible, "{}", tried.show());
            assert!(tried.errors.iter().all(|error| error.code == codes::UNKNOWN_KEY), "{}", tried.show());
        }
        let _ = writeln!(if object.extensible { &mut open } else { &mut closed }, "{}", object.name);
    }
    expect![[r#"
        a spec
        the dependencies
        the build section
        the package settings
        the image settings
        the artifacts
        a signer
        a changelog entry
        a test
        a target
        a cache
        the directories
        the systemd settings
        the post settings
        a repository
        an artifact
        a link
        a user
        a group
        a base
        a mount
        a target frontend
        the git credentials
        a cache directory
        a Go build cache
        an sccache
        a Bazel cache
        a directory
        a systemd unit
        a systemd drop-in
        a symlink
        the commands of an image source
        a capability
        the credentials of a module host
        the gomod edits
        the ssh login
    "#]]
    .assert_eq(&open);
    expect![[r#"
        a source
        a patch
        a build step
        a git source
        an http source
        an image source
        a context source
        a build source
        an inline source
        a generator
        a package constraint
        a test step
        a file check
        an output check
        an inline file
        an inline directory
        the gomod generator
        the cargohome generator
        the pip generator
        the nodemod generator
        a gomod replacement
    "#]]
    .assert_eq(&closed);
}

/// Reference 1.2: a key with nothing behind it is as good as absent, wherever it stands. Where it is needed, that is an
/// error of a missing key.
#[test]
fn nothing_is_as_good_as_absent() {
    let all = all();
    let mut needed = String::new();
    for object in &all {
        for key in object.keys {
            let with_nothing = with_key(object, key.name, Tree::Null);
            let Tree::Map(mut entries) = with_nothing.clone() else { continue };
            entries.retain(|(name, _)| name != key.name);
            let with_nothing = try_spec(&spec_around(&all, object.name, with_nothing));
            let without = try_spec(&spec_around(&all, object.name, Tree::Map(entries)));
            assert_eq!(with_nothing.resolved, without.resolved, "{}", with_nothing.show());
            let codes = |tried: &Tried| tried.errors.iter().map(|error| error.code).collect::<Vec<_>>();
            assert_eq!(codes(&with_nothing), codes(&without), "{}", with_nothing.show());
            if !with_nothing.errors.is_empty() {
                assert_eq!(codes(&with_nothing), [codes::MISSING_KEY], "{}", with_nothing.show());
                let _ = writeln!(needed, "`{}` of {}", key.name, object.name);
            }
        }
    }
    expect![[r#"
        `git` of a source
        `http` of a source
        `image` of a source
        `context` of a source
        `build` of a source
        `inline` of a source
        `date` of a changelog entry
        `source` of a patch
        `path` of a patch
        `dir` of a cache
        `gobuild` of a cache
        `rustsccache` of a cache
        `bazel` of a cache
        `command` of a build step
        `url` of a git source
        `commit` of a git source
        `url` of an http source
        `ref` of an image source
        `source` of a build source
        `file` of an inline source
        `dir` of an inline source
        `gomod` of a generator
        `cargohome` of a generator
        `pip` of a generator
        `nodemod` of a generator
        `source` of a link
        `dest` of a link
        `name` of a user
        `name` of a group
        `rootfs` of a base
        `dest` of a mount
        `spec` of a mount
        `command` of a test step
        `image` of a target frontend
        `dest` of a cache directory
        `unit` of a systemd drop-in
        `path` of a symlink
        `paths` of a symlink
        `steps` of the commands of an image source
        `name` of a capability
        `old` of a gomod replacement
        `new` of a gomod replacement
    "#]]
    .assert_eq(&needed);
}

/// Reference 1.2: nothing as an entry. In a mapping the entry is there, with defaults; text is empty.
#[test]
fn nothing_as_an_entry_is_an_entry() {
    let all = all();
    let (mut taken, mut refused) = (String::new(), String::new());
    for object in &all {
        for key in object.keys {
            let value = match (&written_shape(key), example(key)) {
                (Shape::Map { .. }, Tree::Map(entries)) => {
                    Tree::Map(vec![(entries[0].0.clone(), Tree::Null)])
                }
                (Shape::List(_), _) => Tree::List(vec![Tree::Null]),
                (Shape::Either(_), _) => tree("{tool: }"),
                _ => continue,
            };
            let kind = if matches!(value, Tree::List(_)) { "list" } else { "mapping" };
            let tried = try_key(&all, object, key.name, value);
            let out = if tried.errors.is_empty() { &mut taken } else { &mut refused };
            let _ = write!(out, "{kind} `{}` of {}", key.name, object.name);
            for error in &tried.errors {
                let _ = write!(out, ": {}", error.message);
            }
            out.push('\n');
        }
    }
    expect![[r#"
        mapping `args` of a spec
        mapping `patches` of a spec
        mapping `conflicts` of a spec
        mapping `replaces` of a spec
        mapping `provides` of a spec
        list `tests` of a spec
        mapping `targets` of a spec
        mapping `build` of the dependencies
        mapping `runtime` of the dependencies
        mapping `recommends` of the dependencies
        mapping `sysext` of the dependencies
        mapping `test` of the dependencies
        list `extra_repos` of the dependencies
        mapping `env` of the build section
        list `env` of the image settings
        mapping `labels` of the image settings
        mapping `volumes` of the image settings
        list `includes` of a source
        list `excludes` of a source
        mapping `binaries` of the artifacts
        mapping `manpages` of the artifacts
        mapping `data_dirs` of the artifacts
        mapping `libexec` of the artifacts
        mapping `opt` of the artifacts
        mapping `configFiles` of the artifacts
        mapping `docs` of the artifacts
        mapping `licenses` of the artifacts
        mapping `libs` of the artifacts
        mapping `headers` of the artifacts
        mapping `args` of a signer
        list `changes` of a changelog entry
        mapping `env` of a test
        mapping `files` of a test
        mapping `conflicts` of a target
        mapping `replaces` of a target
        mapping `provides` of a target
        list `tests` of a target
        mapping `env` of a build step
        mapping `config` of the directories
        mapping `state` of the directories
        mapping `units` of the systemd settings
        mapping `args` of a build source
        list `version` of a package constraint
        list `arch` of a package constraint
        list `envs` of a repository
        mapping `env` of a test step
        list `contains` of a file check
        list `matches` of a file check
        list `contains` of an output check
        list `matches` of an output check
        mapping `env` of the commands of an image source
        mapping `files` of an inline directory
        list `paths` of the gomod generator
        mapping `auth` of the gomod generator
        list `paths` of the cargohome generator
        list `paths` of the pip generator
        list `extra_index_urls` of the pip generator
        list `paths` of the nodemod generator
        list `drop` of the gomod edits
    "#]]
    .assert_eq(&taken);
    expect![[r#"
        mapping `sources` of a spec: a source needs one of `git`, `http`, `image`, `context`, `build` and `inline`
        list `changelog` of a spec: a changelog entry needs `date`
        list `caches` of the build section: a cache needs one of `dir`, `gobuild`, `rustsccache` and `bazel`
        list `steps` of the build section: a build step needs `command`
        list `bases` of the image settings: a base needs `rootfs`
        list `generate` of a source: a generator needs one of `gomod`, `cargohome`, `pip` and `nodemod`
        list `links` of the artifacts: a link needs `dest`: a link needs `source`
        list `users` of the artifacts: a user needs `name`
        list `groups` of the artifacts: a group needs `name`
        list `mounts` of a test: a mount needs `dest`: a mount needs `spec`
        list `steps` of a test: a test step needs `command`
        list `mounts` of a build step: a mount needs `dest`: a mount needs `spec`
        mapping `dropins` of the systemd settings: a systemd drop-in needs `unit`
        mapping `symlinks` of the post settings: a symlink needs one of `path` and `paths`
        mapping `keys` of a repository: a source needs one of `git`, `http`, `image`, `context`, `build` and `inline`
        mapping `config` of a repository: a source needs one of `git`, `http`, `image`, `context`, `build` and `inline`
        list `data` of a repository: a mount needs `dest`: a mount needs `spec`
        list `linux_capabilities` of an artifact: a capability needs `name`
        list `paths` of a symlink: the path of a link is missing
        list `mounts` of the commands of an image source: a mount needs `dest`: a mount needs `spec`
        list `steps` of the commands of an image source: a build step needs `command`
        list `replace` of the gomod edits: each entry of `replace` takes `old => new`, or a mapping of `old` and `new`, not nothing
    "#]].assert_eq(&refused);
}

/// The kinds of value that a shape takes.
fn takes(shape: &Shape) -> (bool, bool, bool) {
    match shape {
        Shape::Text(_) => (true, false, false),
        // Text that is no number and no truth value is tried.
        Shape::Flag | Shape::Number { .. } | Shape::Mode { .. } => (false, false, false),
        Shape::List(_) => (false, true, false),
        Shape::Map { .. } | Shape::Object(_) => (false, false, true),
        Shape::Nothing => (false, false, false),
        Shape::Optional(inner) => takes(inner),
        Shape::Either(shapes) => shapes
            .iter()
            .map(takes)
            .fold((false, false, false), |all, one| (all.0 || one.0, all.1 || one.1, all.2 || one.2)),
    }
}

/// SPEC-007: what has the wrong type is said with the name of its key, at every key; and nothing else is said of it.
#[test]
fn wrong_types_are_found_everywhere() {
    let all = all();
    for object in &all {
        for key in object.keys {
            let (scalar, list, mapping) = takes(&(key.shape)());
            let strangers = [
                (scalar, Tree::Text("some text".to_owned())),
                (list, tree("[some text]")),
                (mapping, tree("{some: text}")),
            ];
            for (_, stranger) in strangers.into_iter().filter(|(is_taken, _)| !is_taken) {
                let tried = try_key(&all, object, key.name, stranger);
                let [error] = &tried.errors[..] else { panic!("{}", tried.show()) };
                assert_eq!(error.code, codes::WRONG_TYPE, "{}", tried.show());
                assert!(error.message.contains(&format!("`{}`", key.name)), "{}", tried.show());
            }
        }
    }
}

/// SPEC-007: truth values are `true` and `false` in three spellings, at every key that takes one.
#[test]
fn truth_values_are_strict() {
    let all = all();
    for object in &all {
        for key in object.keys.iter().filter(|key| matches!(written_shape(key), Shape::Flag)) {
            for (text, is_taken) in [
                ("true", true),
                ("True", true),
                ("TRUE", true),
                ("false", true),
                ("False", true),
                ("FALSE", true),
                ("yes", false),
                ("on", false),
                ("no", false),
                ("1", false),
                ("tRUE", false),
                ("\"true\"", false),
                ("'false'", false),
            ] {
                let tried = try_key(&all, object, key.name, tree(text));
                assert_eq!(tried.errors.is_empty(), is_taken, "{text}: {}", tried.show());
                assert!(tried.errors.iter().all(|error| error.code == codes::WRONG_TYPE), "{}", tried.show());
            }
        }
    }
}

/// SPEC-008: permissions are octal where they look like it, at every key that takes them.
#[test]
fn permissions_mean_one_thing_everywhere() {
    let all = all();
    for object in &all {
        for key in object.keys.iter().filter(|key| matches!(written_shape(key), Shape::Mode { .. })) {
            for (text, expected) in [
                // No key has this mode as its default: where a default is meant, it need not be written.
                ("0640", Some("0640")),
                ("0o640", Some("0640")),
                ("0x1a0", Some("0640")),
                ("0b110100000", Some("0640")),
                ("\"0640\"", Some("0640")),
                ("644", Some("01204")),
                ("04755", Some("04755")),
                ("0", Some("0000")),
                ("u+x", None),
                ("\"rw-r--r--\"", None),
                ("0999", None),
                ("0o99", None),
                ("-1", None),
                ("0.5", None),
                ("010000", None),
                ("true", None),
            ] {
                let tried = try_key(&all, object, key.name, tree(text));
                let line = expected.map(|mode| format!("{}: {mode}\n", key.name));
                let is_right = match (&line, &tried.resolved) {
                    (Some(line), Some(resolved)) => resolved.contains(line.as_str()),
                    (None, None) => true,
                    _ => false,
                };
                assert!(is_right, "{text}: {}{:?}", tried.show(), tried.resolved);
            }
        }
    }
}
