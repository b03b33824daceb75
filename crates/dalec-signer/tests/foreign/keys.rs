//! Which secret keys sign, and why others do not.

use std::time::Duration;

use dalec_signer::{
    Algorithm, Fault, KeyError, KeyMaterial, Keyring, NewKey, SignError, SignatureFault, SigningKey, Unfit,
    Verdict,
};
use pgp::composed::{ArmorOptions, KeyType, SignedSecretKey, SubkeyParamsBuilder};
use pgp::packet::{SecretKey, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{KeyDetails, Password, Tag, Timestamp};

use crate::gnupg::Gnupg;
use crate::world::{Key, Place, TIME, day_before, ed25519, generate, load, material, params, rsa_subkey};

#[track_caller]
fn refused(result: Result<SigningKey, KeyError>) -> KeyError {
    match result {
        Ok(_) => panic!("the key was accepted"),
        Err(error) => error,
    }
}

#[track_caller]
fn unfit(secret: &SignedSecretKey) -> Unfit {
    match refused(load(secret)) {
        KeyError::Unfit { unfit, .. } => unfit,
        other => panic!("{other}"),
    }
}

#[test]
fn keys_may_be_text_or_bytes() {
    let bytes = KeyMaterial::new(ed25519().secret.to_bytes().unwrap());
    let key = SigningKey::load(&bytes, None, TIME).unwrap();
    assert_eq!(key.signer(), ed25519().signing.signer());
    assert_eq!(key.signer().user_id.as_deref(), Some("Wren <wren@example.org>"));
}

#[test]
fn the_signing_subkey_signs_where_there_is_one() {
    let key = rsa_subkey();
    assert_ne!(key.fingerprint(), key.primary());
    assert_eq!(ed25519().fingerprint(), ed25519().primary());
}

#[test]
fn what_is_no_secret_key_is_refused() {
    let load = |bytes: &[u8]| refused(SigningKey::load(&KeyMaterial::new(bytes.to_vec()), None, TIME));
    assert_eq!(load(b""), KeyError::NotAKey);
    assert_eq!(load(b"no key"), KeyError::NotAKey);
    assert_eq!(load(&[0xc5, 0xff, 0xff, 0xff, 0xff, 0xff, 4]), KeyError::NotAKey);
    assert_eq!(load(ed25519().public_text().as_bytes()), KeyError::PublicOnly);
    assert_eq!(load(&ed25519().public_bytes()), KeyError::PublicOnly);
    let two = [ed25519().secret.to_bytes().unwrap(), rsa_subkey().secret.to_bytes().unwrap()].concat();
    assert_eq!(load(&two), KeyError::Several);
    let armored = |key: &Key| key.secret.to_armored_string(ArmorOptions::default()).unwrap();
    assert_eq!(load((armored(ed25519()) + &armored(rsa_subkey())).as_bytes()), KeyError::Several);
    let cut = ed25519().secret.to_bytes().unwrap();
    assert_eq!(load(&cut[..40]), KeyError::NotAKey);
    assert_eq!(load(&vec![0; KeyMaterial::LIMIT + 1]), KeyError::TooLarge { limit: KeyMaterial::LIMIT });
}

/// Whoever can change the file, but not read it, could otherwise have signatures made that tell about the secret.
#[test]
fn a_secret_that_belongs_to_another_key_does_not_sign() {
    let mut secret = ed25519().secret.clone();
    let other = generate(&params(KeyType::Ed25519Legacy, true));
    let public = secret.primary_key.public_key().clone();
    secret.primary_key = SecretKey::new(public, other.primary_key.secret_params().clone()).unwrap();
    let fingerprint = ed25519().fingerprint().to_owned();
    assert_eq!(refused(load(&secret)), KeyError::Useless { fingerprint });
}

/// What `cat one.asc two.asc` makes.
#[test]
fn a_keyring_may_be_several_texts() {
    let place = Place::new();
    place.write("data", "1");
    place.sign(ed25519(), &["data"]).unwrap();
    let mut keyring = Keyring::default();
    keyring.add((rsa_subkey().public_text() + &ed25519().public_text()).as_bytes()).unwrap();
    let report = dalec_signer::verify(&place.path("data"), &keyring, TIME).unwrap();
    assert_eq!(report.verdict, Verdict::Valid, "{report:?}");
}

#[test]
fn a_passphrase_opens_a_key_once() {
    let mut secret = ed25519().secret.clone();
    secret.primary_key.set_password(rand::thread_rng(), &Password::from("sesame")).unwrap();
    let fingerprint = ed25519().fingerprint().to_owned();
    let load = |passphrase: Option<&str>| {
        let passphrase = passphrase.map(|text| KeyMaterial::new(text.into()).without_line_break());
        SigningKey::load(&material(&secret), passphrase.as_ref(), TIME)
    };
    assert_eq!(refused(load(None)), KeyError::Locked { fingerprint: fingerprint.clone() });
    assert_eq!(refused(load(Some("open"))), KeyError::WrongPassphrase { fingerprint });
    let signing = load(Some("sesame\n")).unwrap();
    let place = Place::new();
    place.write("data", "1");
    place.sign(&Key { secret, signing }, &["data"]).unwrap();
    place.expect_valid(ed25519(), "data");
}

#[test]
fn keys_for_other_uses_are_refused() {
    assert_eq!(unfit(&generate(&params(KeyType::Ed25519Legacy, false))), Unfit::NotForSigning);
}

#[test]
fn weak_keys_are_refused() {
    let gnupg = Gnupg::new();
    gnupg.run(&["--quick-gen-key", "Wren <wren@example.org>", "rsa1024", "sign", "1y"]);
    gnupg.run(&["--output", "key.asc", "--armor", "--export-secret-keys"]);
    assert!(matches!(refused(gnupg.load("key.asc")), KeyError::Unfit { unfit: Unfit::Weak, .. }));
}

/// Returns `secret` with one more statement about itself, of so many seconds after now.
fn restated(secret: &SignedSecretKey, later: u32, subpackets: Vec<SubpacketData>) -> SignedSecretKey {
    let mut secret = secret.clone();
    let primary = &secret.primary_key;
    let mut config = SignatureConfig::v4(SignatureType::CertPositive, primary.algorithm(), key_hash());
    let created = Timestamp::from_secs(Timestamp::now().as_secs() + later);
    let own = [
        SubpacketData::SignatureCreationTime(created),
        SubpacketData::IssuerFingerprint(primary.fingerprint()),
    ];
    config.hashed_subpackets =
        own.into_iter().chain(subpackets).map(|data| Subpacket::regular(data).unwrap()).collect();
    let user = &secret.details.users[0];
    let signature = config
        .sign_certification(primary, primary.public_key(), &Password::empty(), Tag::UserId, &user.id)
        .unwrap();
    secret.details.users[0].signatures.push(signature);
    secret
}

/// What holds a key together on SHA-1 could have been said by somebody else; GnuPG still takes it, rpm and apt do not.
#[test]
fn keys_that_rest_on_sha1_are_refused_until_they_are_renewed() {
    let gnupg = Gnupg::new();
    let old = ["--cert-digest-algo", "SHA1", "--quick-gen-key", "Wren <wren@example.org>", "rsa2048"];
    gnupg.run(&[&old[..], &["sign", "1y"]].concat());
    gnupg.run(&["--output", "key.asc", "--armor", "--export-secret-keys"]);
    gnupg.run(&["--output", "public.asc", "--armor", "--export"]);
    let KeyError::Unfit { unfit: Unfit::WeaklyBound, fingerprint } = refused(gnupg.load("key.asc")) else {
        panic!("refused for another reason")
    };
    // What it signs does not count either.
    gnupg.place.write("data", "1");
    gnupg.run(&["--armor", "--detach-sign", "data"]);
    let fault = || {
        let mut keyring = Keyring::default();
        keyring.add(&gnupg.place.read("public.asc")).unwrap();
        let now = Timestamp::now().as_secs().into();
        dalec_signer::verify(&gnupg.place.path("data"), &keyring, now).unwrap().findings[0].fault
    };
    assert_eq!(fault(), Some(Fault::Signature(SignatureFault::Unfit(Unfit::WeaklyBound))));
    std::thread::sleep(Duration::from_secs(1));
    gnupg.run(&["--cert-digest-algo", "SHA512", "--quick-set-expire", &fingerprint, "2y"]);
    gnupg.run(&["--output", "renewed.asc", "--armor", "--export-secret-keys"]);
    gnupg.run(&["--yes", "--output", "public.asc", "--armor", "--export"]);
    gnupg.load("renewed.asc").unwrap();
    assert_eq!(fault(), None);
}

#[test]
fn subkeys_that_rest_on_a_broken_hash_are_refused() {
    use pgp::crypto::hash::HashAlgorithm;
    let good = rsa_subkey().secret.clone();
    for (hash, back) in [
        (HashAlgorithm::Sha1, HashAlgorithm::Sha256),
        (HashAlgorithm::Md5, HashAlgorithm::Sha256),
        (HashAlgorithm::Sha256, HashAlgorithm::Sha1),
    ] {
        let mut secret = good.clone();
        let (primary, subkey) = (&secret.primary_key, &secret.secret_subkeys[0].key);
        let of = |kind, hash, by: pgp::types::Fingerprint, more: Vec<SubpacketData>| {
            let mut config = SignatureConfig::v4(kind, primary.algorithm(), hash);
            let own =
                [SubpacketData::SignatureCreationTime(day_before()), SubpacketData::IssuerFingerprint(by)];
            config.hashed_subpackets =
                own.into_iter().chain(more).map(|data| Subpacket::regular(data).unwrap()).collect();
            config
        };
        let back = of(SignatureType::KeyBinding, back, subkey.fingerprint(), vec![])
            .sign_primary_key_binding(subkey, subkey.public_key(), &Password::empty(), primary.public_key())
            .unwrap();
        let mut flags = pgp::packet::KeyFlags::default();
        flags.set_sign(true);
        let more = vec![SubpacketData::KeyFlags(flags), SubpacketData::EmbeddedSignature(Box::new(back))];
        let binding = of(SignatureType::SubkeyBinding, hash, primary.fingerprint(), more)
            .sign_subkey_binding(primary, primary.public_key(), &Password::empty(), subkey.public_key())
            .unwrap();
        secret.secret_subkeys[0].signatures = vec![binding];
        assert_eq!(unfit(&secret), Unfit::WeaklyBound, "{hash}");
    }
}

fn key_hash() -> pgp::crypto::hash::HashAlgorithm {
    pgp::crypto::hash::HashAlgorithm::Sha256
}

fn ends_after(seconds: u64) -> SubpacketData {
    SubpacketData::KeyExpirationTime(Duration::from_secs(seconds).try_into().unwrap())
}

#[test]
fn expired_keys_are_refused_and_their_signatures_do_not_count() {
    let ended = restated(&ed25519().secret, 60, vec![ends_after(3600)]);
    assert_eq!(unfit(&ended), Unfit::Expired { at: u64::from(day_before().as_secs()) + 3600 });
    // Still in force, but not for long; then a signature that was good is good no more.
    let ending = Key::new(restated(&ed25519().secret, 60, vec![ends_after(86_400 + 30)]));
    let place = Place::new();
    place.write("data", "1");
    place.sign(&ending, &["data"]).unwrap();
    let at = |now| dalec_signer::verify(&place.path("data"), &ending.keyring(), now).unwrap();
    assert_eq!(at(TIME).verdict, Verdict::Valid);
    assert_eq!(at(TIME + 60).verdict, Verdict::Invalid);
    assert_eq!(
        at(TIME + 60).findings[0].fault,
        Some(Fault::Signature(SignatureFault::Unfit(Unfit::Expired { at: TIME + 30 })))
    );
    // A later statement without an end takes the end back.
    let endless = restated(&ended, 120, vec![]);
    assert!(load(&endless).is_ok());
}

#[test]
fn revoked_keys_are_refused_and_their_signatures_do_not_count() {
    let place = Place::new();
    place.write("data", "1");
    place.sign(ed25519(), &["data"]).unwrap();
    let mut secret = ed25519().secret.clone();
    let primary = &secret.primary_key;
    let mut config = SignatureConfig::v4(SignatureType::KeyRevocation, primary.algorithm(), key_hash());
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(day_before())).unwrap(),
        Subpacket::regular(SubpacketData::IssuerFingerprint(primary.fingerprint())).unwrap(),
    ];
    let revocation = config.sign_key(primary, &Password::empty(), primary.public_key()).unwrap();
    secret.details.revocation_signatures.push(revocation);
    assert_eq!(unfit(&secret), Unfit::Revoked);
    // An older copy in the same keyring does not save it.
    let mut keyring = ed25519().keyring();
    keyring
        .add(secret.to_public_key().to_armored_string(ArmorOptions::default()).unwrap().as_bytes())
        .unwrap();
    let report = dalec_signer::verify(&place.path("data"), &keyring, TIME).unwrap();
    assert_eq!(report.findings[0].fault, Some(Fault::Signature(SignatureFault::Unfit(Unfit::Revoked))));
}

/// The primary key stays at home: GnuPG leaves a mark where it was.
#[test]
fn a_subkey_alone_is_enough_and_a_key_elsewhere_is_not() {
    let gnupg = Gnupg::new();
    gnupg.run(&["--quick-gen-key", "Wren <wren@example.org>", "ed25519", "sign", "1y"]);
    gnupg.run(&["--output", "whole.asc", "--armor", "--export-secret-keys"]);
    let primary = gnupg.load("whole.asc").unwrap().signer().fingerprint.clone();
    gnupg.run(&["--output", "mark.asc", "--armor", "--export-secret-subkeys"]);
    assert_eq!(refused(gnupg.load("mark.asc")), KeyError::NoSecret { fingerprint: primary.clone() });
    gnupg.run(&["--quick-add-key", &primary, "ed25519", "sign", "1y"]);
    gnupg.run(&["--output", "subkey.asc", "--armor", "--export-secret-subkeys"]);
    let key = gnupg.load("subkey.asc").unwrap();
    assert_eq!(key.signer().primary, primary);
    assert_ne!(key.signer().fingerprint, primary);
}

/// GnuPG takes a key that was made here, and sees in it what was asked for.
#[test]
fn a_key_made_here_is_one_that_gnupg_knows() {
    for (algorithm, name) in [(Algorithm::Ed25519, "22"), (Algorithm::Rsa4096, "1")] {
        let gnupg = Gnupg::new();
        let passphrase = KeyMaterial::new(b"sesame".to_vec());
        let created = u64::from(Timestamp::now().as_secs());
        let new = NewKey {
            user_id: "Wren <wren@example.org>",
            algorithm,
            created,
            lifetime: Some(86_400),
            passphrase: Some(&passphrase),
        };
        let made = dalec_signer::generate(&new).unwrap();
        std::fs::write(gnupg.place.path("key.asc"), made.secret.bytes()).unwrap();
        gnupg.run(&["--import", "key.asc"]);
        let home = ["--homedir", &gnupg.home, "--batch", "--with-colons", "--list-secret-keys"];
        let listed = gnupg.place.succeed("gpg", &home);
        let fields: Vec<&str> =
            listed.lines().find(|line| line.starts_with("sec:")).unwrap().split(':').collect();
        let ends = (created + 86_400).to_string();
        assert_eq!((fields[3], fields[6], fields[11]), (name, ends.as_str(), "scSC"), "{listed}");
        assert!(listed.contains(&format!("fpr:::::::::{}:", made.signer.fingerprint)), "{listed}");
        let loaded = SigningKey::load(&made.secret, Some(&passphrase), created);
        assert_eq!(*loaded.unwrap().signer(), made.signer);
    }
}

#[test]
fn a_signing_subkey_that_ended_is_not_replaced_by_its_primary_key() {
    let mut subkey = SubkeyParamsBuilder::default();
    subkey.key_type(KeyType::Ed25519Legacy).can_sign(true).created_at(day_before());
    let mut params = params(KeyType::Ed25519Legacy, true);
    let mut secret = generate(params.subkeys(vec![subkey.build().unwrap()]));
    assert_ne!(load(&secret).unwrap().signer().fingerprint, load(&secret).unwrap().signer().primary);
    let subkey = &mut secret.secret_subkeys[0];
    let mut config =
        SignatureConfig::v4(SignatureType::SubkeyRevocation, secret.primary_key.algorithm(), key_hash());
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(day_before())).unwrap(),
        Subpacket::regular(SubpacketData::IssuerFingerprint(secret.primary_key.fingerprint())).unwrap(),
    ];
    let public = secret.primary_key.public_key();
    let revocation = config
        .sign_subkey_binding(&secret.primary_key, public, &Password::empty(), subkey.key.public_key())
        .unwrap();
    subkey.signatures.push(revocation);
    assert_eq!(unfit(&secret), Unfit::Revoked);
}

#[test]
fn a_signature_is_not_older_than_its_key() {
    let place = Place::new();
    let data = place.write("data", "1");
    let request = dalec_signer::Request {
        files: &[data],
        key: (&ed25519().signing).into(),
        time: 0,
        replace: false,
        detached: dalec_signer::Detached::Armored,
        output: None,
    };
    let error = dalec_signer::sign(&request, &crate::world::Onlooker::default()).unwrap_err();
    assert!(matches!(error, SignError::Key(KeyError::OlderThanKey { time: 0, .. })), "{error}");
}
