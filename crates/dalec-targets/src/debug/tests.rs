//! Plans of the routes.

use dalec_llb::{ImageRef, Local, Platform, State, describe};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{
    Cargohome, ContextSource, Generator, Gomod, GomodEdits, Patch, Source, SourceKind, TargetSpec,
};
use expect_test::{Expect, expect};

use crate::fixture;
use crate::image_config::ImageConfig;
use crate::request::{Answers, ImageAnswer, Options, Plan};
use crate::routes::{self, Route};

fn route(name: &str) -> &'static Route {
    routes::find(name).expect("a route")
}

/// A program from the main context with two kinds of generators, patched by a file.
fn spec() -> TargetSpec {
    let generator = Generator {
        gomod: Some(Gomod { paths: vec![".".into()], ..Gomod::default() }),
        cargohome: Some(Cargohome { paths: vec![".".into()] }),
        ..Generator::default()
    };
    let source = Source {
        kind: SourceKind::Context(ContextSource { name: "context".into() }),
        generate: vec![generator],
        ..Source::default()
    };
    let mut spec = fixture::spec();
    spec.sources.insert("src".into(), source);
    spec.sources.insert("fixes".into(), fixture::inline_dir(&[("a.patch", 0o644)]));
    let patch = Patch { source: "fixes".into(), path: "a.patch".into(), strip: 1, span: Span::new(1, 2) };
    spec.patches.insert("src".into(), vec![patch]);
    spec
}

fn image(reference: &str) -> ImageAnswer {
    let image = ImageRef { reference: reference.into(), ..ImageRef::default() };
    ImageAnswer { state: State::image(image), has_packages: true, ..ImageAnswer::default() }
}

fn plan_with(name: &str, spec: &TargetSpec, change: impl Fn(&mut Answers)) -> Plan {
    let route = route(name);
    let questions = routes::questions(route, spec, &Options::default());
    let mut answers = Answers::default();
    for question in questions.images {
        let found = image(&format!("{}+{}", question.reference, question.packages.join("+")));
        answers.images.insert(question, found);
    }
    let context = State::local(Local { name: "context".into(), ..Local::default() });
    answers.contexts.insert("context".into(), context);
    change(&mut answers);
    routes::plan(route, &fixture::request(spec, &answers, "line\n")).expect("a plan")
}

fn graph(plan: &Plan) -> String {
    describe(&plan.result.marshal(&Platform::linux("amd64")))
}

/// Shows a graph without the scripts, whose texts are files of their own.
#[track_caller]
fn check(plan: &Plan, expected: Expect) {
    let graph = graph(plan);
    let lines = graph.lines().filter(|line| !line.starts_with("    |"));
    expected.assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
}

/// TGT-027: nothing is asked for.
#[test]
fn the_resolved_spec() {
    let route = route("debug/resolve");
    assert_eq!(routes::questions(route, &spec(), &Options::default()), crate::request::Questions::default());
    check(
        &plan_with("debug/resolve", &spec(), |_| {}),
        expect![[r#"
        #0 file
            scratch mkfile 640 /spec.yml
            name Write the resolved spec
        #1 result #0
    "#]],
    );
}

/// TGT-028: without patches; nothing runs.
#[test]
fn sources() {
    check(
        &plan_with("debug/sources", &spec(), |_| {}),
        expect![[r#"
        #0 file
            scratch mkdir 755 /fixes
            ^ mkfile 644 /fixes/a.patch
            name Write source fixes
        #1 source local://context
            name Read source src
        #2 file
            scratch copy #0:/fixes -> /fixes/
            ^ copy #1:/ -> /src/
            name Collect the sources
        #3 result #2
    "#]],
    );
}

/// TGT-028: with the patches of the spec.
#[test]
fn patched_sources() {
    let plan = plan_with("debug/patched-sources", &spec(), |_| {});
    check(
        &plan,
        expect![[r#"
        #0 source docker-image://docker.io/library/debian:trixie+ca-certificates+git+golang-go+openssh-client+patch
        #1 file
            scratch mkdir 755 /fixes
            ^ mkfile 644 /fixes/a.patch
            name Write source fixes
        #2 source local://context
            name Read source src
        #3 file
            scratch copy #1:/fixes -> /fixes/
            ^ copy #2:/ -> /src/
            name Collect the sources
        #4 exec network=NONE
            arg /bin/sh
            arg -c
            arg set -eu
            env HOME=/root
            env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
            cwd /
            mount / #0
            mount /work/sources/fixes #1 [/fixes] ro
            mount /work/sources/src #2 ro
            mount /work/out #3
            name Patch the sources
        #5 result #4.1
    "#]],
    );
    assert!(graph(&plan).contains("\n    | apply "));
}

/// TGT-028: what edits make is a patch, too.
#[test]
fn edited_sources() {
    let mut spec = spec();
    spec.patches.clear();
    assert!(!graph(&plan_with("debug/patched-sources", &spec, |_| {})).contains("exec"));
    let source = spec.sources.get_mut("src").expect("it is there");
    let gomod = source.generate[0].gomod.as_mut().expect("it is one");
    gomod.edits = Some(GomodEdits { drop: vec!["example.org/m".into()], ..GomodEdits::default() });
    let graph = graph(&plan_with("debug/patched-sources", &spec, |_| {}));
    assert!(graph.contains("    mount /work/sources/__gomod_patch_src #"), "{graph}");
}

/// TGT-029: one kind alone, for the patched source, with the tools that it takes.
#[test]
fn downloads() {
    for (name, title, tool) in
        [("gomods", "Download Go modules", "+golang-go+"), ("cargohome", "Download Rust crates", "+cargo+")]
    {
        let graph = graph(&plan_with(&format!("debug/{name}"), &spec(), |_| {}));
        assert_eq!(graph.matches("    name Download").count(), 1, "{graph}");
        assert_eq!(graph.matches("    name Patch source src").count(), 1, "{graph}");
        assert!(graph.contains(title) && graph.contains(tool), "{graph}");
    }
}

/// TGT-029: nothing is asked for, so nothing is there, which is said.
#[test]
fn no_downloads() {
    let plan = plan_with("debug/cargohome", &fixture::spec(), |_| {});
    assert!(plan.result.is_scratch());
    assert_eq!(plan.warnings, ["no source of the spec asks for the Rust crates"]);
}

/// TGT-029: the client's own worker, with the environment of its image.
#[test]
fn workers_of_the_client() {
    for (name, context) in [
        ("gomods", "gomod-worker"),
        ("cargohome", "cargohome-worker"),
        ("patched-sources", "patched-sources-worker"),
    ] {
        let graph = graph(&plan_with(&format!("debug/{name}"), &spec(), |answers| {
            answers.images.clear();
            answers.contexts.insert(context.into(), image("mine").state);
            let mut config = ImageConfig::default();
            config.config.env = vec!["PATH=/mine/bin".into()];
            answers.configs.insert(context.into(), config);
        }));
        assert!(graph.contains("source docker-image://mine\n"), "{graph}");
        assert!(graph.contains("    env PATH=/mine/bin\n"), "{graph}");
    }
}
