//! `dalec sign` with keys that others hold: the agent of GnuPG, and tokens, for which SoftHSM stands in.

use std::process::Command;

use super::{Place, Run};

const PIN: &str = "12 34%";

/// A token with keys, and a place with what is to be signed.
struct Token {
    place: Place,
    environment: Vec<(&'static str, String)>,
}

impl Token {
    fn new() -> Self {
        let place = Place::new();
        std::fs::create_dir(place.path().join("tokens")).unwrap();
        let folder = place.path().join("tokens").display().to_string();
        place
            .write("softhsm.conf", &format!("directories.tokendir = {folder}\nobjectstore.backend = file\n"));
        let home = place.path().join("gnupg");
        std::fs::create_dir(&home).unwrap();
        let environment = vec![
            ("SOFTHSM2_CONF", place.path().join("softhsm.conf").display().to_string()),
            ("GNUPGHOME", home.display().to_string()),
            ("PIN", PIN.to_owned()),
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("DALEC_PKCS11_MODULE", "/usr/lib/softhsm/libsofthsm2.so".to_owned()),
        ];
        let token = Self { place, environment };
        for label in ["dalec", "other"] {
            token.succeed(
                "softhsm2-util",
                &["--init-token", "--free", "--label", label, "--so-pin", "0000", "--pin", PIN],
            );
        }
        token
    }

    #[track_caller]
    fn succeed(&self, program: &str, args: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.place.path()).envs(self.environment.iter().cloned());
        let output = command.output().unwrap_or_else(|error| panic!("{program} is needed: {error}"));
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {said}");
        said
    }

    /// Puts the private key in the PEM file `file` on the token.
    fn import(&self, file: &str, label: &str, id: &str) {
        let import = ["--import", file, "--token", "dalec", "--pin", PIN, "--label", label, "--id", id];
        self.succeed("softhsm2-util", &import);
    }

    fn sign(&self, args: &[&str]) -> Run {
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.place.run_with(&[&["sign"], args].concat(), &environment, "")
    }

    fn gpg(&self, args: &[&str]) -> String {
        self.succeed("gpg", &[&["--batch", "--pinentry-mode", "loopback", "--passphrase", ""], args].concat())
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let home = self.place.path().join("gnupg").display().to_string();
        let _ = Command::new("gpgconf").args(["--homedir", &home, "--kill", "all"]).output();
    }
}

fn shell(token: &Token, script: &str) -> String {
    token.succeed("sh", &["-ec", script])
}

#[test]
fn windows_programs_are_signed_by_tokens() {
    let token = Token::new();
    shell(
        &token,
        "printf '.globl start\\n.text\\nstart: ret\\n' > x.s && as x.s -o x.o && ld -m i386pep -e start x.o -o x.exe",
    );
    for (kind, id) in [
        ("rsa:2048", "01"),
        ("ec -pkeyopt ec_paramgen_curve:P-256", "02"),
        ("ec -pkeyopt ec_paramgen_curve:P-384", "03"),
    ] {
        shell(
            &token,
            &format!(
                "openssl req -x509 -newkey {kind} -noenc -keyout {id}.key -out {id}.pem -subj /CN={id} -days 9 \
                 -addext extendedKeyUsage=codeSigning && openssl pkcs8 -topk8 -nocrypt -in {id}.key -out {id}.p8"
            ),
        );
        token.import(&format!("{id}.p8"), "code", id);
        let key = format!("pkcs11:token=dalec;id=%{id};type=private");
        let cert = format!("{id}.pem");
        let run =
            token.sign(&["--key", &key, "--cert", &cert, "--passphrase-file", "env:PIN", "-o", id, "x.exe"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(run.stderr.contains(&format!("CN={id}")), "{}", run.stderr);
        token.succeed("osslsigncode", &["verify", "-CAfile", &cert, "-in", &format!("{id}/x.exe")]);
        // A certificate of another key is found out.
        if id == "02" {
            let run =
                token.sign(&["--key", &key, "--cert", "01.pem", "--passphrase-file", "env:PIN", "x.exe"]);
            assert_eq!(run.code, Some(2), "{}", run.stderr);
            assert!(run.stderr.contains("the certificate of CN=01 belongs to another key"), "{}", run.stderr);
        }
    }
}

#[test]
fn an_openpgp_key_may_be_on_a_token() {
    let token = Token::new();
    token.gpg(&["--quick-gen-key", "Wren <wren@example.org>", "rsa2048", "sign", "1y"]);
    shell(&token, "gpg --export > public.gpg");
    // The numbers of a secret key of GnuPG, as a private key for the token.
    token.gpg(&["--output", "secret.gpg", "--export-secret-keys"]);
    let key = std::fs::read(token.place.path().join("secret.gpg")).unwrap();
    std::fs::write(token.place.path().join("key.p8"), rsa_private_key(&key)).unwrap();
    token.import("key.p8", "packages", "0a");
    token.place.write("data", "data\n");
    token.place.write("pin", PIN);
    let pin = token.place.path().join("pin").display().to_string();
    shell(&token, "chmod 600 pin");
    let key = format!("pkcs11:token=dalec;object=packages?pin-source=file:{pin}");
    let run = token.sign(&["--key", &key, "--cert", "public.gpg", "data"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{}", run.stderr);
    assert!(run.stderr.contains("signed data: data.asc"), "{}", run.stderr);
    token.succeed("gpgv", &["--keyring", "./public.gpg", "data.asc", "data"]);
}

/// Returns the private key of an RSA key of GnuPG's, in PEM.
fn rsa_private_key(bytes: &[u8]) -> String {
    use pgp::composed::{Deserializable, SignedSecretKey};
    use pgp::types::{PlainSecretParams, SecretParams};
    use rsa::BigUint;
    use rsa::pkcs8::EncodePrivateKey;
    let key = SignedSecretKey::from_bytes(bytes).unwrap();
    let SecretParams::Plain(PlainSecretParams::RSA(secret)) = key.primary_key.secret_params() else {
        panic!()
    };
    let (_, p, q, _) = secret.to_bytes();
    let [p, q] = [p, q].map(|prime| BigUint::from_bytes_be(&prime));
    let key = rsa::RsaPrivateKey::from_p_q(p, q, BigUint::from(65_537_u32)).unwrap();
    key.to_pkcs8_pem(Default::default()).unwrap().to_string()
}

#[test]
fn the_agent_of_gnupg_signs() {
    let token = Token::new();
    token.gpg(&["--quick-gen-key", "Wren <wren@example.org>", "ed25519", "sign", "1y"]);
    let listed = token.gpg(&["--with-colons", "--list-keys"]);
    let fingerprint =
        listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap()[..40].to_owned();
    shell(&token, "gpg --export > public.gpg");
    token.place.write("data", "data\n");
    let run = token.sign(&["--key", &format!("gpg-agent:{fingerprint}"), "data"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.stderr, format!("signed data: data.asc\nby {fingerprint} (Wren <wren@example.org>)\n"));
    token.succeed("gpgv", &["--keyring", "./public.gpg", "data.asc", "data"]);
    let run = token.sign(&["--key", "gpg-agent:wren@example.org", "data"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("40 hexadecimal digits"), "{}", run.stderr);
    let run = token.sign(&["--key", &format!("gpg-agent:{}", "0".repeat(40)), "data"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(
        run.stderr.contains("cannot sign with the key of gpg-agent")
            && run.stderr.contains("it is not there"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_a_token_refuses_is_explained() {
    let token = Token::new();
    shell(
        &token,
        "openssl req -x509 -newkey rsa:2048 -noenc -keyout k -out cert.pem -subj /CN=x -addext extendedKeyUsage=codeSigning && openssl pkcs8 -topk8 -nocrypt -in k -out k.p8",
    );
    token.import("k.p8", "code", "01");
    token.import("k.p8", "again", "02");
    token.place.write("x.exe", "MZ");
    token.place.write("wrong", "4321");
    shell(&token, "chmod 600 wrong");
    let right = ["--cert", "cert.pem", "--passphrase-file", "env:PIN"];
    let wrong = ["--cert", "cert.pem", "--passphrase-file", "wrong"];
    let locked = ["--cert", "cert.pem"];
    for (key, more, words) in [
        ("pkcs11:token=dalec;object=code", &wrong[..], "the passphrase or PIN is wrong"),
        ("pkcs11:token=dalec;object=code", &locked, "it is locked, and no passphrase or PIN was given"),
        ("pkcs11:token=dalec;object=none", &right, "it is not there"),
        ("pkcs11:token=dalec", &right, "several keys fit: \"code\" (id 01), \"again\" (id 02)"),
        ("pkcs11:token=nowhere;object=code", &right, "there is no token \"nowhere\""),
        ("pkcs11:manufacturer=SoftHSM%20project", &right, "several tokens fit"),
        ("pkcs11:token=dalec;object=code", &right[2..], "--cert FILE is needed"),
        ("pkcs11:tokn=dalec", &right, "it has a part tokn that is not known"),
        (
            "pkcs11:token=dalec;object=code?module-path=/nowhere.so",
            &right,
            "cannot sign with the key on the token",
        ),
    ] {
        let run = token.sign(&[&["--key", key], more, &["x.exe"]].concat());
        let said = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(run.code, Some(2), "{key}: {}", run.stderr);
        assert!(said.contains(words), "{key}: {}", run.stderr);
        assert!(!run.stderr.contains(PIN));
    }
}
