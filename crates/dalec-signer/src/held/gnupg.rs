//! What GnuPG's programs know about keys and about the agent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use super::process::{self, Said};
use super::{HolderError, words};

/// A home of GnuPG.
#[derive(Debug, Clone, Default)]
pub struct Gnupg {
    /// Where it is; none for what its own programs take.
    pub home: Option<PathBuf>,
}

impl Gnupg {
    /// Returns the socket of the agent, which is started if need be.
    ///
    /// # Errors
    /// [`HolderError`] when GnuPG is not there.
    pub fn agent_socket(&self) -> Result<PathBuf, HolderError> {
        // Where it does not start, connecting says why.
        let _ = self.run("gpgconf", &["--launch", "gpg-agent"], &[])?;
        let said = self.run("gpgconf", &["--list-dirs", "agent-socket"], &[])?;
        let path = String::from_utf8_lossy(&said.stdout).trim_end().to_owned();
        match said.success && !path.is_empty() {
            true => Ok(path.into()),
            false => Err(refused(&said)),
        }
    }

    /// Returns the certificate of the key that people name by `fingerprint`.
    ///
    /// # Errors
    /// [`HolderError::NoKey`] when GnuPG has none.
    pub fn certificate(&self, fingerprint: &str) -> Result<Vec<u8>, HolderError> {
        let said = self.run("gpg", &["--batch", "--export", "--", fingerprint], &[])?;
        match said.stdout.is_empty() {
            true if said.success || said.stderr.contains("nothing exported") => Err(HolderError::NoKey),
            true => Err(refused(&said)),
            false => Ok(said.stdout),
        }
    }

    /// Returns the names by which the agent knows the keys of `certificate`, by their fingerprints.
    ///
    /// # Errors
    /// [`HolderError`] when GnuPG does not understand it.
    pub fn keygrips(&self, certificate: &[u8]) -> Result<BTreeMap<String, String>, HolderError> {
        let args = ["--batch", "--with-colons", "--with-keygrip", "--show-keys"];
        let said = self.run("gpg", &args, certificate)?;
        let text = String::from_utf8_lossy(&said.stdout);
        let mut grips = BTreeMap::new();
        let mut fingerprint = "";
        for line in text.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            match (fields.first(), fields.get(9)) {
                (Some(&"fpr"), Some(found)) => fingerprint = found,
                (Some(&"grp"), Some(grip)) => {
                    grips.insert(fingerprint.to_owned(), (*grip).to_owned());
                }
                _ => {}
            }
        }
        let is_grip = |grip: &String| grip.len() == 40 && grip.bytes().all(|byte| byte.is_ascii_hexdigit());
        match !grips.is_empty() && grips.values().all(is_grip) {
            true => Ok(grips),
            false => Err(refused(&said)),
        }
    }

    fn run(&self, program: &'static str, args: &[&str], input: &[u8]) -> Result<Said, HolderError> {
        let mut command = Command::new(program);
        command.args(args);
        if let Some(home) = &self.home {
            command.env("GNUPGHOME", home);
        }
        process::run(command, program, input)
    }
}

fn refused(said: &Said) -> HolderError {
    HolderError::Refused { words: words(&said.stderr) }
}
