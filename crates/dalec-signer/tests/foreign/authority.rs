//! A certificate authority, what it gives out, and a timestamp service, all made with `openssl` for the tests.

use std::error::Error;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use dalec_signer::{CodeKey, CodeKeyError, KeyMaterial, Roots, Timestamps};

use crate::world::{Place, said};

/// What certificates are for, as sections of the authority's configuration.
const EXTENSIONS: &str = "\
[ca]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
[short]
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign
[code]
keyUsage=critical,digitalSignature
extendedKeyUsage=codeSigning
[nothing]
subjectAltName=DNS:example.org
[server]
extendedKeyUsage=serverAuth
[vouches]
keyUsage=critical,keyCertSign
extendedKeyUsage=codeSigning
[strange]
extendedKeyUsage=codeSigning
1.2.3.4=critical,DER:05:00
[time]
extendedKeyUsage=critical,timeStamping
[tsa]
serial=./serial
signer_digest=sha256
default_policy=1.2.3.4
digests=sha256,sha384,sha512
accuracy=secs:1
tsa_name=no
ess_cert_id_chain=no
";

/// The folder of the authority: for each NAME that was given out, `NAME.key` and `NAME.pem`.
pub struct Authority {
    pub place: Place,
}

/// An authority with a root, an authority below it, keys of all kinds, and a timestamp service.
pub fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let authority = Authority { place: Place::new() };
        authority.place.write("extensions", EXTENSIONS);
        authority.root("root");
        authority.root("stranger");
        authority.give("middle", "ca", "rsa:2048", "root");
        authority.give("rsa", "code", "rsa:2048", "middle");
        authority.give("p256", "code", "P-256", "middle");
        authority.give("p384", "code", "P-384", "middle");
        authority.give("time", "time", "rsa:2048", "root");
        authority
    })
}

/// The current time, in seconds since 1970: certificates are made for it.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub const YEAR: u64 = 365 * 86_400;

impl Authority {
    #[track_caller]
    pub fn openssl(&self, command: &str) -> String {
        self.place.succeed("openssl", &command.split_whitespace().collect::<Vec<_>>())
    }

    fn root(&self, name: &str) {
        self.openssl(&format!(
            "req -x509 -newkey rsa:2048 -noenc -keyout {name}.key -out {name}.pem -days 3650 -subj /CN={name}
             -addext keyUsage=critical,keyCertSign"
        ));
    }

    /// Makes a key of the kind given, and has `by` certify for a year that it is for what `section` says.
    pub fn give(&self, name: &str, section: &str, kind: &str, by: &str) {
        let kind = match kind.strip_prefix("P-") {
            Some(_) => format!("ec -pkeyopt ec_paramgen_curve:{kind}"),
            None => kind.to_owned(),
        };
        self.openssl(&format!(
            "req -newkey {kind} -noenc -keyout {name}.key -out {name}.csr -subj /O=Wren/CN={name}"
        ));
        // Its highest bit is set, so that it is encoded with a zero in front.
        let serial: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -set_serial 0x9d{serial} -out {name}.pem -days 365
             -extfile extensions -extensions {section}"
        ));
    }

    /// Returns the content of the files given, one after the other.
    pub fn read(&self, names: &[&str]) -> Vec<u8> {
        names.iter().flat_map(|name| self.place.read(name)).collect()
    }

    pub fn load(
        &self,
        key: &str,
        certificates: &[&str],
        passphrase: Option<&str>,
    ) -> Result<CodeKey, CodeKeyError> {
        let passphrase = passphrase.map(|text| KeyMaterial::new(text.into()));
        let others = self.read(certificates);
        let others = Some(others.as_slice()).filter(|_| !certificates.is_empty());
        CodeKey::load(&KeyMaterial::new(self.place.read(key)), others, passphrase.as_ref(), now())
    }

    /// Returns the key `name` with its certificate and the one above it.
    pub fn key(&self, name: &str) -> CodeKey {
        self.load(&format!("{name}.key"), &[&format!("{name}.pem"), "middle.pem"], None).unwrap()
    }

    pub fn roots(&self, names: &[&str]) -> Roots {
        let mut roots = Roots::default();
        roots.add(&self.read(names)).unwrap();
        roots
    }
}

/// The timestamp service: what `openssl ts` answers.
pub struct Service {
    /// Whose key and certificate it uses.
    pub name: &'static str,
    /// What becomes of each question, and of each answer.
    pub question: fn(&[u8]) -> Vec<u8>,
    pub answer: fn(Vec<u8>) -> Vec<u8>,
}

pub const HONEST: Service =
    Service { name: "time", question: |question| question.to_vec(), answer: |answer| answer };

impl Timestamps for Service {
    fn ask(&self, question: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let folder = tempfile::tempdir()?;
        let path = |name| folder.path().join(name).display().to_string();
        std::fs::write(path("question"), (self.question)(question))?;
        // Several may be asked at once: each has its own numbers.
        std::fs::write(path("serial"), "01\n")?;
        let place = &authority().place;
        let own = |name: String| place.path(&name).display().to_string();
        let output: Output = Command::new("openssl")
            .args(["ts", "-reply", "-config", &own("extensions".to_owned()), "-section", "tsa"])
            .args(["-queryfile", &path("question"), "-out", &path("answer")])
            .args(["-signer", &own(format!("{}.pem", self.name))])
            .args(["-inkey", &own(format!("{}.key", self.name))])
            .current_dir(folder.path())
            .output()?;
        match output.status.success() {
            true => Ok((self.answer)(std::fs::read(path("answer"))?)),
            false => Err(said(&output).into()),
        }
    }
}
