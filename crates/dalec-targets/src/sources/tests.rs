//! What sources become in the graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use dalec_llb::{ImageRef, Local, Platform, ProgressGroup, SourceMap, State, describe};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{
    ContextSource, GitAuth, GitSource, HttpSource, Inline, InlineDir, InlineFile, Source, SourceKind,
};
use expect_test::{Expect, expect};

use super::{Planner, Tree, contexts, inside};
use crate::error::PlanError;
use crate::request::Answers;

fn source(kind: SourceKind) -> Source {
    Source { kind, span: Span::new(0, 4), ..Source::default() }
}

fn context(name: &str) -> Source {
    source(SourceKind::Context(ContextSource { name: name.into() }))
}

fn plan(source: &Source) -> Result<Tree, PlanError> {
    let local = State::local(Local {
        name: "context".into(),
        exclude: vec!["*.o".into()],
        session: "s1".into(),
        ..Local::default()
    });
    let image = State::image(ImageRef { reference: "example.org/data:1".into(), ..ImageRef::default() });
    let answers = Answers {
        contexts: BTreeMap::from([("context".into(), local), ("data".into(), image)]),
        ..Answers::default()
    };
    let source_map = Arc::new(SourceMap {
        filename: "spec.yml".into(),
        language: "yaml".into(),
        data: b"text\n".to_vec(),
    });
    let planner =
        Planner { answers: &answers, source_map: &source_map, group: ProgressGroup::new("sources") };
    planner.plan("app", source)
}

#[track_caller]
fn check(source: &Source, expected: Expect) {
    let tree = plan(source).expect("a plan");
    let graph = describe(&tree.state.marshal(&Platform::linux("amd64")));
    let kind = if tree.is_dir { "directory" } else { "file" };
    expected.assert_eq(&format!("{graph}{kind} {}\n", tree.path));
}

/// SRC-003: the digest is checked by whoever downloads, and the file is called like the source.
#[test]
fn http() {
    let kind = SourceKind::Http(HttpSource {
        url: "https://example.org/app-1.0.tar.gz".into(),
        digest: "sha256:abc".into(),
        permissions: Some(0o755),
    });
    check(
        &source(kind),
        expect![[r#"
            #0 source https://example.org/app-1.0.tar.gz
                http.checksum = sha256:abc
                http.filename = app
                http.perm = 0755
                name Download source app
            #1 result #0
            file /app
        "#]],
    );
}

fn git(git: GitSource) -> Source {
    source(SourceKind::Git(git))
}

/// SRC-001, SRC-002: what is not said is left to the common names.
#[test]
fn git_source() {
    check(
        &git(GitSource {
            url: "https://example.org/app.git".into(),
            commit: "v1".into(),
            ..GitSource::default()
        }),
        expect![[r#"
            #0 source git://example.org/app.git#v1
                git.authheadersecret = GIT_AUTH_HEADER
                git.authtokensecret = GIT_AUTH_TOKEN
                git.fullurl = https://example.org/app.git
                name Fetch source app
            #1 result #0
            directory /
        "#]],
    );
    let all = GitSource {
        url: "git@example.org:team/app.git".into(),
        commit: "main".into(),
        checksum: "abc123".into(),
        keep_git_dir: true,
        auth: GitAuth { header: "HEADER".into(), token: "TOKEN".into(), ssh: "mine".into() },
    };
    check(
        &git(all),
        expect![[r#"
        #0 source git://example.org/team/app.git#main
            git.authheadersecret = HEADER
            git.authtokensecret = TOKEN
            git.checksum = abc123
            git.fullurl = git@example.org:team/app.git
            git.keepgitdir = true
            git.mountsshsock = mine
            name Fetch source app
        #1 result #0
        directory /
    "#]],
    );
}

/// SRC-013.
#[test]
fn part_of_a_git_source() {
    let whole = GitSource { url: "example.org/app".into(), commit: "v1".into(), ..GitSource::default() };
    check(
        &Source { path: "cmd".into(), excludes: vec!["*.md".into()], ..git(whole) },
        expect![[r##"
        #0 source git://example.org/app#v1
            git.authheadersecret = GIT_AUTH_HEADER
            git.authtokensecret = GIT_AUTH_TOKEN
            git.fullurl = https://example.org/app
            name Fetch source app
        #1 file
            scratch copy #0:/cmd -> /app/ exclude ["*.md"]
            name Filter source app
        #2 result #1
        directory /app
    "##]],
    );
}

fn text(contents: &str) -> InlineFile {
    InlineFile { contents: contents.into(), permissions: 0o644, uid: 0, gid: 0 }
}

/// SRC-005: one file.
#[test]
fn inline_file() {
    check(
        &source(SourceKind::Inline(Inline::File(text("hello\n")))),
        expect![[r#"
            #0 file
                scratch mkfile 644 /app
                | hello
                name Write source app
            #1 result #0
            file /app
        "#]],
    );
}

fn inline_dir() -> Source {
    let files = BTreeMap::from([("b".into(), text("b\n")), ("a".into(), text("a\n"))]);
    source(SourceKind::Inline(Inline::Dir(InlineDir { files, permissions: 0o755, uid: 1, gid: 2 })))
}

/// SRC-005: files in order of name; `path` picks one.
#[test]
fn inline_directory() {
    check(
        &inline_dir(),
        expect![[r#"
            #0 file
                scratch mkdir 755 /app
                ^ mkfile 644 /app/a
                | a
                ^ mkfile 644 /app/b
                | b
                name Write source app
            #1 result #0
            directory /app
        "#]],
    );
    check(
        &Source { path: "./b".into(), ..inline_dir() },
        expect![[r#"
            #0 file
                scratch mkdir 755 /app
                ^ mkfile 644 /app/b
                | b
                name Write source app
            #1 result #0
            directory /app
        "#]],
    );
}

/// SRC-013: patterns are relative to the source.
#[test]
fn inline_directory_filtered() {
    check(
        &Source { excludes: vec!["b".into()], ..inline_dir() },
        expect![[r#"
            #0 file
                scratch mkdir 755 /app
                ^ mkfile 644 /app/a
                | a
                ^ mkfile 644 /app/b
                | b
                name Write source app
            #1 file
                scratch copy #0:/app -> /app/ exclude ["b"]
                name Filter source app
            #2 result #1
            directory /app
        "#]],
    );
}

/// SRC-004: a whole context is mounted as it comes; what the client ignores stays ignored.
#[test]
fn main_context() {
    for name in ["", "context"] {
        check(
            &context(name),
            expect![[r#"
                #0 source local://context
                    local.excludepatterns = ["*.o"]
                    local.sessionid = s1
                    name Read source app
                #1 result #0
                directory /
            "#]],
        );
    }
}

/// SRC-004, SRC-013: filters are what the client is asked for.
#[test]
fn main_context_filtered() {
    let mut source = context("context");
    source.includes = vec!["*.c".into()];
    source.excludes = vec!["test".into()];
    check(
        &source,
        expect![[r#"
            #0 source local://context
                local.excludepatterns = ["*.o","test"]
                local.includepattern = ["*.c"]
                local.sessionid = s1
                name Read source app
            #1 result #0
            directory /
        "#]],
    );
    source.path = "/sub/dir/".into();
    source.excludes = vec!["test".into(), "!test/keep".into()];
    check(
        &source,
        expect![[r#"
            #0 source local://context
                local.excludepatterns = ["*.o","sub/dir/test","!sub/dir/test/keep"]
                local.followpaths = ["sub/dir"]
                local.includepattern = ["sub/dir"]
                local.sessionid = s1
                name Read source app
            #1 file
                scratch copy #0:/sub/dir -> /app/ include ["*.c"] exclude ["test", "!test/keep"]
                name Filter source app
            #2 result #1
            directory /app
        "#]],
    );
}

/// SRC-004: a named context may be anything.
#[test]
fn named_context() {
    check(
        &context("data"),
        expect![[r#"
            #0 source docker-image://example.org/data:1
            #1 result #0
            directory /
        "#]],
    );
    check(
        &Source { path: "etc".into(), ..context("data") },
        expect![[r#"
            #0 source docker-image://example.org/data:1
            #1 file
                scratch copy #0:/etc -> /app/
                name Filter source app
            #2 result #1
            directory /app
        "#]],
    );
}

/// SRC-004: a context that was not given is named with the source that wants it.
#[test]
fn missing_context() {
    let error = plan(&context("other")).expect_err("no such context");
    assert_eq!(error.to_string(), r#"there is no build context "other""#);
    assert_eq!(error.spans(), [Span::new(0, 4)]);
    assert_eq!(error.hint().as_deref(), Some("give it with `--build-context other=DIRECTORY`"));
}

#[test]
fn a_path_cannot_leave_the_source() {
    let error = plan(&Source { path: "a/../../b".into(), ..context("") }).expect_err("climbs out");
    assert_eq!(error.to_string(), r#"path "a/../../b" leaves the source"#);
    assert_eq!(inside("/a//./b/../c/").as_deref(), Some("a/c"));
}

#[test]
fn contexts_are_asked_for_once() {
    let sources = [context("data"), context(""), context("context"), inline_dir()];
    assert_eq!(contexts(&sources), ["context", "data"]);
}
