//! What the tests share: keys, a place for files, packages of nearly nothing, and running programs.

use std::cell::RefCell;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use dalec_signer::{
    Algorithm, Detached, KeyMaterial, Keyring, NewKey, Report, Request, SignError, Signed, SigningKey,
    Verdict, Watch,
};
use pgp::composed::{
    ArmorOptions, Deserializable, KeyType, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey,
    SubkeyParamsBuilder,
};
use pgp::ser::Serialize;
use tempfile::TempDir;

/// The time of signatures in most tests; keys are made a day before.
pub const TIME: u64 = 1_767_225_600;

/// A key that is made for the tests.
pub struct Key {
    pub secret: SignedSecretKey,
    pub signing: SigningKey,
}

impl Key {
    pub fn new(secret: SignedSecretKey) -> Self {
        let signing = load(&secret).expect("the key is good");
        Self { secret, signing }
    }

    pub fn public(&self) -> SignedPublicKey {
        self.secret.to_public_key()
    }

    pub fn public_text(&self) -> String {
        self.public().to_armored_string(ArmorOptions::default()).unwrap()
    }

    pub fn public_bytes(&self) -> Vec<u8> {
        self.public().to_bytes().unwrap()
    }

    pub fn keyring(&self) -> Keyring {
        let mut keyring = Keyring::default();
        keyring.add(self.public_text().as_bytes()).unwrap();
        keyring
    }

    pub fn fingerprint(&self) -> &str {
        &self.signing.signer().fingerprint
    }

    pub fn primary(&self) -> &str {
        &self.signing.signer().primary
    }
}

pub fn load(secret: &SignedSecretKey) -> Result<SigningKey, dalec_signer::KeyError> {
    SigningKey::load(&material(secret), None, TIME)
}

pub fn material(secret: &SignedSecretKey) -> KeyMaterial {
    KeyMaterial::new(secret.to_armored_string(ArmorOptions::default()).unwrap().into_bytes())
}

pub fn day_before() -> pgp::types::Timestamp {
    pgp::types::Timestamp::from_secs(u32::try_from(TIME).unwrap() - 86_400)
}

/// Returns what makes a key `kind` with the uses given, made a day before the signatures.
pub fn params(kind: KeyType, can_sign: bool) -> SecretKeyParamsBuilder {
    let mut params = SecretKeyParamsBuilder::default();
    params
        .key_type(kind)
        .can_sign(can_sign)
        .can_certify(true)
        .created_at(day_before())
        .primary_user_id("Wren <wren@example.org>".to_owned());
    params
}

pub fn generate(params: &SecretKeyParamsBuilder) -> SignedSecretKey {
    params.build().unwrap().generate(rand::thread_rng()).unwrap()
}

pub fn ed25519() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::new(generate(&params(KeyType::Ed25519Legacy, true))))
}

pub fn rsa() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| Key::new(generate(&params(KeyType::Rsa(2048), true))))
}

/// An RSA key whose primary key only certifies: a subkey signs.
pub fn rsa_subkey() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| {
        let mut subkey = SubkeyParamsBuilder::default();
        subkey.key_type(KeyType::Rsa(2048)).can_sign(true).created_at(day_before());
        let mut params = params(KeyType::Rsa(2048), false);
        Key::new(generate(params.subkeys(vec![subkey.build().unwrap()])))
    })
}

/// A key that our own command made.
pub fn made_here() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(|| {
        let made = dalec_signer::generate(&NewKey {
            user_id: "Wren <wren@example.org>",
            algorithm: Algorithm::Ed25519,
            created: day_before().as_secs().into(),
            lifetime: Some(400 * 24 * 60 * 60),
            passphrase: None,
        });
        Key::new(SignedSecretKey::from_armor_single(made.unwrap().secret.bytes()).unwrap().0)
    })
}

/// The kinds of keys that people have.
pub fn keys() -> [&'static Key; 4] {
    [ed25519(), rsa(), rsa_subkey(), made_here()]
}

/// Never stops, and knows which temporary files there were.
#[derive(Default)]
pub struct Onlooker {
    pub temporary: RefCell<Vec<PathBuf>>,
    /// Asks to stop once so many temporary files were begun.
    pub stop_at: Option<usize>,
}

impl Watch for Onlooker {
    fn should_stop(&self) -> bool {
        self.stop_at.is_some_and(|number| self.temporary.borrow().len() >= number)
    }

    fn will_write(&self, temporary: &Path) {
        self.temporary.borrow_mut().push(temporary.to_owned());
    }
}

/// How files are signed; in place and once, unless said otherwise.
#[derive(Default, Clone)]
pub struct How {
    pub replace: bool,
    pub detached: Detached,
    pub output: Option<PathBuf>,
}

/// A directory with files.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Returns the names of all files, hidden ones included.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    pub fn sign(&self, key: &Key, names: &[&str]) -> Result<Vec<Signed>, SignError> {
        self.sign_how(key, names, &How::default())
    }

    pub fn sign_how(&self, key: &Key, names: &[&str], how: &How) -> Result<Vec<Signed>, SignError> {
        self.sign_watched(key, names, how, &Onlooker::default())
    }

    pub fn sign_watched(
        &self,
        key: &Key,
        names: &[&str],
        how: &How,
        watch: &Onlooker,
    ) -> Result<Vec<Signed>, SignError> {
        let files: Vec<PathBuf> = names.iter().map(|name| self.path(name)).collect();
        let request = Request {
            files: &files,
            key: (&key.signing).into(),
            time: TIME,
            replace: how.replace,
            detached: how.detached,
            output: how.output.as_deref(),
        };
        let signed = dalec_signer::sign(&request, watch);
        for temporary in watch.temporary.borrow().iter() {
            assert!(!temporary.exists(), "{} was left behind", temporary.display());
        }
        signed
    }

    pub fn verify(&self, key: &Key, name: &str) -> Report {
        dalec_signer::verify(&self.path(name), &key.keyring(), TIME + 60).unwrap()
    }

    /// Checks that `name` is signed by `key` in our own eyes, and by nobody in those of somebody who trusts no one.
    #[track_caller]
    pub fn expect_valid(&self, key: &Key, name: &str) {
        let report = self.verify(key, name);
        assert_eq!(report.verdict, Verdict::Valid, "{report:?}");
        assert_eq!(report.findings[0].signer.as_ref(), Some(key.signing.signer()));
        assert_eq!(report.findings[0].time, Some(TIME));
        let strangers = dalec_signer::verify(&self.path(name), &Keyring::default(), TIME).unwrap();
        assert_eq!(strangers.verdict, Verdict::Invalid);
    }

    pub fn run(&self, program: &str, args: &[&str]) -> Output {
        Command::new(program)
            .args(args)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap_or_else(|error| panic!("{program} is needed (cargo xtask prepare): {error}"))
    }

    #[track_caller]
    pub fn succeed(&self, program: &str, args: &[&str]) -> String {
        let output = self.run(program, args);
        assert!(output.status.success(), "{program} {args:?}: {}", said(&output));
        said(&output)
    }

    #[track_caller]
    pub fn fail(&self, program: &str, args: &[&str]) -> String {
        let output = self.run(program, args);
        assert!(!output.status.success(), "{program} {args:?} was content: {}", said(&output));
        said(&output)
    }

    /// Makes a package with the compression given.
    pub fn deb(&self, name: &str, compression: &str) -> PathBuf {
        self.write("tree/DEBIAN/control", CONTROL);
        self.write("tree/usr/share/tiny/greeting", "hello\n");
        self.succeed(
            "dpkg-deb",
            &["--root-owner-group", &format!("-Z{compression}"), "--build", "tree", name],
        );
        std::fs::remove_dir_all(self.path("tree")).unwrap();
        self.path(name)
    }

    /// Makes a package as rpmbuild does.
    pub fn rpm(&self, name: &str) -> PathBuf {
        self.write("tiny.spec", SPEC);
        let top = format!("_topdir {}", self.path("build").display());
        self.succeed("rpmbuild", &["-bb", "--define", &top, "tiny.spec"]);
        std::fs::rename(self.path("build/RPMS/noarch/tiny-1.0-1.noarch.rpm"), self.path(name)).unwrap();
        self.path(name)
    }

    /// Makes a home of GnuPG that holds `key`. Its agent goes away with it.
    pub fn gnupg(&self, key: &Key) -> String {
        self.write("secret.asc", key.secret.to_armored_string(ArmorOptions::default()).unwrap());
        let home = self.path("gnupg");
        std::fs::DirBuilder::new().mode(0o700).create(&home).unwrap();
        let home = home.display().to_string();
        self.succeed("gpg", &["--homedir", &home, "--batch", "--import", "secret.asc"]);
        home
    }
}

const SPEC: &str = "\
Name: tiny
Version: 1.0
Release: 1
Summary: Nearly nothing
License: MIT
BuildArch: noarch
%description
Nearly nothing.
%install
mkdir -p %{buildroot}/usr/share/tiny
echo hello > %{buildroot}/usr/share/tiny/greeting
%files
/usr/share/tiny/greeting
";

const CONTROL: &str = "\
Package: tiny
Version: 1.0
Architecture: all
Maintainer: Wren <wren@example.org>
Description: Nearly nothing
";

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Flips one bit.
pub fn tamper(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// Returns where `needle` is.
#[track_caller]
pub fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle).expect("it is there")
}
