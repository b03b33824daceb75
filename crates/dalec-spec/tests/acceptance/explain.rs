//! Where values come from, and which fields there are (the words for people are the command's).

use dalec_spec::{Origin, ResolveOptions, SourceText, load};

use crate::target;

/// Returns what is said of `field`: for each value its path, the value, and the text at the place it comes from.
fn explained_for(text: &str, field: &str, options: &ResolveOptions) -> Result<Vec<String>, String> {
    let source = SourceText::new("spec.yml", text);
    let loaded = load(&source);
    assert!(!loaded.has_errors(), "{text}\n{:?}", loaded.diagnostics);
    let found = loaded.raw.expect("a spec").explain(options, field).map_err(|error| match error.help {
        Some(help) => format!("{}; {help}", error.message),
        None => error.message,
    })?;
    let line = |explanation: &dalec_spec::Explanation| {
        let value = explanation.text.as_deref().unwrap_or("not set");
        let origin = match explanation.origin {
            Origin::Default => "default".to_owned(),
            Origin::Root(span) => format!("root `{}`", source.slice(span)),
            Origin::Target(span) => format!("target `{}`", source.slice(span)),
            Origin::Argument(_) => "argument".to_owned(),
        };
        format!("{}: {value}, {origin}", explanation.path)
    };
    Ok(found.iter().map(line).collect())
}

fn explained(text: &str, field: &str) -> Result<Vec<String>, String> {
    explained_for(text, field, &ResolveOptions::default())
}

/// A spec with entries of many kinds.
const SPEC: &str = "\
sources: {src: {context: {}}, a.b: {context: {}}}
build: {steps: [{command: make}]}
dependencies: {runtime: {libc6: {version: ['> 2']}, 'x[y': }}
image: {labels: {org.example.role: tool, 'it''s': one, '': two}}
tests: [{name: a, steps: [{command: x}]}]
";

/// What is not written in an entry that is there is not set.
#[test]
fn fields_of_entries_may_be_not_set() {
    for field in [
        "sources.src.path",
        "tests[0].dir",
        "build.steps[0].env",
        "dependencies.runtime.libc6.arch",
        "sources.'a.b'.path",
        "dependencies.runtime.'x[y'.version",
        "image.working_dir",
    ] {
        assert_eq!(explained(SPEC, field), Ok(vec![format!("{field}: not set, default")]));
    }
    assert_eq!(explained(SPEC, "sources.a.b.path"), explained(SPEC, "sources.'a.b'.path"));
    assert_eq!(explained(SPEC, "sources.'src'.path"), explained(SPEC, "sources.src.path"));
    assert_eq!(explained(SPEC, "'tests'[0].'dir'"), explained(SPEC, "tests[0].dir"));
}

/// The path of every value names it again.
#[test]
fn paths_are_taken_as_they_are_shown() {
    let lines = explained(SPEC, "").expect("the spec");
    assert!(lines.len() > 9, "{lines:?}");
    for line in lines {
        let (field, _) = line.split_once(": ").expect("a path");
        assert_eq!(explained(SPEC, field), Ok(vec![line.clone()]), "{line}");
    }
}

#[test]
fn fields_that_are_not_there() {
    for (field, expected) in [
        ("sources.src.pth", "a source has no key `pth`; did you mean `sources.src.path`?"),
        ("tests[0].dri", "a test has no key `dri`; did you mean `tests[0].dir`?"),
        ("sources.'a.b'.pth", "a source has no key `pth`; did you mean `sources.'a.b'.path`?"),
        ("sources.src.git.urll", "a git source has no key `urll`; did you mean `sources.src.git.url`?"),
        ("tests[0].steps[3].command", "`tests[0].steps` has no entry `3` for this target"),
        ("sources.src[0]", "`sources.src` has no entry `0` for this target"),
        ("image.labels.'org.example'", "`image.labels` has no entry `org.example` for this target"),
        ("name.x", "`name` has no entry `x` for this target"),
        ("tests[", "`tests` has no entry `[` for this target"),
        ("[0]", "there is nothing at `[0]`"),
    ] {
        assert_eq!(explained(SPEC, field), Err(expected.to_owned()));
    }
}

/// SPEC-037: links keep the order that they are written in.
#[test]
fn links_come_from_where_they_are_written() {
    let spec = "image: {post: {symlinks: {/usr/bin/tool: {paths: [/z, /a]}, /usr/bin/b: {path: /m}}}}\n";
    assert_eq!(
        explained(spec, "image.post"),
        Ok(vec![
            "image.post.symlinks./usr/bin/b.paths[0]: /m, root `/m`".to_owned(),
            "image.post.symlinks./usr/bin/tool.paths[0]: /z, root `/z`".to_owned(),
            "image.post.symlinks./usr/bin/tool.paths[1]: /a, root `/a`".to_owned(),
        ])
    );
}

#[test]
fn keys_with_arguments_come_from_where_they_are_written() {
    let spec = "\
args: {H: h.example}
sources: {a: {git: {url: 'https://h/x', commit: c}, generate: [{gomod: {auth: {'${H}': {token: X}}}}]}}
";
    assert_eq!(
        explained(spec, "sources.a.generate[0].gomod.auth"),
        Ok(vec!["sources.a.generate[0].gomod.auth.'h.example'.token: X, root `X`".to_owned()])
    );
}

/// What root and target share through an alias is the root's first and the target's behind it.
#[test]
fn shared_entries_are_told_apart_by_their_place() {
    let spec = "\
tests: &tests [{name: a, steps: [{command: x}]}]
image: {env: [A=1], bases: &bases [{rootfs: {image: {ref: r}}}]}
targets:
  bookworm: {tests: *tests, image: {env: [B=2, C=3], bases: *bases}}
";
    let origins = |field: &str| {
        let lines = explained_for(spec, field, &target("bookworm")).expect("a field");
        lines.iter().map(|line| line.rsplit_once(", ").expect("an origin").1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(origins("tests[0]"), ["root `a`", "root `x`"]);
    assert_eq!(origins("tests[1]"), ["target `a`", "target `x`"]);
    assert_eq!(origins("image.env"), ["root `A=1`", "target `B=2`", "target `C=3`"]);
    assert_eq!(origins("image.bases"), ["target `r`"]);
}
