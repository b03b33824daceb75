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
    check(&[], expect![[""]]);
    check(&["--target", "bookwrom/deb"], expect![[""]]);
    check(&["--target", "windowscross/zip"], expect![[""]]);
    check(&["--target", "bookworm/deb", "--target", "trixie/dbe"], expect![[""]]);
}

#[test]
fn flags_are_known_by_name() {
    check(&["--taget", "bookworm/deb"], expect![[""]]);
    check(&["--progress", "loud", "--target", "bookworm/deb"], expect![[""]]);
}

#[test]
fn the_spec_must_be_there() {
    let run = Place::new().run(&["build", "--target", "bookworm/deb"]);
    assert_eq!(run.code, Some(2));
    expect![[""]].assert_eq(&run.stderr);
    check(&["--target", "bookworm/deb", "-f", "absent.yml"], expect![[""]]);
    check(&["--target", "bookworm/deb", "-f", "."], expect![[""]]);
}

#[test]
fn the_context_must_be_there_and_of_a_known_kind() {
    check(&["--target", "bookworm/deb", "absent"], expect![[""]]);
    check(&["--target", "bookworm/deb", "dalec.yml"], expect![[""]]);
    check(&["--target", "bookworm/deb", "https://example.org/hello.git"], expect![[""]]);
    check(&["--target", "bookworm/deb", "--build-context", "patches"], expect![[""]]);
    check(&["--target", "bookworm/deb", "--build-context", "patches=absent"], expect![[""]]);
    check(&["--target", "bookworm/deb", "--build-context", "dockerfile=."], expect![[""]]);
}

#[test]
fn secrets_must_be_there_and_well_formed() {
    check(&["--target", "bookworm/deb", "--secret", "token"], expect![[""]]);
    check(&["--target", "bookworm/deb", "--secret", "id=token,mode=0400"], expect![[""]]);
    check(&["--target", "bookworm/deb", "--secret", "id=token,src=absent"], expect![[""]]);
    check(&["--target", "bookworm/deb", "--secret", "id=token,env=TOKEN"], expect![[""]]);
}

#[test]
fn destinations_must_make_sense() {
    check(&["--target", "bookworm/deb", "-o", "type=oci,dest=out.tar"], expect![[""]]);
    check(&["--target", "bookworm/deb", "-o", "dalec.yml"], expect![[""]]);
    check(&["--target", "bookworm/deb", "-o", "-", "-o", "type=tar,dest=-"], expect![[""]]);
    check(
        &["--target", "bookworm/deb", "--target", "trixie/deb", "-o", "type=tar,dest=out.tar"],
        expect![[""]],
    );
}

#[test]
fn other_values_must_make_sense() {
    check(&["--target", "bookworm/deb", "--platform", "linux"], expect![[""]]);
    check(&["--target", "bookworm/deb", "--build-arg", "=1"], expect![[""]]);
    check(&["--target", "bookworm/deb", "--ca-bundle", "absent.pem"], expect![[""]]);
}

#[test]
fn programs_get_errors_as_records() {
    let run = Place::new().run(&["build", "--target", "bookwrom/deb", "--progress", "json"]);
    assert_eq!(run.code, Some(2));
    expect![[""]].assert_eq(&run.stderr);
}

#[test]
fn the_kind_of_progress_may_come_from_the_environment() {
    let Run { code, stderr, .. } =
        Place::new().run_with(&["build", "--target", "nope"], &[("DALEC_PROGRESS", "json")], "");
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("{\"error\":"), "{stderr}");
}
