//! The help is the reference page of the command line; a change of it shows here.

use expect_test::expect_file;

use super::Place;

#[track_caller]
fn check(args: &[&str], expected: expect_test::ExpectFile) {
    let run = Place::new().run(args);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    expected.assert_eq(&run.stdout);
}

#[test]
fn every_command_explains_itself() {
    check(&["--help"], expect_file!["help/dalec.txt"]);
    check(&["help", "build"], expect_file!["help/build.txt"]);
    check(&["help", "lint"], expect_file!["help/lint.txt"]);
    check(&["help", "resolve"], expect_file!["help/resolve.txt"]);
    check(&["help", "targets"], expect_file!["help/targets.txt"]);
    check(&["help", "schema"], expect_file!["help/schema.txt"]);
    check(&["help", "completions"], expect_file!["help/completions.txt"]);
    check(&["help", "key"], expect_file!["help/key.txt"]);
    check(&["help", "key", "new"], expect_file!["help/key-new.txt"]);
    check(&["help", "sign"], expect_file!["help/sign.txt"]);
    check(&["help", "cache"], expect_file!["help/cache.txt"]);
    check(&["help", "cache", "ls"], expect_file!["help/cache-ls.txt"]);
    check(&["help", "cache", "prune"], expect_file!["help/cache-prune.txt"]);
    check(&["help", "cache", "verify"], expect_file!["help/cache-verify.txt"]);
    check(&["help", "verify"], expect_file!["help/verify.txt"]);
}

#[test]
fn the_short_help_is_short() {
    let run = Place::new().run(&["build", "-h"]);
    assert_eq!(run.code, Some(0));
    assert!(run.stdout.lines().count() <= 45, "{}", run.stdout);
}

#[test]
fn the_version_is_told() {
    let run = Place::new().run(&["--version"]);
    assert_eq!(run.stdout, format!("dalec {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn shells_complete_commands_flags_targets_and_codes() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = Place::new().run(&["completions", shell]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{shell}");
        for word in ["resolve", "no-cache", "bookworm/deb"] {
            assert!(run.stdout.contains(word), "{shell} does not complete {word}");
        }
        // The other two complete no values.
        let completes_values = matches!(shell, "bash" | "zsh" | "fish");
        assert_eq!(run.stdout.contains("unused-arg"), completes_values, "{shell} and codes");
        assert!(!run.stdout.contains("test-runner"), "{shell} completes what is not for people");
    }
}

/// The same executable checks files inside tested containers; that is not for people, so the help is silent about it.
#[test]
fn the_test_runner_is_there_but_hidden() {
    let place = Place::with("file", "hello\n");
    let path = place.path().join("file").display().to_string();
    let run = place.run(&["test-runner", "no-such-check", &path]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(70), ""), "{}", run.stderr);
    assert!(!place.run(&["--help"]).stdout.contains("test-runner"));
}
