//! `dalec sign` and `dalec verify` as their users meet them. That others accept the signatures is tested in the signer.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use expect_test::{Expect, expect};

use super::{Place, Run};

const KEY: &str = include_str!("sign/key.asc");
const LOCKED: &str = include_str!("sign/locked.asc");
const PUBLIC: &str = include_str!("sign/public.asc");
/// 2026-01-01.
const EPOCH: (&str, &str) = ("SOURCE_DATE_EPOCH", "1767225600");

fn place() -> Place {
    let place = Place::new();
    for (name, text) in [("key.asc", KEY), ("locked.asc", LOCKED), ("public.asc", PUBLIC), ("data", "data\n")]
    {
        place.write(name, text);
        std::fs::set_permissions(place.path().join(name), PermissionsExt::from_mode(0o600)).unwrap();
    }
    place.write("x.dsc", "Source: x\n");
    place
}

#[track_caller]
fn check(run: Run, code: i32, stdout: &str, expected: Expect) {
    expected.assert_eq(&run.stderr);
    assert_eq!((run.code, run.stdout.as_str()), (Some(code), stdout));
}

fn sign(place: &Place, args: &[&str]) -> Run {
    place.run_with(&[&["sign", "--key", "key.asc"], args].concat(), &[EPOCH], "")
}

#[test]
fn files_are_signed_and_verified() {
    let place = place();
    check(
        sign(&place, &["x.dsc", "data"]),
        0,
        "",
        expect![[r#"
            signed x.dsc
            signed data: data.asc
            by 9CA05612CBEF13FA7640A111095D8ACDB7BC9A07 (Test key, not for use <test@example.org>)
        "#]],
    );
    let verify = |args: &[&str]| place.run(&[&["verify", "--keyring", "public.asc"], args].concat());
    let run = verify(&["x.dsc", "data", "data.asc"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    expect![[r#"
        x.dsc: valid
          signed by 9CA05612CBEF13FA7640A111095D8ACDB7BC9A07 (Test key, not for use <test@example.org>) on 2026-01-01T00:00:00Z
        data: valid
          signed by 9CA05612CBEF13FA7640A111095D8ACDB7BC9A07 (Test key, not for use <test@example.org>) on 2026-01-01T00:00:00Z
        data.asc: valid
          signed by 9CA05612CBEF13FA7640A111095D8ACDB7BC9A07 (Test key, not for use <test@example.org>) on 2026-01-01T00:00:00Z
    "#]]
    .assert_eq(&run.stdout);
    place.write("data", "other\n");
    place.write("y.dsc", "Source: y\n");
    let run = verify(&["data", "y.dsc", "x.dsc"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    expect![[r#"
        data: not valid
          signature by 9CA05612CBEF13FA7640A111095D8ACDB7BC9A07 (Test key, not for use <test@example.org>) on 2026-01-01T00:00:00Z does not count: it does not match the content
        y.dsc: not signed
        x.dsc: valid
          signed by 9CA05612CBEF13FA7640A111095D8ACDB7BC9A07 (Test key, not for use <test@example.org>) on 2026-01-01T00:00:00Z
    "#]]
    .assert_eq(&run.stdout);
    let run = verify(&["data", "y.dsc", "x.dsc", "--format", "json"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    expect![[r#"
        [
          {
            "file": "data",
            "kind": "detached",
            "status": "invalid",
            "signatures": [
              {
                "good": false,
                "fingerprint": "9CA05612CBEF13FA7640A111095D8ACDB7BC9A07",
                "primaryFingerprint": "9CA05612CBEF13FA7640A111095D8ACDB7BC9A07",
                "userId": "Test key, not for use <test@example.org>",
                "time": "2026-01-01T00:00:00Z",
                "reason": "it does not match the content"
              }
            ]
          },
          {
            "file": "y.dsc",
            "kind": "dsc",
            "status": "unsigned",
            "signatures": []
          },
          {
            "file": "x.dsc",
            "kind": "dsc",
            "status": "valid",
            "signatures": [
              {
                "good": true,
                "fingerprint": "9CA05612CBEF13FA7640A111095D8ACDB7BC9A07",
                "primaryFingerprint": "9CA05612CBEF13FA7640A111095D8ACDB7BC9A07",
                "userId": "Test key, not for use <test@example.org>",
                "time": "2026-01-01T00:00:00Z"
              }
            ]
          }
        ]
    "#]]
    .assert_eq(&run.stdout);
}

#[test]
fn the_time_is_all_that_differs() {
    let place = place();
    let signed = |epoch| {
        let args = ["sign", "--key", "key.asc", "--replace", "data"];
        assert_eq!(place.run_with(&args, &[(EPOCH.0, epoch)], "").code, Some(0));
        std::fs::read(place.path().join("data.asc")).unwrap()
    };
    assert_eq!(signed("1767225600"), signed("1767225600"));
    assert_ne!(signed("1767225600"), signed("1767225601"));
    check(
        place.run_with(&["sign", "--key", "key.asc", "data"], &[(EPOCH.0, "yesterday")], ""),
        2,
        "",
        expect![[r#"
            error: SOURCE_DATE_EPOCH is "yesterday", which is no number of seconds since 1970
        "#]],
    );
    check(
        place.run_with(&["sign", "--key", "key.asc", "--replace", "data"], &[(EPOCH.0, "1000000000")], ""),
        2,
        "",
        expect![[r#"
            error: cannot sign with the key key.asc
             |
             = cause: a signature of 2001-09-09T01:46:40Z would be older than the key 9CA05612CBEF13FA7640A111095D8ACDB7BC9A07, which is of 2025-12-31T00:00:00Z
             = help: SOURCE_DATE_EPOCH sets the time of signatures
        "#]],
    );
}

#[test]
fn keys_come_from_variables_and_standard_input_too() {
    let place = place();
    let variables = [EPOCH, ("KEY", LOCKED), ("PASSPHRASE", "sesame")];
    let args = ["sign", "--key", "env:KEY", "--passphrase-file", "env:PASSPHRASE", "data", "-o", "out"];
    assert_eq!(place.run_with(&args, &variables, "").code, Some(0));
    assert!(place.path().join("out/data").exists() && place.path().join("out/data.asc").exists());
    assert!(!place.path().join("data.asc").exists());
    let args = ["sign", "--key", "-", "data", "--detach", "binary"];
    assert_eq!(place.run_with(&args, &[EPOCH], KEY).code, Some(0));
    assert!(place.path().join("data.sig").exists());
    let args = ["sign", "--key", "-", "--passphrase-file", "-", "data"];
    check(
        place.run(&args),
        2,
        "",
        expect![[r#"
            error: standard input can give the key or the passphrase, not both
        "#]],
    );
    check(
        place.run(&["sign", "--key", "env:NOTHING", "data"]),
        2,
        "",
        expect![[r#"
            error: the variable NOTHING for the key is not set
        "#]],
    );
}

#[test]
fn keys_that_cannot_sign_are_explained() {
    let place = place();
    place.write("wrong", "open\n");
    std::fs::set_permissions(place.path().join("wrong"), PermissionsExt::from_mode(0o600)).unwrap();
    let run = |args: &[&str]| place.run_with(&[&["sign", "data", "--key"], args].concat(), &[EPOCH], "");
    check(
        run(&["absent.asc"]),
        2,
        "",
        expect![[r#"
            error: there is no key absent.asc
        "#]],
    );
    check(
        run(&["public.asc"]),
        2,
        "",
        expect![[r#"
            error: cannot sign with the key public.asc
             |
             = cause: it is a public key; signing needs the secret key
             = help: a secret key is what `gpg --armor --export-secret-keys FINGERPRINT` writes
        "#]],
    );
    check(
        run(&["data"]),
        2,
        "",
        expect![[r#"
            error: cannot sign with the key data
             |
             = cause: it is not an OpenPGP secret key
             = help: a secret key is what `gpg --armor --export-secret-keys FINGERPRINT` writes
        "#]],
    );
    check(
        run(&["locked.asc"]),
        2,
        "",
        expect![[r#"
            error: cannot sign with the key locked.asc
             |
             = cause: the key 37C51B818B5EB957C4BA526361684CBE8B60F30F is protected by a passphrase
             = help: give its passphrase with --passphrase-file FILE, or --passphrase-file env:NAME
        "#]],
    );
    check(
        run(&["locked.asc", "--passphrase-file", "wrong"]),
        2,
        "",
        expect![[r#"
            error: cannot sign with the key locked.asc
             |
             = cause: the passphrase does not open the key 37C51B818B5EB957C4BA526361684CBE8B60F30F
        "#]],
    );
    assert!(!place.path().join("data.asc").exists());
}

#[test]
fn a_key_that_others_can_read_is_warned_about() {
    let place = place();
    std::fs::set_permissions(place.path().join("key.asc"), PermissionsExt::from_mode(0o644)).unwrap();
    check(
        sign(&place, &["data"]),
        0,
        "",
        expect![[r#"
            warning: others can read the key key.asc
             |
             = help: chmod 600 key.asc
            signed data: data.asc
            by 9CA05612CBEF13FA7640A111095D8ACDB7BC9A07 (Test key, not for use <test@example.org>)
        "#]],
    );
}

#[test]
fn files_that_cannot_be_signed_are_explained() {
    let place = place();
    place.write("setup.exe", "MZ");
    place.write("x.deb", "no package");
    place.write("x.rpm", "no package");
    place.write("x.changes", "Files:\n 098f6bcd4621d373cade4e832627b4f6 4 misc optional data\n");
    assert_eq!(sign(&place, &["x.dsc"]).code, Some(0));
    let refused = |file: &str, code, expected| check(sign(&place, &["data", file]), code, "", expected);
    refused(
        "setup.exe",
        2,
        expect![[r#"
            error: setup.exe is a Windows program, which an OpenPGP key cannot sign
             |
             = help: give a private key with --key and its certificate with --cert, or PKCS #12; see docs/signing.md
        "#]],
    );
    refused(
        "x.deb",
        1,
        expect![[r#"
            error: x.deb cannot be signed: it is not a Debian package
        "#]],
    );
    refused(
        "x.rpm",
        1,
        expect![[r#"
            error: x.rpm cannot be signed: it is not an RPM package
        "#]],
    );
    refused(
        "x.dsc",
        1,
        expect![[r#"
            error: x.dsc is signed already
             |
             = help: --replace signs it anew
        "#]],
    );
    refused(
        "x.changes",
        1,
        expect![[r#"
            error: x.changes lists data, but that file is another one by now
             |
             = help: sign both with one command, so that the list follows; where that was done, the file is not the one that was built
        "#]],
    );
    refused(
        "absent",
        2,
        expect![[r#"
            error: there is no file absent
        "#]],
    );
    refused(
        ".",
        2,
        expect![[r#"
            error: . is not a file
        "#]],
    );
    refused(
        "data",
        2,
        expect![[r#"
            error: data is given twice
        "#]],
    );
    assert!(!place.path().join("data.asc").exists(), "something was signed");
    place.write("y.sig", "");
    refused(
        "y.sig",
        1,
        expect![[r#"
            error: y.sig is itself a signature
             |
             = help: name the file that it belongs to, with --replace to sign that anew
        "#]],
    );
}

#[test]
fn what_cannot_be_checked_is_explained() {
    let place = place();
    let run = |args: &[&str]| place.run(&[&["verify"], args].concat());
    assert_eq!(run(&["data"]).code, Some(2));
    check(
        run(&["--keyring", "absent.asc", "data"]),
        2,
        "",
        expect![[r#"
            error: there is no keyring absent.asc
        "#]],
    );
    check(
        run(&["--keyring", "data", "data"]),
        2,
        "",
        expect![[r#"
            error: cannot use the keyring data
             |
             = cause: it holds no OpenPGP public key
             = help: a keyring is what `gpg --armor --export` writes
        "#]],
    );
    check(
        run(&["--keyring", "public.asc", "absent"]),
        2,
        "",
        expect![[r#"
            error: there is no file absent
        "#]],
    );
    check(
        run(&["--keyring", "public.asc", "."]),
        2,
        "",
        expect![[r#"
            error: . is not a file
        "#]],
    );
}

/// Neither the key nor the passphrase is in anything that the command says, whatever goes wrong.
#[test]
fn secrets_are_never_said() {
    let place = place();
    let lines: Vec<&str> = LOCKED.lines().chain(KEY.lines()).filter(|line| line.len() > 30).collect();
    let damaged = KEY.replace('a', "b");
    for (key, passphrase) in
        [(LOCKED, "sesame1"), (LOCKED, "sesame"), (damaged.as_str(), "sesame"), (KEY, "sesame")]
    {
        let variables =
            [("KEY", key), ("PASSPHRASE", passphrase), ("RUST_LOG", "trace"), ("RUST_BACKTRACE", "1")];
        let args = ["sign", "--replace", "--key", "env:KEY", "--passphrase-file", "env:PASSPHRASE", "data"];
        let run = place.run_with(&args, &variables, "");
        assert!(run.code.is_some_and(|code| code < 3), "{}", run.stderr);
        let said = run.stdout + &run.stderr;
        let secret = lines.iter().copied().filter(|line| !line.starts_with("-----")).chain(["sesame"]);
        assert_eq!(secret.filter(|secret| said.contains(secret)).collect::<Vec<_>>(), Vec::<&str>::new());
    }
}

#[test]
fn a_key_as_an_argument_is_not_repeated() {
    let place = place();
    for args in [["sign", "data", "--key", KEY], ["sign", "--key", KEY, "data"]] {
        check(
            place.run(&args),
            2,
            "",
            expect![[r#"
                error: --key takes a file, env:NAME or -, and not the key itself
                 |
                 = help: everybody on this machine can read arguments; put it into a variable: --key env:NAME
            "#]],
        );
    }
}

/// A process that holds a key is killed by what makes others dump their memory.
#[test]
fn memory_is_not_dumped() {
    let place = place();
    std::fs::File::create(place.path().join("large")).unwrap().set_len(1 << 36).unwrap();
    let mut child = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -c unlimited; exec \"$0\" sign --key key.asc large",
            env!("CARGO_BIN_EXE_dalec"),
        ])
        .current_dir(place.path())
        .spawn()
        .unwrap();
    let temporary = || {
        let mut entries = std::fs::read_dir(place.path()).unwrap();
        entries.any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with(".dalec-sign-"))
    };
    while !temporary() {
        assert!(child.try_wait().unwrap().is_none(), "it was too fast");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-ABRT", &pid]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!((status.signal(), status.core_dumped()), (Some(libc::SIGABRT), false));
}

#[test]
fn a_keyring_is_read_as_a_whole() {
    let place = place();
    assert_eq!(sign(&place, &["data"]).code, Some(0));
    std::fs::File::options()
        .write(true)
        .open(place.path().join("public.asc"))
        .unwrap()
        .set_len(65 << 20)
        .unwrap();
    check(
        place.run(&["verify", "--keyring", "public.asc", "data"]),
        2,
        "",
        expect![[r#"
            error: cannot read the keyring public.asc
             |
             = cause: file too large
        "#]],
    );
}

#[test]
fn an_interrupted_command_leaves_nothing_behind() {
    let place = place();
    // Takes a while to read, and no room on the disk.
    std::fs::File::create(place.path().join("large")).unwrap().set_len(1 << 36).unwrap();
    let names = || {
        let entries = std::fs::read_dir(place.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let before = names();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_dalec"))
        .args(["sign", "--key", "key.asc", "data", "large"])
        .current_dir(place.path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while names() == before {
        assert!(child.try_wait().unwrap().is_none(), "it was too fast");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "error: signing was cancelled; no file was changed\n");
    assert_eq!(names(), before);
}
