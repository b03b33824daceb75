//! The signers' image: in BuildKit as other signers are, and as the signer of a spec on each engine.

use std::sync::OnceLock;

use dalec_e2e::binary::dalec;
use dalec_e2e::buildkit::Buildkit;
use dalec_e2e::layout::Layout;
use dalec_e2e::openpgp::Key;
use dalec_e2e::signers::frontend_image;

use super::signers::{call, packages};

/// Returns the image: our executable, under the name of that part.
fn signer() -> &'static Layout {
    static IMAGE: OnceLock<Layout> = OnceLock::new();
    IMAGE.get_or_init(|| frontend_image(dalec(), "signer", &Buildkit::shared().folder().join("signer")))
}

fn secret(id: &str, key: &Key) -> String {
    format!("id={id},src={}", key.private().display())
}

#[test]
fn packages_are_signed_with_a_key_that_is_a_secret() {
    let (project, key) = (packages(), Key::generate("signer@example.org"));
    let ran = call(&project, signer(), "", &["--secret", &secret("dalec-signing-key", &key)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for name in ["a_1_all.deb", "b_1_all.deb"] {
        key.verifies_deb(&project.path("out").join(name)).unwrap();
        assert!(ran.stderr.contains(&format!("signed {name}")), "{}", ran.stderr);
    }
    assert!(ran.stderr.contains(&format!("by {}", key.fingerprint())), "{}", ran.stderr);
}

#[test]
fn settings_are_followed() {
    let (project, key) = (packages(), Key::generate("signer@example.org"));
    std::fs::write(project.path("in/notes.txt"), "hello\n").unwrap();
    let fingerprint = format!("build-arg:DALEC_SIGN_FINGERPRINT={}", key.fingerprint());
    let secret = secret("mine", &key);
    let more = ["--secret", &secret, "--opt", "build-arg:DALEC_SIGN_KEY_SECRET=mine", "--opt", &fingerprint];
    let time =
        ["--opt", "build-arg:SOURCE_DATE_EPOCH=4102444800", "--opt", "build-arg:DALEC_SIGN_DETACH=binary"];
    let ran = call(&project, signer(), "openpgp", &[&more[..], &time].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // Packages have their signature inside, and were not asked for.
    assert_eq!(project.outputs(), ["a_1_all.deb", "b_1_all.deb", "notes.txt", "notes.txt.sig"]);
    let other = Key::generate("other@example.org");
    let fingerprint = format!("build-arg:DALEC_SIGN_FINGERPRINT={}", other.fingerprint());
    let more = ["--secret", &secret, "--opt", "build-arg:DALEC_SIGN_KEY_SECRET=mine", "--opt", &fingerprint];
    let ran = call(&project, signer(), "deb", &more);
    assert_eq!(ran.code, Some(1));
    let words = format!("the key {} is not one of those that may sign here", key.fingerprint());
    assert!(ran.stderr.contains(&words), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_signed_is_said() {
    let (project, key) = (packages(), Key::generate("signer@example.org"));
    let public = format!("id=dalec-signing-key,src={}", key.public().display());
    let private = secret("dalec-signing-key", &key);
    std::fs::write(project.path("in/tool.exe"), "MZ").unwrap();
    for (mode, more, words) in [
        ("deb", &[][..], "the client gives no secret `dalec-signing-key`"),
        (
            "deb",
            &["--secret", &public],
            "cannot sign with the secret `dalec-signing-key`: it is a public key",
        ),
        ("authenticode", &["--secret", &private], "the client gives no secret `dalec-code-signing-key`"),
        ("rpm", &["--secret", &private], "there is nothing that the signer signs in what was built"),
        ("rpms", &["--secret", &private], "the signer's cmdline has \"rpms\""),
    ] {
        let ran = call(&project, signer(), mode, more);
        assert_eq!(ran.code, Some(1), "{mode}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{mode}: {}", ran.stderr);
    }
}
