//! Plans of whole routes.

use std::collections::BTreeMap;

use dalec_llb::{ImageRef, Local, Platform, State, describe};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{
    Artifact, BaseImage, BuildStep, Cargohome, ContextSource, Generator, Gomod, ImageSource, Inline,
    InlineFile, PackageConstraint, PostSymlink, Repository, RepositoryUse, Source, SourceKind, SourceMount,
    TargetSpec, Test, TestStep,
};
use expect_test::{Expect, expect};

use super::distro::{Manager, RpmDistro};
use super::routes::of_distro;
use crate::error::PlanError;
use crate::fixture::{self, artifacts, constraint, source};
use crate::request::{Answers, ImageAnswer, ImageQuestion, Options, Plan, Questions, Request};
use crate::routes::{Route, find, plan, questions};

/// A distribution that is nothing but data.
static MADE_UP: RpmDistro = RpmDistro {
    key: "madeup1",
    title: "Made-up Linux 1",
    image: "registry.example.org/madeup:1",
    release: "1",
    manager: Manager::Dnf,
    caches: &["/var/cache/dnf"],
    worker_packages: &["rpm-build"],
    base_packages: &["madeup-release"],
    base_recommends: &["certificates"],
    extension_packages: &[],
    retired: false,
};

fn image(name: &str) -> State {
    State::image(ImageRef { reference: name.into(), ..ImageRef::default() })
}

/// A C program from the main context, with a build dependency and a test.
fn spec() -> TargetSpec {
    let context = Source {
        kind: SourceKind::Context(ContextSource { name: "context".into() }),
        span: Span::new(0, 5),
        ..Source::default()
    };
    let mut spec = fixture::spec();
    spec.sources = [("src".to_owned(), context)].into();
    spec.build.steps =
        vec![BuildStep { command: "make -C src".into(), span: Span::new(6, 10), ..BuildStep::default() }];
    let gcc = PackageConstraint { span: Span::new(12, 15), ..constraint(&[">= 12"], &[]) };
    spec.dependencies.build = [("gcc".to_owned(), gcc)].into();
    spec.artifacts.binaries = artifacts([("src/hello", Artifact::default())]);
    spec
}

fn answers(questions: &Questions) -> Answers {
    let answer = |question: &ImageQuestion| ImageAnswer {
        state: image(&question.reference),
        has_packages: false,
        ..ImageAnswer::default()
    };
    let images = questions.images.iter().map(|question| (question.clone(), answer(question)));
    let context = State::local(Local { name: "context".into(), ..Local::default() });
    Answers {
        images: images.collect(),
        contexts: BTreeMap::from([("context".into(), context)]),
        ..Answers::default()
    }
}

fn plan_route(route: &Route, spec: &TargetSpec, change: impl Fn(&mut Answers)) -> Result<Plan, PlanError> {
    let mut answers = answers(&questions(route, spec, &Options::default()));
    change(&mut answers);
    let text = "line\nline\nline\nline\n";
    let request = Request { frontend: image("frontend"), ..fixture::request(spec, &answers, text) };
    plan(route, &request)
}

fn plan_with(route: &str, spec: &TargetSpec, change: impl Fn(&mut Answers)) -> Plan {
    plan_route(find(route).expect("known"), spec, change).expect("a plan")
}

/// A worker of the client's, so that graphs show what is particular to them.
fn worker(answers: &mut Answers) {
    answers.contexts.insert("dalec-azlinux3-worker".into(), image("worker"));
}

fn graph(state: &State) -> String {
    describe(&state.marshal(&Platform::linux("amd64")))
}

/// Shows a graph without the scripts, whose texts are files of their own, and what every op has.
#[track_caller]
fn check(state: &State, expected: Expect) {
    const SAME: [&str; 7] = [
        "    |",
        "    arg /bin/sh",
        "    arg -c",
        "    arg #",
        "    env ",
        "    cwd ",
        "    mount /run/secrets/",
    ];
    let graph = graph(state);
    let lines = graph.lines().filter(|line| !SAME.iter().any(|same| line.starts_with(same)));
    expected.assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
}

/// RPM-004, RPM-010, RPM-011, TGT-007, TGT-011, DEP-005: from an image to packages.
#[test]
fn packages() {
    let plan = plan_with("azlinux3/rpm", &spec(), |_| {});
    check(
        &plan.result,
        expect![[r#"
        #0 source docker-image://mcr.microsoft.com/azurelinux/base/core:3.0
        #1 exec network=UNSET
            arg install
            arg --manager
            arg tdnf
            arg --release
            arg 3.0
            arg --
            arg build-essential
            arg ca-certificates
            arg dnf
            arg mariner-rpm-macros
            arg rpm-build
            mount / #0
            mount /var/cache/tdnf cache azlinux3-tdnf-cache-linux/amd64-tdnf LOCKED
            mount /var/cache/dnf cache azlinux3-tdnf-cache-linux/amd64-dnf LOCKED
            name Install build tools
        #2 file
            scratch mkfile 644 /meta.spec
            name Write a spec file
        #3 exec network=UNSET
            arg install
            arg --manager
            arg tdnf
            arg --release
            arg 3.0
            arg --wanted
            arg dalec: error: @1: 
            arg gcc >= 12
            arg --meta
            arg /run/dalec/meta.spec
            arg --
            mount / #1
            mount /run/dalec/meta.spec #2 [/meta.spec] ro
            mount /var/cache/tdnf cache azlinux3-tdnf-cache-linux/amd64-tdnf LOCKED
            mount /var/cache/dnf cache azlinux3-tdnf-cache-linux/amd64-dnf LOCKED
            name Install build dependencies
        #4 source local://context
            name Read source src
        #5 exec network=NONE
            arg sources
            arg 1
            arg tree
            arg src
            arg src.tar.gz
            mount / #1
            mount /work/src/src #4 ro
            mount /work/out scratch
            name Prepare the sources of hello 1.0
        #6 file
            scratch mkdir 755 /SOURCES
            ^ mkfile 755 /SOURCES/build.sh
            name Write the build script
        #7 file
            scratch mkdir 755 /SPECS/hello
            ^ mkfile 640 /SPECS/hello/hello.spec
            name Write the spec file
        #8 merge #5.1 #6 #7
            name Collect the sources and the spec file
        #9 exec network=NONE
            arg build
            arg hello
            arg 1
            mount / #3
            mount /work/top #8 ro
            mount /work/out scratch
            name Build package hello 1.0
        #10 result #9.1
    "#]],
    );
}

/// RPM-012, RPM-013: what rpmbuild gets, in parts; the spec file takes no worker.
#[test]
fn parts() {
    check(
        &plan_with("azlinux3/rpm/debug/buildroot", &spec(), worker).result,
        expect![[r#"
        #0 source docker-image://worker
        #1 source local://context
            name Read source src
        #2 exec network=NONE
            arg sources
            arg 1
            arg tree
            arg src
            arg src.tar.gz
            mount / #0
            mount /work/src/src #1 ro
            mount /work/out scratch
            name Prepare the sources of hello 1.0
        #3 file
            scratch mkdir 755 /SOURCES
            ^ mkfile 755 /SOURCES/build.sh
            name Write the build script
        #4 file
            scratch mkdir 755 /SPECS/hello
            ^ mkfile 640 /SPECS/hello/hello.spec
            name Write the spec file
        #5 merge #2.1 #3 #4
            name Collect the sources and the spec file
        #6 result #5
    "#]],
    );
    check(
        &plan_with("azlinux3/rpm/debug/sources", &spec(), worker).result,
        expect![[r#"
        #0 source docker-image://worker
        #1 source local://context
            name Read source src
        #2 exec network=NONE
            arg sources
            arg 1
            arg tree
            arg src
            arg src.tar.gz
            mount / #0
            mount /work/src/src #1 ro
            mount /work/out scratch
            name Prepare the sources of hello 1.0
        #3 file
            scratch mkdir 755 /SOURCES
            ^ mkfile 755 /SOURCES/build.sh
            name Write the build script
        #4 merge #2.1 #3
            name Collect the sources
        #5 result #4
    "#]],
    );
    let route = find("azlinux3/rpm/debug/spec").expect("known");
    assert_eq!(questions(route, &spec(), &Options::default()), Questions::default());
    check(
        &plan_with("azlinux3/rpm/debug/spec", &spec(), |_| {}).result,
        expect![[r#"
        #0 file
            scratch mkdir 755 /SPECS/hello
            ^ mkfile 640 /SPECS/hello/hello.spec
            name Write the spec file
        #1 result #0
    "#]],
    );
}

/// RPM-013, SRC-032: Go modules are one of the sources, called as upstream's, and the build finds them.
#[test]
fn go_modules() {
    let mut spec = spec();
    let generator =
        Generator { gomod: Some(Gomod::default()), span: Span::new(2, 4), ..Generator::default() };
    spec.sources.values_mut().for_each(|source| source.generate = vec![generator.clone()]);
    let graph = graph(&plan_with("azlinux3/rpm", &spec, worker).result);
    for expected in [
        "    mount /work/src/__gomods #",
        "    arg __gomods.tar.gz\n",
        "    | Source1: __gomods.tar.gz\n    | Source2: build.sh\n",
        "    | tar -C %{_builddir} -xzf %{_sourcedir}/__gomods.tar.gz\n",
        "    | export GOMODCACHE=\"$PWD/__gomods\"\n",
    ] {
        assert!(graph.contains(expected), "{expected:?} is missing in {graph}");
    }
    let route = find("azlinux3/rpm/debug/sources").expect("known");
    let error = plan_route(route, &spec, worker).expect_err("no go");
    assert_eq!(error.to_string(), "there is no go among the build dependencies to download modules with");
    assert_eq!(error.spans(), [Span::new(2, 4)]);
    for name in ["golang", "msft-golang", "golang-1.21"] {
        let mut spec = spec.clone();
        spec.dependencies.build.insert(name.into(), PackageConstraint::default());
        assert!(plan_route(route, &spec, worker).is_ok(), "{name}");
    }
}

/// RPM-013, SRC-032: Rust crates likewise.
#[test]
fn rust_crates() {
    let mut spec = spec();
    let generator =
        Generator { cargohome: Some(Cargohome::default()), span: Span::new(2, 4), ..Generator::default() };
    spec.sources.values_mut().for_each(|source| source.generate = vec![generator.clone()]);
    let graph = graph(&plan_with("azlinux3/rpm", &spec, worker).result);
    for expected in [
        "    mount /work/src/__cargohome #",
        "    arg __cargohome.tar.gz\n",
        "    | Source1: __cargohome.tar.gz\n    | Source2: build.sh\n",
        "    | tar -C %{_builddir} -xzf %{_sourcedir}/__cargohome.tar.gz\n",
        "    | export CARGO_HOME=\"$PWD/__cargohome\"\n",
    ] {
        assert!(graph.contains(expected), "{expected:?} is missing in {graph}");
    }
    let route = find("azlinux3/rpm/debug/sources").expect("known");
    let error = plan_route(route, &spec, worker).expect_err("no cargo");
    assert_eq!(error.to_string(), "there is no cargo among the build dependencies to download crates with");
    assert_eq!(error.spans(), [Span::new(2, 4)]);
    for name in ["rust", "cargo", "rust-toolset"] {
        let mut spec = spec.clone();
        spec.dependencies.build.insert(name.into(), PackageConstraint::default());
        assert!(plan_route(route, &spec, worker).is_ok(), "{name}");
    }
}

/// TGT-013: out of nothing, or out of the base of the spec; documentation where the package has some.
#[test]
fn containers() {
    let mut spec = spec();
    let without = plan_with("azlinux3/container", &spec, |answers| {
        worker(answers);
        answers.contexts.insert("azlinux3-pkg".into(), image("packages"));
    });
    check(
        &without.result,
        expect![[r##"
        #0 source docker-image://worker
        #1 source docker-image://packages
        #2 file
            scratch copy #1:/ -> / include ["**/*.rpm"] exclude ["**/*.src.rpm", "**/*-debuginfo-*.rpm", "**/*-debugsource-*.rpm"]
            name Choose the packages to install
        #3 file
            scratch mkfile 644 /meta.spec
            name Write a spec file
        #4 exec network=UNSET
            arg install
            arg --manager
            arg tdnf
            arg --release
            arg 3.0
            arg --root
            arg /run/dalec/root
            arg --meta
            arg /run/dalec/meta.spec
            arg --
            mount / #0
            mount /run/dalec/meta.spec #3 [/meta.spec] ro
            mount /run/dalec/before scratch ro
            mount /run/dalec/root scratch
            mount /run/dalec/root/var/cache/tdnf cache azlinux3-tdnf-cache-linux/amd64-tdnf LOCKED
            mount /run/dalec/root/var/cache/dnf cache azlinux3-tdnf-cache-linux/amd64-dnf LOCKED
            name Install the base of the container
        #5 exec network=UNSET
            arg install
            arg --manager
            arg tdnf
            arg --release
            arg 3.0
            arg --root
            arg /run/dalec/root
            arg --directory
            arg /run/dalec/packages
            arg --
            mount / #0
            mount /run/dalec/packages #2 ro
            mount /run/dalec/before #4.1 ro
            mount /run/dalec/root #4.1
            mount /run/dalec/root/var/cache/tdnf cache azlinux3-tdnf-cache-linux/amd64-tdnf-untrusted LOCKED
            mount /run/dalec/root/var/cache/dnf cache azlinux3-tdnf-cache-linux/amd64-dnf-untrusted LOCKED
            name Install the packages
        #6 result #5.1
    "##]],
    );
    assert_eq!(without.warnings.len(), 1, "the packages were given");
    let base = Source {
        kind: SourceKind::Image(ImageSource { reference: "busybox".into(), ..ImageSource::default() }),
        ..Source::default()
    };
    spec.image.bases = vec![BaseImage { rootfs: base }];
    spec.artifacts.docs = artifacts([("src/README", Artifact::default())]);
    spec.image.symlinks = vec![PostSymlink {
        target: "/usr/bin/hello".into(),
        path: "/hello".into(),
        user: "ann".into(),
        ..PostSymlink::default()
    }];
    let with = plan_with("azlinux3/container", &spec, |answers| {
        worker(answers);
        answers.contexts.insert("pkg".into(), image("packages"));
    });
    check(
        &with.result,
        expect![[r##"
        #0 source docker-image://worker
        #1 source docker-image://packages
        #2 file
            scratch copy #1:/ -> / include ["**/*.rpm"] exclude ["**/*.src.rpm", "**/*-debuginfo-*.rpm", "**/*-debugsource-*.rpm"]
            name Choose the packages to install
        #3 source docker-image://docker.io/library/busybox:latest
        #4 exec network=UNSET
            arg install
            arg --manager
            arg tdnf
            arg --release
            arg 3.0
            arg --root
            arg /run/dalec/root
            arg --keep-docs
            arg --directory
            arg /run/dalec/packages
            arg --
            mount / #0
            mount /run/dalec/packages #2 ro
            mount /run/dalec/before #3 ro
            mount /run/dalec/root #3
            mount /run/dalec/root/var/cache/tdnf cache azlinux3-tdnf-cache-linux/amd64-tdnf-untrusted LOCKED
            mount /run/dalec/root/var/cache/dnf cache azlinux3-tdnf-cache-linux/amd64-dnf-untrusted LOCKED
            name Install the packages
        #5 exec network=NONE
            arg symlinks-from-outside
            arg /usr/bin/hello
            arg /hello
            arg ann
            arg root
            mount / #0
            mount /run/dalec/root #4.1
            name Make the links of the spec
        #6 result #5.1
    "##]],
    );
}

/// TGT-018: a spec may say nothing but what is needed at run time.
#[test]
fn a_container_of_dependencies_alone() {
    let mut spec = TargetSpec::default();
    let route = find("azlinux3/container/depsonly").expect("known");
    let error = plan_route(route, &spec, worker).expect_err("nothing to install");
    assert_eq!(error.to_string(), "there are no runtime dependencies to make a container of");
    spec.dependencies.runtime = [("bash".to_owned(), PackageConstraint::default())].into();
    spec.tests = vec![Test { steps: vec![TestStep::default()], ..Test::default() }];
    spec.name = "evil\n%include /etc/passwd".into();
    assert!(plan_route(route, &spec, worker).is_err(), "no name of a package");
    spec.name = String::new();
    let plan = plan_route(route, &spec, worker).expect("a plan");
    assert!(plan.requires.is_empty() && plan.to_sign.is_none(), "no tests run, nobody signs");
    assert!(graph(&plan.result).contains("    | Name: dalec-user-runtime-deps\n"), "{}", graph(&plan.result));
}

/// DEP-007, TEST-019: what tests need is in what they run in alone.
#[test]
fn test_dependencies_stay_out_of_the_container() {
    let mut spec = spec();
    spec.tests = vec![Test {
        steps: vec![TestStep { command: "true".into(), ..TestStep::default() }],
        ..Test::default()
    }];
    spec.dependencies.test = [("curl".to_owned(), PackageConstraint::default())].into();
    let plan = plan_with("azlinux3/container", &spec, worker);
    assert!(!graph(&plan.result).contains("curl"));
    assert!(
        plan.requires.iter().all(|state| graph(state).contains("Requires: curl")),
        "{:?}",
        plan.requires.len()
    );
}

/// SIGN-011, SIGN-014: a signer gets source and binary packages; what it signed lies over all of them.
#[test]
fn signed_packages_take_the_place_of_what_was_built() {
    let unsigned = plan_with("azlinux3/rpm", &spec(), worker);
    let to_sign = graph(&unsigned.to_sign.expect("packages"));
    assert!(to_sign.contains(r#"include ["RPMS/**/*.rpm", "SRPMS/**/*.rpm"]"#), "{to_sign}");
    let signed = |answers: &mut Answers| {
        worker(answers);
        answers.signed = Some(image("signed"));
    };
    for route in ["azlinux3/rpm", "azlinux3/container"] {
        let plan = plan_with(route, &spec(), signed);
        assert!(plan.to_sign.is_none(), "{route}");
        assert!(graph(&plan.result).contains("docker-image://signed"), "{route}");
    }
    // SIGN-015: parts, given packages and packages that only stand for dependencies are not signed.
    let mut spec = spec();
    spec.dependencies.runtime = [("bash".to_owned(), PackageConstraint::default())].into();
    for route in
        ["worker", "rpm/debug/spec", "rpm/debug/sources", "rpm/debug/buildroot", "container/depsonly"]
    {
        assert!(plan_with(&format!("azlinux3/{route}"), &spec, worker).to_sign.is_none(), "{route}");
    }
}

/// DEP-009 to DEP-012: repositories are there for the installations of their phases, and share no cache.
#[test]
fn repositories_of_the_spec() {
    let mut spec = spec();
    spec.tests = vec![Test {
        steps: vec![TestStep { command: "true".into(), ..TestStep::default() }],
        ..Test::default()
    }];
    spec.dependencies.test = [("curl".to_owned(), PackageConstraint::default())].into();
    let text = |text: &str| {
        source(Inline::File(InlineFile { contents: text.into(), permissions: 0o644, uid: 0, gid: 0 }))
    };
    let repository = |name: &str, phase| Repository {
        keys: [(format!("{name}.asc"), text("key"))].into(),
        config: [(name.to_owned(), text("config"))].into(),
        data: vec![SourceMount {
            dest: format!("/srv/{name}"),
            source: text("data"),
            ..SourceMount::default()
        }],
        envs: vec![phase],
        span: Span::new(1, 2),
    };
    spec.dependencies.extra_repos = vec![
        repository("build", RepositoryUse::Build),
        repository("install", RepositoryUse::Install),
        repository("test", RepositoryUse::Test),
    ];
    let plan = plan_with("azlinux3/rpm", &spec, worker);
    let graph = graph(&plan.requires[0]);
    for (op, name) in
        [("build dependencies", "build"), ("the packages", "install"), ("test dependencies", "test")]
    {
        let end = graph.find(&format!("    name Install {op}")).expect("there is such an op");
        let start = graph[..end].rfind("\n#").expect("it has a start");
        let lines: Vec<&str> = graph[start..end].lines().collect();
        let mounts = lines.iter().filter_map(|line| line.strip_prefix("    mount "));
        let mounts: Vec<&str> = mounts.filter(|mount| !mount.starts_with("/run/")).collect();
        let mounted =
            |dest: &str| mounts.iter().filter(|mount| mount.starts_with(&format!("{dest} "))).count();
        for dest in [
            format!("/etc/yum.repos.d/{name}.repo"),
            format!("/etc/pki/rpm-gpg/{name}.asc"),
            format!("/srv/{name}"),
        ] {
            assert_eq!(mounted(&dest), 1, "{dest} {mounts:?}");
        }
        assert_eq!(mounts.iter().filter(|mount| mount.contains("yum.repos.d")).count(), 1, "{op}");
        assert!(lines.iter().filter(|line| line.contains(" cache ")).all(|line| line.contains("-untrusted")));
        assert!(lines.contains(&"    arg --refresh"), "{lines:?}");
    }
    spec.dependencies.extra_repos[0].config = [("../../x".to_owned(), text(""))].into();
    let error = plan_route(find("azlinux3/rpm").expect("known"), &spec, worker).expect_err("no file name");
    assert_eq!(error.spans(), [Span::new(1, 2)]);
}

/// A distribution takes one entry of data.
#[test]
fn a_distribution_is_data() {
    let routes = of_distro(&MADE_UP);
    let names: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
    assert!(names.contains(&"madeup1/rpm") && names.contains(&"madeup1/container"), "{names:?}");
    let mut spec = spec();
    spec.dependencies.build.clear();
    for route in &routes[..3] {
        let plan = plan_route(route, &spec, |_| {}).expect("a plan");
        let graph = plan.requires.iter().chain([&plan.result]).map(graph).collect::<String>();
        assert!(graph.contains("docker-image://registry.example.org/madeup:1"), "{graph}");
        assert!(graph.contains("Requires: madeup-release\n    | Recommends: certificates\n"), "{graph}");
        assert!(graph.contains("cache madeup1-dnf-cache-linux/amd64 LOCKED"), "{graph}");
    }
}

/// DET-001: the same request gives the same bytes.
#[test]
fn plans_are_deterministic() {
    for route in ["azlinux3/rpm", "azlinux3/container"] {
        let bytes = || plan_with(route, &spec(), worker).result.marshal(&Platform::linux("amd64"));
        let first = bytes();
        for _ in 0..25 {
            assert_eq!(bytes(), first, "{route}");
        }
    }
}

/// What is written elsewhere in the spec, and where, changes no package.
#[test]
fn moved_lines_rebuild_nothing() {
    let packages = |spec: &TargetSpec| {
        plan_with("azlinux3/rpm", spec, worker).result.marshal(&Platform::linux("amd64")).def
    };
    let mut moved = spec();
    moved.build.steps[0].span = Span::new(11, 14);
    moved.dependencies.recommends.clear();
    assert_eq!(packages(&moved), packages(&spec()));
}
