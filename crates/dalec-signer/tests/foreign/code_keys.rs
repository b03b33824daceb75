//! Which private keys and certificates sign programs, and why others do not.

use dalec_signer::{CertificateFault, CodeKey, CodeKeyError, KeyMaterial};

use crate::authority::{YEAR, authority, now};
use crate::world::ed25519;

#[track_caller]
fn refused(result: Result<CodeKey, CodeKeyError>) -> CodeKeyError {
    match result {
        Ok(_) => panic!("the key was accepted"),
        Err(error) => error,
    }
}

fn load(key: &[u8], certificates: Option<&[u8]>, passphrase: Option<&str>) -> Result<CodeKey, CodeKeyError> {
    let passphrase = passphrase.map(|text| KeyMaterial::new(text.into()));
    CodeKey::load(&KeyMaterial::new(key.to_vec()), certificates, passphrase.as_ref(), now())
}

#[test]
fn all_forms_of_keys() {
    let authority = authority();
    for name in ["rsa", "p256", "p384"] {
        let expected = authority.key(name).certificate();
        assert_eq!(expected.subject, format!("CN={name},O=Wren"));
        let old = match name {
            "rsa" => format!("rsa -in {name}.key -traditional -out {name}.old"),
            _ => format!("ec -in {name}.key -out {name}.old"),
        };
        authority.openssl(&old);
        authority.openssl(&format!("pkcs8 -topk8 -nocrypt -in {name}.key -outform DER -out {name}.der"));
        let protected = format!("pkcs8 -topk8 -in {name}.key -passout pass:sesame");
        authority.openssl(&format!("{protected} -out {name}.locked"));
        authority.openssl(&format!("{protected} -outform DER -out {name}.locked.der"));
        authority.openssl(&format!("{protected} -v2 des3 -v2prf hmacWithSHA1 -out {name}.locked.des"));
        authority.openssl(&format!("{protected} -scrypt -scrypt_N 1024 -out {name}.locked.scrypt"));
        let certificate = [format!("{name}.pem")];
        let certificate: Vec<&str> = certificate.iter().map(String::as_str).collect();
        for form in ["key", "old", "der"] {
            let key = authority.load(&format!("{name}.{form}"), &certificate, None);
            assert_eq!(key.unwrap().certificate(), expected, "{form}");
        }
        for form in ["locked", "locked.der", "locked.des", "locked.scrypt"] {
            let file = format!("{name}.{form}");
            let open = |passphrase| authority.load(&file, &certificate, passphrase);
            assert_eq!(open(Some("sesame")).unwrap().certificate(), expected, "{form}");
            assert_eq!(refused(open(Some("open"))), CodeKeyError::WrongPassphrase, "{form}");
            assert_eq!(refused(open(None)), CodeKeyError::Locked, "{form}");
        }
        // Key and certificates in one file, in any order, with words between them.
        let words = b"Bag Attributes\n  friendlyName: wren\n".to_vec();
        let all =
            [words, authority.read(&["middle.pem", &format!("{name}.pem"), &format!("{name}.key")])].concat();
        assert_eq!(load(&all, None, None).unwrap().certificate(), expected);
    }
}

#[test]
fn pkcs12_as_openssl_makes_it() {
    let authority = authority();
    for name in ["rsa", "p256", "p384"] {
        let expected = authority.key(name).certificate();
        let export =
            format!("pkcs12 -export -inkey {name}.key -in {name}.pem -certfile middle.pem -name wren");
        for (number, options) in [
            "-passout pass:sesame",
            "-passout pass:sesame -legacy",
            "-passout pass:sesame -keypbe AES-128-CBC -certpbe NONE",
            "-passout pass:sesame -certpbe AES-256-CBC -macalg sha1",
        ]
        .into_iter()
        .enumerate()
        {
            let file = format!("{name}{number}.p12");
            authority.openssl(&format!("{export} {options} -out {file}"));
            let open = |passphrase| authority.load(&file, &[], passphrase);
            assert_eq!(open(Some("sesame")).unwrap().certificate(), expected, "{options}");
            assert_eq!(refused(open(Some("open"))), CodeKeyError::WrongPassphrase, "{options}");
            assert_eq!(refused(open(None)), CodeKeyError::Locked, "{options}");
        }
        authority.openssl(&format!("{export} -passout pass: -out {name}.p12"));
        assert_eq!(authority.load(&format!("{name}.p12"), &[], None).unwrap().certificate(), expected);
    }
    authority.openssl("pkcs12 -export -nokeys -in rsa.pem -passout pass:sesame -out certificates.p12");
    let error = refused(authority.load("certificates.p12", &[], Some("sesame")));
    assert_eq!(error, CodeKeyError::StoreWithoutKey);
    let whole = authority.read(&["rsa.p12"]);
    for length in (8..whole.len()).step_by(7) {
        refused(load(&whole[..length], None, None));
    }
}

#[test]
fn what_is_no_private_key_is_refused() {
    let authority = authority();
    let certificate = authority.read(&["rsa.pem"]);
    let key = authority.read(&["rsa.key"]);
    let refused = |key: &[u8]| refused(load(key, Some(&certificate), None));
    assert_eq!(refused(b""), CodeKeyError::NotAKey);
    assert_eq!(refused(b"no key"), CodeKeyError::NotAKey);
    assert_eq!(refused(b"0\x03\x02\x01"), CodeKeyError::NotAKey);
    assert_eq!(refused(ed25519().public_text().as_bytes()), CodeKeyError::NotAKey);
    assert_eq!(refused(&certificate), CodeKeyError::CertificateOnly);
    assert_eq!(refused(&[key.clone(), key.clone()].concat()), CodeKeyError::Several);
    assert_eq!(refused(&key[..key.len() / 2]), CodeKeyError::NotAKey);
    assert_eq!(
        refused(&vec![b' '; KeyMaterial::LIMIT + 1]),
        CodeKeyError::TooLarge { limit: KeyMaterial::LIMIT }
    );
    authority.openssl("genrsa -out short.key 1024");
    assert_eq!(refused(&authority.read(&["short.key"])), CodeKeyError::Kind);
    authority.openssl("genpkey -algorithm ed25519 -out edwards.key");
    assert_eq!(refused(&authority.read(&["edwards.key"])), CodeKeyError::Kind);
    for curve in ["secp256k1", "secp521r1"] {
        authority.openssl(&format!("ecparam -name {curve} -genkey -noout -out curve.key"));
        assert_eq!(refused(&authority.read(&["curve.key"])), CodeKeyError::Kind, "{curve}");
    }
    authority.openssl("rsa -in rsa.key -traditional -aes128 -passout pass:sesame -out old.locked");
    assert_eq!(refused(&authority.read(&["old.locked"])), CodeKeyError::OldEncryption);
}

#[test]
fn a_key_needs_its_certificate() {
    let authority = authority();
    let load = |certificates: &[&str]| authority.load("rsa.key", certificates, None);
    assert_eq!(refused(load(&[])), CodeKeyError::NoCertificate);
    let other = CodeKeyError::OtherCertificate { subject: "CN=p256,O=Wren".into() };
    assert_eq!(refused(load(&["p256.pem"])), other);
    assert_eq!(refused(load(&["rsa.key"])), CodeKeyError::BadCertificates);
    let cut = authority.read(&["rsa.pem"]);
    let error =
        refused(super::code_keys::load(&authority.read(&["rsa.key"]), Some(&cut[..cut.len() / 2]), None));
    assert_eq!(error, CodeKeyError::BadCertificates);
    authority.openssl("x509 -in rsa.pem -outform DER -out rsa.cer");
    assert!(load(&["rsa.cer"]).is_ok());
}

#[test]
fn a_certificate_has_its_time() {
    let authority = authority();
    let at = |time| {
        let key = KeyMaterial::new(authority.read(&["rsa.key"]));
        CodeKey::load(&key, Some(&authority.read(&["rsa.pem"])), None, time)
    };
    let CodeKeyError::Unfit { certificate, fault } = refused(at(now() + 2 * YEAR)) else { panic!() };
    assert!(matches!(fault, CertificateFault::Expired { at } if at > now()));
    let error = CodeKeyError::Unfit { certificate: certificate.clone(), fault };
    assert_eq!(
        error.to_string(),
        format!("its certificate {} of CN=rsa,O=Wren has expired", certificate.serial)
    );
    let CodeKeyError::Unfit { fault, .. } = refused(at(now() - YEAR)) else { panic!() };
    assert!(matches!(fault, CertificateFault::Early { from } if from <= now()));
}

#[test]
fn keys_are_told_apart() {
    let authority = authority();
    let is_code = |bytes: Vec<u8>| CodeKey::is_meant(&KeyMaterial::new(bytes));
    assert!(is_code(authority.read(&["rsa.key"])));
    assert!(is_code(authority.read(&["rsa.pem"])));
    authority.openssl("pkcs8 -topk8 -nocrypt -in rsa.key -outform DER -out told.der");
    assert!(is_code(authority.read(&["told.der"])));
    assert!(!is_code(ed25519().public_bytes()));
    assert!(!is_code(ed25519().public_text().into_bytes()));
    assert!(!is_code(Vec::new()));
}
