//! GnuPG as people use it, with a home of its own.

use std::os::unix::fs::DirBuilderExt;

use dalec_signer::{KeyError, KeyMaterial, SigningKey};
use pgp::types::Timestamp;

use crate::world::Place;

/// Keys as GnuPG makes and exports them.
pub struct Gnupg {
    pub place: Place,
    pub home: String,
}

impl Gnupg {
    pub fn new() -> Self {
        let place = Place::new();
        let home = place.path("gnupg");
        std::fs::DirBuilder::new().mode(0o700).create(&home).unwrap();
        Self { home: home.display().to_string(), place }
    }

    pub fn run(&self, args: &[&str]) {
        let common = ["--homedir", &self.home, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""];
        self.place.succeed("gpg", &[&common[..], args].concat());
    }

    /// Returns the fingerprints of all keys, in the order of GnuPG's list.
    pub fn fingerprints(&self) -> Vec<String> {
        let args = ["--homedir", &self.home, "--batch", "--with-colons", "--list-keys"];
        let listed = self.place.succeed("gpg", &args);
        let fingerprint = |line: &str| line.strip_prefix("fpr:::::::::").map(|rest| rest[..40].to_owned());
        listed.lines().filter_map(fingerprint).collect()
    }

    pub fn load(&self, name: &str) -> Result<SigningKey, KeyError> {
        let now = Timestamp::now().as_secs().into();
        SigningKey::load(&KeyMaterial::new(self.place.read(name)), None, now)
    }
}

impl Drop for Gnupg {
    fn drop(&mut self) {
        let _ = self.place.run("gpgconf", &["--homedir", &self.home, "--kill", "all"]);
    }
}
