//! The words about keys and files that cannot sign or be signed.

use std::error::Error;

use dalec_signer::{CertificateFault, CodeKeyError, KeyError, SignError, Unfit};

use super::words::of_message;
use super::{Exit, Words};
use crate::commands::time;
use crate::options::held;

/// Returns how a command ends that cannot sign.
pub(super) fn exit_of(error: &SignError) -> Exit {
    match error {
        SignError::Read { .. }
        | SignError::NotAFile { .. }
        | SignError::Twice { .. }
        | SignError::NeedsCertificate { .. }
        | SignError::NeedsOpenPgp { .. }
        | SignError::Key(_)
        | SignError::CodeKey(_) => Exit::Usage,
        SignError::Write { .. } | SignError::Place { .. } => Exit::Environment,
        SignError::Broken { .. }
        | SignError::AlreadySigned { .. }
        | SignError::Signature { .. }
        | SignError::Stale { .. }
        | SignError::RpmKey { .. }
        | SignError::Timestamp { .. }
        | SignError::Cancelled => Exit::Failed,
    }
}

/// Returns the words for the key that people call `name`, whose passphrase is given with `passphrase_flag`.
pub(super) fn of_key(exit: Exit, name: &str, error: &KeyError, passphrase_flag: &str) -> Words {
    let cause = match error {
        KeyError::Unfit { fingerprint, unfit: Unfit::Expired { at } } => {
            format!("the key {fingerprint} expired on {}", time(*at))
        }
        KeyError::OlderThanKey { fingerprint, created, time: asked } => format!(
            "a signature of {} would be older than the key {fingerprint}, which is of {}",
            time(*asked),
            time(*created)
        ),
        other => other.to_string(),
    };
    let locked = format!("give its passphrase with {passphrase_flag} FILE, or {passphrase_flag} env:NAME");
    let help = match error {
        KeyError::NotAKey | KeyError::PublicOnly => {
            Some("a secret key is what `gpg --armor --export-secret-keys FINGERPRINT` writes")
        }
        KeyError::Several => Some("export the one that is to sign: `gpg --export-secret-keys FINGERPRINT`"),
        KeyError::Locked { .. } => Some(locked.as_str()),
        KeyError::NoSecret { .. } => {
            Some("it may be on a card, or was left out when the key was exported; export all of it")
        }
        KeyError::Unfit { unfit: Unfit::Weak, .. } => Some("use Ed25519, or RSA with at least 2048 bits"),
        KeyError::Unfit { unfit: Unfit::WeaklyBound, .. } => {
            Some("renew it: `gpg --cert-digest-algo SHA512 --quick-set-expire FINGERPRINT 2y`")
        }
        KeyError::Unfit { unfit: Unfit::Expired { .. }, .. } => {
            Some("give it more time with `gpg --quick-set-expire`, or use another one")
        }
        KeyError::Held { error, .. } => held::help(error),
        KeyError::OtherKey { .. } => Some("--cert takes the public part of the very key"),
        KeyError::OlderThanKey { .. } => Some("SOURCE_DATE_EPOCH sets the time of signatures"),
        _ => None,
    };
    let cause: Box<dyn Error> = cause.into();
    of_message(exit, &format!("cannot sign with {name}"), Some(cause.as_ref()), help.map(str::to_owned))
}

/// Returns the words for the key for programs that people call `name`.
pub(super) fn of_code_key(exit: Exit, name: &str, error: &CodeKeyError) -> Words {
    let cause = match error {
        CodeKeyError::Unfit { fault: CertificateFault::Expired { at }, .. } => {
            format!("{error}, on {}", time(*at))
        }
        CodeKeyError::Unfit { fault: CertificateFault::Early { from }, .. } => {
            format!("{error}, but from {} on", time(*from))
        }
        other => other.to_string(),
    };
    let help = match error {
        CodeKeyError::NoCertificate => Some("give it with --cert FILE, those above it included"),
        CodeKeyError::CertificateOnly => Some("the certificate goes to --cert, and the private key to --key"),
        CodeKeyError::BadCertificates => {
            Some("certificates are PEM, `-----BEGIN CERTIFICATE-----`, or one in DER")
        }
        CodeKeyError::OtherCertificate { .. } => {
            Some("--cert takes the certificate that was made for this key")
        }
        CodeKeyError::Held { error } => held::help(error),
        CodeKeyError::Locked => {
            Some("give its passphrase with --passphrase-file FILE, or --passphrase-file env:NAME")
        }
        CodeKeyError::OldEncryption | CodeKeyError::UnknownEncryption => {
            Some("`openssl pkcs8 -topk8 -in OLD -out NEW` protects it as is usual now")
        }
        CodeKeyError::Unfit { fault: CertificateFault::Early { .. }, .. } => {
            Some("where the clock is right, SOURCE_DATE_EPOCH may set another time")
        }
        CodeKeyError::Unfit { fault: CertificateFault::Purpose(_), .. } => {
            Some("who gives out certificates writes extended key usage codeSigning into those for programs")
        }
        _ => None,
    };
    let cause: Box<dyn Error> = cause.into();
    of_message(exit, &format!("cannot sign with {name}"), Some(cause.as_ref()), help.map(str::to_owned))
}

/// Returns the words for files.
pub(super) fn of_sign(exit: Exit, error: &SignError) -> Words {
    let mut headline = error.to_string();
    let help = match error {
        SignError::AlreadySigned { .. } => Some("--replace signs it anew"),
        SignError::Stale { .. } => Some(
            "sign both with one command, so that the list follows; where that was done, the file is not the one that \
             was built",
        ),
        SignError::Signature { .. } => {
            Some("name the file that it belongs to, with --replace to sign that anew")
        }
        SignError::NeedsCertificate { .. } => Some(
            "give a private key with --key and its certificate with --cert, or PKCS #12; see docs/signing.md",
        ),
        SignError::NeedsOpenPgp { .. } => Some("sign programs and other files with a command each"),
        SignError::RpmKey { .. } => Some("docs/signing.md says how to make such a key"),
        SignError::Place { signed, .. } => {
            headline += &match signed.is_empty() {
                true => "\nno file was changed".to_owned(),
                false => {
                    let signed: Vec<String> = signed.iter().map(|path| path.display().to_string()).collect();
                    format!("\nsigned before that: {}", signed.join(", "))
                }
            };
            None
        }
        _ => None,
    };
    of_message(exit, &headline, error.source(), help.map(str::to_owned))
}
