//! What sources become in the graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use dalec_llb::{ImageRef, Local, Platform, ProgressGroup, SourceMap, State, describe};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{
    BuildSource, BuildStep, ContextSource, GitAuth, GitSource, HttpSource, ImageCommand, ImageSource, Inline,
    InlineDir, InlineFile, Source, SourceKind, SourceMount,
};
use expect_test::{Expect, expect};

use super::{Planner, Tree, builds, contexts, inside};
use crate::error::PlanError;
use crate::image_config::{ImageConfig, RunConfig};
use crate::request::{Answers, ImageAnswer, ImageQuestion};

fn source(kind: SourceKind) -> Source {
    Source { kind, span: Span::new(0, 4), ..Source::default() }
}

fn context(name: &str) -> Source {
    source(SourceKind::Context(ContextSource { name: name.into() }))
}

fn plan(source: &Source) -> Result<Tree, PlanError> {
    plan_without(source, &[])
}

fn plan_without(source: &Source, excludes: &[&str]) -> Result<Tree, PlanError> {
    let local = State::local(Local {
        name: "context".into(),
        exclude: vec!["*.o".into()],
        session: "s1".into(),
        ..Local::default()
    });
    let image = State::image(ImageRef { reference: "example.org/data:1".into(), ..ImageRef::default() });
    let config = RunConfig {
        env: vec!["A=image".into(), "B=image".into(), "PATH=/opt/bin".into()],
        working_dir: "/srv".into(),
        user: "builder".into(),
        ..RunConfig::default()
    };
    let tools = ImageAnswer {
        state: State::image(ImageRef { reference: "example.org/tools:1".into(), ..ImageRef::default() }),
        config: ImageConfig { config, ..ImageConfig::default() },
        ..ImageAnswer::default()
    };
    let question = |of_result| ImageQuestion {
        reference: "example.org/tools:1".into(),
        packages: Vec::new(),
        of_result,
    };
    let answers = Answers {
        images: BTreeMap::from([(question(false), tools.clone()), (question(true), tools)]),
        contexts: BTreeMap::from([("context".into(), local), ("data".into(), image)]),
        excludes: excludes.iter().map(|pattern| (*pattern).to_owned()).collect(),
        ..Answers::default()
    };
    let source_map = Arc::new(SourceMap {
        filename: "spec.yml".into(),
        language: "yaml".into(),
        data: b"text\n".to_vec(),
    });
    let planner = Planner {
        answers: &answers,
        source_map: &source_map,
        group: ProgressGroup::new("sources"),
        for_commands: false,
    };
    planner.plan("app", source)
}

#[track_caller]
fn check(source: &Source, expected: Expect) {
    check_tree(&plan(source).expect("a plan"), expected);
}

#[track_caller]
fn check_tree(tree: &Tree, expected: Expect) {
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
            name Take `cmd` for source app
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
                name Take `app` for source app
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
                name Take `sub/dir` of the context for source app
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
                name Take `etc` of the context `data` for source app
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

fn image(path: &str, command: Option<ImageCommand>) -> Source {
    let kind = SourceKind::Image(ImageSource { reference: "example.org/tools:1".into(), command });
    Source { path: path.into(), ..source(kind) }
}

fn step(command: &str, mounts: Vec<SourceMount>) -> BuildStep {
    let env = BTreeMap::from([("B".into(), "step".into())]);
    BuildStep { command: command.into(), env, mounts, span: Span::new(0, 2) }
}

/// SRC-006, SRC-013: the part at `path`; the whole image is not copied.
#[test]
fn image_part() {
    check(
        &Source { excludes: vec!["*.bak".into()], ..image("/etc/tool", None) },
        expect![[r##"
            #0 source docker-image://example.org/tools:1
            #1 file
                scratch copy #0:/etc/tool -> /app/ exclude ["*.bak"]
                name Take `etc/tool` for source app
            #2 result #1
            directory /app
        "##]],
    );
    check(
        &image("/", None),
        expect![[r#"
            #0 source docker-image://example.org/tools:1
            #1 result #0
            directory /
        "#]],
    );
}

/// What commands have mounted is for where they run; an image whose files are taken is for the result.
#[test]
fn images_are_those_of_where_they_are_used() {
    let mount = SourceMount { dest: "/src".into(), source: image("/", None), ..SourceMount::default() };
    let command = ImageCommand {
        mounts: vec![mount],
        steps: vec![step("make", Vec::new())],
        ..ImageCommand::default()
    };
    let asked = |source: &Source| -> Vec<bool> {
        super::images([source]).into_keys().map(|question| question.of_result).collect()
    };
    assert_eq!(asked(&image("/out", None)), [true]);
    assert_eq!(asked(&image("/out", Some(command))), [false]);
}

/// SRC-008: an absolute directory is that one, wherever the image works.
#[test]
fn commands_in_an_absolute_directory() {
    let command = ImageCommand {
        dir: "/src/../go".into(),
        steps: vec![step("make", Vec::new())],
        ..ImageCommand::default()
    };
    let tree = plan(&image("/out", Some(command))).expect("a plan");
    let graph = describe(&tree.state.marshal(&Platform::linux("amd64")));
    assert!(graph.contains("\n    cwd /go\n"), "{graph}");
}

/// SRC-007 to SRC-009: what steps write below the path is carried from one to the next, and mounts of one are its own.
#[test]
fn image_with_commands() {
    let mount = |dest: &str, source| SourceMount { dest: dest.into(), source, ..SourceMount::default() };
    let command = ImageCommand {
        dir: "sub".into(),
        mounts: vec![mount("/src", inline_dir())],
        env: BTreeMap::from([("A".into(), "cmd".into()), ("B".into(), "cmd".into())]),
        steps: vec![step("make", vec![mount("/once", context("data"))]), step("make install", Vec::new())],
    };
    check(
        &Source { includes: vec!["bin".into()], ..image("src/out/", Some(command)) },
        expect![[r##"
            #0 source docker-image://example.org/tools:1
            #1 source docker-image://example.org/data:1
            #2 file
                scratch mkdir 755 /app-mount0
                ^ mkfile 644 /app-mount0/a
                | a
                ^ mkfile 644 /app-mount0/b
                | b
                name Write source app-mount0
            #3 exec network=UNSET
                arg /bin/sh
                arg -c
                arg make
                env A=cmd
                env B=step
                env PATH=/opt/bin
                cwd /srv/sub
                user builder
                mount / #0
                mount /once #1
                mount /src #2 [/app-mount0]
                mount /src/out scratch
                name make
            #4 exec network=UNSET
                arg /bin/sh
                arg -c
                arg make install
                env A=cmd
                env B=step
                env PATH=/opt/bin
                cwd /srv/sub
                user builder
                mount / #3
                mount /src #2 [/app-mount0]
                mount /src/out #3.3
                name make install
            #5 file
                scratch copy #4.2:/ -> /app/ include ["bin"]
                name Filter source app
            #6 result #5
            directory /app
        "##]],
    );
}

/// SRC-007: without a path the whole root file system is taken, as the last step leaves it.
#[test]
fn image_with_commands_as_a_whole() {
    let steps = vec![step("make", Vec::new()), step("make clean", Vec::new())];
    check(
        &image("/", Some(ImageCommand { steps, ..ImageCommand::default() })),
        expect![[r#"
            #0 source docker-image://example.org/tools:1
            #1 exec network=UNSET
                arg /bin/sh
                arg -c
                arg make
                env A=image
                env B=step
                env PATH=/opt/bin
                cwd /srv
                user builder
                mount / #0
                name make
            #2 exec network=UNSET
                arg /bin/sh
                arg -c
                arg make clean
                env A=image
                env B=step
                env PATH=/opt/bin
                cwd /srv
                user builder
                mount / #1
                name make clean
            #3 result #2
            directory /
        "#]],
    );
}

/// SRC-006: an image that nobody looked up is named with the source that wants it.
#[test]
fn missing_image() {
    let kind = SourceKind::Image(ImageSource { reference: "other".into(), command: None });
    let error = plan(&source(kind)).expect_err("no such image");
    assert_eq!(error.to_string(), "image docker.io/library/other:latest was not looked up");
    assert_eq!(error.spans(), [Span::new(0, 4)]);
}

/// SRC-015, SRC-016: what every directory leaves out, after its own patterns; files are taken as they are.
#[test]
fn what_all_directories_leave_out() {
    let whole = |source: &Source| plan_without(source, &["**/*.test"]).expect("a plan");
    check_tree(
        &whole(&Source { excludes: vec!["own".into()], ..context("data") }),
        expect![[r##"
            #0 source docker-image://example.org/data:1
            #1 file
                scratch copy #0:/ -> /app/ exclude ["own", "**/*.test"]
                name Filter source app
            #2 result #1
            directory /app
        "##]],
    );
    check_tree(
        &whole(&context("")),
        expect![[r##"
            #0 source local://context
                local.excludepatterns = ["*.o","**/*.test"]
                local.sessionid = s1
                name Read source app
            #1 result #0
            directory /
        "##]],
    );
    check_tree(
        &whole(&source(SourceKind::Inline(Inline::File(text("hello\n"))))),
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

/// SRC-014: directories are mounted as a whole or from where they are; files as they are.
#[test]
fn parts_are_selected_by_mounts() {
    let graph = |source: &Source| {
        let tree = plan(source).expect("a plan");
        let mounts = [tree.mount("/ro"), tree.scratch_mount("/rw")];
        let root = State::scratch().run(dalec_llb::Exec::new(["true"]).mounts(mounts)).root();
        let text = describe(&root.marshal(&Platform::linux("amd64")));
        let mounts = text.lines().filter_map(|line| line.strip_prefix("    mount /r"));
        mounts.map(|mount| mount.replace("scratch", "")).collect::<Vec<_>>()
    };
    let http = HttpSource { url: "https://example.org/a".into(), ..HttpSource::default() };
    for (source, expected) in [
        (context("data"), ["o #0 ro", "w #0"]),
        (Source { path: "etc".into(), ..context("data") }, ["o #1 [/app] ro", "w #1 [/app]"]),
        (inline_dir(), ["o #0 [/app] ro", "w #0 [/app]"]),
        (source(SourceKind::Inline(Inline::File(text("hello")))), ["o #0 [/app] ro", "w #0 [/app] ro"]),
        (source(SourceKind::Http(http)), ["o #0 [/app] ro", "w #0 [/app] ro"]),
        (image("/", None), ["o #0 ro", "w #0"]),
    ] {
        assert_eq!(graph(&source), expected, "{source:?}");
    }
}

/// SRC-010: what one Dockerfile is made from comes before it.
#[test]
fn dockerfiles_come_in_order() {
    let build = |target: &str, inner: Source| {
        let source = Box::new(inner);
        let (dockerfile_path, target) = ("Dockerfile".to_owned(), target.to_owned());
        source_of(BuildSource { source, dockerfile_path, target, args: BTreeMap::new() })
    };
    fn source_of(build: BuildSource) -> Source {
        source(SourceKind::Build(build))
    }
    let mounts = vec![SourceMount { source: build("inner", context("")), ..SourceMount::default() }];
    let command = ImageCommand { mounts, ..ImageCommand::default() };
    let sources = [build("outer", image("/", Some(command))), build("inner", context(""))];
    let targets: Vec<&str> = builds(&sources).iter().map(|found| found.build.target.as_str()).collect();
    assert_eq!(targets, ["inner", "outer"]);
}
