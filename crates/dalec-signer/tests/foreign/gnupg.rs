//! GnuPG as people use it, with a home of its own.

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
        std::fs::create_dir(&home).unwrap();
        Self { home: home.display().to_string(), place }
    }

    pub fn run(&self, args: &[&str]) {
        let common = ["--homedir", &self.home, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""];
        self.place.succeed("gpg", &[&common[..], args].concat());
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
