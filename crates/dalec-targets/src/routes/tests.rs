//! Plans of whole routes.

use std::collections::BTreeMap;

use dalec_llb::{ImageRef, Local, Platform, State, describe};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{
    BaseImage, BuildSource, BuildStep, ContextSource, Generator, Gomod, ImageCommand, ImageSource,
    PackageConstraint, Source, SourceKind, SourceMount,
};
use expect_test::{Expect, expect};

use super::*;
use crate::fixture;
use crate::request::{ImageAnswer, Options};

/// A C program from the main context, with a build dependency.
fn spec() -> TargetSpec {
    let source = Source {
        kind: SourceKind::Context(ContextSource { name: "context".into() }),
        span: Span::new(0, 5),
        ..Source::default()
    };
    let step = BuildStep { command: "make -C src".into(), span: Span::new(6, 10), ..BuildStep::default() };
    let constraint = PackageConstraint {
        version: vec![">= 1.2".into()],
        arch: vec!["amd64".into()],
        span: Span::new(12, 15),
    };
    let other = PackageConstraint { arch: vec!["arm64".into()], ..PackageConstraint::default() };
    let mut spec = TargetSpec {
        name: "hello".into(),
        version: "1.0".into(),
        revision: "1".into(),
        packager: "Ann <ann@example.org>".into(),
        sources: BTreeMap::from([("src".into(), source)]),
        ..TargetSpec::default()
    };
    spec.build.steps = vec![step];
    spec.dependencies.build =
        BTreeMap::from([("libfoo-dev".into(), constraint), ("libbar-dev".into(), other)]);
    spec
}

fn answers(questions: &Questions) -> Answers {
    let image = |question: &crate::request::ImageQuestion| ImageAnswer {
        state: State::image(ImageRef {
            reference: format!("{}+{}", question.reference, question.packages.join("+")),
            ..ImageRef::default()
        }),
        has_packages: true,
        ..ImageAnswer::default()
    };
    let images = questions.images.iter().map(|question| (question.clone(), image(question)));
    let context = State::local(Local { name: "context".into(), ..Local::default() });
    Answers {
        images: images.collect(),
        contexts: BTreeMap::from([("context".into(), context)]),
        ..Answers::default()
    }
}

fn plan_with(route: &str, spec: &TargetSpec, change: impl Fn(&mut Answers)) -> Result<Plan, PlanError> {
    let route = find(route)?;
    let mut answers = answers(&questions(route, spec, &Options::default()));
    change(&mut answers);
    plan(route, &fixture::request(spec, &answers, TEXT))
}

/// What spans of specs point into.
const TEXT: &str = "line\nline\nline\nline\n";

/// Shows a graph without the scripts, whose texts are files of their own.
#[track_caller]
fn check(state: &State, expected: Expect) {
    let graph = describe(&state.marshal(&Platform::linux("amd64")));
    let lines = graph.lines().filter(|line| !line.starts_with("    |"));
    expected.assert_eq(&lines.map(|line| format!("{line}\n")).collect::<String>());
}

/// DEB-014: source package, build dependencies, binary build and descriptions.
#[test]
fn packages() {
    let plan = plan_with("bookworm/deb", &spec(), |_| {}).expect("a plan");
    check(
        &plan.result,
        expect![[r#"
            #0 source docker-image://docker.io/library/debian:bookworm+aptitude+build-essential+ca-certificates+debhelper+devscripts+dh-apparmor+dh-exec+dh-make+dpkg-dev+equivs+fakeroot+git
            #1 file
                scratch mkdir 755 /debian
                ^ mkfile 644 /debian/changelog
                ^ mkfile 640 /debian/control
                ^ mkdir 755 /debian/dalec
                ^ mkfile 700 /debian/dalec/build.sh
                ^ mkfile 700 /debian/hello.install
                ^ mkfile 700 /debian/rules
                ^ mkdir 755 /debian/source
                ^ mkfile 640 /debian/source/format
                name Write packaging files
            #2 source local://context
                name Read source src
            #3 exec network=NONE
                arg /bin/sh
                arg -c
                arg # Makes a source package: source-package.sh DIR ORIG STEM EPOCH [MARK FROM FILE TITLE]... -- [SOURCE]...
                arg source-package
                arg hello-1.0
                arg hello_1.0.orig.tar.gz
                arg hello_1.0-debian12u1
                arg 0
                arg --
                env HOME=/root
                env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                cwd /
                mount / #0
                mount /work/debian #1 [/debian] ro
                mount /work/orig/hello-1.0/src #2 ro
                mount /work/out scratch
                name Create source package hello 1.0
            #4 exec network=NONE
                arg /bin/sh
                arg -c
                arg # Writes the .buildinfo and .changes of packages: changes.sh KIND DIR STEM EPOCH [ARCHITECTURE]
                arg changes
                arg source
                arg hello-1.0
                arg hello_1.0-debian12u1_source
                arg 0
                env HOME=/root
                env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                cwd /
                mount / #0
                mount /work/in #3.1 ro
                mount /work/debian #1 [/debian] ro
                mount /work/out scratch
                name Describe source package hello 1.0
            #5 exec network=UNSET
                arg /bin/sh
                arg -c
                arg # Proxies and their certificates for package managers. Read before install.sh of either family.
                arg install
                arg --meta
                arg hello-build-deps
                arg 1
                arg amd64
                arg libfoo-dev (>= 1.2)
                arg --recommends
                arg --wanted
                arg dalec: error: @1: 
                arg libfoo-dev (>= 1.2)
                arg --
                env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                cwd /
                mount / #0
                mount /var/cache/apt cache bookwormdalec-var-cache-apt LOCKED
                mount /var/lib/apt cache bookwormdalec-var-lib-apt LOCKED
                mount /run/secrets/dalec.ca-bundle secret dalec.ca-bundle
                name Install build dependencies
            #6 exec network=NONE
                arg /bin/sh
                arg -c
                arg # Builds the binary packages of a source package: binary-package.sh DIR ORIG STEM EPOCH WORK [ARCHITECTURE GNU]
                arg binary-package
                arg hello-1.0
                arg hello_1.0.orig.tar.gz
                arg hello_1.0-debian12u1
                arg 0
                arg /work/hello_1.0-1
                env HOME=/root
                env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                cwd /
                mount / #5
                mount /work/in #3.1 ro
                mount /work/out scratch
                mount /work/meta scratch
                name Build package hello 1.0
            #7 exec network=NONE
                arg /bin/sh
                arg -c
                arg # Writes the .buildinfo and .changes of packages: changes.sh KIND DIR STEM EPOCH [ARCHITECTURE]
                arg changes
                arg binary
                arg hello-1.0
                arg hello_1.0-debian12u1_amd64
                arg 0
                env HOME=/root
                env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                cwd /
                mount / #5
                mount /work/in #6.1 ro
                mount /work/debian #1 [/debian] ro
                mount /work/out scratch
                mount /work/meta #6.2 ro
                name Describe binary package hello 1.0
            #8 merge #3.1 #4.1 #6.1 #7.1
                name Collect the packages
            #9 result #8
        "#]],
    );
    assert!(!plan.requires.is_empty());
}

/// DEB-013: the source package asks for no build dependencies.
#[test]
fn source_package() {
    let plan = plan_with("bookworm/dsc", &spec(), |_| {}).expect("a plan");
    check(
        &plan.result,
        expect![[r#"
            #0 source docker-image://docker.io/library/debian:bookworm+aptitude+build-essential+ca-certificates+debhelper+devscripts+dh-apparmor+dh-exec+dh-make+dpkg-dev+equivs+fakeroot+git
            #1 file
                scratch mkdir 755 /debian
                ^ mkfile 644 /debian/changelog
                ^ mkfile 640 /debian/control
                ^ mkdir 755 /debian/dalec
                ^ mkfile 700 /debian/dalec/build.sh
                ^ mkfile 700 /debian/hello.install
                ^ mkfile 700 /debian/rules
                ^ mkdir 755 /debian/source
                ^ mkfile 640 /debian/source/format
                name Write packaging files
            #2 source local://context
                name Read source src
            #3 exec network=NONE
                arg /bin/sh
                arg -c
                arg # Makes a source package: source-package.sh DIR ORIG STEM EPOCH [MARK FROM FILE TITLE]... -- [SOURCE]...
                arg source-package
                arg hello-1.0
                arg hello_1.0.orig.tar.gz
                arg hello_1.0-debian12u1
                arg 0
                arg --
                env HOME=/root
                env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                cwd /
                mount / #0
                mount /work/debian #1 [/debian] ro
                mount /work/orig/hello-1.0/src #2 ro
                mount /work/out scratch
                name Create source package hello 1.0
            #4 exec network=NONE
                arg /bin/sh
                arg -c
                arg # Writes the .buildinfo and .changes of packages: changes.sh KIND DIR STEM EPOCH [ARCHITECTURE]
                arg changes
                arg source
                arg hello-1.0
                arg hello_1.0-debian12u1_source
                arg 0
                env HOME=/root
                env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
                cwd /
                mount / #0
                mount /work/in #3.1 ro
                mount /work/debian #1 [/debian] ro
                mount /work/out scratch
                name Describe source package hello 1.0
            #5 merge #3.1 #4.1
                name Collect the source package
            #6 result #5
        "#]],
    );
}

/// A worker that the client brings is taken as it is, and its image is not needed.
#[test]
fn given_worker() {
    let spec = spec();
    let route = find("bookworm/worker").expect("known");
    let questions = questions(route, &spec, &Options::default());
    assert_eq!(questions.unless.values().collect::<Vec<_>>(), [&["dalec-bookworm-worker"]]);
    let given = State::image(ImageRef { reference: "example.org/worker:1".into(), ..ImageRef::default() });
    let plan = plan_with("bookworm/worker", &spec, |answers| {
        answers.images.clear();
        answers.contexts.insert("dalec-bookworm-worker".into(), given.clone());
    });
    check(
        &plan.expect("a plan").result,
        expect![[r#"
        #0 source docker-image://example.org/worker:1
        #1 result #0
    "#]],
    );
}

/// The same request gives the same bytes, every time.
#[test]
fn plans_are_deterministic() {
    let bytes = || {
        let plan = plan_with("trixie/deb", &spec(), |_| {}).expect("a plan");
        format!("{:?}", plan.result.marshal(&Platform::linux("amd64")).def)
    };
    let first = bytes();
    assert!((0..25).all(|_| bytes() == first));
}

/// Editing something else in the spec moves lines, and changes no op.
#[test]
fn moved_lines_rebuild_nothing() {
    let definition = |spec: &TargetSpec| {
        let plan = plan_with("bookworm/deb", spec, |_| {}).expect("a plan");
        plan.result.marshal(&Platform::linux("amd64")).def
    };
    let mut moved = spec();
    moved.build.steps[0].span = Span::new(11, 14);
    assert_eq!(definition(&spec()), definition(&moved));
}

/// DEB-002, SRC-004: what cannot be planned says where and what to do.
#[test]
fn errors() {
    let error = |spec: &TargetSpec| {
        let error =
            plan_with("bookworm/deb", spec, |answers| answers.contexts.clear()).expect_err("an error");
        (error.to_string(), error.spans())
    };
    assert_eq!(error(&spec()).1, [Span::new(0, 5)]);
    let mut no_packager = spec();
    no_packager.packager.clear();
    assert_eq!(error(&no_packager).0, "`packager` is required to build a Debian package");
    let mut taken = spec();
    let source = taken.sources.remove("src").expect("there");
    taken.sources.insert("debian".into(), source);
    assert_eq!(error(&taken).0, r#"a source cannot be called "debian" in a Debian package"#);
    let unknown = find("bookwurm/deb").expect_err("no such route");
    assert!(unknown.hint().expect("a hint").contains("bookworm/deb"));
}

/// Each has something to build.
#[test]
fn the_keys() {
    let mut keys: Vec<&str> = all().iter().map(Route::target).collect();
    keys.dedup();
    // What is only looked at is of no target.
    keys.retain(|key| *key != "debug");
    assert_eq!(keys, TARGET_KEYS);
}

/// What lint says a target needs is what its packages are not built without.
#[test]
fn needs_are_what_is_needed() {
    for route in ["bookworm/deb", "azlinux3/rpm"] {
        let key = route.split('/').next().expect("a key");
        let needs = known_targets().into_iter().find(|target| target.key == key).expect("a target").needs;
        let fields = ["name", "version", "revision", "description", "license", "packager"];
        for field in fields {
            let mut spec = fixture::spec();
            let place = match field {
                "name" => &mut spec.name,
                "version" => &mut spec.version,
                "revision" => &mut spec.revision,
                "description" => &mut spec.description,
                "license" => &mut spec.license,
                _ => &mut spec.packager,
            };
            place.clear();
            let is_missed = matches!(
                plan_with(route, &spec, |_| {}),
                Err(PlanError::MissingFields { fields, .. }) if fields == [field]
            );
            assert_eq!(is_missed, needs.contains(&field), "{route} without {field}");
        }
    }
}

/// TGT-001, TGT-006: what is listed.
#[test]
fn the_list() {
    let list: String = all()
        .iter()
        .map(|route| {
            let marks = match (route.default, route.hidden) {
                (true, _) => " (default)",
                (_, true) => " (hidden)",
                _ => "",
            };
            format!("{}{marks}: {}\n", route.name, route.description)
        })
        .collect();
    expect![[r#"
        almalinux8 (hidden): container with the package, from AlmaLinux 8
        almalinux8/container (default): container with the package, from AlmaLinux 8
        almalinux8/container/depsonly: container with what the package needs at run time, from AlmaLinux 8
        almalinux8/rpm: RPM packages, source and binary, for AlmaLinux 8
        almalinux8/rpm/debug/buildroot: what rpmbuild starts from
        almalinux8/rpm/debug/sources: the sources as rpmbuild gets them
        almalinux8/rpm/debug/spec: the generated RPM spec file
        almalinux8/worker: the image that packages for AlmaLinux 8 are built in
        almalinux9 (hidden): container with the package, from AlmaLinux 9
        almalinux9/container (default): container with the package, from AlmaLinux 9
        almalinux9/container/depsonly: container with what the package needs at run time, from AlmaLinux 9
        almalinux9/rpm: RPM packages, source and binary, for AlmaLinux 9
        almalinux9/rpm/debug/buildroot: what rpmbuild starts from
        almalinux9/rpm/debug/sources: the sources as rpmbuild gets them
        almalinux9/rpm/debug/spec: the generated RPM spec file
        almalinux9/worker: the image that packages for AlmaLinux 9 are built in
        azlinux3 (hidden): container with the package, from Azure Linux 3
        azlinux3/container (default): container with the package, from Azure Linux 3
        azlinux3/container/depsonly: container with what the package needs at run time, from Azure Linux 3
        azlinux3/rpm: RPM packages, source and binary, for Azure Linux 3
        azlinux3/rpm/debug/buildroot: what rpmbuild starts from
        azlinux3/rpm/debug/sources: the sources as rpmbuild gets them
        azlinux3/rpm/debug/spec: the generated RPM spec file
        azlinux3/testing/sysext: system extension with the package, from Azure Linux 3
        azlinux3/worker: the image that packages for Azure Linux 3 are built in
        azlinux4 (hidden): container with the package, from Azure Linux 4
        azlinux4/container (default): container with the package, from Azure Linux 4
        azlinux4/container/depsonly: container with what the package needs at run time, from Azure Linux 4
        azlinux4/rpm: RPM packages, source and binary, for Azure Linux 4
        azlinux4/rpm/debug/buildroot: what rpmbuild starts from
        azlinux4/rpm/debug/sources: the sources as rpmbuild gets them
        azlinux4/rpm/debug/spec: the generated RPM spec file
        azlinux4/testing/sysext: system extension with the package, from Azure Linux 4
        azlinux4/worker: the image that packages for Azure Linux 4 are built in
        bionic (hidden): Debian packages for Ubuntu 18.04 (bionic)
        bionic/container: minimal container with the package, from Ubuntu 18.04 (bionic)
        bionic/deb (default): Debian packages for Ubuntu 18.04 (bionic)
        bionic/dsc: Debian source package for Ubuntu 18.04 (bionic)
        bionic/testing/container: Ubuntu 18.04 (bionic) container with the package, for tests
        bionic/worker: the image that packages for Ubuntu 18.04 (bionic) are built in
        bookworm (hidden): Debian packages for Debian 12 (bookworm)
        bookworm/container: minimal container with the package, from Debian 12 (bookworm)
        bookworm/deb (default): Debian packages for Debian 12 (bookworm)
        bookworm/dsc: Debian source package for Debian 12 (bookworm)
        bookworm/testing/container: Debian 12 (bookworm) container with the package, for tests
        bookworm/worker: the image that packages for Debian 12 (bookworm) are built in
        bullseye (hidden): Debian packages for Debian 11 (bullseye)
        bullseye/container: minimal container with the package, from Debian 11 (bullseye)
        bullseye/deb (default): Debian packages for Debian 11 (bullseye)
        bullseye/dsc: Debian source package for Debian 11 (bullseye)
        bullseye/testing/container: Debian 11 (bullseye) container with the package, for tests
        bullseye/worker: the image that packages for Debian 11 (bullseye) are built in
        debug/cargohome: the Rust crates that the sources ask for
        debug/gomods: the Go modules that the sources ask for
        debug/patched-sources: the sources with patches and edits applied
        debug/pip: the Python packages that the sources ask for
        debug/resolve: the spec with its arguments expanded and defaults filled in
        debug/sources: the sources as they are fetched
        flatcar/testing/sysext (default): system extension with the package for Flatcar Container Linux, from Ubuntu 24.04 (noble)
        flatcar/worker: the image that packages for Flatcar Container Linux are built in
        focal (hidden): Debian packages for Ubuntu 20.04 (focal)
        focal/container: minimal container with the package, from Ubuntu 20.04 (focal)
        focal/deb (default): Debian packages for Ubuntu 20.04 (focal)
        focal/dsc: Debian source package for Ubuntu 20.04 (focal)
        focal/testing/container: Ubuntu 20.04 (focal) container with the package, for tests
        focal/worker: the image that packages for Ubuntu 20.04 (focal) are built in
        jammy (hidden): Debian packages for Ubuntu 22.04 (jammy)
        jammy/container: minimal container with the package, from Ubuntu 22.04 (jammy)
        jammy/deb (default): Debian packages for Ubuntu 22.04 (jammy)
        jammy/dsc: Debian source package for Ubuntu 22.04 (jammy)
        jammy/testing/container: Ubuntu 22.04 (jammy) container with the package, for tests
        jammy/worker: the image that packages for Ubuntu 22.04 (jammy) are built in
        mariner2 (hidden): container with the package, from CBL-Mariner 2
        mariner2/container (hidden): container with the package, from CBL-Mariner 2
        mariner2/container/depsonly (hidden): container with what the package needs at run time, from CBL-Mariner 2
        mariner2/rpm (hidden): RPM packages, source and binary, for CBL-Mariner 2
        mariner2/rpm/debug/buildroot (hidden): what rpmbuild starts from
        mariner2/rpm/debug/sources (hidden): the sources as rpmbuild gets them
        mariner2/rpm/debug/spec (hidden): the generated RPM spec file
        mariner2/worker (hidden): the image that packages for CBL-Mariner 2 are built in
        noble (hidden): Debian packages for Ubuntu 24.04 (noble)
        noble/container: minimal container with the package, from Ubuntu 24.04 (noble)
        noble/deb (default): Debian packages for Ubuntu 24.04 (noble)
        noble/dsc: Debian source package for Ubuntu 24.04 (noble)
        noble/testing/container: Ubuntu 24.04 (noble) container with the package, for tests
        noble/testing/sysext: system extension with the package, from Ubuntu 24.04 (noble)
        noble/worker: the image that packages for Ubuntu 24.04 (noble) are built in
        resolute (hidden): Debian packages for Ubuntu 26.04 (resolute)
        resolute/container: minimal container with the package, from Ubuntu 26.04 (resolute)
        resolute/deb (default): Debian packages for Ubuntu 26.04 (resolute)
        resolute/dsc: Debian source package for Ubuntu 26.04 (resolute)
        resolute/testing/container: Ubuntu 26.04 (resolute) container with the package, for tests
        resolute/testing/sysext: system extension with the package, from Ubuntu 26.04 (resolute)
        resolute/worker: the image that packages for Ubuntu 26.04 (resolute) are built in
        rockylinux8 (hidden): container with the package, from Rocky Linux 8
        rockylinux8/container (default): container with the package, from Rocky Linux 8
        rockylinux8/container/depsonly: container with what the package needs at run time, from Rocky Linux 8
        rockylinux8/rpm: RPM packages, source and binary, for Rocky Linux 8
        rockylinux8/rpm/debug/buildroot: what rpmbuild starts from
        rockylinux8/rpm/debug/sources: the sources as rpmbuild gets them
        rockylinux8/rpm/debug/spec: the generated RPM spec file
        rockylinux8/worker: the image that packages for Rocky Linux 8 are built in
        rockylinux9 (hidden): container with the package, from Rocky Linux 9
        rockylinux9/container (default): container with the package, from Rocky Linux 9
        rockylinux9/container/depsonly: container with what the package needs at run time, from Rocky Linux 9
        rockylinux9/rpm: RPM packages, source and binary, for Rocky Linux 9
        rockylinux9/rpm/debug/buildroot: what rpmbuild starts from
        rockylinux9/rpm/debug/sources: the sources as rpmbuild gets them
        rockylinux9/rpm/debug/spec: the generated RPM spec file
        rockylinux9/worker: the image that packages for Rocky Linux 9 are built in
        trixie (hidden): Debian packages for Debian 13 (trixie)
        trixie/container: minimal container with the package, from Debian 13 (trixie)
        trixie/deb (default): Debian packages for Debian 13 (trixie)
        trixie/dsc: Debian source package for Debian 13 (trixie)
        trixie/testing/container: Debian 13 (trixie) container with the package, for tests
        trixie/testing/sysext: system extension with the package, from Debian 13 (trixie)
        trixie/worker: the image that packages for Debian 13 (trixie) are built in
        windowscross (hidden): container with the programs, from one or several images of Windows
        windowscross/container (default): container with the programs, from one or several images of Windows
        windowscross/worker: the image that programs for Windows are built in
        windowscross/zip: zip file with the programs for Windows
    "#]]
    .assert_eq(&list);
}

fn signed(answers: &mut Answers) {
    answers.signed = Some(State::image(ImageRef { reference: "signed".into(), ..ImageRef::default() }));
}

fn graph(state: &State) -> String {
    describe(&state.marshal(&Platform::linux("amd64")))
}

/// SIGN-012, SIGN-014: what was signed lies over everything that was built, is described, and is what is installed.
#[test]
fn signed_packages_take_the_place_of_what_was_built() {
    let plan = plan_with("bookworm/deb", &spec(), signed).expect("a plan");
    assert!(plan.to_sign.is_none(), "signed once");
    let merges: Vec<String> =
        graph(&plan.result).lines().filter(|line| line.contains(" merge ")).map(str::to_owned).collect();
    assert_eq!(merges, ["#8 merge #6.1 #7", "#10 merge #3.1 #4.1 #8 #9.1"]);
    assert!(graph(&plan.result).contains("    mount /work/in #8 ro\n"), "{}", graph(&plan.result));
    for route in ["bookworm/container", "bookworm/testing/container"] {
        let plan = plan_with(route, &spec(), signed).expect("a plan");
        assert!(graph(&plan.result).contains("docker-image://signed"), "{route}");
    }
}

/// SIGN-015: packages of any route that builds them are signed, sources and packages of others are not.
#[test]
fn what_there_is_to_sign() {
    let prebuilt = |answers: &mut Answers| {
        let packages = State::local(Local { name: "pkg".into(), ..Local::default() });
        answers.contexts.insert("pkg".into(), packages);
    };
    for (route, expected) in [
        ("bookworm", true),
        ("bookworm/deb", true),
        ("bookworm/container", true),
        ("bookworm/testing/container", true),
        ("bookworm/dsc", false),
        ("bookworm/worker", false),
    ] {
        let plan = plan_with(route, &spec(), |_| {}).expect("a plan");
        assert_eq!(plan.to_sign.is_some(), expected, "{route}");
    }
    let plan = plan_with("bookworm/container", &spec(), prebuilt).expect("a plan");
    assert!(plan.to_sign.is_none());
}

/// TGT-010: where nothing runs programs of what is built for, packages are neither installed nor tried, and take compilers.
#[test]
fn packages_for_another_processor() {
    let route = find("bookworm/deb").expect("a route");
    let foreign = Platform::linux("arm64");
    let options = Options { foreign: Some(foreign.clone()), ..Options::default() };
    let plan_of = |spec: &TargetSpec| {
        let mut answers = answers(&questions(route, spec, &options));
        answers.build_platform = Some(Platform::linux("amd64"));
        let own = fixture::request(spec, &answers, TEXT);
        let request = Request { platform: foreign.clone(), options: options.clone(), ..own };
        plan(route, &request).expect("a plan")
    };
    let plan = plan_of(&spec());
    assert!(plan.requires.is_empty());
    assert_eq!(plan.config.expect("a platform").architecture, "arm64");
    let graph = describe(&plan.result.marshal(&Platform::linux("amd64")));
    for text in
        ["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross", "env GOARCH=arm64", "hello_1.0-debian12u1_arm64"]
    {
        assert!(graph.contains(text), "{text}");
    }
    let plan = plan_of(&TargetSpec { noarch: true, ..spec() });
    let graph = describe(&plan.result.marshal(&Platform::linux("amd64")));
    assert!(!graph.contains("aarch64") && !graph.contains("GOARCH"));
}

/// FE-013: an engine that merges no trees copies them.
#[test]
fn trees_are_copied_where_they_cannot_be_merged() {
    let options = Options { without_merge: true, ..Options::default() };
    let image = |name: &str| State::image(ImageRef { reference: name.into(), ..ImageRef::default() });
    check(
        &options.lay(&[image("a"), State::scratch(), image("b")], "Collect"),
        expect![[r#"
            #0 source docker-image://a
            #1 source docker-image://b
            #2 file
                scratch copy #0:/ -> /
                ^ copy #1:/ -> /
                name Collect
            #3 result #2
        "#]],
    );
}

/// SRC-006, TGT-021: images of sources are asked for, unless the packages are given; those inside of others too.
#[test]
fn images_of_sources() {
    let image = |reference: &str, mounts: Vec<SourceMount>, start| {
        let command = ImageCommand { mounts, ..ImageCommand::default() };
        let command = Some(command).filter(|command| !command.mounts.is_empty());
        let kind = SourceKind::Image(ImageSource { reference: reference.into(), command });
        Source { kind, path: "/".into(), span: Span::new(start, start + 1), ..Source::default() }
    };
    let mount = SourceMount { source: image("inner", Vec::new(), 1), ..SourceMount::default() };
    let build = BuildSource {
        source: Box::new(image("outer:1", vec![mount], 2)),
        dockerfile_path: "Dockerfile".into(),
        target: String::new(),
        args: BTreeMap::new(),
    };
    let mut spec = spec();
    let kind = SourceKind::Build(build);
    spec.sources.insert("built".into(), Source { kind, span: Span::new(3, 4), ..Source::default() });
    spec.image.bases = vec![BaseImage { rootfs: image("base", Vec::new(), 4) }];

    let asked = |route: &str| questions(find(route).expect("known"), &spec, &Options::default());
    let deb = asked("bookworm/deb");
    let references =
        deb.images.iter().map(|image| image.reference.strip_prefix("docker.io/library/").unwrap());
    let references: Vec<_> = references.collect();
    assert_eq!(references, ["base:latest", "debian:bookworm", "inner:latest", "outer:1"]);
    let places = deb.images.iter().filter_map(|image| Some(deb.places.get(image)?.start));
    assert_eq!(places.collect::<Vec<_>>(), [4, 1, 2]);
    let unless = asked("bookworm/container").unless;
    let prebuilt = unless.iter().filter(|(_, contexts)| **contexts == ["bookworm-pkg", "pkg"]);
    assert_eq!(prebuilt.count(), 2);
    assert!(asked("bookworm/worker").images.len() == 1);
}

/// SRC-016: what one build leaves out of all directories is left out of what is downloaded, too.
#[test]
fn downloads_are_filtered() {
    let mut spec = spec();
    let generator = Generator { gomod: Some(Gomod::default()), ..Generator::default() };
    spec.sources.get_mut("src").expect("there is one").generate = vec![generator];
    let graph = |excludes: &[&str]| {
        let plan = plan_with("bookworm/dsc", &spec, |answers| {
            answers.excludes = excludes.iter().map(|pattern| (*pattern).to_owned()).collect();
        });
        describe(&plan.expect("a plan").result.marshal(&Platform::linux("amd64")))
    };
    let filtered = graph(&["**/*_test.go"]);
    assert!(filtered.contains(r#":/ -> / exclude ["**/*_test.go"]"#), "{filtered}");
    assert!(!graph(&[]).contains("exclude"));
}
