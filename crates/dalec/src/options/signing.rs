//! `--sign-key`: packages signed by the signer inside this program, whatever the spec says.
//!
//! This says nothing that other flags could not say: a signing configuration in a context, and secrets for signers alone.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use dalec_frontend::{OWN_SIGNER, SIGNING_CONFIG_CONTEXT, SIGNING_CONFIG_PATH};

use super::contexts::Contexts;
use super::keys::KeySource;
use super::secrets::SecretPlaces;
use crate::errors::CommandError;

/// Name of the context with the signing configuration, and of the file in it.
const CONTEXT: &str = "dalec-signing-config";
const FILE: &str = "signing.yml";

/// Who signs.
#[derive(Debug, clap::Args)]
pub struct SigningArgs {
    /// OpenPGP key that signs the packages: a file, or env:NAME
    ///
    /// The signer inside dalec does it after the tests, whatever signer the spec names. No step of the build gets at the
    /// key. `dalec key new` makes one.
    #[arg(long, value_name = "KEY")]
    sign_key: Option<OsString>,
    /// What opens the key: a file with the passphrase, or env:NAME
    #[arg(long, value_name = "FILE", requires = "sign_key", hide_short_help = true)]
    sign_passphrase_file: Option<OsString>,
}

impl SigningArgs {
    /// Adds what these flags stand for to the other ones.
    ///
    /// # Errors
    /// [`CommandError::Usage`] when a key is not there, or other flags say something else.
    pub fn apply(
        &self,
        build_args: &mut BTreeMap<String, String>,
        contexts: &mut Contexts,
        secrets: &mut SecretPlaces,
    ) -> Result<(), CommandError> {
        let Some(key) = &self.sign_key else { return Ok(()) };
        for name in [SIGNING_CONFIG_PATH, SIGNING_CONFIG_CONTEXT] {
            if build_args.contains_key(name) {
                return Err(CommandError::usage(format!(
                    "--sign-key and the build argument {name} both say who signs; give one of them"
                )));
            }
        }
        secrets.add_signing("--sign-key", "dalec-signing-key", source("--sign-key", key)?)?;
        if let Some(passphrase) = &self.sign_passphrase_file {
            let flag = "--sign-passphrase-file";
            secrets.add_signing(flag, "dalec-signing-passphrase", source(flag, passphrase)?)?;
        }
        contexts.add_file(CONTEXT, FILE, format!("signer:\n  image: {OWN_SIGNER}\n"))?;
        build_args.insert(SIGNING_CONFIG_PATH.into(), FILE.into());
        build_args.insert(SIGNING_CONFIG_CONTEXT.into(), CONTEXT.into());
        Ok(())
    }
}

fn source(flag: &str, given: &OsStr) -> Result<KeySource, CommandError> {
    match KeySource::parse(given) {
        KeySource::Stdin => Err(CommandError::usage(format!("{flag} takes a file or env:NAME in a build"))),
        source => Ok(source),
    }
}
