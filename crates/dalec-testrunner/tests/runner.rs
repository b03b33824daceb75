//! The runner as the build calls it: arguments in, exit code and words out.
//!
//! Each call is a process of its own, this very test program, so that streams and exit codes are the real ones.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use dalec_testrunner::protocol::Step;
use expect_test::{Expect, expect};

const ARGS: &str = "RUNNER_TEST_ARGS";
const MARK: &[u8] = b"--- from here ---\n";

/// Not a test of its own: what [`runner`] starts.
#[test]
fn child() {
    let Some(args) = std::env::var_os(ARGS) else { return };
    let args = args.into_vec();
    let args = args.split(|byte| *byte == 1).map(|arg| OsString::from_vec(arg.to_vec()));
    for mut stream in [Box::new(std::io::stdout()) as Box<dyn std::io::Write>, Box::new(std::io::stderr())] {
        stream.write_all(MARK).unwrap();
        stream.flush().unwrap();
    }
    std::process::exit(dalec_testrunner::main(args));
}

struct Outcome {
    code: i32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Outcome {
    fn stderr(&self) -> String {
        String::from_utf8(self.stderr.clone()).unwrap()
    }
}

#[must_use]
fn runner(args: &[&str], env: &[(&str, &str)]) -> Outcome {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(ARGS, args.join("\u{1}"));
    let output = command.envs(env.iter().copied()).output().unwrap();
    let after = |bytes: &[u8]| {
        let start = bytes.windows(MARK.len()).position(|window| window == MARK).unwrap();
        bytes[start + MARK.len()..].to_vec()
    };
    Outcome {
        code: output.status.code().unwrap(),
        stdout: after(&output.stdout),
        stderr: after(&output.stderr),
    }
}

/// Runs a check on `name` below a directory that `make` fills; `DIR` stands for that directory.
#[track_caller]
fn check(make: impl FnOnce(&Path), args: &[&str], expected: Expect) {
    let directory = tempfile::tempdir().unwrap();
    make(directory.path());
    let place = directory.path().to_str().unwrap();
    let args: Vec<String> = args.iter().map(|arg| arg.replace("DIR", place)).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = runner(&args, &[]);
    assert_eq!(outcome.stdout, b"");
    expected.assert_eq(&format!("{} {}", outcome.code, outcome.stderr().replace(place, "DIR")));
}

fn file(content: &[u8]) -> impl FnOnce(&Path) + use<> {
    let content = content.to_vec();
    move |directory| fs::write(directory.join("f"), content).unwrap()
}

fn dangling(directory: &Path) {
    symlink("nowhere", directory.join("l")).unwrap();
}

// TEST-009
#[test]
fn not_exist_with_and_without_following() {
    check(|_| {}, &["check-file-not-exists", "--no-follow-symlinks=false", "DIR/f"], expect!["0 "]);
    check(
        file(b""),
        &["check-file-not-exists", "--no-follow-symlinks=false", "DIR/f"],
        expect![[r#"
            2 "DIR/f": check_type=not_exist expected: "exists=false", got "exists=true"
            dalec: error: @1: DIR/f exists, but should not
        "#]],
    );
    check(dangling, &["check-file-not-exists", "--no-follow-symlinks=false", "DIR/l"], expect!["0 "]);
    check(
        dangling,
        &["check-file-not-exists", "--no-follow-symlinks=true", "DIR/l"],
        expect![[r#"
            2 "DIR/l": check_type=not_exist expected: "exists=false", got "exists=true"
            dalec: error: @1: DIR/l exists, but should not
        "#]],
    );
    check(file(b""), &["check-file-not-exists", "--no-follow-symlinks=false", "DIR/f/g"], expect!["0 "]);
}

// TEST-010
#[test]
fn is_dir_holds_both_ways() {
    let plain = ["check-file-isdir", "--not=true", "--no-follow-symlinks=false"];
    let directory = ["check-file-isdir", "--not=false", "--no-follow-symlinks=false"];
    check(file(b""), &[&plain[..], &["DIR/f"]].concat(), expect!["0 "]);
    check(|_| {}, &[&directory[..], &["DIR"]].concat(), expect!["0 "]);
    check(
        |_| {},
        &[&plain[..], &["DIR"]].concat(),
        expect![[r#"
            2 "DIR": check_type=is_dir expected: "is_dir=false", got "is_dir=true"
            dalec: error: @1: DIR is a directory; write `is_dir: true` if it should be one
        "#]],
    );
    check(
        file(b""),
        &[&directory[..], &["DIR/f"]].concat(),
        expect![[r#"
            2 "DIR/f": check_type=is_dir expected: "is_dir=true", got "is_dir=false"
            dalec: error: @1: DIR/f is no directory
        "#]],
    );
    check(
        |_| {},
        &[&plain[..], &["DIR/f"]].concat(),
        expect![[r#"
            2 "DIR/f": check_type=not_exist expected: "exists=true", got "exists=false"
            dalec: error: @1: DIR/f does not exist
        "#]],
    );
    check(dangling, &["check-file-isdir", "--not=true", "--no-follow-symlinks=true", "DIR/l"], expect!["0 "]);
}

// TEST-011
#[test]
fn permissions_are_shown_as_letters() {
    let make = |directory: &Path| {
        fs::write(directory.join("f"), "").unwrap();
        fs::set_permissions(directory.join("f"), fs::Permissions::from_mode(0o4750)).unwrap();
    };
    check(make, &["check-file-perms", "--no-follow-symlinks=false", "DIR/f", "750"], expect!["0 "]);
    check(
        make,
        &["check-file-perms", "--no-follow-symlinks=false", "DIR/f", "644"],
        expect![[r#"
            2 "DIR/f": check_type=permissions expected: "-rw-r--r--", got "-rwxr-x---"
            dalec: error: @1: DIR/f should have the permissions "-rw-r--r--", but has "-rwxr-x---"
        "#]],
    );
}

// TEST-012
/// Debian's helpers make links in packages relative.
#[test]
fn an_absolute_link_target_fits_a_relative_link_that_leads_there() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(at("d")).unwrap();
    symlink("../bin/tool", at("d/l")).unwrap();
    let code = |link: &str, target: &str| runner(&["check-link-target", &at(link), target], &[]).code;
    assert_eq!(code("d/l", &at("bin/tool")), 0);
    assert_eq!(code("d/l", &at("d/../bin/tool")), 0);
    assert_eq!(code("d/l", "../bin/tool"), 0);
    assert_eq!(code("d/l", &at("tool")), 2);
    assert_eq!(code("d/l", "bin/tool"), 2);
    symlink(at("d/l"), at("absolute")).unwrap();
    assert_eq!(code("absolute", "d/l"), 2);
}

#[test]
fn link_targets_are_compared_as_text() {
    check(dangling, &["check-link-target", "DIR/l", "nowhere"], expect!["0 "]);
    check(
        dangling,
        &["check-link-target", "DIR/l", "./nowhere"],
        expect![[r#"
            2 "DIR/l": check_type=link_target_path expected: "./nowhere", got "nowhere"
            dalec: error: @1: DIR/l should link to "./nowhere", but links to "nowhere"
        "#]],
    );
    check(
        file(b""),
        &["check-link-target", "DIR/f", "x"],
        expect![[r#"
            2 "DIR/f": cannot read the symbolic link: Invalid argument (os error 22)
        "#]],
    );
}

// TEST-013
#[test]
fn content_that_is_right() {
    for args in [
        ["check-file-equals", "DIR/f", "one\ntwo\n"],
        ["check-file-contains", "DIR/f", "e\nt"],
        ["check-file-contains", "DIR/f", ""],
        ["check-file-matches", "DIR/f", "^one\\ntwo"],
        ["check-file-matches", "DIR/f", "(?m)^two$"],
        ["check-file-starts-with", "DIR/f", "one"],
        ["check-file-endswith", "DIR/f", "two\n"],
    ] {
        check(file(b"one\ntwo\n"), &args, expect!["0 "]);
    }
    check(file(b""), &["check-file-empty", "DIR/f"], expect!["0 "]);
}

// TEST-013
#[test]
fn content_that_is_wrong() {
    let found = || file(b"one\ntwo\n");
    check(
        found(),
        &["check-file-equals", "DIR/f", "one"],
        expect![[r#"
            3 "DIR/f": check_type=equals expected: "one", got "one\ntwo\n"
            dalec: error: @1: DIR/f should be "one", but is "one\ntwo\n"
        "#]],
    );
    check(
        found(),
        &["check-file-contains", "DIR/f", "three"],
        expect![[r#"
            3 "DIR/f": check_type=contains expected: "three", got "one\ntwo\n"
            dalec: error: @1: DIR/f does not contain "three"; it is "one\ntwo\n"
        "#]],
    );
    check(
        found(),
        &["check-file-matches", "DIR/f", "^two"],
        expect![[r#"
            3 "DIR/f": check_type=matches expected: "^two", got "one\ntwo\n"
            dalec: error: @1: DIR/f does not match "^two"; it is "one\ntwo\n"
        "#]],
    );
    check(
        found(),
        &["check-file-matches", "DIR/f", "a(b"],
        expect![[r#"
            2 "a(b" is no regular expression: unclosed group
        "#]],
    );
    check(
        found(),
        &["check-file-starts-with", "DIR/f", "two"],
        expect![[r#"
            3 "DIR/f": check_type=starts_with expected: "two", got "one\ntwo\n"
            dalec: error: @1: DIR/f does not start with "two"; it is "one\ntwo\n"
        "#]],
    );
    check(
        found(),
        &["check-file-endswith", "DIR/f", "one\ntwo\nthree"],
        expect![[r#"
            3 "DIR/f": check_type=ends_with expected: "one\ntwo\nthree", got "one\ntwo\n"
            dalec: error: @1: DIR/f does not end with "one\ntwo\nthree"; it is "one\ntwo\n"
        "#]],
    );
    check(
        found(),
        &["check-file-empty", "DIR/f"],
        expect![[r#"
            3 "DIR/f": check_type=empty expected: "", got "one\ntwo\n"
            dalec: error: @1: DIR/f should be empty, but is "one\ntwo\n"
        "#]],
    );
}

// TEST-013: texts that lie across the pieces a file is read in.
#[test]
fn content_longer_than_one_read() {
    let mut content = vec![b'a'; 200_000];
    content[65_535] = b'x';
    content[65_536] = b'y';
    let text = String::from_utf8(content.clone()).unwrap();
    check(file(&content), &["check-file-contains", "DIR/f", "aaxyaa"], expect!["0 "]);
    check(file(&content), &["check-file-endswith", "DIR/f", &text[120_000..]], expect!["0 "]);
    let expected = |directory: &Path| {
        file(&content)(directory);
        fs::write(directory.join("v"), &content).unwrap();
    };
    check(expected, &["check-file-equals", "--value-file=DIR/v", "DIR/f"], expect!["0 "]);
}

// TEST-014
#[test]
fn long_and_binary_content_is_not_dumped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    fs::write(&path, "x".repeat(5000)).unwrap();
    let outcome = runner(&["check-file-empty", path.to_str().unwrap()], &[]);
    let shown = format!("got \"{}... (truncated, 5000 bytes in all)\"", "x".repeat(1024));
    let (first, headline) =
        outcome.stderr().trim_end().rsplit_once('\n').map(|(a, b)| (a.to_owned(), b.len())).unwrap();
    assert!(first.ends_with(&shown), "{first}");
    assert!(headline < 400, "a headline of {headline} bytes");
    let mut binary = vec![b'x'; 70_000];
    binary.push(0);
    check(
        file(&binary),
        &["check-file-equals", "DIR/f", "\u{1b}[31m"],
        expect![[r#"
            3 "DIR/f": check_type=equals expected: "\x1b[31m", got "<binary data>"
            dalec: error: @1: DIR/f should be "\x1b[31m", but is "<binary data>"
        "#]],
    );
}

#[test]
fn what_is_no_file_cannot_be_read() {
    check(
        |_| {},
        &["check-file-empty", "DIR"],
        expect![[r#"
            2 "DIR": cannot read the file: is a directory
        "#]],
    );
    check(
        |_| {},
        &["check-file-empty", "DIR/f"],
        expect![[r#"
            2 "DIR/f": cannot read the file: No such file or directory (os error 2)
        "#]],
    );
    check(
        |_| {},
        &["check-file-equals", "/dev/zero", "x"],
        expect![[r#"
            2 "/dev/zero": cannot read the file: not a regular file
        "#]],
    );
    check(
        |_| {},
        &["check-everything"],
        expect![[r#"
            70 test-runner has no subcommand "check-everything"
        "#]],
    );
    check(
        |_| {},
        &["check-file-empty"],
        expect![[r#"
            1 check-file-empty takes 1 arguments, 0 were given
        "#]],
    );
}

struct Stepped {
    outcome: Outcome,
    stdout: Option<Vec<u8>>,
    stderr: Option<Vec<u8>>,
}

#[must_use]
fn step(step: &Step, env: &[(&str, &str)]) -> Stepped {
    let directory = tempfile::tempdir().unwrap();
    let description = directory.path().join("step.json");
    fs::write(&description, serde_json::to_vec(step).unwrap()).unwrap();
    let (description, output) = (description.to_str().unwrap(), directory.path().to_str().unwrap());
    let outcome = runner(&["step-runner", description, output], env);
    Stepped {
        outcome,
        stdout: fs::read(directory.path().join("stdout")).ok(),
        stderr: fs::read(directory.path().join("stderr")).ok(),
    }
}

fn command(command: &str) -> Step {
    Step { command: command.into(), ..Step::default() }
}

// TEST-006
#[test]
fn a_step_exits_with_the_code_of_its_command() {
    assert_eq!(step(&command("true"), &[]).outcome.code, 0);
    assert_eq!(step(&command("sh -c 'exit 42'"), &[]).outcome.code, 42);
    let killed = step(&command("sh -c 'kill -9 $$'"), &[]).outcome;
    assert_eq!((killed.code, &*killed.stderr()), (137, "the command was ended by signal 9\n"));
}

// TEST-005
#[test]
fn no_shell_sees_the_command() {
    let printed = step(&command(r#"printf '%s|' $HOME "a b" *.c ~ '$x' # no more"#), &[]);
    assert_eq!(printed.outcome.stdout, b"$HOME|a b|*.c|~|$x|");
}

// TEST-006
#[test]
fn standard_input_is_the_text_or_nothing() {
    let echo = Step { stdin: "hello\n".into(), ..command("cat") };
    assert_eq!(step(&echo, &[]).outcome.stdout, b"hello\n");
    assert_eq!(step(&command("cat"), &[]).outcome.stdout, b"");
    // More than a pipe holds, and nobody reads it.
    let ignored = Step { stdin: "x".repeat(1 << 20), ..command("true") };
    assert_eq!(step(&ignored, &[]).outcome.code, 0);
}

// TEST-007
#[test]
fn wanted_streams_are_kept_and_shown() {
    let both =
        Step { capture_stdout: true, capture_stderr: true, ..command("sh -c 'echo out; echo err >&2'") };
    let stepped = step(&both, &[]);
    assert_eq!((&*stepped.outcome.stdout, &*stepped.outcome.stderr), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(stepped.stdout.as_deref(), Some(&b"out\n"[..]));
    assert_eq!(stepped.stderr.as_deref(), Some(&b"err\n"[..]));

    let one = Step { capture_stderr: true, capture_stdout: false, ..both };
    let stepped = step(&one, &[]);
    assert_eq!((stepped.stdout, stepped.stderr.as_deref()), (None, Some(&b"err\n"[..])));
    assert_eq!(stepped.outcome.stdout, b"out\n");
}

// TEST-007: what was printed before a failure is there too, however much it is.
#[test]
fn a_failing_command_keeps_its_output() {
    let loud = Step { capture_stdout: true, ..command("sh -c 'head -c 3000000 /dev/zero; exit 7'") };
    let stepped = step(&loud, &[]);
    assert_eq!((stepped.outcome.code, stepped.outcome.stdout.len()), (7, 3_000_000));
    assert_eq!(stepped.stdout.unwrap().len(), 3_000_000);
}

#[test]
fn a_process_left_behind_is_not_waited_for() {
    let daemon = Step { capture_stdout: true, ..command("sh -c 'sleep 1000 2>/dev/null & echo $!'") };
    let stepped = step(&daemon, &[]);
    let pid = String::from_utf8(stepped.stdout.unwrap()).unwrap();
    let kill = Command::new("sh").args(["-c", "kill \"$1\"", "sh", pid.trim()]).status();
    assert!(kill.unwrap().success());
    assert_eq!(stepped.outcome.code, 0);
}

// TEST-008
#[test]
fn the_environment_is_handed_on() {
    let stepped = step(&command("sh -c 'echo $GREETING'"), &[("GREETING", "hi")]);
    assert_eq!(stepped.outcome.stdout, b"hi\n");
}

#[test]
fn a_command_that_cannot_run_is_explained() {
    for (line, expected) in [
        (
            "",
            expect![[r#"
                2 cannot run "": the command is empty
                dalec: error: @1: cannot run the command: the command is empty
            "#]],
        ),
        (
            "# nothing",
            expect![[r##"
                2 cannot run "# nothing": the command is empty
                dalec: error: @1: cannot run the command: the command is empty
            "##]],
        ),
        (
            "echo it's",
            expect![[r#"
                2 cannot run "echo it's": the quote `'` is never closed
                dalec: error: @1: cannot run the command: the quote `'` is never closed
            "#]],
        ),
        (
            "no-such-tool -v",
            expect![[r#"
                2 cannot run "no-such-tool -v": no-such-tool is in none of the directories of PATH (/bin)
                dalec: error: @1: cannot run the command: no-such-tool is in none of the directories of PATH (/bin)
            "#]],
        ),
        (
            "/no/such/tool",
            expect![[r#"
                2 cannot run "/no/such/tool": No such file or directory (os error 2)
                dalec: error: @1: cannot run the command: No such file or directory (os error 2)
            "#]],
        ),
    ] {
        let outcome = step(&command(line), &[("PATH", "/bin")]).outcome;
        expected.assert_eq(&format!("{} {}", outcome.code, outcome.stderr()));
    }
    let outcome = runner(&["step-runner", "/no/step.json", "/tmp"], &[]);
    assert_eq!(outcome.code, 1);
    assert_eq!(
        outcome.stderr(),
        "cannot read the step description /no/step.json: No such file or directory (os error 2)\n"
    );
}

/// The kernel reports a missing interpreter as if the script itself were missing.
#[test]
fn a_missing_interpreter_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("tool");
    fs::write(&script, "#!/no/such/python3 -u\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let stepped = step(&command(script.to_str().unwrap()), &[]);
    assert_eq!(stepped.outcome.code, 2);
    let said = stepped.outcome.stderr();
    assert!(said.contains("needs /no/such/python3, which is not installed"), "{said}");
    assert!(said.contains("add the package that has it to `dependencies.runtime`"), "{said}");
}
