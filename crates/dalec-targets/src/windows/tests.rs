//! Plans of the routes.

use std::collections::BTreeMap;

use dalec_llb::{ImageRef, Platform, State, describe};
use dalec_spec::Platform as SpecPlatform;
use dalec_spec::span::Span;
use dalec_spec::target_spec::{
    Artifact, Artifacts, BaseImage, BuildStep, Cargohome, Directories, DirectoryConfig, Generator, Gomod,
    ImageSource, Link, PackageConstraint, PostSymlink, Source, SourceKind, Systemd, TargetSpec, Test, Unit,
};
use expect_test::{Expect, expect};

use crate::error::PlanError;
use crate::fixture::{self, artifacts, constraint, inline_dir, spec};
use crate::request::{Answers, ImageAnswer, Options, Plan, Request};
use crate::routes::{self, Route};

fn route(name: &str) -> &'static Route {
    routes::find(name).expect("a route")
}

fn image(reference: &str) -> ImageAnswer {
    let image = ImageRef { reference: reference.into(), ..ImageRef::default() };
    ImageAnswer { state: State::image(image), ..ImageAnswer::default() }
}

/// Programs from a directory, in steps.
fn programs() -> TargetSpec {
    let mut spec = spec();
    spec.sources = BTreeMap::from([("src".to_owned(), inline_dir(&[("a.c", 0o644)]))]);
    spec.build.steps =
        vec![BuildStep { command: "make".into(), span: Span::new(3, 4), ..BuildStep::default() }];
    spec.artifacts.binaries = artifacts([("src/a.exe", Artifact::default())]);
    spec
}

fn plan(route: &Route, spec: &TargetSpec, change: impl Fn(&mut Answers)) -> Result<Plan, PlanError> {
    let questions = routes::questions(route, spec, &Options::default()).images;
    let images = questions
        .iter()
        .map(|question| (question.clone(), ImageAnswer { has_packages: true, ..image(&question.reference) }));
    let mut answers = Answers {
        images: images.collect(),
        base: Some(image("windows")),
        build_platform: Some(Platform::linux("amd64")),
        ..Answers::default()
    };
    change(&mut answers);
    let request = Request {
        platform: Platform { os: "windows".into(), architecture: "arm64".into(), variant: String::new() },
        frontend: image("frontend").state,
        ..fixture::request(spec, &answers, &"x".repeat(90))
    };
    routes::plan(route, &request)
}

/// Shows a graph without the scripts, whose texts are files of their own.
#[track_caller]
fn check(state: &State, expected: Expect) {
    let graph = describe(&state.marshal(&Platform::linux("amd64")));
    let lines = graph.lines().filter(|line| !line.starts_with("    |"));
    expected.assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
}

/// WIN-002, SRC-032: downloads are a directory beside the sources.
#[test]
fn downloads() {
    let mut spec = programs();
    let generator = Generator {
        gomod: Some(Gomod::default()),
        cargohome: Some(Cargohome::default()),
        ..Generator::default()
    };
    spec.sources.values_mut().for_each(|source| source.generate = vec![generator.clone()]);
    let plan = plan(route("windowscross/zip"), &spec, |_| {}).expect("a plan");
    let graph = describe(&plan.result.marshal(&Platform::linux("amd64")));
    for expected in [
        "    mount /work/sources/__gomods #",
        "    mount /work/sources/__cargohome #",
        "    | export GOMODCACHE=\"$PWD/__gomods\"\n    | export CARGO_HOME=\"$PWD/__cargohome\"\n",
    ] {
        assert!(graph.contains(expected), "{expected:?} is missing in {graph}");
    }
}

/// WIN-001, WIN-002: what is built for another processor is built with what this one has.
#[test]
fn a_zip_file() {
    let mut spec = programs();
    spec.dependencies.build = BTreeMap::from([
        ("nasm".into(), constraint(&[], &["amd64"])),
        ("gone".into(), constraint(&[], &["arm64"])),
    ]);
    let plan = plan(route("windowscross/zip"), &spec, |_| {}).expect("a plan");
    check(
        &plan.result,
        expect![[r#"
            #0 source docker-image://docker.io/library/ubuntu:jammy
            #1 exec network=UNSET
                arg /bin/sh
                arg -c
                arg # Proxies and their certificates for package managers. Read before install.sh of either family.
                arg install
                arg --meta
                arg windowscross-build-deps
                arg 1
                arg amd64
                arg nasm
                arg --recommends
                arg --wanted
                arg dalec: error: 
                arg nasm
                arg --
                env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                cwd /
                mount / #0
                mount /var/cache/apt cache windowscrossdalec-var-cache-apt LOCKED
                mount /var/lib/apt cache windowscrossdalec-var-lib-apt LOCKED
                mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
                name Install build dependencies
            #2 file
                scratch mkdir 755 /src
                ^ mkfile 644 /src/a.c
                name Write source src
            #3 file
                scratch mkfile 644 /patches
                ^ mkfile 755 /build.sh
                ^ mkfile 644 /programs
                name Write scripts
            #4 exec network=NONE
                arg /bin/sh
                arg -c
                arg 
                arg programs
                env GOOS=windows
                env HOME=/root
                env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                env SOURCE_DATE_EPOCH=0
                cwd /
                mount / #1
                mount /work/sources/src #2 [/src] ro
                mount /work/scripts #3 ro
                mount /work/out scratch
                name Build programs of hello 1.0
            #5 exec network=NONE
                arg /bin/sh
                arg -c
                arg # Makes a zip file of what is in /work/in, in /work/out: zip.sh NAME EPOCH
                arg zip
                arg hello_1.0-1_arm64.zip
                arg 315532800
                env HOME=/root
                env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                cwd /
                mount / #0
                mount /work/in #4.1 ro
                mount /work/out scratch
                name Make hello_1.0-1_arm64.zip
            #6 result #5.1
        "#]],
    );
    assert!(plan.to_sign.is_some() && plan.requires.is_empty());
}

/// WIN-004, WIN-008
#[test]
fn a_container() {
    let mut spec = programs();
    let link =
        |path: &str| PostSymlink { target: "/a.exe".into(), path: path.into(), ..PostSymlink::default() };
    spec.image.symlinks = vec![link("/tools/b.exe"), link("/c.exe")];
    let container = route("windowscross/container");
    let first = plan(container, &spec, |_| {}).expect("a plan");
    assert!(first.to_sign.is_some());
    // SIGN-013: the programs are what the signer returned, and nothing else.
    let signed = |answers: &mut Answers| answers.signed = Some(image("signed").state);
    let plan = plan(container, &spec, signed).expect("a plan");
    check(
        &plan.result,
        expect![[r#"
        #0 source docker-image://windows
        #1 source docker-image://signed
        #2 file
            #0 copy #1:/ -> /Windows/System32/
            name Put the programs into the container
        #3 file
            #2 mkdir 755 /tools
            ^ copy #2:/a.exe -> /tools/b.exe
            name Copy /a.exe to /tools/b.exe
        #4 file
            #3 copy #3:/a.exe -> /c.exe
            name Copy /a.exe to /c.exe
        #5 result #4
    "#]],
    );
    assert!(plan.to_sign.is_none());
    assert_eq!(plan.config.expect("it is an image").architecture, "arm64");
}

/// WIN-007: the tools that the reference names are there.
#[test]
fn the_worker() {
    let worker = route("windowscross/worker");
    let questions = routes::questions(worker, &spec(), &Options::default());
    assert_eq!(questions.contexts, ["dalec-windowscross-worker"]);
    assert_eq!(questions.images[0].reference, "docker.io/library/ubuntu:jammy");
    for package in
        ["binutils-mingw-w64", "g++-mingw-w64-x86-64", "zip", "git", "make", "pkg-config", "debhelper"]
    {
        assert!(questions.images[0].packages.iter().any(|name| name == package), "{package}");
    }
    check(
        &plan(worker, &spec(), |_| {}).expect("a plan").result,
        expect![[r#"
        #0 source docker-image://docker.io/library/ubuntu:jammy
        #1 result #0
    "#]],
    );
}

/// WIN-003
#[test]
fn windows_is_what_is_built_for() {
    let build = SpecPlatform::new("linux", "amd64");
    let platforms = |name: &str, asked: &[SpecPlatform]| {
        let platforms = routes::platforms(route(name), asked, &build);
        platforms.map(|platforms| platforms.iter().map(SpecPlatform::to_string).collect::<Vec<_>>())
    };
    let both = [SpecPlatform::new("windows", "amd64"), SpecPlatform::new("windows", "arm64")];
    for name in ["windowscross", "windowscross/container", "windowscross/zip"] {
        assert_eq!(platforms(name, &[]).expect("valid"), ["windows/amd64"]);
        assert_eq!(platforms(name, &both[1..]).expect("valid"), ["windows/arm64"]);
    }
    assert_eq!(platforms("windowscross/zip", &both).expect("valid").len(), 2);
    assert!(platforms("windowscross/container", &both).is_err(), "WIN-006");
    assert_eq!(platforms("windowscross/worker", &both).expect("valid"), ["linux/amd64"]);
}

#[test]
fn a_container_starts_from_the_images_of_the_spec() {
    let container = route("windowscross/container");
    let bases = |spec: &TargetSpec| -> Vec<String> {
        routes::bases(container, spec).into_iter().map(|base| base.image.reference).collect()
    };
    assert_eq!(bases(&spec()), ["mcr.microsoft.com/windows/nanoserver:1809"]);
    let base = |reference: &str| {
        let kind = SourceKind::Image(ImageSource { reference: reference.into(), ..ImageSource::default() });
        BaseImage { rootfs: Source { kind, ..Source::default() } }
    };
    let mut spec = spec();
    spec.image.bases = vec![base("registry.example.org/windows:1"), base("windows")];
    assert_eq!(bases(&spec), ["registry.example.org/windows:1", "docker.io/library/windows:latest"]);
}

/// WIN-006
#[test]
fn what_cannot_be_is_said_before_anything_is_asked() {
    let refused = |name: &str, spec: &TargetSpec| {
        let error = routes::check(route(name), spec, &Options::default()).expect_err("it cannot be built");
        error.to_string()
    };
    let mut spec = programs();
    spec.dependencies.runtime = BTreeMap::from([("libfoo".into(), PackageConstraint::default())]);
    assert!(refused("windowscross", &spec).contains("cannot have runtime dependencies"));
    assert_eq!(routes::check(route("windowscross/zip"), &spec, &Options::default()), Ok(()));
    assert!(refused("windowscross/zip", &TargetSpec::default()).contains("`artifacts.binaries`"));
}

#[test]
fn what_is_left_out_is_said() {
    let mut spec = programs();
    spec.tests = vec![Test::default()];
    let one = || artifacts([("README", Artifact::default())]);
    spec.artifacts = Artifacts {
        binaries: spec.artifacts.binaries,
        manpages: one(),
        data_dirs: one(),
        libexec: one(),
        opt: one(),
        config_files: one(),
        docs: one(),
        licenses: one(),
        libs: one(),
        headers: one(),
        directories: Directories {
            state: BTreeMap::from([("hello".to_owned(), DirectoryConfig::default())]),
            ..Directories::default()
        },
        links: vec![Link::default()],
        systemd: Systemd {
            units: BTreeMap::from([("hello.service".to_owned(), Unit::default())]),
            ..Systemd::default()
        },
        users: vec!["hello".into()],
        groups: vec!["hello".into()],
        disable_strip: true,
        disable_auto_requires: true,
    };
    let plan = plan(route("windowscross/zip"), &spec, |_| {}).expect("a plan");
    expect![[r#"
        [
            "the spec's tests are not run: nothing here runs programs for Windows",
            "only `binaries` of the artifacts are packaged for Windows, not configFiles, createDirectories, data_dirs, docs, groups, headers, libexec, libs, licenses, links, manpages, opt, systemd, users",
        ]
    "#]]
    .assert_debug_eq(&plan.warnings);
}
