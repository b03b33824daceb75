//! `.dsc`, `.changes`, `.buildinfo`: accepted by `dscverify` and `gpgv`.

use dalec_signer::{SignError, Verdict};

use crate::world::{How, Place, ed25519, keys, rsa, tamper};

const DSC: &str = "\
Format: 3.0 (native)
Source: tiny
Version: 1.0
- a line that needs an escape, which no real one has
Trailing: white space \t
Checksums-Sha256:
 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 4 tiny_1.0.tar.xz
Files:
 098f6bcd4621d373cade4e832627b4f6 4 tiny_1.0.tar.xz
";

#[test]
fn gpgv_accepts_what_we_sign_and_nothing_else() {
    for key in keys() {
        let place = Place::new();
        place.write("keys.gpg", key.public_bytes());
        place.write("tiny_1.0.tar.xz", "test");
        for name in ["tiny_1.0.dsc", "tiny_1.0.changes", "tiny_1.0.buildinfo"] {
            let path = place.write(name, DSC);
            place.sign(key, &[name]).unwrap();
            place.succeed("gpgv", &["--keyring", "./keys.gpg", name]);
            place.expect_valid(key, name);
            let text = String::from_utf8(place.read(name)).unwrap();
            assert!(text.contains("\n- - a line that"), "{text}");
            tamper(&path, text.find("Source").unwrap());
            place.fail("gpgv", &["--keyring", "./keys.gpg", name]);
            assert_eq!(place.verify(key, name).verdict, Verdict::Invalid);
        }
    }
}

/// What GnuPG signs as debsign does, we accept; and what we sign has the same text in the same places.
#[test]
fn text_signed_by_gnupg_is_accepted_and_looks_the_same() {
    let place = Place::new();
    place.write("tiny.dsc", DSC);
    place.write("secret.asc", ed25519().secret.to_armored_string(Default::default()).unwrap());
    let home = place.path("gnupg");
    std::fs::create_dir(&home).unwrap();
    let home = home.display().to_string();
    let gpg = ["--homedir", &home, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""];
    place.succeed("gpg", &[&gpg[..], &["--import", "secret.asc"]].concat());
    // debsign adds a line break before it signs.
    place.write("padded", format!("{DSC}\n"));
    place.succeed("gpg", &[&gpg[..], &["--output", "theirs.dsc", "--clearsign", "padded"]].concat());
    let _ = place.run("gpgconf", &["--homedir", &home, "--kill", "all"]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let report = dalec_signer::verify(&place.path("theirs.dsc"), &ed25519().keyring(), now).unwrap();
    assert_eq!(report.verdict, Verdict::Valid, "{report:?}");
    place.sign(ed25519(), &["tiny.dsc"]).unwrap();
    let theirs = String::from_utf8(place.read("theirs.dsc")).unwrap();
    let ours = String::from_utf8(place.read("tiny.dsc")).unwrap();
    let head = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("Hash: "));
        lines.take_while(|line| !line.contains("BEGIN PGP SIGNATURE")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(head(&ours), head(&theirs));
}

#[test]
fn a_signature_is_kept_or_replaced_on_request() {
    let place = Place::new();
    place.write("tiny.dsc", DSC);
    place.sign(ed25519(), &["tiny.dsc"]).unwrap();
    let once = place.read("tiny.dsc");
    let error = place.sign(rsa(), &["tiny.dsc"]).unwrap_err();
    assert!(matches!(error, SignError::AlreadySigned { .. }), "{error}");
    place.sign_how(rsa(), &["tiny.dsc"], &How { replace: true, ..How::default() }).unwrap();
    place.expect_valid(rsa(), "tiny.dsc");
    place.sign_how(ed25519(), &["tiny.dsc"], &How { replace: true, ..How::default() }).unwrap();
    assert!(place.read("tiny.dsc") == once, "signing again is not the same as signing once");
}

/// A whole upload, made by Debian's own tools from a source tree of nearly nothing.
fn upload() -> Place {
    let place = Place::new();
    place.write(
        "tiny-1.0/debian/control",
        "\
Source: tiny
Section: misc
Priority: optional
Maintainer: Wren <wren@example.org>
Standards-Version: 4.6.2

Package: tiny
Architecture: all
Description: Nearly nothing
 at all.
",
    );
    let changelog = "tiny (1.0) unstable; urgency=low\n\n  * New.\n\n -- Wren <wren@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n";
    place.write("tiny-1.0/debian/changelog", changelog);
    place.write("tiny-1.0/debian/source/format", "3.0 (native)\n");
    place.succeed("dpkg-source", &["--build", "tiny-1.0"]);
    place.deb("tiny_1.0_all.deb", "xz");
    place.write("tiny-1.0/debian/files", "tiny_1.0_all.deb misc optional\n");
    let at = |command: &str| place.succeed("sh", &["-c", &format!("cd tiny-1.0 && {command}")]);
    at("dpkg-genbuildinfo -O../tiny_1.0_all.buildinfo");
    at("echo 'tiny_1.0_all.buildinfo misc optional' >> debian/files");
    at("dpkg-genchanges -O../tiny_1.0_all.changes");
    place.write("keys.gpg", ed25519().public_bytes());
    place
}

const UPLOAD: [&str; 4] =
    ["tiny_1.0_all.changes", "tiny_1.0_all.deb", "tiny_1.0.dsc", "tiny_1.0_all.buildinfo"];
const DSCVERIFY: [&str; 4] = ["--no-conf", "--no-default-keyrings", "--keyring", "./keys.gpg"];

#[test]
fn dscverify_accepts_a_whole_upload() {
    let place = upload();
    let changes = [&DSCVERIFY[..], &UPLOAD[..1]].concat();
    place.fail("dscverify", &changes);
    let signed = place.sign(ed25519(), &UPLOAD).unwrap();
    // In the order given, whatever the order of work.
    let names: Vec<_> = signed.iter().map(|signed| signed.path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, UPLOAD);
    place.succeed("dscverify", &changes);
    place.succeed("dscverify", &[&DSCVERIFY[..], &["tiny_1.0.dsc"]].concat());
    for name in UPLOAD {
        place.expect_valid(ed25519(), name);
    }
    let list = String::from_utf8(place.read("tiny_1.0_all.changes")).unwrap();
    let size = place.read("tiny_1.0_all.deb").len();
    assert_eq!(list.matches(&format!(" {size} ")).count(), 3, "{list}");
    tamper(&place.path("tiny_1.0_all.deb"), 100);
    place.fail("dscverify", &changes);
    let report = place.verify(ed25519(), "tiny_1.0_all.changes");
    assert!(matches!(report.verdict, Verdict::Broken(_)), "{report:?}");
}

#[test]
fn an_upload_can_be_signed_again_or_elsewhere() {
    let place = upload();
    place.sign(ed25519(), &UPLOAD).unwrap();
    let once: Vec<_> = UPLOAD.iter().map(|name| place.read(name)).collect();
    let replace = How { replace: true, ..How::default() };
    place.sign_how(rsa(), &UPLOAD, &replace).unwrap();
    place.expect_valid(rsa(), UPLOAD[0]);
    let elsewhere = How { output: Some(place.path("signed")), ..replace };
    place.sign_how(ed25519(), &UPLOAD, &elsewhere).unwrap();
    for (name, once) in UPLOAD.iter().zip(once) {
        assert!(place.read(&format!("signed/{name}")) == once, "{name} differs");
        place.expect_valid(rsa(), name);
    }
}

/// The package was signed first and the list was left behind: its hash is that of the package without its signature.
#[test]
fn a_list_that_was_left_behind_catches_up() {
    let place = upload();
    place.sign(ed25519(), &["tiny_1.0_all.deb"]).unwrap();
    let error = place.sign(ed25519(), &["tiny_1.0_all.changes"]).unwrap_err();
    let SignError::Stale { listed, .. } = &error else { panic!("{error}") };
    assert_eq!(listed, "tiny_1.0_all.deb");
    place.sign_how(ed25519(), &UPLOAD, &How { replace: true, ..How::default() }).unwrap();
    place.succeed("dscverify", &[&DSCVERIFY[..], &UPLOAD[..1]].concat());
}

/// A package that is not the one that was built is not blessed by bringing its hash up to date.
#[test]
fn another_package_is_not_let_in() {
    let place = upload();
    place.deb("tiny_1.0_all.deb", "gzip");
    let before: Vec<_> = UPLOAD.iter().map(|name| place.read(name)).collect();
    let error = place.sign(ed25519(), &UPLOAD).unwrap_err();
    assert!(matches!(error, SignError::Stale { .. }), "{error}");
    let after: Vec<_> = UPLOAD.iter().map(|name| place.read(name)).collect();
    assert!(before == after, "something was written");
}
