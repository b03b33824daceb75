//! Keys that somebody else holds: `gpg-agent:FINGERPRINT` and `pkcs11:URI`.

use std::ffi::OsStr;
use std::path::PathBuf;

use dalec_signer::held::{Agent, Gnupg, Holder, HolderError, Token, TokenUri, UriError};
use dalec_signer::{CodeKey, CodeKeyError, KeyError, KeyMaterial, SigningKey};

use crate::errors::CommandError;

/// The library that speaks to tokens, where their names do not say it.
const MODULE: &str = "DALEC_PKCS11_MODULE";

/// The flag of `dalec sign` that gives the passphrase.
pub const PASSPHRASE_FLAG: &str = "--passphrase-file";

/// Who holds the key.
pub enum HeldKey {
    /// The agent of GnuPG.
    Agent {
        /// Fingerprint of the key, in upper-case hexadecimal digits.
        fingerprint: String,
    },
    /// A token.
    Token(Box<TokenUri>),
}

/// A key that is ready to sign.
pub enum Ready {
    /// For everything but Windows programs.
    OpenPgp(Box<SigningKey>),
    /// For Windows programs.
    Code(CodeKey),
}

impl HeldKey {
    /// Reads the value of `--key`; none when it names another kind of key.
    ///
    /// # Errors
    /// [`CommandError::Usage`] when it is begun like such a name and is none.
    pub fn parse(given: &OsStr) -> Result<Option<Self>, CommandError> {
        let Some(text) = given.to_str() else { return Ok(None) };
        if let Some(fingerprint) = text.strip_prefix("gpg-agent:") {
            let digits = fingerprint.strip_prefix("0x").unwrap_or(fingerprint);
            if digits.len() != 40 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(CommandError::usage_help(
                    "--key gpg-agent: takes the fingerprint of a key, 40 hexadecimal digits",
                    "`gpg --list-secret-keys` shows the fingerprints of your keys",
                ));
            }
            return Ok(Some(Self::Agent { fingerprint: digits.to_ascii_uppercase() }));
        }
        if !text.starts_with("pkcs11:") {
            return Ok(None);
        }
        let module = std::env::var_os(MODULE).filter(|module| !module.is_empty()).map(PathBuf::from);
        match TokenUri::parse(text, module) {
            Ok(uri) => Ok(Some(Self::Token(Box::new(uri)))),
            Err(error) => Err(CommandError::Usage {
                message: "the name of the key on a token cannot be used".into(),
                help: match error {
                    UriError::NoModule => Some(format!("add ?module-path=FILE at its end, or set {MODULE}")),
                    _ => Some("it looks like this: pkcs11:token=NAME;object=NAME?module-path=FILE".into()),
                },
                source: Some(error.into()),
            }),
        }
    }

    /// Returns what people call it.
    pub fn name(&self) -> String {
        match self {
            Self::Agent { .. } => "the key of gpg-agent".to_owned(),
            Self::Token(_) => "the key on the token".to_owned(),
        }
    }

    /// Returns the file that the name says the PIN is in.
    pub fn pin_source(&self) -> Option<&PathBuf> {
        match self {
            Self::Agent { .. } => None,
            Self::Token(uri) => uri.pin_source(),
        }
    }

    /// Finds the key. `certificate` is the content of the file with its public part.
    ///
    /// # Errors
    /// [`CommandError`] when it is not there or may not sign.
    pub fn find(
        self,
        certificate: Option<Vec<u8>>,
        passphrase: Option<KeyMaterial>,
        now: u64,
    ) -> Result<Ready, CommandError> {
        let name = self.name();
        match self {
            Self::Agent { fingerprint } => agent(&fingerprint, certificate, passphrase, now)
                .map(|key| Ready::OpenPgp(Box::new(key)))
                .map_err(|error| CommandError::Key { name, error, passphrase_flag: PASSPHRASE_FLAG }),
            Self::Token(mut uri) => {
                let Some(certificate) = certificate else {
                    return Err(CommandError::usage_help(
                        "a token holds no certificate for signatures; --cert FILE is needed",
                        "an OpenPGP public key for packages, or an X.509 certificate for Windows programs",
                    ));
                };
                let pin = passphrase.or_else(|| uri.take_pin());
                let code = |error| CommandError::CodeKey { name: name.clone(), error: Box::new(error) };
                let token = Token::find(&uri, pin).map_err(|error| code(CodeKeyError::Held { error }))?;
                if CodeKey::is_meant(&KeyMaterial::new(certificate.clone())) {
                    return CodeKey::held(&certificate, &token, now).map(Ready::Code).map_err(code);
                }
                SigningKey::held(&certificate, None, &token, now)
                    .map(|key| Ready::OpenPgp(Box::new(key)))
                    .map_err(|error| CommandError::Key { name, error, passphrase_flag: PASSPHRASE_FLAG })
            }
        }
    }
}

/// Asks the agent for the key, or for the subkey of it that signs.
fn agent(
    fingerprint: &str,
    certificate: Option<Vec<u8>>,
    passphrase: Option<KeyMaterial>,
    now: u64,
) -> Result<SigningKey, KeyError> {
    let held = |error| KeyError::Held { fingerprint: fingerprint.to_owned(), error };
    let gnupg = Gnupg::default();
    let certificate = match certificate {
        Some(certificate) => certificate,
        None => gnupg.certificate(fingerprint).map_err(held)?,
    };
    let grips = gnupg.keygrips(&certificate).map_err(held)?;
    let socket = gnupg.agent_socket().map_err(held)?;
    // Where the agent can ask people.
    let terminal = [
        ("ttyname", "GPG_TTY"),
        ("ttytype", "TERM"),
        ("display", "DISPLAY"),
        ("xauthority", "XAUTHORITY"),
        ("lc-ctype", "LC_CTYPE"),
    ];
    let options: Vec<(&str, String)> =
        terminal.iter().filter_map(|(name, variable)| Some((*name, std::env::var(variable).ok()?))).collect();
    let agent = Agent::connect(&socket, grips, &options, passphrase).map_err(held)?;
    SigningKey::held(&certificate, Some(fingerprint), &agent as &dyn Holder, now)
}

/// Returns what to do about somebody who does not sign.
pub fn help(error: &HolderError) -> Option<&'static str> {
    match error {
        HolderError::Locked | HolderError::WrongPin => {
            Some("give the passphrase or PIN with --passphrase-file FILE, or --passphrase-file env:NAME")
        }
        HolderError::NoPrompt => {
            Some("give the passphrase with --passphrase-file FILE, or set GPG_TTY=$(tty)")
        }
        HolderError::Program { program: "pkcs11-tool", .. } => {
            Some("install OpenSC; Debian has it in the package opensc")
        }
        HolderError::Program { .. } => Some("install GnuPG, or give the key as a file"),
        HolderError::NoKey => {
            Some("`gpg --list-secret-keys` or `pkcs11-tool --list-objects` shows the keys that are there")
        }
        HolderError::NoToken { .. } => {
            Some("`pkcs11-tool --module FILE --list-token-slots` shows the tokens that are there")
        }
        HolderError::Several { .. } => Some("name it with token=, serial=, object= or id="),
        HolderError::Blocked => Some("whoever has its security officer's PIN can set a new one"),
        _ => None,
    }
}
