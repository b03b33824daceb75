//! Keys that the agent of GnuPG holds: it signs, and our signatures with it are those that other verifiers accept.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dalec_signer::held::{Agent, Gnupg as Programs, HolderError};
use dalec_signer::{Detached, KeyError, KeyMaterial, Request, SigningKey};
use pgp::types::Timestamp;

use crate::gnupg::Gnupg;
use crate::world::Onlooker;

impl Gnupg {
    fn programs(&self) -> Programs {
        Programs { home: Some(self.home.clone().into()) }
    }

    /// Asks the agent of this home for the key of `certificate`.
    fn held(
        &self,
        certificate: &[u8],
        wanted: Option<&str>,
        passphrase: Option<&str>,
    ) -> Result<SigningKey, KeyError> {
        let programs = self.programs();
        let grips = programs.keygrips(certificate).unwrap();
        let passphrase = passphrase.map(|text| KeyMaterial::new(text.into()));
        let socket = programs.agent_socket().unwrap();
        let agent =
            Agent::connect(&socket, grips, &[("lc-ctype", "C.UTF-8".to_owned())], passphrase).unwrap();
        SigningKey::held(certificate, wanted, &agent, now())
    }

    /// Makes a key by `args` and returns its certificate.
    fn make(&self, kind: &str, usage: &str) -> Vec<u8> {
        self.run(&["--quick-gen-key", "Wren <wren@example.org>", kind, usage, "1y"]);
        self.programs().certificate("wren@example.org").unwrap()
    }

    fn restart(&self) {
        self.place.succeed("gpgconf", &["--homedir", &self.home, "--kill", "all"]);
    }

    fn configure(&self, text: &str) {
        std::fs::write(Path::new(&self.home).join("gpg-agent.conf"), text).unwrap();
        self.restart();
    }
}

fn now() -> u64 {
    Timestamp::now().as_secs().into()
}

#[track_caller]
fn sign(gnupg: &Gnupg, key: &SigningKey, files: &[&str]) {
    let files: Vec<_> = files.iter().map(|name| gnupg.place.path(name)).collect();
    let request = Request {
        files: &files,
        key: dalec_signer::Key::OpenPgp(key),
        time: now(),
        replace: false,
        detached: Detached::Armored,
        output: None,
    };
    dalec_signer::sign(&request, &Onlooker::default()).unwrap();
}

#[track_caller]
fn refused(result: Result<SigningKey, KeyError>) -> HolderError {
    match result.err().expect("the key was taken") {
        KeyError::Held { error, fingerprint } => {
            assert_eq!(fingerprint.len(), 40);
            error
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_agent_signs_with_every_kind_of_key() {
    for kind in ["rsa2048", "ed25519", "nistp256", "nistp384", "nistp521"] {
        let gnupg = Gnupg::new();
        let certificate = gnupg.make(kind, "sign");
        gnupg.place.write("keys.gpg", &certificate);
        gnupg.place.write("data", "1");
        gnupg.place.deb("tiny.deb", "xz");
        let key = gnupg.held(&certificate, None, None).unwrap();
        for number in 0..20 {
            // Leading zeros of a signature's numbers come up now and then.
            let name = format!("data{number}");
            gnupg.place.write(&name, &name);
            sign(&gnupg, &key, &[&name]);
            gnupg.place.succeed("gpgv", &["--keyring", "./keys.gpg", &format!("{name}.asc"), &name]);
        }
        sign(&gnupg, &key, &["tiny.deb"]);
        gnupg.place.succeed("sh", &["-c", "ar p tiny.deb _gpgorigin > sig"]);
        gnupg.place.succeed("sh", &["-c", "ar p tiny.deb debian-binary control.tar.xz data.tar.xz > all"]);
        gnupg.place.succeed("gpgv", &["--keyring", "./keys.gpg", "sig", "all"]);
    }
}

#[test]
fn the_agent_signs_packages_that_rpm_accepts() {
    let gnupg = Gnupg::new();
    let certificate = gnupg.make("rsa2048", "sign");
    gnupg.place.rpm("tiny.rpm");
    gnupg.run(&["--armor", "--output", "key.asc", "--export"]);
    sign(&gnupg, &gnupg.held(&certificate, None, None).unwrap(), &["tiny.rpm"]);
    let rpmkeys = |args: &[&str]| {
        let database = gnupg.place.path("db").display().to_string();
        gnupg.place.succeed("rpmkeys", &[&["--dbpath", &database], args].concat())
    };
    rpmkeys(&["--import", "key.asc"]);
    let said = rpmkeys(&["--define", "_pkgverify_level all", "--checksig", "--verbose", "tiny.rpm"]);
    assert!(said.contains("RSA/SHA256 Signature") && !said.contains("NO"), "{said}");
}

/// The newest signing subkey signs, as for keys in files; a subkey that was asked for signs itself.
#[test]
fn subkeys_are_chosen_as_for_keys_in_files() {
    let gnupg = Gnupg::new();
    gnupg.make("ed25519", "cert");
    let primary = gnupg.fingerprints()[0].clone();
    gnupg.run(&["--quick-add-key", &primary, "ed25519", "sign", "1y"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    gnupg.run(&["--quick-add-key", &primary, "ed25519", "sign", "1y"]);
    let [_, first, second] = gnupg.fingerprints().try_into().unwrap();
    let certificate = gnupg.programs().certificate(&primary).unwrap();
    let chosen = |wanted: Option<&str>| {
        let key = gnupg.held(&certificate, wanted, None)?;
        assert_eq!(key.signer().primary, primary);
        Ok(key.signer().fingerprint.clone())
    };
    assert_eq!(chosen(None).as_ref(), Ok(&second));
    assert_eq!(chosen(Some(&primary)).as_ref(), Ok(&second));
    assert_eq!(chosen(Some(&first)).as_ref(), Ok(&first));
    let stranger = "0".repeat(40);
    assert_eq!(chosen(Some(&stranger)), Err(KeyError::NoPart { fingerprint: stranger }));
    // Without the secret of the newest, the other one that signs does.
    let grips = gnupg.programs().keygrips(&certificate).unwrap();
    let secret = |fingerprint: &str| format!("{}/private-keys-v1.d/{}.key", gnupg.home, grips[fingerprint]);
    std::fs::remove_file(secret(&second)).unwrap();
    gnupg.restart();
    assert_eq!(chosen(None).as_ref(), Ok(&first));
    std::fs::remove_file(secret(&first)).unwrap();
    gnupg.restart();
    assert_eq!(refused(gnupg.held(&certificate, None, None)), HolderError::NoKey);
}

#[test]
fn passphrases_open_keys_of_the_agent() {
    let gnupg = Gnupg::new();
    let common = ["--homedir", &gnupg.home, "--batch", "--pinentry-mode", "loopback"];
    let make =
        ["--passphrase", "100% sesame", "--quick-gen-key", "Wren <wren@example.org>", "ed25519", "sign"];
    gnupg.place.succeed("gpg", &[&common[..], &make].concat());
    let certificate = gnupg.programs().certificate("wren@example.org").unwrap();
    gnupg.place.write("keys.gpg", &certificate);
    gnupg.place.write("data", "1");
    gnupg.configure("pinentry-program /bin/false\n");
    assert_eq!(refused(gnupg.held(&certificate, None, Some("open"))), HolderError::WrongPin);
    assert_eq!(refused(gnupg.held(&certificate, None, None)), HolderError::NoPrompt);
    let key = gnupg.held(&certificate, None, Some("100% sesame")).unwrap();
    sign(&gnupg, &key, &["data"]);
    gnupg.place.succeed("gpgv", &["--keyring", "./keys.gpg", "data.asc", "data"]);
    // Somebody is asked, and says no.
    let pinentry = gnupg.place.write(
        "pinentry",
        "#!/bin/sh\necho OK\nwhile read -r word rest; do case $word in\n\
         GETPIN) echo 'ERR 83886179 Operation cancelled';; BYE) echo OK; exit;; *) echo OK;; esac; done\n",
    );
    std::fs::set_permissions(&pinentry, std::fs::Permissions::from_mode(0o755)).unwrap();
    gnupg.configure(&format!("pinentry-program {}\n", pinentry.display()));
    assert_eq!(refused(gnupg.held(&certificate, None, None)), HolderError::Cancelled);
    // A passphrase that was put into the agent before.
    gnupg.configure("allow-preset-passphrase\npinentry-program /bin/false\n");
    gnupg.programs().agent_socket().unwrap();
    let grip = gnupg.programs().keygrips(&certificate).unwrap().into_values().next().unwrap();
    let preset = format!("PRESET_PASSPHRASE {grip} -1 {}", hex("100% sesame"));
    gnupg.place.succeed("gpg-connect-agent", &["--homedir", &gnupg.home, &preset, "/bye"]);
    gnupg.held(&certificate, None, None).unwrap();
}

#[test]
fn without_an_agent_or_a_key_it_is_said() {
    let gnupg = Gnupg::new();
    assert_eq!(gnupg.programs().certificate("wren@example.org"), Err(HolderError::NoKey));
    let certificate = gnupg.make("ed25519", "sign");
    let other = Gnupg::new();
    assert_eq!(refused(other.held(&certificate, None, None)), HolderError::NoKey);
    let nowhere = gnupg.place.path("nowhere");
    let error = Agent::connect(&nowhere, BTreeMap::new(), &[], None).err().unwrap();
    assert!(matches!(error, HolderError::Unreachable { .. }), "{error}");
    let both = [certificate, other.make("ed25519", "sign")].concat();
    assert_eq!(gnupg.held(&both, None, None).err(), Some(KeyError::SeveralCertificates));
    assert!(gnupg.programs().keygrips(b"no key").is_err());
}

/// Whoever answers in the agent's place is not believed.
#[test]
fn a_signature_by_another_key_is_refused() {
    let gnupg = Gnupg::new();
    let certificate = gnupg.make("ed25519", "sign");
    let other = Gnupg::new();
    let theirs = other.make("ed25519", "sign");
    let grips = |gnupg: &Gnupg, certificate| gnupg.programs().keygrips(certificate).unwrap();
    let fingerprint = grips(&gnupg, &certificate).into_keys().next().unwrap();
    let grip = grips(&other, &theirs).into_values().next().unwrap();
    let socket = other.programs().agent_socket().unwrap();
    let agent = Agent::connect(&socket, [(fingerprint.clone(), grip)].into(), &[], None).unwrap();
    let error = SigningKey::held(&certificate, None, &agent, now()).err();
    assert_eq!(error, Some(KeyError::OtherKey { fingerprint }));
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02X}")).collect()
}
