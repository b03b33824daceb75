//! `.deb`: accepted by `debsig-verify`, and nothing but the signature is new.

use dalec_signer::{Kind, SignError, Verdict};

use crate::world::{How, Key, Place, ed25519, find, rsa, rsa_subkey, tamper};

/// Writes a policy that trusts `key` alone, under the fingerprint that signatures name.
fn policy(place: &Place, key: &Key) -> [String; 4] {
    let id = key.fingerprint();
    let rule = format!(r#"<Required Type="origin" File="keys.gpg" id="{id}"/>"#);
    let text = format!(
        r#"<?xml version="1.0"?>
<!DOCTYPE Policy SYSTEM "https://www.debian.org/debsig/1.0/policy.dtd">
<Policy xmlns="https://www.debian.org/debsig/1.0/">
  <Origin Name="Wren" id="{id}" Description="Tests"/>
  <Selection>{rule}</Selection>
  <Verification MinOptional="0">{rule}</Verification>
</Policy>
"#
    );
    place.write(&format!("policies/{id}/wren.pol"), text);
    place.write(&format!("keyrings/{id}/keys.gpg"), key.public_bytes());
    let path = |name: &str| place.path(name).display().to_string();
    ["--policies-dir".into(), path("policies"), "--keyrings-dir".into(), path("keyrings")]
}

fn args<'a>(policy: &'a [String; 4], name: &'a str) -> Vec<&'a str> {
    policy.iter().map(String::as_str).chain([name]).collect()
}

#[test]
fn debsig_verify_accepts_what_we_sign_and_nothing_else() {
    for key in [ed25519(), rsa()] {
        for compression in ["xz", "gzip", "zstd", "none"] {
            let place = Place::new();
            let policy = policy(&place, key);
            let deb = place.deb("tiny.deb", compression);
            place.fail("debsig-verify", &args(&policy, "tiny.deb"));
            let signed = place.sign(key, &["tiny.deb"]).unwrap();
            assert_eq!((signed[0].kind, &signed[0].written), (Kind::Deb, &vec![deb.clone()]));
            place.succeed("debsig-verify", &args(&policy, "tiny.deb"));
            place.expect_valid(key, "tiny.deb");
            place.succeed("dpkg-deb", &["--info", "tiny.deb"]);
            // The first byte of the data archive.
            let data = find(&place.read("tiny.deb"), b"data.tar") + 60;
            tamper(&deb, data);
            place.fail("debsig-verify", &args(&policy, "tiny.deb"));
            assert_eq!(place.verify(key, "tiny.deb").verdict, Verdict::Invalid);
        }
    }
}

#[test]
fn a_package_keeps_all_of_its_bytes() {
    let place = Place::new();
    place.deb("tiny.deb", "xz");
    let before = place.read("tiny.deb");
    place.sign(ed25519(), &["tiny.deb"]).unwrap();
    let after = place.read("tiny.deb");
    assert_eq!(after[..before.len()], before);
    assert_eq!(&after[before.len()..before.len() + 16], b"_gpgorigin      ");
    // The same input, key and time give the same output.
    place.write("tiny.deb", &before);
    place.sign(ed25519(), &["tiny.deb"]).unwrap();
    assert!(place.read("tiny.deb") == after, "signing is not reproducible");
}

#[test]
fn a_signature_is_kept_or_replaced_on_request() {
    let place = Place::new();
    place.deb("tiny.deb", "xz");
    let before = place.read("tiny.deb");
    place.sign(ed25519(), &["tiny.deb"]).unwrap();
    let once = place.read("tiny.deb");
    let error = place.sign(rsa(), &["tiny.deb"]).unwrap_err();
    assert!(matches!(error, SignError::AlreadySigned { .. }), "{error}");
    assert!(place.read("tiny.deb") == once, "a refusal changed the file");
    place.sign_how(rsa(), &["tiny.deb"], &How { replace: true, ..How::default() }).unwrap();
    place.expect_valid(rsa(), "tiny.deb");
    assert_eq!(place.read("tiny.deb")[..before.len()], before);
    place.succeed("debsig-verify", &args(&policy(&place, rsa()), "tiny.deb"));
}

#[test]
fn a_package_without_signature_is_said_to_have_none() {
    let place = Place::new();
    place.deb("tiny.deb", "xz");
    let report = place.verify(ed25519(), "tiny.deb");
    assert_eq!((report.verdict, report.findings), (Verdict::Unsigned, Vec::new()));
}

/// A second pair of eyes: `ar` takes the package apart, and `gpgv` checks.
#[test]
fn the_signature_is_over_the_three_members() {
    for key in [ed25519(), rsa(), rsa_subkey()] {
        let place = Place::new();
        place.deb("tiny.deb", "xz");
        place.sign(key, &["tiny.deb"]).unwrap();
        place.expect_valid(key, "tiny.deb");
        place.succeed("sh", &["-c", "ar p tiny.deb debian-binary control.tar.xz data.tar.xz > covered"]);
        place.succeed("sh", &["-c", "ar p tiny.deb _gpgorigin > signature.sig"]);
        place.write("keys.gpg", key.public_bytes());
        place.succeed("gpgv", &["--keyring", "./keys.gpg", "signature.sig", "covered"]);
    }
}

/// `debsig-verify` compares what a signature names with primary keys only, which is why `dalec sign` warns. When this
/// test fails, that is over.
#[test]
fn debsig_verify_does_not_know_subkeys() {
    let place = Place::new();
    place.deb("tiny.deb", "xz");
    place.sign(rsa_subkey(), &["tiny.deb"]).unwrap();
    let said = place.fail("debsig-verify", &args(&policy(&place, rsa_subkey()), "tiny.deb"));
    assert!(said.contains("No applicable policy"), "{said}");
}
