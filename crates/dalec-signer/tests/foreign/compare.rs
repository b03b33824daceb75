//! What a signer returns, held against what was built: other people's signing tools pass, and whoever changes more does not.
//!
//! The contract is rows SIGN-011, SIGN-012 and SIGN-013 of the reference, made stricter: what a signer leaves out is missing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use dalec_signer::compare::{CompareError, Comparison, Signature, compare};
use expect_test::{Expect, expect};

use crate::world::{How, Key, Place, ed25519, find, rsa, tamper};

/// A built tree, `built`, and a copy of it that is signed, `signed`.
struct Trees(Place);

impl Trees {
    /// Builds the files that `build` makes in its working directory.
    fn new(build: impl FnOnce(&Place)) -> Self {
        let place = Place::new();
        build(&place);
        let names = place.names();
        let is_built =
            |name: &&String| !name.starts_with('.') && !["build", "tiny.spec"].contains(&name.as_str());
        for name in names.iter().filter(is_built) {
            fs::create_dir_all(place.path("built")).unwrap();
            fs::rename(place.path(name), place.path("built").join(name)).unwrap();
        }
        let trees = Self(place);
        trees.copy();
        trees
    }

    /// Starts with an unsigned copy.
    fn copy(&self) {
        self.0.succeed("rm", &["-rf", "signed"]);
        self.0.succeed("cp", &["-a", "built", "signed"]);
    }

    fn compare(&self) -> Result<Comparison, CompareError> {
        compare(&self.0.path("built"), &self.0.path("signed"))
    }

    /// Does `change` to a fresh copy, compares, and returns what is said.
    fn said(&self, change: impl FnOnce(&Path)) -> String {
        self.copy();
        change(&self.0.path("signed"));
        match self.compare() {
            Ok(comparison) => text(&comparison),
            Err(error @ CompareError::Different { .. }) => format!("{error}\n"),
            Err(error) => format!("{error}\n").replace(&self.0.path("").display().to_string(), "/"),
        }
    }

    #[track_caller]
    fn check(&self, change: impl FnOnce(&Path), expected: Expect) {
        expected.assert_eq(&self.said(change));
    }
}

/// One line for each file: whether it changed, and where its signatures are.
fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    for artifact in &comparison.artifacts {
        let state = if artifact.before == artifact.after { "same" } else { "signed" };
        text += &format!("{} {} {state}", artifact.kind, artifact.path);
        for signature in &artifact.signatures {
            match signature {
                Signature::OpenPgp { place, hash, .. } => text += &format!(", {place} {hash}"),
                Signature::X509 { subject, hash, .. } => text += &format!(", {subject} {hash}"),
            }
        }
        text += "\n";
    }
    for warning in comparison.warnings() {
        text += &format!("warning: {warning}\n");
    }
    text
}

/// Returns whom the only signature of the only file names.
fn key_of(comparison: &Comparison) -> &str {
    match comparison.artifacts[0].signatures.as_slice() {
        [Signature::OpenPgp { key: Some(key), .. }] => key,
        other => panic!("{other:?}"),
    }
}

/// Each version of rpmsign writes a lead of its own.
#[test]
fn an_older_rpmsign_may_sign_a_newer_package() {
    let trees = Trees::new(|place| drop(place.write("tiny.rpm", crate::rpm::OF_VERSION_6)));
    let home = trees.0.gnupg(rsa());
    let name = format!("_gpg_name {}", rsa().fingerprint());
    let path = format!("_gpg_path {home}");
    let sign = ["--define", &name, "--define", &path, "--define", "__gpg /usr/bin/gpg", "--addsign"];
    trees.0.succeed("rpmsign", &[&sign[..], &["signed/tiny.rpm"]].concat());
    trees.compare().unwrap();
    let _ = trees.0.run("gpgconf", &["--homedir", &home, "--kill", "all"]);
}

#[test]
fn what_we_sign_is_what_was_built() {
    let trees = Trees::new(|place| {
        place.deb("tiny.deb", "xz");
        place.rpm("tiny.rpm");
        place.write("tiny.tar", "data");
        place.write("tiny.dsc", "Source: tiny\nFiles:\n 8d777f385d3dfec8815d20f7496026dc 4 tiny.tar\n");
    });
    for key in [ed25519(), rsa()] {
        trees.copy();
        let all = ["signed/tiny.deb", "signed/tiny.rpm", "signed/tiny.tar", "signed/tiny.dsc"];
        trees.0.sign(key, &all).unwrap();
        let comparison = trees.compare().unwrap();
        expect![[r#"
            deb tiny.deb signed, _gpgorigin SHA256
            dsc tiny.dsc signed, text SHA256
            rpm tiny.rpm signed, signature header SHA256
            file tiny.tar same, tiny.tar.asc SHA256
        "#]]
        .assert_eq(&text(&comparison).replace("SHA512", "SHA256"));
        for artifact in &comparison.artifacts {
            let [Signature::OpenPgp { key: Some(named), time, .. }] = artifact.signatures.as_slice() else {
                panic!("{artifact:?}")
            };
            assert_eq!((named.as_str(), *time), (key.fingerprint(), Some(crate::world::TIME)));
        }
    }
    // What was signed before may be signed anew.
    trees.0.succeed("rm", &["-rf", "built"]);
    trees.0.succeed("cp", &["-a", "signed", "built"]);
    let anew = How { replace: true, ..How::default() };
    trees.0.sign_how(ed25519(), &["signed/tiny.deb", "signed/tiny.rpm"], &anew).unwrap();
    trees.compare().unwrap();
}

/// `debsigs` and `rpmsign` with GnuPG behind them, and GnuPG itself.
#[test]
fn what_other_tools_sign_is_what_was_built() {
    let key = rsa();
    let trees = Trees::new(|place| {
        place.deb("tiny.deb", "gzip");
        place.rpm("tiny.rpm");
        place.write("tiny.changes", "Source: tiny\nArchitecture: all\n");
    });
    let place = &trees.0;
    let home = place.gnupg(key);
    let gpg = ["--homedir", &home, "--batch"];
    let home = format!("GNUPGHOME={home}");
    let name = key.fingerprint();
    let debsigs = [&home, "debsigs", "--sign=maint", "--default-key", name, "signed/tiny.deb"];
    place.succeed("env", &debsigs);
    let sign = ["--define", &format!("_gpg_name {name}"), "--define", "__gpg /usr/bin/gpg", "--rpmv3"];
    place.succeed(
        "env",
        &[&[home.as_str(), "rpmsign"], &sign[..], &["--addsign", "signed/tiny.rpm"]].concat(),
    );
    place.succeed("gpg", &[&gpg[..], &["--armor", "--detach-sign", "signed/tiny.rpm"]].concat());
    place.succeed("gpg", &[&gpg[..], &["--clear-sign", "--output", "text", "signed/tiny.changes"]].concat());
    fs::rename(place.path("text"), place.path("signed/tiny.changes")).unwrap();
    let hash = place.succeed("sh", &["-c", "cd signed && sha256sum tiny.deb"]);
    place.write("hash", hash);
    place.succeed(
        "gpg",
        &[&gpg[..], &["--clear-sign", "--output", "signed/tiny.deb.sha256.asc", "hash"]].concat(),
    );
    let _ = place.run("gpgconf", &["--homedir", &place.path("gnupg").display().to_string(), "--kill", "all"]);
    expect![[r#"
        changes tiny.changes signed, text SHA512
        deb tiny.deb signed, _gpgmaint SHA1, tiny.deb.sha256.asc SHA512
        rpm tiny.rpm signed, signature header SHA512, signature header SHA512, tiny.rpm.asc SHA512
        warning: the signature of tiny.deb rests on SHA1, which distributions refuse
    "#]]
    .assert_eq(&text(&trees.compare().unwrap()));
    // A hash that was signed has to be that of the file.
    tamper(&place.path("signed/tiny.deb.sha256.asc"), 60);
    let error = trees.compare().unwrap_err().to_string();
    assert!(error.contains("tiny.deb.sha256.asc was added, and is no signature"), "{error}");
}

#[test]
fn a_package_with_another_payload_is_told() {
    let trees = Trees::new(|place| {
        place.deb("tiny.deb", "xz");
        place.rpm("tiny.rpm");
    });
    let (deb, rpm) = (trees.0.read("built/tiny.deb"), trees.0.read("built/tiny.rpm"));
    trees.check(
        |signed| tamper(&signed.join("tiny.deb"), deb.len() - 20),
        expect![[r#"
            the signer changed more than signatures:
              tiny.deb: its member data.tar.xz was changed
        "#]],
    );
    trees.check(
        // The time in the header of a member: nobody reads it, and it is no signature.
        |signed| tamper(&signed.join("tiny.deb"), find(&deb, b"control.tar") + 18),
        expect![[r#"
            the signer changed more than signatures:
              tiny.deb: its member control.tar.xz was changed
        "#]],
    );
    trees.check(
        |signed| {
            let mut more = deb.clone();
            more.resize(deb.len().next_multiple_of(2), b'\n');
            more.extend(
                format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "_extra", 0, 0, 0, "100644", 4).bytes(),
            );
            more.extend(b"more");
            fs::write(signed.join("tiny.deb"), more).unwrap();
        },
        expect![[r#"
            the signer changed more than signatures:
              tiny.deb: a member _extra was added
        "#]],
    );
    trees.check(
        |signed| {
            let mut more = deb.clone();
            more.resize(deb.len().next_multiple_of(2), b'\n');
            let header = format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "_gpgorigin", 0, 0, 0, "100644", 4);
            more.extend(header.bytes());
            more.extend(b"none");
            fs::write(signed.join("tiny.deb"), more).unwrap();
        },
        expect![[r#"
            the signer changed more than signatures:
              tiny.deb was damaged: its member _gpgorigin is no signature: it holds no OpenPGP signature
        "#]],
    );
    trees.check(
        |signed| tamper(&signed.join("tiny.rpm"), rpm.len() - 20),
        expect![[r#"
            the signer changed more than signatures:
              tiny.rpm: its payload was changed
        "#]],
    );
    trees.check(
        // The kind of package in the lead.
        |signed| tamper(&signed.join("tiny.rpm"), 7),
        expect![[r#"
            the signer changed more than signatures:
              tiny.rpm: its lead was changed
        "#]],
    );
    // The kind of the second entry of the second header. Rpmbuild writes the machine's name and the time, so that
    // no place from the end of the file is always the same.
    let magic = b"\x8e\xad\xe8\x01";
    let signatures = find(&rpm, magic);
    let header = signatures + 1 + find(&rpm[signatures + 1..], magic);
    trees.check(
        |signed| tamper(&signed.join("tiny.rpm"), header + 16 + 16 + 4),
        expect![[r#"
            the signer changed more than signatures:
              tiny.rpm was damaged: its header is damaged: a value is of no known kind, or cut off
        "#]],
    );
    trees.check(
        |signed| fs::write(signed.join("tiny.rpm"), "not a package").unwrap(),
        expect![[r#"
            the signer changed more than signatures:
              tiny.rpm was damaged: it is not an RPM package
        "#]],
    );
}

/// A package that another tool built anew is another package, even one with the same files in it.
#[test]
fn a_package_that_was_packed_anew_is_told() {
    let trees = Trees::new(|place| {
        place.deb("tiny.deb", "xz");
        place.rpm("tiny.rpm");
    });
    trees.copy();
    trees.0.deb("signed/tiny.deb", "gzip");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    trees.0.rpm("signed/tiny.rpm");
    let error = trees.compare().unwrap_err().to_string();
    assert!(error.contains("tiny.deb: its member data.tar.xz is missing"), "{error}");
    assert!(error.contains("tiny.rpm: its header was changed"), "{error}");
}

#[test]
fn trees_are_compared_whole() {
    let trees = Trees::new(|place| {
        place.write("RPMS/one.txt", "one");
        place.write("SRPMS/two.txt", "two");
        symlink("one.txt", place.path("RPMS/link")).unwrap();
        let tool = place.write("tool", "#!/bin/sh\n");
        fs::set_permissions(tool, fs::Permissions::from_mode(0o755)).unwrap();
    });
    trees.check(
        |_| (),
        expect![[r#"
            file RPMS/one.txt same
            file SRPMS/two.txt same
            file tool same
            warning: the signer returned everything without any signature
        "#]],
    );
    trees.check(
        |signed| fs::remove_dir_all(signed.join("SRPMS")).unwrap(),
        expect![[r#"
            the signer changed more than signatures:
              SRPMS is missing
              SRPMS/two.txt is missing
        "#]],
    );
    trees.check(
        |signed| {
            fs::write(signed.join("RPMS/extra.txt"), "extra").unwrap();
            fs::write(signed.join("RPMS/one.txt.asc"), "extra").unwrap();
            fs::write(signed.join("RPMS/three.txt.asc"), "extra").unwrap();
            fs::create_dir(signed.join("empty")).unwrap();
            fs::write(signed.join("two\u{1b}[2J"), "").unwrap();
        },
        expect![[r#"
            the signer changed more than signatures:
              RPMS/extra.txt was added, and is no signature of a file that was built
              RPMS/one.txt.asc was added, and is no signature: it holds no OpenPGP signature
              RPMS/three.txt.asc was added, and is no signature of a file that was built
              empty was added, and is no signature of a file that was built
              two\u{1b}[2J was added, and is no signature of a file that was built
        "#]],
    );
    trees.check(
        |signed| {
            fs::remove_file(signed.join("RPMS/one.txt")).unwrap();
            symlink("/etc/passwd", signed.join("RPMS/one.txt")).unwrap();
            fs::remove_file(signed.join("RPMS/link")).unwrap();
            symlink("/etc/passwd", signed.join("RPMS/link")).unwrap();
            fs::remove_file(signed.join("tool")).unwrap();
            let pipe = signed.join("tool").display().to_string();
            trees.0.succeed("mkfifo", &[&pipe]);
            fs::write(signed.join("SRPMS/two.txt"), "tow").unwrap();
        },
        expect![[r#"
            the signer changed more than signatures:
              RPMS/link: its target was changed
              RPMS/one.txt was a file and is a symbolic link now
              SRPMS/two.txt: its content was changed
              tool was a file and is a pipe now
        "#]],
    );
    trees.check(
        |signed| {
            let mode = |mode| fs::Permissions::from_mode(mode);
            fs::set_permissions(signed.join("tool"), mode(0o644)).unwrap();
            fs::set_permissions(signed.join("RPMS/one.txt"), mode(0o4755)).unwrap();
            // Who may read and write it is no difference.
            fs::set_permissions(signed.join("SRPMS/two.txt"), mode(0o600)).unwrap();
        },
        expect![[r#"
            the signer changed more than signatures:
              RPMS/one.txt had the mode 0644 and has 4755 now
              tool had the mode 0755 and has 0644 now
        "#]],
    );
    trees.check(
        |signed| fs::File::create(signed.join("tool")).unwrap().set_len(1 << 40).unwrap(),
        expect![[r#"
            the signer changed more than signatures:
              tool has grown by 1099511627766 bytes
        "#]],
    );
    trees.check(
        |signed| (0..100).for_each(|number| fs::write(signed.join(number.to_string()), "").unwrap()),
        expect![[r#"
            there are more than 56 files in /signed
        "#]],
    );
}

#[test]
fn signatures_are_those_of_the_file_beside_them() {
    // Neither name is text, so both look the same.
    let folders = [b"\xfe", b"\xff"].map(|name| Path::new("d").join(OsStr::from_bytes(name)));
    let trees = Trees::new(|place| {
        for folder in &folders {
            fs::create_dir_all(place.path("").join(folder)).unwrap();
            fs::write(place.path("").join(folder).join("x"), "x").unwrap();
        }
    });
    trees.0.write("other", "");
    trees.0.sign(ed25519(), &["other"]).unwrap();
    trees.check(
        |signed| {
            for folder in &folders {
                fs::copy(trees.0.path("other.asc"), signed.join(folder).join("x.asc")).unwrap();
            }
        },
        expect![[r#"
            file d/�/x same, x.asc SHA256
            file d/�/x same, x.asc SHA256
        "#]],
    );
}

/// A list of files follows the packages that were signed, and says nothing else.
#[test]
fn lists_follow_what_they_list() {
    let trees = Trees::new(|place| {
        place.deb("tiny.deb", "xz");
        let hash = place.succeed("sha256sum", &["tiny.deb"]);
        let size = place.read("tiny.deb").len();
        let line = format!(" {} {size} tiny.deb\n", &hash[..64]);
        place.write(
            "tiny.changes",
            format!("Source: tiny\nChecksums-Sha256:\n{line}Distribution: unstable\n"),
        );
    });
    trees.check(
        |signed| {
            trees.0.sign(ed25519(), &["signed/tiny.deb", "signed/tiny.changes"]).unwrap();
            assert!(signed.join("tiny.changes").exists());
        },
        expect![[r#"
            changes tiny.changes signed, text SHA256
            deb tiny.deb signed, _gpgorigin SHA256
        "#]],
    );
    trees.check(
        |signed| {
            let text = fs::read_to_string(signed.join("tiny.changes")).unwrap();
            fs::write(signed.join("tiny.changes"), text.replace("unstable", "stable")).unwrap();
            trees.0.sign(ed25519(), &["signed/tiny.deb", "signed/tiny.changes"]).unwrap();
        },
        expect![[r#"
            the signer changed more than signatures:
              tiny.changes: its text was changed
        "#]],
    );
    trees.check(
        |_| {
            trees.0.sign(ed25519(), &["signed/tiny.deb"]).unwrap();
        },
        expect![[r#"
            changes tiny.changes same
            deb tiny.deb signed, _gpgorigin SHA256
            warning: the signer returned tiny.changes without a signature
        "#]],
    );
}

/// The report is data: it can be written and read again, and names keys as other tools do.
#[test]
fn the_report_is_data() {
    let trees = Trees::new(|place| {
        place.deb("tiny.deb", "xz");
    });
    let key: &Key = rsa();
    trees.0.sign(key, &["signed/tiny.deb"]).unwrap();
    let comparison = trees.compare().unwrap();
    assert_eq!(key_of(&comparison), key.fingerprint());
    let before = trees.0.succeed("sha256sum", &["built/tiny.deb"]);
    let after = trees.0.succeed("sha256sum", &["signed/tiny.deb"]);
    let json = serde_json::to_string_pretty(&comparison).unwrap();
    let shown = json
        .replace(&before[..64], "BEFORE")
        .replace(&after[..64], "AFTER")
        .replace(key.fingerprint(), "KEY");
    expect![[r#"
        {
          "artifacts": [
            {
              "path": "tiny.deb",
              "kind": "deb",
              "before": "BEFORE",
              "after": "AFTER",
              "signatures": [
                {
                  "type": "openpgp",
                  "place": "_gpgorigin",
                  "key": "KEY",
                  "hash": "SHA256",
                  "time": 1767225600
                }
              ]
            }
          ]
        }"#]]
    .assert_eq(&shown);
    assert_eq!(serde_json::from_str::<Comparison>(&json).unwrap(), comparison);
}
