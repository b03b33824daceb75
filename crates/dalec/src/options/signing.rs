//! `--sign-key`: packages signed by the signer inside this program, whatever the spec says.
//!
//! This says nothing that other flags could not say: a signing configuration in a context, and secrets for signers alone.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use dalec_frontend::{OWN_SIGNER, SIGN_KEY_CONTEXT, SIGNING_CONFIG_CONTEXT, SIGNING_CONFIG_PATH, boolean};
use dalec_signer::{KeyMaterial, SigningKey};

use super::contexts::Contexts;
use super::keys::KeySource;
use super::secrets::SecretPlaces;
use crate::commands::now;
use crate::errors::CommandError;

/// Name of the file with the signing configuration.
const FILE: &str = "signing.yml";
/// The secret with the key for programs.
const CODE_KEY: &str = "dalec-code-signing-key";
/// The targets whose programs are signed.
const WINDOWS: &str = "windowscross";
/// Build argument that leaves everything unsigned.
const SKIP: &str = "DALEC_SKIP_SIGNING";
const PASSPHRASE_FLAG: &str = "--sign-passphrase-file";

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
    /// Adds what these flags stand for to the other ones, for a build of `targets`.
    ///
    /// # Errors
    /// [`CommandError::Usage`] when a key is not there, or other flags say something else; [`CommandError::Key`] when it
    /// cannot sign.
    pub fn apply(
        &self,
        targets: &[String],
        build_args: &mut BTreeMap<String, String>,
        contexts: &mut Contexts,
        secrets: &mut SecretPlaces,
    ) -> Result<(), CommandError> {
        let Some(key) = &self.sign_key else { return Ok(()) };
        let signs = build_args.get(SKIP).is_none_or(|value| boolean(value) != Some(true));
        if !secrets.has(CODE_KEY) && signs {
            let is_program = |target: &&String| target.starts_with(WINDOWS) && !target.ends_with("/worker");
            if let Some(target) = targets.iter().find(is_program) {
                return Err(CommandError::usage_help(
                    format!(
                        "--sign-key is an OpenPGP key, and programs for Windows ({target}) take another kind"
                    ),
                    format!(
                        "give the key and certificate for code signing as --secret id={CODE_KEY},src=FILE,\
                         scope=signer (docs/windows.md), or build other targets"
                    ),
                ));
            }
        }
        for name in [SIGNING_CONFIG_PATH, SIGNING_CONFIG_CONTEXT] {
            if build_args.contains_key(name) {
                return Err(CommandError::usage(format!(
                    "--sign-key and the build argument {name} both say who signs; give one of them"
                )));
            }
        }
        let key = source("--sign-key", key)?;
        let passphrase = self.sign_passphrase_file.as_deref();
        let passphrase = passphrase.map(|given| source(PASSPHRASE_FLAG, given)).transpose()?;
        try_key(&key, passphrase.as_ref())?;
        secrets.add_signing("--sign-key", "dalec-signing-key", key)?;
        if let Some(passphrase) = passphrase {
            secrets.add_signing(PASSPHRASE_FLAG, "dalec-signing-passphrase", passphrase)?;
        }
        contexts.add_file(SIGN_KEY_CONTEXT, FILE, format!("signer:\n  image: {OWN_SIGNER}\n"))?;
        build_args.insert(SIGNING_CONFIG_PATH.into(), FILE.into());
        build_args.insert(SIGNING_CONFIG_CONTEXT.into(), SIGN_KEY_CONTEXT.into());
        Ok(())
    }
}

/// Opens the key and lets go of it: who has to wait for a build should not learn afterwards that its key cannot sign.
fn try_key(key: &KeySource, passphrase: Option<&KeySource>) -> Result<(), CommandError> {
    let material = key.read("key")?;
    let passphrase = passphrase.map(|source| source.read("passphrase")).transpose()?;
    let passphrase = passphrase.map(KeyMaterial::without_line_break);
    match SigningKey::load(&material, passphrase.as_ref(), now()) {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(CommandError::Key { name: key.name("key"), error, passphrase_flag: PASSPHRASE_FLAG })
        }
    }
}

fn source(flag: &str, given: &OsStr) -> Result<KeySource, CommandError> {
    match KeySource::parse(given) {
        KeySource::Stdin => Err(CommandError::usage(format!("{flag} takes a file or env:NAME in a build"))),
        source => Ok(source),
    }
}
