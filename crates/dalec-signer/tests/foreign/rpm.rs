//! `.rpm`: accepted by `rpmkeys --checksig`, and nothing but the signature header is new.

use dalec_signer::{SignError, Verdict};
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::types::KeyDetails;

use crate::world::{How, Key, Place, ed25519, find, generate, keys, params, rsa, rsa_subkey, said, tamper};

/// Makes a package, and an rpm database that trusts `key` alone.
fn place(key: &Key) -> Place {
    let place = Place::new();
    place.rpm("tiny.rpm");
    place.write("key.asc", key.public_text());
    rpmkeys(&place, &["--import", "key.asc"]).unwrap();
    place
}

fn rpmkeys(place: &Place, args: &[&str]) -> Result<String, String> {
    let database = place.path("db").display().to_string();
    let output = place.run("rpmkeys", &[&["--dbpath", &database], args].concat());
    match output.status.success() {
        true => Ok(said(&output)),
        false => Err(said(&output)),
    }
}

/// Asks for a signature, too: without one, a package with right digests is good enough for rpm.
fn check(place: &Place) -> Result<String, String> {
    let said = rpmkeys(place, &["--define", "_pkgverify_level all", "--checksig", "--verbose", "tiny.rpm"])?;
    match said.contains("Signature, key ID") && !said.contains("NOT") {
        true => Ok(said),
        false => Err(said),
    }
}

#[test]
fn rpmkeys_accepts_what_we_sign_and_nothing_else() {
    for key in keys() {
        let place = place(key);
        check(&place).unwrap_err();
        assert_eq!(place.verify(key, "tiny.rpm").verdict, Verdict::Unsigned);
        let before = place.read("tiny.rpm");
        place.sign(key, &["tiny.rpm"]).unwrap();
        let said = check(&place).unwrap();
        let kind = match key.secret.primary_key.algorithm() {
            PublicKeyAlgorithm::RSA => "RSA/SHA",
            _ => "EdDSA/SHA",
        };
        assert!(said.contains(kind), "{said}");
        let id = key.fingerprint()[32..].to_lowercase();
        assert!(said.contains(&id), "{said}");
        place.expect_valid(key, "tiny.rpm");
        place.succeed("rpm", &["-qlp", "tiny.rpm"]);
        // rpmbuild reserves space: the package keeps its size, its header and its payload.
        let after = place.read("tiny.rpm");
        assert_eq!(after.len(), before.len());
        let header = 96 + find(&before[96..], b"tiny\0") - 8;
        assert!(after[header..] == before[header..], "more than the signature header changed");
        for at in [header + 20, after.len() - 10] {
            tamper(&place.path("tiny.rpm"), at);
            check(&place).unwrap_err();
            let report = place.verify(key, "tiny.rpm");
            assert!(!matches!(report.verdict, Verdict::Valid | Verdict::Unsigned), "{report:?}");
            tamper(&place.path("tiny.rpm"), at);
        }
        check(&place).unwrap();
    }
}

/// A package as rpm 6 makes it: `rpmbuild -bb` of version 6.1 wrote it.
pub const OF_VERSION_6: &[u8] = include_bytes!("tiny-6.rpm");

/// Such a package names other digests, and has its signature at the place for such packages as well.
#[test]
fn packages_of_version_6_are_signed_for_old_and_new_programs() {
    for key in keys() {
        let place = place(key);
        place.write("tiny.rpm", OF_VERSION_6);
        place.sign(key, &["tiny.rpm"]).unwrap();
        check(&place).unwrap();
        assert_eq!(place.verify(key, "tiny.rpm").findings.len(), 2);
        place.expect_valid(key, "tiny.rpm");
        let signed = place.read("tiny.rpm");
        assert_eq!(signed.len(), OF_VERSION_6.len());
        tamper(&place.path("tiny.rpm"), signed.len() - 10);
        check(&place).unwrap_err();
        assert!(matches!(place.verify(key, "tiny.rpm").verdict, Verdict::Broken(_)));
    }
}

/// Packages signed by rpm's own tool, with GnuPG behind it, are accepted.
#[test]
fn what_rpmsign_signs_is_accepted() {
    for key in [rsa(), ed25519()] {
        let place = place(key);
        let home = place.gnupg(key);
        let name = format!("_gpg_name {}", key.fingerprint());
        let path = format!("_gpg_path {home}");
        let unsigned = place.read("tiny.rpm");
        for mode in [&[][..], &["--rpmv3"][..]] {
            place.write("tiny.rpm", &unsigned);
            let sign = ["--define", &name, "--define", &path, "--define", "__gpg /usr/bin/gpg", "--resign"];
            place.succeed("rpmsign", &[&sign[..], mode, &["tiny.rpm"]].concat());
            check(&place).unwrap();
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            let report = dalec_signer::verify(&place.path("tiny.rpm"), &key.keyring(), now).unwrap();
            assert_eq!(report.verdict, Verdict::Valid, "{report:?}");
            assert_eq!(report.findings.len(), 1 + mode.len());
        }
        let error = place.sign(key, &["tiny.rpm"]).unwrap_err();
        assert!(matches!(error, SignError::AlreadySigned { .. }), "{error}");
        // All of theirs make room.
        place.sign_how(key, &["tiny.rpm"], &How { replace: true, ..How::default() }).unwrap();
        check(&place).unwrap();
        assert_eq!(place.verify(key, "tiny.rpm").findings.len(), 1);
        let _ = place.run("gpgconf", &["--homedir", &home, "--kill", "all"]);
    }
}

#[test]
fn a_signature_is_kept_or_replaced_on_request() {
    let place = place(rsa());
    place.sign(rsa(), &["tiny.rpm"]).unwrap();
    let once = place.read("tiny.rpm");
    let error = place.sign(rsa(), &["tiny.rpm"]).unwrap_err();
    assert!(matches!(error, SignError::AlreadySigned { .. }), "{error}");
    let replace = How { replace: true, ..How::default() };
    place.sign_how(rsa_subkey(), &["tiny.rpm"], &replace).unwrap();
    check(&place).unwrap_err();
    place.sign_how(ed25519(), &["tiny.rpm"], &replace).unwrap();
    place.sign_how(rsa(), &["tiny.rpm"], &replace).unwrap();
    check(&place).unwrap();
    assert!(place.read("tiny.rpm") == once, "signing again is not the same as signing once");
}

#[test]
fn keys_that_rpm_does_not_know_are_refused() {
    use pgp::composed::KeyType;
    let place = place(rsa());
    let key = Key::new(generate(&params(KeyType::ECDSA(pgp::crypto::ecc_curve::ECCCurve::P256), true)));
    let error = place.sign(&key, &["tiny.rpm"]).unwrap_err();
    assert!(matches!(error, SignError::RpmKey { .. }), "{error}");
}

#[test]
fn a_damaged_package_is_not_signed() {
    let place = place(rsa());
    let length = place.read("tiny.rpm").len();
    tamper(&place.path("tiny.rpm"), length - 10);
    let error = place.sign(rsa(), &["tiny.rpm"]).unwrap_err();
    assert_eq!(error.to_string().rsplit(": ").next(), Some("its payload does not match its digest"));
}

/// Turns a package into one as rpm made them before 4.14: its header says nothing about the payload.
fn make_old(place: &Place) {
    let mut bytes = place.read("tiny.rpm");
    let header = 96 + find(&bytes[96..], b"tiny\0") - 8;
    // The magic of the second header stands before its index.
    let header = bytes[..header].windows(4).rposition(|window| window == [0x8e, 0xad, 0xe8, 1]).unwrap();
    let number = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (entries, store) = (number(&bytes, header + 8), number(&bytes, header + 12));
    let payload = header + 16 + entries * 16 + store;
    let digests = |bytes: &[u8]| {
        use md5::Digest as _;
        use sha2::Digest as _;
        let over = &bytes[header..payload];
        let texts = [hex::encode(sha1::Sha1::digest(over)), hex::encode(sha2::Sha256::digest(over))];
        let all = md5::Md5::digest(&bytes[header..]).to_vec();
        texts.into_iter().map(String::into_bytes).chain([all]).collect::<Vec<_>>()
    };
    let before = digests(&bytes);
    for entry in 0..entries {
        let at = header + 16 + entry * 16;
        if (5092..=5097).contains(&number(&bytes, at)) {
            let unknown = number(&bytes, at) as u32 + 900_000;
            bytes[at..at + 4].copy_from_slice(&unknown.to_be_bytes());
        }
    }
    for (before, after) in before.iter().zip(digests(&bytes)) {
        let at = find(&bytes, before);
        bytes[at..at + after.len()].copy_from_slice(&after);
    }
    place.write("tiny.rpm", bytes);
}

#[test]
fn old_packages_get_a_signature_over_their_payload_too() {
    for key in keys() {
        let place = place(key);
        make_old(&place);
        place.sign(key, &["tiny.rpm"]).unwrap();
        let said = check(&place).unwrap();
        assert_eq!(said.matches(" Signature, key ID").count(), 2, "{said}");
        assert!(!said.contains("Payload SHA256"), "{said}");
        place.expect_valid(key, "tiny.rpm");
        let end = place.read("tiny.rpm").len() - 10;
        tamper(&place.path("tiny.rpm"), end);
        check(&place).unwrap_err();
        assert_eq!(place.verify(key, "tiny.rpm").verdict, Verdict::Invalid);
    }
}

/// Whatever byte of header or payload is changed, and wherever the package is cut off: no panic, no good signature.
#[test]
fn no_flipped_bit_goes_unnoticed() {
    let place = place(ed25519());
    place.sign(ed25519(), &["tiny.rpm"]).unwrap();
    let path = place.path("tiny.rpm");
    let good = place.read("tiny.rpm");
    // The magic of the second header stands before its index.
    let name = 96 + find(&good[96..], b"tiny\0");
    let header = good[..name].windows(4).rposition(|window| window == [0x8e, 0xad, 0xe8, 1]).unwrap();
    // The reserved space is nothing but zeros, which nobody reads.
    let used = |at: &usize| *at >= header || good[*at] != 0 || at.is_multiple_of(64);
    for at in (0..good.len()).filter(used) {
        tamper(&path, at);
        let verdict = place.verify(ed25519(), "tiny.rpm").verdict;
        assert!(at < header || verdict != Verdict::Valid, "byte {at}");
        tamper(&path, at);
    }
    for length in (0..good.len()).step_by(13) {
        place.write("tiny.rpm", &good[..length]);
        assert_ne!(
            place.verify(ed25519(), "tiny.rpm").verdict,
            Verdict::Valid,
            "cut off after {length} bytes"
        );
    }
}
