//! Graphs of containers, and the scripts in them.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use dalec_llb::{ImageRef, Platform, State, describe};
use dalec_spec::span::Span;
use dalec_spec::target_spec::{
    Artifact, BaseImage, ImageSource, PackageConstraint, PostSymlink, Source, SourceKind, TargetSpec, Test,
};
use expect_test::{Expect, expect};

use super::{Container, minimal, prebuilt, prebuilt_contexts, testing};
use crate::deb::distro::{DebDistro, find};
use crate::error::PlanError;
use crate::fixture;
use crate::request::{Answers, ImageAnswer, ImageQuestion, Options, Request};

fn image(name: &str) -> State {
    State::image(ImageRef { reference: name.into(), ..ImageRef::default() })
}

fn base_image(reference: &str, span: Span) -> BaseImage {
    let kind = SourceKind::Image(ImageSource { reference: reference.to_owned(), ..ImageSource::default() });
    BaseImage { rootfs: Source { kind, span, ..Source::default() } }
}

fn bookworm() -> &'static DebDistro {
    find("bookworm").expect("it is in the table")
}

/// Plans with an answer for `question`.
fn plan(
    spec: &TargetSpec,
    question: ImageQuestion,
    has_packages: bool,
    plan: impl FnOnce(&Request<'_>) -> Result<Container, PlanError>,
) -> Container {
    let answer = ImageAnswer { state: image(&question.reference), has_packages, ..ImageAnswer::default() };
    let answers = Answers { images: BTreeMap::from([(question, answer)]), ..Answers::default() };
    let request = Request { frontend: image("frontend"), ..fixture::request(spec, &answers, &"x".repeat(9)) };
    plan(&request).expect("a plan")
}

fn testing_container(spec: &TargetSpec, has_packages: bool) -> Container {
    let question = testing::image(spec, bookworm()).expect("a question");
    plan(spec, question, has_packages, |request| testing::plan(request, bookworm(), &image("packages")))
}

fn minimal_container(spec: &TargetSpec, has_packages: bool) -> Container {
    let question = minimal::image(spec, bookworm()).expect("a question");
    plan(spec, question, has_packages, |request| {
        minimal::plan(request, bookworm(), &image("worker"), &image("packages"))
    })
}

/// Compares a graph without what is the same in every op: the texts of scripts, search paths, apt's caches.
#[track_caller]
fn check(state: &State, expected: Expect) {
    const SAME: [&str; 8] = [
        "    | ",
        "    arg /bin/sh",
        "    arg -c",
        "    arg #",
        "    env ",
        "    cwd ",
        "    mount /var/",
        "    mount /run/secrets/",
    ];
    let graph = describe(&state.marshal(&Platform::linux("amd64")));
    let lines = graph.lines().filter(|line| !SAME.iter().any(|same| line.starts_with(same)));
    expected.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

fn names(state: &State) -> Vec<String> {
    let graph = describe(&state.marshal(&Platform::linux("amd64")));
    graph.lines().filter_map(|line| line.strip_prefix("    name ")).map(str::to_owned).collect()
}

// TGT-014
#[test]
fn testing_container_on_an_image_that_must_be_prepared() {
    let container = testing_container(&TargetSpec::default(), false);
    check(
        &container.root,
        expect![[r##"
            #0 source docker-image://docker.io/library/debian:bookworm
            #1 exec network=UNSET
                arg install
                arg --upgrade
                arg --
                arg ca-certificates
                mount / #0
                name Upgrade the container's base
            #2 source docker-image://packages
            #3 file
                scratch copy #2:/ -> / include ["*.deb"] exclude ["*-dbgsym_*.deb"]
                name Choose the packages to install
            #4 exec network=UNSET
                arg install
                arg --directory
                arg /run/dalec/packages
                arg --recommends
                arg --
                mount / #1
                mount /run/dalec/packages #3 ro
                name Install the packages
            #5 result #4"##]],
    );
}

// TGT-014: what the engine put in already is not installed again.
#[test]
fn testing_container_on_a_prepared_image() {
    let container = testing_container(&TargetSpec::default(), true);
    assert_eq!(names(&container.root), ["Choose the packages to install", "Install the packages"]);
}

// TEST-019: what tests need is in the root of tests alone.
#[test]
fn test_dependencies_stay_out_of_the_container() {
    let mut spec = TargetSpec { tests: vec![Test::default()], ..TargetSpec::default() };
    spec.dependencies.test.insert("jq".into(), PackageConstraint::default());
    let container = testing_container(&spec, true);
    assert!(names(&container.test_root).contains(&"Install test dependencies".to_owned()));
    assert!(!names(&container.root).contains(&"Install test dependencies".to_owned()));

    // Without tests nothing is installed for them.
    spec.tests.clear();
    let container = testing_container(&spec, true);
    assert!(!names(&container.test_root).contains(&"Install test dependencies".to_owned()));
}

// TEST-019, DEP-002: version constraints bind, and other architectures' entries are left out.
#[test]
fn test_dependencies_have_versions_and_architectures() {
    let constraint = |version: &[&str], arch: &[&str]| {
        let own = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect();
        PackageConstraint { version: own(version), arch: own(arch), ..PackageConstraint::default() }
    };
    let mut spec = TargetSpec { tests: vec![Test::default()], ..TargetSpec::default() };
    spec.dependencies.test = BTreeMap::from([
        ("curl".into(), constraint(&[], &["amd64"])),
        ("jq".into(), constraint(&["< 2", ">= 1.5"], &[])),
        ("qemu".into(), constraint(&[], &["arm64"])),
    ]);
    let graph = describe(&testing_container(&spec, true).test_root.marshal(&Platform::linux("amd64")));
    assert!(graph.contains("    arg amd64\n    arg curl, jq (<< 2), jq (>= 1.5)\n"), "{graph}");
    assert!(!graph.contains("qemu"), "{graph}");
    let graph = describe(&minimal_container(&spec, true).test_root.marshal(&Platform::linux("amd64")));
    assert!(graph.contains("    arg purge\n    arg curl\n    arg jq\n"), "{graph}");
    assert!(!graph.contains("qemu"), "{graph}");

    spec.dependencies.test = BTreeMap::from([("qemu".into(), constraint(&[], &["arm64"]))]);
    assert!(!names(&testing_container(&spec, true).test_root).contains(&"Install test dependencies".into()));
}

#[test]
fn test_dependencies_cannot_add_fields() {
    let mut spec = TargetSpec { tests: vec![Test::default()], ..TargetSpec::default() };
    spec.dependencies.test.insert("jq\nEssential: yes".into(), PackageConstraint::default());
    let question = testing::image(&spec, bookworm()).expect("a question");
    plan(&spec, question, true, |request| {
        let error = testing::plan(request, bookworm(), &image("packages")).expect_err("two lines");
        assert!(matches!(error, PlanError::Invalid { .. }), "{error:?}");
        Ok(Container { root: image("x"), base: None, test_root: image("x") })
    });
}

/// The caches of package lists, by the name of the step that has them.
fn caches(state: &State) -> BTreeMap<String, String> {
    let graph = describe(&state.marshal(&Platform::linux("amd64")));
    let of_step = |step: &str| {
        let field =
            |start: &str| step.lines().find_map(|line| Some(line.trim().strip_prefix(start)?.to_owned()));
        Some((field("name ")?, field("mount /var/lib/apt cache ")?))
    };
    graph.split("\n#").filter_map(of_step).collect()
}

// What a spec's maintainer scripts leave in a cache must not decide what workers are made of.
#[test]
fn lists_are_not_shared_with_what_a_spec_brings() {
    let mut spec = TargetSpec { tests: vec![Test::default()], ..TargetSpec::default() };
    spec.dependencies.test.insert("jq".into(), PackageConstraint::default());
    let stock = "bookwormdalec-var-lib-apt LOCKED";
    let apart = "bookwormdalec-var-lib-apt-untrusted LOCKED";
    let steps = ["Upgrade the container's base", "Install the packages", "Install test dependencies"];
    let expected = |base: &str| {
        let caches = [base, apart, apart].map(str::to_owned);
        steps.map(str::to_owned).into_iter().zip(caches).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(caches(&testing_container(&spec, false).test_root), expected(stock));
    assert_eq!(caches(&minimal_container(&spec, false).test_root), expected(stock));
    spec.image.bases = vec![base_image("debian", Span::new(0, 3))];
    assert_eq!(caches(&testing_container(&spec, false).test_root), expected(apart));
}

// TGT-015
#[test]
fn minimal_container_is_shrunk_to_one_layer() {
    let container = minimal_container(&TargetSpec::default(), true);
    assert!(container.base.is_none());
    check(
        &container.root,
        expect![[r##"
            #0 source docker-image://worker
            #1 source docker-image://packages
            #2 file
                scratch copy #1:/ -> / include ["*.deb"] exclude ["*-dbgsym_*.deb"]
                name Choose the packages to install
            #3 source docker-image://docker.io/library/debian:bookworm
            #4 exec network=UNSET
                arg install
                arg --directory
                arg /run/dalec/packages
                arg --
                mount / #3
                mount /run/dalec/packages #2 ro
                name Install the packages
            #5 exec network=NONE
                arg purge
                mount / #4
                mount /run/dalec/packages #2 ro
                name Purge what is not needed
            #6 exec network=NONE
                arg clean
                mount / #0
                mount /run/dalec/packages #2 ro
                mount /run/dalec/root #5
                name Remove the packaging tools
            #7 file
                scratch copy #6.1:/ -> /
                name Make one layer of the container
            #8 result #7"##]],
    );
}

// TGT-015, TEST-019
#[test]
fn minimal_container_from_a_base_of_the_spec() {
    let mut spec = TargetSpec { tests: vec![Test::default()], ..TargetSpec::default() };
    spec.image.bases = vec![base_image("debian:bookworm-slim", Span::new(0, 3))];
    spec.dependencies.test.insert("jq".into(), PackageConstraint::default());
    let container = minimal_container(&spec, false);
    assert!(container.base.is_some());
    check(
        &container.test_root,
        expect![[r##"
            #0 source docker-image://worker
            #1 source docker-image://packages
            #2 file
                scratch copy #1:/ -> / include ["*.deb"] exclude ["*-dbgsym_*.deb"]
                name Choose the packages to install
            #3 source docker-image://docker.io/library/debian:bookworm-slim
            #4 exec network=NONE
                arg check-base
                arg debian:bookworm-slim
                mount / #0
                mount /run/dalec/root #3
                name Check the base image debian:bookworm-slim
            #5 exec network=UNSET
                arg install
                arg --upgrade
                arg --
                arg passwd
                mount / #4.1
                name Upgrade the container's base
            #6 exec network=UNSET
                arg install
                arg --directory
                arg /run/dalec/packages
                arg --
                mount / #5
                mount /run/dalec/packages #2 ro
                name Install the packages
            #7 exec network=UNSET
                arg install
                arg --meta
                arg dalec-test-deps
                arg 1
                arg amd64
                arg jq
                arg --wanted
                arg dalec: error: 
                arg jq
                arg --
                mount / #6
                name Install test dependencies
            #8 exec network=NONE
                arg purge
                arg jq
                mount / #7
                mount /run/dalec/packages #2 ro
                mount /run/dalec/base #3 ro
                name Purge what is not needed
            #9 exec network=NONE
                arg clean
                arg jq
                mount / #0
                mount /run/dalec/packages #2 ro
                mount /run/dalec/base #3 ro
                mount /run/dalec/root #8
                name Remove the packaging tools
            #10 result #9.1"##]],
    );
}

// TGT-017
#[test]
fn documentation_stays_where_the_spec_has_some() {
    let flagged = |spec: &TargetSpec| {
        let graph = describe(&minimal_container(spec, true).root.marshal(&Platform::linux("amd64")));
        graph.matches("    arg --keep-docs\n").count()
    };
    let mut spec = TargetSpec::default();
    assert_eq!(flagged(&spec), 0);
    spec.artifacts.manpages.insert("hello.1".into(), Artifact::default());
    assert_eq!(flagged(&spec), 2, "once to apt, once to the clean-up");
}

#[test]
fn one_base_image_is_enough() {
    let mut spec = TargetSpec::default();
    let base = |start: usize| base_image("debian", Span::new(start, start + 2));
    spec.image.bases = vec![base(0), base(4)];
    let error = testing::image(&spec, bookworm()).unwrap_err();
    assert_eq!(error.to_string(), "a container starts from one base image, but `image.bases` names 2");
    assert_eq!(error.spans().len(), 2);
}

fn link(target: &str, path: &str, user: &str, group: &str) -> PostSymlink {
    PostSymlink { target: target.into(), path: path.into(), user: user.into(), group: group.into() }
}

/// A root file system with `links` in it.
fn linked(links: &[PostSymlink], options: Options) -> State {
    let mut spec = TargetSpec::default();
    spec.image.symlinks = links.to_vec();
    let answers = Answers::default();
    let request = Request { options, ..fixture::request(&spec, &answers, "") };
    super::symlinks::plan(&request, &image("root"))
}

// TGT-019
#[test]
fn links_take_no_process_unless_names_must_be_looked_up() {
    let links = [link("/usr/bin/hello", "/opt/bin/hello", "", ""), link("x", "/y", "0", "5")];
    check(
        &linked(&links, Options::default()),
        expect![[r#"
        #0 source docker-image://root
        #1 file
            #0 mkdir 755 /opt/bin
            ^ symlink /opt/bin/hello -> /usr/bin/hello
            ^ symlink /y -> x
            name Make the links of the spec
        #2 result #1"#]],
    );
    let links = [link("/usr/bin/hello", "/opt/bin/hello", "", ""), link("x", "/y", "nobody", "")];
    check(
        &linked(&links, Options::default()),
        expect![[r#"
            #0 source docker-image://root
            #1 exec network=NONE
                arg symlinks
                arg /usr/bin/hello
                arg /opt/bin/hello
                arg root
                arg root
                arg x
                arg /y
                arg nobody
                arg root
                mount / #0
                name Make the links of the spec
            #2 result #1"#]],
    );
    assert!(names(&linked(&[], Options::default())).is_empty());
    // Where file ops make no links, or must not.
    let without = || Options { without_symlinks: true, ..Options::default() };
    let links = [link("x", "/y", "0", "5")];
    check(
        &linked(&links, without()),
        expect![[r#"
        #0 source docker-image://root
        #1 exec network=NONE
            arg symlinks
            arg x
            arg /y
            arg 0
            arg 5
            mount / #0
            name Make the links of the spec
        #2 result #1"#]],
    );
    assert!(names(&linked(&[], without())).is_empty());
}

// TGT-021
#[test]
fn packages_can_come_from_a_context() {
    let answers = |names: &[&str]| Answers {
        contexts: names.iter().map(|name| ((*name).to_owned(), image(name))).collect(),
        ..Answers::default()
    };
    assert_eq!(prebuilt_contexts("bookworm"), ["bookworm-pkg", "pkg"]);
    assert!(prebuilt(&answers(&["trixie-pkg"]), "bookworm").is_none());
    let warning = |names| prebuilt(&answers(names), "bookworm").expect("packages").warning;
    assert_eq!(
        warning(&["bookworm-pkg", "pkg"]),
        r#"the packages come from the build context "bookworm-pkg"; nothing is built from the spec"#
    );
    assert_eq!(
        warning(&["pkg"]),
        r#"the packages come from the build context "pkg"; nothing is built from the spec"#
    );
}

const KEEP: &str = include_str!("scripts/keep.sh");

/// Runs a script the way it will be, with `input`.
fn shell(script: &str, flags: &[&str], input: &str) -> std::process::Output {
    let mut child = Command::new("sh")
        .args(flags)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("there is a shell");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the shell reads");
    child.wait_with_output().expect("the shell ends")
}

#[test]
fn scripts_are_scripts() {
    let alone = [
        include_str!("scripts/symlinks.sh"),
        include_str!("scripts/symlinks-from-outside.sh"),
        include_str!("scripts/check-base.sh"),
    ];
    let behind = [include_str!("scripts/purge.sh"), include_str!("scripts/clean.sh")];
    let behind = behind.map(|script| format!("{KEEP}\n{script}"));
    for script in alone.into_iter().chain(behind.iter().map(String::as_str)) {
        let output = shell(script, &["-n"], "");
        assert!(output.status.success(), "{}\n{script}", String::from_utf8_lossy(&output.stderr));
    }
}

// TGT-016: alternatives and providers stay, architectures and versions do not matter.
#[test]
fn what_stays_is_closed_over_dependencies() {
    // Name with architecture, name, essential, dependencies, provides.
    let packages = "\
hello\thello\t\t, libc6 (>= 2.3), libz1:any | libz2 [amd64], mail-agent\t
libc6:amd64\tlibc6\t\tlibgcc-s1, \t
libgcc-s1:amd64\tlibgcc-s1\t\t, libc6 (>= 2.2)\t
libz1:amd64\tlibz1\t\t, \t
libz2:amd64\tlibz2\t\t, \t
postfix\tpostfix\t\t, \tmail-agent (= 1), default-mta
exim\texim\t\t, \tmail-agent
bash\tbash\tyes\tlibtinfo6, \t
libtinfo6:amd64\tlibtinfo6\t\t, libc6\t
";
    let closure = |names: &str| {
        let output = shell(&format!("{KEEP}\nclosure {names}"), &["-eu"], packages);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").replace('\n', " ")
    };
    assert_eq!(
        closure("hello missing"),
        "hello libc6:amd64 libgcc-s1:amd64 libz1:amd64 libz2:amd64 postfix exim "
    );
    assert_eq!(closure("bash"), "libc6:amd64 libgcc-s1:amd64 bash libtinfo6:amd64 ");
    assert_eq!(closure(""), "");
}

#[test]
fn links_made_by_the_script_have_the_right_text() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a/b/link");
    let me = std::fs::metadata(directory.path()).expect("it is there");
    let (user, group) = (me.uid().to_string(), me.gid().to_string());
    let script = include_str!("scripts/symlinks.sh");
    let path_text = path.to_str().expect("text");
    let args = ["-c", script, "symlinks", "-n x", path_text, &user, &group];
    assert!(Command::new("sh").args(args).status().expect("there is a shell").success());
    assert_eq!(std::fs::read_link(path).expect("a link").to_str(), Some("-n x"));
}
