//! Signatures beside files: accepted by `gpgv`.

use dalec_signer::{Detached, SignError, Verdict};

use crate::world::{How, Place, ed25519, keys, tamper};

#[test]
fn gpgv_accepts_both_looks_and_nothing_else() {
    for key in keys() {
        let place = Place::new();
        place.write("keys.gpg", key.public_bytes());
        let data = place.write("data.tar", vec![7; 1_000_001]);
        place.sign(key, &["data.tar"]).unwrap();
        let binary = How { detached: Detached::Binary, ..How::default() };
        place.sign_how(key, &["data.tar"], &binary).unwrap();
        assert_eq!(place.names(), ["data.tar", "data.tar.asc", "data.tar.sig", "keys.gpg"]);
        for name in ["data.tar", "data.tar.asc", "data.tar.sig"] {
            place.expect_valid(key, name);
        }
        for name in ["data.tar.asc", "data.tar.sig"] {
            place.succeed("gpgv", &["--keyring", "./keys.gpg", name, "data.tar"]);
        }
        tamper(&data, 500_000);
        place.fail("gpgv", &["--keyring", "./keys.gpg", "data.tar.asc", "data.tar"]);
        assert_eq!(place.verify(key, "data.tar").verdict, Verdict::Invalid);
    }
}

#[test]
fn names_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.tar");
    let path = place.write("x", "x").with_file_name(name);
    std::fs::write(&path, "x").unwrap();
    let request = dalec_signer::Request {
        files: std::slice::from_ref(&path),
        key: (&ed25519().signing).into(),
        time: crate::world::TIME,
        replace: false,
        detached: Detached::Armored,
        output: None,
    };
    dalec_signer::sign(&request, &crate::world::Onlooker::default()).unwrap();
    let report = dalec_signer::verify(&path, &ed25519().keyring(), crate::world::TIME).unwrap();
    assert_eq!(report.verdict, Verdict::Valid);
}

#[test]
fn a_signature_is_kept_or_replaced_on_request() {
    let place = Place::new();
    place.write("data", "1");
    place.sign(ed25519(), &["data"]).unwrap();
    place.write("data", "2");
    let error = place.sign(ed25519(), &["data"]).unwrap_err();
    assert!(matches!(error, SignError::AlreadySigned { .. }), "{error}");
    assert_eq!(place.verify(ed25519(), "data").verdict, Verdict::Invalid);
    place.sign_how(ed25519(), &["data"], &How { replace: true, ..How::default() }).unwrap();
    place.expect_valid(ed25519(), "data");
}

#[test]
fn an_output_directory_gets_data_and_signature() {
    let place = Place::new();
    place.write("data", "1");
    let output = Some(place.path("new/signed"));
    place.sign_how(ed25519(), &["data"], &How { output, ..How::default() }).unwrap();
    assert_eq!(place.names(), ["data", "new"]);
    place.expect_valid(ed25519(), "new/signed/data");
}
