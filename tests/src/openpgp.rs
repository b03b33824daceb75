//! Keys made as people make them, and other people's verifiers.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// An OpenPGP key of GnuPG's making, in a home of its own.
#[derive(Debug)]
pub struct Key {
    home: TempDir,
    fingerprint: String,
}

impl Key {
    /// Makes an Ed25519 key without a passphrase for `user`.
    ///
    /// # Panics
    /// When GnuPG does not make it.
    pub fn generate(user: &str) -> Self {
        let home = TempDir::with_prefix("dalec-gpg-").expect("a folder can be made");
        let mut key = Self { home, fingerprint: String::new() };
        key.gpg(&["--quick-generate-key", user, "ed25519", "sign", "never"]);
        let listed = key.gpg(&["--with-colons", "--list-keys"]);
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let line =
            listed.lines().find_map(|line| line.strip_prefix("fpr:")).expect("a key has a fingerprint");
        line.trim_matches(':').clone_into(&mut key.fingerprint);
        key.gpg(&["--armor", "--output", "private.asc", "--export-secret-keys"]);
        key.gpg(&["--output", "public.gpg", "--export"]);
        key.gpg(&["--armor", "--output", "public.asc", "--export"]);
        key
    }

    /// Returns the file with the private key, as text.
    pub fn private(&self) -> PathBuf {
        self.home.path().join("private.asc")
    }

    /// Returns the file with the public key.
    pub fn public(&self) -> PathBuf {
        self.home.path().join("public.gpg")
    }

    /// Returns the file with the public key, as text.
    pub fn public_text(&self) -> PathBuf {
        self.home.path().join("public.asc")
    }

    /// Returns its fingerprint in upper-case hexadecimal.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Writes its signature of a file into `FILE.asc`.
    ///
    /// # Panics
    /// When GnuPG does not sign.
    pub fn sign_beside(&self, file: &Path) {
        self.gpg(&["--armor", "--detach-sign", &file.display().to_string()]);
    }

    /// Returns what is in a file with its signature around it.
    ///
    /// # Panics
    /// When GnuPG does not sign.
    pub fn sign_around(&self, file: &Path) -> Vec<u8> {
        self.gpg(&["--output", "-", "--clearsign", &file.display().to_string()]).stdout
    }

    /// Asks `debsig-verify` whether this key signed the package.
    ///
    /// # Errors
    /// What it said, when it does not think so.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub fn verifies_deb(&self, package: &Path) -> Result<(), String> {
        let long_id = &self.fingerprint[self.fingerprint.len() - 16..];
        let path = |name: &str| self.home.path().join(name).join(long_id);
        for folder in [path("keyrings"), path("policies")] {
            std::fs::create_dir_all(folder).expect("folders can be made");
        }
        std::fs::copy(self.public(), path("keyrings").join("key.gpg")).expect("the key can be copied");
        let policy = format!(
            "<?xml version=\"1.0\"?>\n<!DOCTYPE Policy SYSTEM \"https://www.debian.org/debsig/1.0/policy.dtd\">\n\
             <Policy xmlns=\"https://www.debian.org/debsig/1.0/\">\n  <Origin Name=\"t\" id=\"{long_id}\" Description=\"t\"/>\n  \
             <Selection><Required Type=\"origin\" File=\"key.gpg\" id=\"{long_id}\"/></Selection>\n  \
             <Verification><Required Type=\"origin\" File=\"key.gpg\" id=\"{long_id}\"/></Verification>\n</Policy>\n"
        );
        std::fs::write(path("policies").join("policy.pol"), policy).expect("the policy can be written");
        let mut verify = Command::new("debsig-verify");
        verify.arg("--policies-dir").arg(self.home.path().join("policies"));
        verify.arg("--keyrings-dir").arg(self.home.path().join("keyrings")).arg(package);
        let verified = verify.output().expect("debsig-verify starts");
        match verified.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&verified.stderr).into_owned()),
        }
    }

    /// Asks `rpmkeys` whether this key signed the package.
    ///
    /// # Errors
    /// What it said, when it does not think so.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub fn verifies_rpm(&self, package: &Path) -> Result<(), String> {
        let keys = format!("--dbpath={}", self.home.path().join("rpmdb").display());
        let ask = |arguments: &[&str], file: &Path| {
            let asked = Command::new("rpmkeys").arg(&keys).args(arguments).arg(file).output();
            let asked = asked.expect("rpmkeys starts");
            let said = [asked.stdout, asked.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            if asked.status.success() { Ok(said) } else { Err(said) }
        };
        ask(&["--import"], &self.home.path().join("public.asc"))?;
        let said = ask(&["--checksig", "--verbose"], package)?;
        match said.contains("Signature, key ID") && !said.contains("NOKEY") {
            true => Ok(()),
            false => Err(said),
        }
    }

    /// Asks GnuPG's verifier whether this key made the signature in `FILE.asc`.
    ///
    /// # Errors
    /// What it said, when it does not think so.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub fn verifies_beside(&self, file: &Path) -> Result<(), String> {
        let signature = format!("{}.asc", file.display());
        let verified =
            Command::new("gpgv").arg("--keyring").arg(self.public()).arg(signature).arg(file).output();
        let verified = verified.expect("gpgv starts");
        match verified.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&verified.stderr).into_owned()),
        }
    }

    fn gpg(&self, arguments: &[&str]) -> Output {
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(self.home.path()).current_dir(self.home.path());
        gpg.args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]).args(arguments);
        let done = gpg.output().expect("gpg starts");
        assert!(done.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        done
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // Ends the agent that GnuPG has started; without one there is nothing to end.
        let _ =
            Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).output();
    }
}
