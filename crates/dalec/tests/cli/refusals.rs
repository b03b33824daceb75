//! Command lines that cannot be meant: one clear message, exit code 2, nothing written.

use expect_test::{Expect, expect};

use super::{HELLO, Place, Run};

/// Runs `dalec build` with a good spec beside, and compares what it says.
#[track_caller]
fn check(args: &[&str], expected: Expect) {
    let place = Place::with("dalec.yml", HELLO);
    let before = names(&place);
    let args: Vec<&str> = ["build"].iter().chain(args).copied().collect();
    let run = place.run(&args);
    expected.assert_eq(&run.stderr);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert_eq!(names(&place), before, "something was left behind");
}

fn names(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_target_is_needed_and_must_exist() {
    check(
        &[],
        expect![[r#"
            error: no target is given
             |
             = help: choose one with --target, for example `--target trixie/deb`; `dalec targets` lists all of them
        "#]],
    );
    check(
        &["--target", "bookwrom/deb"],
        expect![[r#"
        error: there is no target `bookwrom/deb`
         |
         = help: did you mean `bookworm/deb`? `dalec targets` lists all of them
    "#]],
    );
    check(
        &["--target", "flatcar"],
        expect![[r#"
            error: there is no target `flatcar`
             |
             = help: did you mean `flatcar/testing/sysext`? `dalec targets` lists all of them
        "#]],
    );
    check(
        &["--target", "bookworm/deb", "--target", "trixie/dbe"],
        expect![[r#"
        error: there is no target `trixie/dbe`
         |
         = help: did you mean `trixie/deb`? `dalec targets` lists all of them
    "#]],
    );
    check(
        &["--target", "bookworm/deb, trixie/deb"],
        expect![[r#"
            error: there is no target `bookworm/deb, trixie/deb`
             |
             = help: give each target by itself: --target bookworm/deb --target trixie/deb
        "#]],
    );
}

#[test]
fn flags_are_known_by_name() {
    check(
        &["--taget", "bookworm/deb"],
        expect![[r#"
        error: unexpected argument '--taget' found

          tip: a similar argument exists: '--target'

        Usage: dalec build --target <TARGET> [CONTEXT]

        For more information, try '--help'.
    "#]],
    );
    check(
        &["--progress", "loud", "--target", "bookworm/deb"],
        expect![[r#"
        error: invalid value 'loud' for '--progress <PROGRESS>'
          [possible values: auto, tty, plain, json, quiet]

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn the_spec_must_be_there() {
    let run = Place::new().run(&["build", "--target", "bookworm/deb"]);
    assert_eq!(run.code, Some(2));
    expect![[r#"
        error: there is no spec here: looked for dalec.yml and dalec.yaml
         |
         = help: name the spec with -f FILE, or `-f -` to read it from standard input
    "#]]
    .assert_eq(&run.stderr);
    check(
        &["--target", "bookworm/deb", "-f", "absent.yml"],
        expect![[r#"
        error: there is no spec absent.yml
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "-f", "."],
        expect![[r#"
        error: the spec . is not a file
    "#]],
    );
}

#[test]
fn the_context_must_be_there_and_of_a_known_kind() {
    check(
        &["--target", "bookworm/deb", "absent"],
        expect![[r#"
        error: there is no context directory absent
         |
         = help: a context is a directory, a tar archive, docker-image://REFERENCE, oci-layout://PATH[:TAG][@DIGEST], the address of a git repository or an http URL
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "dalec.yml"],
        expect![[r#"
            error: the context dalec.yml is neither a directory nor a tar archive
             |
             = help: a context is a directory, a tar archive, docker-image://REFERENCE, oci-layout://PATH[:TAG][@DIGEST], the address of a git repository or an http URL
        "#]],
    );
    check(
        &["--target", "bookworm/deb", "--build-context", "patches"],
        expect![[r#"
        error: --build-context patches: it has no name
         |
         = help: write --build-context NAME=REFERENCE
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "--build-context", "patches=absent"],
        expect![[r#"
        error: there is no directory or archive for the context `patches`: absent
         |
         = help: a context is a directory, a tar archive, docker-image://REFERENCE, oci-layout://PATH[:TAG][@DIGEST], the address of a git repository or an http URL
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "--build-context", "dockerfile=."],
        expect![[r#"
        error: --build-context dockerfile=.: the name is the spec's own
    "#]],
    );
}

#[test]
fn secrets_must_be_there_and_well_formed() {
    check(
        &["--target", "bookworm/deb", "--secret", "token"],
        expect![[r#"
        error: --secret token: `token` has no value
         |
         = help: write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE; scope=signer gives it to signers alone
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "--secret", "id=token,mode=0400"],
        expect![[r#"
        error: --secret id=token,mode=0400: there is no field `mode`
         |
         = help: write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE; scope=signer gives it to signers alone
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "--secret", "id=token,src=absent"],
        expect![[r#"
        error: there is no file for the secret `token`: absent
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "--secret", "id=token,env=TOKEN"],
        expect![[r#"
        error: the variable TOKEN for the secret `token` is not set
    "#]],
    );
}

#[test]
fn destinations_must_make_sense() {
    check(
        &["--target", "bookworm/deb", "-o", "type=oci,dest=out.tar,unpack=true"],
        expect![[r#"
        error: -o type=oci: the embedded engine knows no field `unpack`
         |
         = help: it knows name, dest, tar, push, push-by-digest, compression, compression-level, force-compression, oci-mediatypes, rewrite-timestamp, annotation.KEY, annotation-manifest.KEY and annotation-index.KEY; with --engine buildkit, BuildKit's exporters know more
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "-o", "type=image,name=example.org/a:1"],
        expect![[r#"
        error: -o type=image: the embedded engine keeps no images for others to run
         |
         = help: push it with push=true, or write it with type=oci,dest=FILE or type=docker,dest=FILE
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "--push"],
        expect![[r#"
        error: the image that is to be pushed has no name
         |
         = help: name it with --tag
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "-o", "out", "-t", "a:1"],
        expect![[r#"
        error: --tag names an image, and no output is one
         |
         = help: push it with --push, or add -o type=oci,dest=FILE or -o type=docker,dest=FILE
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "--engine", "buildkit", "-o", "type=oci,dest=out,tar=false"],
        expect![[r#"
            error: tar=false: images come from a buildkitd as one archive, not as a folder
             |
             = help: leave it out, or build with the embedded engine
        "#]],
    );
    check(
        &["--target", "bookworm/deb", "-o", "dalec.yml"],
        expect![[r#"
        error: -o dalec.yml: it is a file, not a directory
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "-o", "-", "-o", "type=tar,dest=-"],
        expect![[r#"
            error: standard output takes one archive, not several
        "#]],
    );
    check(
        &["--target", "bookworm/deb", "--target", "trixie/deb", "-o", "type=tar,dest=out.tar"],
        expect![[r#"
            error: one tar archive cannot hold the results of several targets
             |
             = help: write to a directory, or build one target at a time
        "#]],
    );
}

#[test]
fn other_values_must_make_sense() {
    check(
        &["--target", "bookworm/deb", "--platform", "linux"],
        expect![[r#"
        error: --platform: `linux` is not a platform; write it as os/arch or os/arch/variant, for example linux/amd64
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "--build-arg", "=1"],
        expect![[r#"
        error: --build-arg =1: the name is missing
         |
         = help: write --build-arg NAME=VALUE
    "#]],
    );
    check(
        &["--target", "bookworm/deb", "--ca-bundle", "absent.pem"],
        expect![[r#"
        error: there is no CA bundle absent.pem
    "#]],
    );
}

#[test]
fn programs_get_errors_as_records() {
    let run = Place::new().run(&["build", "--target", "bookwrom/deb", "--progress", "json"]);
    assert_eq!(run.code, Some(2));
    expect![[r#"
        {"error":{"exitCode":2,"message":"there is no target `bookwrom/deb`","places":[],"notes":[],"causes":[],"help":"did you mean `bookworm/deb`? `dalec targets` lists all of them"}}
    "#]].assert_eq(&run.stderr);
}

#[test]
fn the_kind_of_progress_may_come_from_the_environment() {
    let Run { code, stderr, .. } =
        Place::new().run_with(&["build", "--target", "nope"], &[("DALEC_PROGRESS", "json")], "");
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("{\"error\":"), "{stderr}");
}

/// Before anything is built, which may take long.
#[test]
fn files_that_cannot_be_written_are_told_at_once() {
    let place = Place::with("dalec.yml", HELLO);
    let before = names(&place);
    for (args, file, cause) in [
        (["--metadata-file", "dalec.yml/facts.json"], "dalec.yml/facts.json", "not a directory"),
        (["--metadata-file", "."], ".", "is a directory"),
        (["-o", "type=tar,dest=dalec.yml/out.tar"], "dalec.yml/out.tar", "not a directory"),
        (["-o", "type=oci,dest=dalec.yml/out.tar"], "dalec.yml/out.tar", "not a directory"),
    ] {
        let build = ["build", "--target", "trixie/deb", "--state-dir", "state"];
        let run = place.run(&[&build[..], &args].concat());
        let said = run.stderr.to_lowercase();
        assert!(said.starts_with(&format!("error: cannot write {file}\n")) && said.contains(cause), "{said}");
        assert_eq!((run.code, names(&place)), (Some(3), before.clone()));
    }
}
