//! A real signature by code that is not ours, with a key that is a secret of the build, judged by Debian's verifier.

use std::fs;

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::openpgp::Key;
use dalec_e2e::run::Project;
use dalec_e2e::signers::plain_signer;
use serde_json::Value;

use crate::spec::{SIGNER, build, package};

on_both_engines!(the_verifier_of_debian_accepts_it, a_signature_beside_the_package_by_another_program);
against_buildkit!(the_verifier_of_debian_accepts_it, a_signature_beside_the_package_by_another_program);

/// Returns a project that is signed with the secret `signing-key`, which is `key`.
///
/// Secrets are no part of what a step is known by: without another argument for another key, the signer's step is not run
/// again, and the package of an earlier test comes back with that test's signature.
pub fn signed(key: &Key) -> Project {
    package(&format!(
        "package_config:\n  signer:\n    image: {SIGNER}\n    cmdline: sign\n    args:\n      SIGNER_SECRETS: signing-key\n      \
         SIGNER_KEY: {}\n",
        key.fingerprint()
    ))
}

/// Builds with `key` and returns the signed package.
pub fn sign(engine: Engine, project: &Project, key: &Key) -> Vec<u8> {
    let secret = format!("id=signing-key,src={}", key.private().display());
    build(engine, project).args(["--secret", &secret, "--metadata-file", "metadata.json"]).succeeds();
    fs::read(project.output(".deb")).expect("it is there")
}

fn the_verifier_of_debian_accepts_it(engine: Engine) {
    let (key, other) = (Key::generate("a@example.org"), Key::generate("b@example.org"));
    let project = signed(&key);
    let package = sign(engine, &project, &key);
    key.verifies_deb(&project.output(".deb")).unwrap();
    assert!(other.verifies_deb(&project.output(".deb")).is_err(), "it was somebody else");
    let mut tampered = package.clone();
    let middle = tampered.len() / 2;
    tampered[middle] ^= 1;
    project.write("tampered.deb", tampered);
    assert!(key.verifies_deb(&project.path("tampered.deb")).is_err(), "it was changed afterwards");
    let metadata: Value = serde_json::from_slice(&fs::read(project.path("metadata.json")).unwrap()).unwrap();
    let text = metadata.to_string();
    let signing = match engine {
        Engine::Inside => {
            let signing = metadata["frontend.dalec.signing"].as_str().expect("the client was told");
            assert_eq!(serde_json::from_str::<Value>(signing).unwrap()["compared"], true);
            signing
        }
        _ => &text,
    };
    let fingerprint = key.fingerprint();
    assert!(signing.contains(&fingerprint.to_lowercase()) || signing.contains(fingerprint), "{metadata}");
    assert!(!text.contains("PRIVATE KEY"));
}

/// A frontend in Python that is on no library of BuildKit's, in an image with GnuPG. It puts files beside the packages, and
/// those come back with them.
fn a_signature_beside_the_package_by_another_program(engine: Engine) {
    let key = Key::generate("a@example.org");
    let project = package(&format!(
        "package_config:\n  signer:\n    image: {SIGNER}\n    args:\n      SIGNER_KEY: {}\n",
        key.fingerprint()
    ));
    let build = engine.build(&project, "bookworm/deb");
    let build = build.arg(format!("--build-context={SIGNER}={}", plain_signer().context()));
    build.args(["--secret", &format!("id=signing-key,src={}", key.private().display())]).succeeds();
    key.verifies_beside(&project.output(".deb")).unwrap();
}
