//! `dalec sign` and `dalec verify` for Windows programs. That others accept the signatures is tested in the signer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};

use super::sample::{Width, program};
use super::{Place, Run};

const KEY: &str = include_str!("programs/code.key");
const CERTIFICATE: &str = include_str!("programs/code.pem");
const ROOT: &str = include_str!("programs/root.pem");
const STORE: &[u8] = include_bytes!("programs/code.p12");
const OPENPGP: &str = include_str!("sign/key.asc");
/// 2026-01-01; the certificates are from the day before.
const EPOCH: (&str, &str) = ("SOURCE_DATE_EPOCH", "1767225600");

fn place() -> Place {
    let place = Place::new();
    let write = |name: &str, bytes: &[u8]| {
        let path = place.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    };
    for (name, text) in
        [("code.key", KEY), ("code.pem", CERTIFICATE), ("root.pem", ROOT), ("key.asc", OPENPGP)]
    {
        write(name, text.as_bytes());
    }
    write("code.p12", STORE);
    write("pass", b"sesame\n");
    write("setup.exe", &program(Width::Bits64, b""));
    write("library.dll", &program(Width::Bits32, b"overlay"));
    place
}

#[track_caller]
fn check(run: Run, code: i32, stdout: &str, expected: Expect) {
    expected.assert_eq(&run.stderr);
    assert_eq!((run.code, run.stdout.as_str()), (Some(code), stdout));
}

#[track_caller]
fn verified(run: Run, code: i32, expected: Expect) {
    assert_eq!((run.code, run.stderr.as_str()), (Some(code), ""));
    expected.assert_eq(&run.stdout);
}

fn sign(place: &Place, args: &[&str]) -> Run {
    place.run_with(&[&["sign"], args].concat(), &[EPOCH], "")
}

const WITH_KEY: [&str; 4] = ["--key", "code.key", "--cert", "code.pem"];

#[test]
fn programs_are_signed_and_verified() {
    let place = place();
    let run = sign(&place, &[&WITH_KEY[..], &["setup.exe", "library.dll"]].concat());
    check(
        run,
        0,
        "",
        expect![[r#"
            signed setup.exe
            signed library.dll
            by 5B28B8BE090C51693519A269ADE57A4A0C07D4051CAAD8F358456A8EAF27DD24 (CN=Test programs\, not for use)
        "#]],
    );
    let run = place.run(&["verify", "--ca", "root.pem", "setup.exe", "library.dll"]);
    verified(
        run,
        0,
        expect![[r#"
            setup.exe: valid
              signed by 5B28B8BE090C51693519A269ADE57A4A0C07D4051CAAD8F358456A8EAF27DD24 (CN=Test programs\, not for use) on 2026-01-01T00:00:00Z
                certificate 02 of CN=Test authority\, not for use
            library.dll: valid
              signed by 5B28B8BE090C51693519A269ADE57A4A0C07D4051CAAD8F358456A8EAF27DD24 (CN=Test programs\, not for use) on 2026-01-01T00:00:00Z
                certificate 02 of CN=Test authority\, not for use
        "#]],
    );
    let mut bytes = std::fs::read(place.path().join("setup.exe")).unwrap();
    bytes[0x210] ^= 1;
    std::fs::write(place.path().join("setup.exe"), bytes).unwrap();
    std::fs::write(place.path().join("plain.exe"), program(Width::Bits64, b"")).unwrap();
    place.write("none.exe", "MZ");
    let run = place.run(&["verify", "--ca", "root.pem", "setup.exe", "plain.exe", "none.exe"]);
    verified(
        run,
        1,
        expect![[r#"
            setup.exe: not valid
              signature by 5B28B8BE090C51693519A269ADE57A4A0C07D4051CAAD8F358456A8EAF27DD24 (CN=Test programs\, not for use) on 2026-01-01T00:00:00Z does not count: it does not match the content
                certificate 02 of CN=Test authority\, not for use
            plain.exe: not signed
            none.exe: not valid: it is not a Windows program
        "#]],
    );
    verified(
        place.run(&["verify", "--ca", "code.pem", "library.dll", "--format", "json"]),
        0,
        expect![[r#"
            [
              {
                "file": "library.dll",
                "kind": "pe",
                "status": "valid",
                "signatures": [
                  {
                    "good": true,
                    "certificate": {
                      "fingerprint": "5B28B8BE090C51693519A269ADE57A4A0C07D4051CAAD8F358456A8EAF27DD24",
                      "subject": "CN=Test programs\\, not for use",
                      "issuer": "CN=Test authority\\, not for use",
                      "serial": "02"
                    },
                    "time": "2026-01-01T00:00:00Z"
                  }
                ]
              }
            ]
        "#]],
    );
    std::fs::write(place.path().join("stranger.pem"), include_str!("programs/time.pem")).unwrap();
    verified(
        place.run(&["verify", "--ca", "stranger.pem", "library.dll"]),
        1,
        expect![[r#"
            library.dll: not valid
              signature by 5B28B8BE090C51693519A269ADE57A4A0C07D4051CAAD8F358456A8EAF27DD24 (CN=Test programs\, not for use) on 2026-01-01T00:00:00Z does not count: its certificate does not lead to a trusted one
                certificate 02 of CN=Test authority\, not for use
        "#]],
    );
}

#[test]
fn keys_come_with_certificates_or_as_pkcs12() {
    let place = place();
    let run = sign(&place, &["--key", "code.p12", "--passphrase-file", "pass", "setup.exe"]);
    check(
        run,
        0,
        "",
        expect![[r#"
            signed setup.exe
            by 5B28B8BE090C51693519A269ADE57A4A0C07D4051CAAD8F358456A8EAF27DD24 (CN=Test programs\, not for use)
        "#]],
    );
    let args = ["sign", "--key", "-", "--cert", "code.pem", "--replace", "setup.exe"];
    assert_eq!(place.run_with(&args, &[EPOCH], KEY).code, Some(0));
    let args = ["sign", "--key", "env:CODE", "--replace", "setup.exe"];
    assert_eq!(place.run_with(&args, &[EPOCH, ("CODE", &(KEY.to_owned() + CERTIFICATE))], "").code, Some(0));
    assert_eq!(place.run(&["verify", "--ca", "root.pem", "setup.exe"]).code, Some(0));
}

#[test]
fn keys_that_cannot_sign_are_explained() {
    let place = place();
    let refused =
        |args: &[&str], expected| check(sign(&place, &[args, &["setup.exe"]].concat()), 2, "", expected);
    refused(
        &["--key", "code.p12"],
        expect![[r#"
            error: cannot sign with the key code.p12
             |
             = cause: it is protected by a passphrase
             = help: give its passphrase with --passphrase-file FILE, or --passphrase-file env:NAME
        "#]],
    );
    place.write("wrong", "open\n");
    refused(
        &["--key", "code.p12", "--passphrase-file", "wrong"],
        expect![[r#"
            warning: others can read the passphrase wrong
             |
             = help: chmod 600 wrong
            error: cannot sign with the key code.p12
             |
             = cause: the passphrase does not open it
        "#]],
    );
    refused(
        &["--key", "code.key"],
        expect![[r#"
            error: cannot sign with the key code.key
             |
             = cause: there is no certificate with it
             = help: give it with --cert FILE, those above it included
        "#]],
    );
    refused(
        &["--key", "code.key", "--cert", "root.pem"],
        expect![[r#"
            error: cannot sign with the key code.key
             |
             = cause: the certificate of CN=Test authority\, not for use belongs to another key
             = help: --cert takes the certificate that was made for this key
        "#]],
    );
    refused(
        &["--key", "code.key", "--cert", "absent.pem"],
        expect![[r#"
            error: there is no certificate absent.pem
        "#]],
    );
    refused(
        &["--key", "code.key", "--cert", "pass"],
        expect![[r#"
            error: cannot sign with the key code.key
             |
             = cause: its certificates cannot be read
             = help: certificates are PEM, `-----BEGIN CERTIFICATE-----`, or one in DER
        "#]],
    );
    refused(
        &["--key", "code.pem"],
        expect![[r#"
            error: cannot sign with the key code.pem
             |
             = cause: it is a certificate; signing needs the private key as well
             = help: the certificate goes to --cert, and the private key to --key
        "#]],
    );
    place.write("time.key", include_str!("programs/time.key"));
    place.write("time.pem", include_str!("programs/time.pem"));
    refused(
        &["--key", "time.key", "--cert", "time.pem"],
        expect![[r#"
            warning: others can read the key time.key
             |
             = help: chmod 600 time.key
            error: cannot sign with the key time.key
             |
             = cause: its certificate 03 of CN=Test time\, not for use is not meant for code signing
             = help: who gives out certificates writes extended key usage codeSigning into those for programs
        "#]],
    );
    refused(
        &["--key", "key.asc"],
        expect![[r#"
            error: setup.exe is a Windows program, which an OpenPGP key cannot sign
             |
             = help: give a private key with --key and its certificate with --cert, or PKCS #12; see docs/signing.md
        "#]],
    );
    refused(
        &["--key", "key.asc", "--cert", "code.pem"],
        expect![[r#"
            error: --cert is for Windows programs, and the key key.asc is no key for those
             |
             = help: give a private key in PEM, DER or PKCS #12
        "#]],
    );
    refused(
        &["--key", "key.asc", "--timestamp-url", "http://127.0.0.1:0/"],
        expect![[r#"
            error: --timestamp-url is for Windows programs, and the key key.asc is no key for those
             |
             = help: give a private key in PEM, DER or PKCS #12
        "#]],
    );
    place.write("data", "1");
    check(
        sign(&place, &[&WITH_KEY[..], &["setup.exe", "data"]].concat()),
        2,
        "",
        expect![[r#"
            error: data is no Windows program; it takes an OpenPGP key
             |
             = help: sign programs and other files with a command each
        "#]],
    );
    let args = [&["sign"], &WITH_KEY[..], &["setup.exe"]].concat();
    check(
        place.run_with(&args, &[("SOURCE_DATE_EPOCH", "1000000000")], ""),
        2,
        "",
        expect![[r#"
            error: cannot sign with the key code.key
             |
             = cause: its certificate 02 of CN=Test programs\, not for use is not in force yet, but from 2025-12-31T00:00:00Z on
             = help: where the clock is right, SOURCE_DATE_EPOCH may set another time
        "#]],
    );
    let args = ["verify", "--ca", "pass", "setup.exe"];
    check(
        place.run(&args),
        2,
        "",
        expect![[r#"
            error: cannot use the certificates pass
             |
             = cause: it holds no certificate
        "#]],
    );
    let args = ["verify", "setup.exe"];
    check(
        place.run(&args),
        2,
        "",
        expect![[r#"
            error: the following required arguments were not provided:
              <--keyring <FILE>|--ca <FILE>>

            Usage: dalec verify <--keyring <FILE>|--ca <FILE>> <FILE>...

            For more information, try '--help'.
        "#]],
    );
    assert_eq!(std::fs::read(place.path().join("setup.exe")).unwrap(), program(Width::Bits64, b""));
}

#[test]
fn programs_that_cannot_be_signed_are_explained() {
    let place = place();
    let refused =
        |name: &str, expected| check(sign(&place, &[&WITH_KEY[..], &[name]].concat()), 1, "", expected);
    place.write("none.exe", "MZ");
    refused(
        "none.exe",
        expect![[r#"
            error: none.exe cannot be signed: it is not a Windows program
        "#]],
    );
    assert_eq!(sign(&place, &[&WITH_KEY[..], &["setup.exe"]].concat()).code, Some(0));
    refused(
        "setup.exe",
        expect![[r#"
            error: setup.exe is signed already
             |
             = help: --replace signs it anew
        "#]],
    );
}

/// Answers questions for timestamps with what `openssl ts` says, or with `status` alone.
fn serve(folder: &Path, status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/tsa", listener.local_addr().unwrap());
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(&stream.unwrap(), &folder, status);
        }
    });
    url
}

fn answer(mut stream: &TcpStream, folder: &Path, status: &str) {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut is_question = false;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        is_question |= line == "content-type: application/timestamp-query";
        length = line.strip_prefix("content-length: ").map_or(length, |size| size.parse().unwrap());
    }
    let mut question = vec![0; length];
    reader.read_exact(&mut question).unwrap();
    let mut body = Vec::new();
    if status.starts_with("200") && is_question {
        for (name, text) in [
            ("time.key", include_str!("programs/time.key")),
            ("time.pem", include_str!("programs/time.pem")),
            ("serial", "01\n"),
            ("tsa.cnf", "[tsa]\nserial=serial\nsigner_digest=sha256\ndefault_policy=1.2.3\ndigests=sha256\n"),
        ] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        std::fs::write(folder.join("question"), question).unwrap();
        let args =
            "ts -reply -config tsa.cnf -section tsa -queryfile question -signer time.pem -inkey time.key";
        let output = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
        body = output.stdout;
    }
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
}

#[test]
fn a_service_says_when_programs_were_signed() {
    let place = place();
    let folder = tempfile::tempdir().unwrap();
    let url = serve(folder.path(), "200 OK");
    let run = sign(&place, &[&WITH_KEY[..], &["--timestamp-url", &url, "setup.exe", "library.dll"]].concat());
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{}", run.stderr);
    let run = place.run(&["verify", "--ca", "root.pem", "setup.exe"]);
    assert_eq!(run.code, Some(0));
    let lines: Vec<&str> = run.stdout.lines().collect();
    let [first, _, _, timestamp] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(*first, "setup.exe: valid");
    assert!(timestamp.starts_with("    timestamp 20"), "{timestamp}");
    assert!(timestamp.ends_with(" (CN=Test time\\, not for use)"), "{timestamp}");
}

#[test]
fn without_a_timestamp_nothing_is_signed() {
    let place = place();
    let folder = tempfile::tempdir().unwrap();
    let ask = |url: &str| {
        let mut run = sign(&place, &[&WITH_KEY[..], &["--timestamp-url", url, "setup.exe"]].concat());
        run.stderr = run.stderr.replace(url, "URL");
        run
    };
    check(
        ask("ftp://127.0.0.1/"),
        2,
        "",
        expect![[r#"
            error: URL is no http:// or https:// address
        "#]],
    );
    check(
        ask(&serve(folder.path(), "404 Not Found")),
        1,
        "",
        expect![[r#"
            error: cannot sign setup.exe
             |
             = cause: there is no answer from the timestamp service
             = cause: URL does not exist
        "#]],
    );
    check(
        ask(&serve(folder.path(), "403 Forbidden")),
        1,
        "",
        expect![[r#"
            error: cannot sign setup.exe
             |
             = cause: there is no answer from the timestamp service
             = cause: URL answers with HTTP status 403
        "#]],
    );
    check(
        ask(&serve(folder.path(), "202 Accepted")),
        1,
        "",
        expect![[r#"
            error: cannot sign setup.exe
             |
             = cause: the timestamp service gave an answer that cannot be read
        "#]],
    );
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = ask(&format!("http://{unused}/"));
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("cannot reach URL"), "{}", run.stderr);
    assert_eq!(std::fs::read(place.path().join("setup.exe")).unwrap(), program(Width::Bits64, b""));
}
