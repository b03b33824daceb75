//! `dalec sign`: signatures for packages on disk. Starts no engine.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use annotate_snippets::Level;
use dalec_engine::Cancel;
use dalec_signer::{CodeKey, Detached, Key, Kind, Request, SignError, Signed, SigningKey, Timestamps};
use rustix::process::DumpableBehavior;

use super::say;
use crate::errors::{CommandError, Report, Style};
use crate::options::held::{HeldKey, PASSPHRASE_FLAG, Ready};
use crate::options::keys::KeySource;
use crate::signals::Watch;
use crate::terminal::{self, Keep, Stream, clean};
use crate::timestamps::Service;

const EPOCH: &str = "SOURCE_DATE_EPOCH";
/// No certificate with all those above it is larger.
const LARGEST_CERTIFICATES: u64 = 1 << 20;

/// Signs packages and other files
///
/// What is signed how goes by the name. .deb: a signature of its origin inside, as debsigs makes it. .rpm: a signature in
/// its header. .dsc, .changes, .buildinfo: text with a signature around it, as debsign makes it; when files that they
/// list are signed by the same command, their sizes and hashes follow. .exe, .dll and other Windows programs:
/// Authenticode, with a private key and a certificate in place of an OpenPGP key. Anything else: a signature beside it.
///
/// Files are signed in place, all of them or none. The only thing in them that differs from one time to the next is the
/// time of the signature; SOURCE_DATE_EPOCH sets it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  dalec sign --key key.asc out/*.deb
  dalec sign --key key.asc out/*.deb out/*.dsc out/*.buildinfo out/*.changes
  dalec sign --key env:SIGNING_KEY --passphrase-file env:PASSPHRASE -o signed out/*.rpm
  dalec sign --key key.asc --detach binary release.tar.zst    # release.tar.zst.sig
  dalec sign --key gpg-agent:0123456789ABCDEF0123456789ABCDEF01234567 out/*.rpm
  dalec sign --key code.p12 --passphrase-file pass --timestamp-url http://tsa.example.org a.exe

docs/signing.md says how to make a key and how others check what was signed.")]
pub struct Args {
    /// Files to sign
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Secret key: a file, env:NAME for a variable, - for standard input, gpg-agent:FINGERPRINT, or pkcs11:URI
    ///
    /// gpg-agent: asks the agent of GnuPG to sign, and pkcs11: a token (RFC 7512), with --cert. Of an OpenPGP key, its signing subkey signs, or its primary key where there is none. For Windows programs it is a
    /// private key (PEM or DER) with --cert, or PKCS #12 (.p12, .pfx).
    // A value that begins with a hyphen is a key, which clap would print.
    #[arg(long, value_name = "KEY", required = true, allow_hyphen_values = true)]
    key: OsString,
    /// What opens the key: a file with the passphrase or PIN, or env:NAME
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<OsString>,
    /// Certificate of the key, and those above it, for Windows programs: PEM, or one in DER
    ///
    /// For OpenPGP keys of gpg-agent and of tokens, their public key.
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Service that says when a Windows program was signed (RFC 3161)
    ///
    /// With its word, a signature counts longer than its certificate.
    #[arg(long, value_name = "URL")]
    timestamp_url: Option<String>,
    /// Replace signatures that are there
    #[arg(long)]
    replace: bool,
    /// How signatures beside files look
    #[arg(long, value_enum, value_name = "FORM", default_value = "armored")]
    detach: Form,
    /// Directory for the signed files, instead of signing in place
    ///
    /// Files with a signature beside them are copied there as well.
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// text, in FILE.asc
    Armored,
    /// bytes, in FILE.sig
    Binary,
}

/// Signs, and says what was signed by whom.
///
/// # Errors
/// When the key is not there or of no use, a file cannot be signed, or somebody asks to stop.
pub fn run(args: &Args) -> Result<(), CommandError> {
    let now = super::now();
    let time = epoch()?.unwrap_or(now);
    let (key, name) = key(args, now)?;
    let onlooker = Onlooker::start()?;
    let service = match &args.timestamp_url {
        Some(url) => Some(Service::new(url, onlooker.cancel.clone())?),
        None => None,
    };
    let request = Request {
        files: &args.files,
        key: match &key {
            Ready::OpenPgp(key) => Key::OpenPgp(key),
            Ready::Code(key) => {
                Key::Code { key, timestamps: service.as_ref().map(|service| service as &dyn Timestamps) }
            }
        },
        time,
        replace: args.replace,
        detached: match args.detach {
            Form::Armored => Detached::Armored,
            Form::Binary => Detached::Binary,
        },
        output: args.output.as_deref(),
    };
    let signed = match dalec_signer::sign(&request, &onlooker) {
        Ok(signed) => signed,
        Err(SignError::Cancelled) => return Err(onlooker.interrupted()),
        Err(SignError::Timestamp { .. }) if onlooker.cancel.is_cancelled() => {
            return Err(onlooker.interrupted());
        }
        Err(SignError::Key(error)) => {
            return Err(CommandError::Key { name, error, passphrase_flag: PASSPHRASE_FLAG });
        }
        Err(SignError::CodeKey(error)) => {
            return Err(CommandError::CodeKey { name, error: Box::new(error) });
        }
        Err(SignError::Read { path, source }) => return Err(CommandError::unreadable("file", &path, source)),
        Err(error) => return Err(CommandError::Sign(Box::new(error))),
    };
    let by = match &key {
        Ready::OpenPgp(key) => {
            let signer = key.signer();
            if signer.fingerprint != signer.primary && signed.iter().any(|signed| signed.kind == Kind::Deb) {
                warn(
                    "a subkey signed, and debsig-verify finds signatures by primary keys only",
                    "`dalec verify` and GnuPG accept it; for debsig-verify, sign with a key that has no signing subkey",
                );
            }
            super::signer(signer)
        }
        Ready::Code(key) => super::certificate(&key.certificate()),
    };
    say(&text(&signed, &by));
    Ok(())
}

fn text(signed: &[Signed], by: &str) -> String {
    let mut text = String::new();
    for Signed { path, written, .. } in signed {
        let written: Vec<String> =
            written.iter().filter(|written| *written != path).map(|path| shown(path)).collect();
        text += &match written.is_empty() {
            true => format!("signed {}\n", shown(path)),
            false => format!("signed {}: {}\n", shown(path), written.join(", ")),
        };
    }
    text + &format!("by {by}\n")
}

fn shown(path: &Path) -> String {
    clean(path.display().to_string().as_bytes(), Keep::Nothing)
}

/// Reads and unlocks the key.
fn key(args: &Args, now: u64) -> Result<(Ready, String), CommandError> {
    if is_key(&args.key) {
        return Err(CommandError::Usage {
            message: "--key takes a file, env:NAME or -, and not the key itself".into(),
            help: Some(
                "everybody on this machine can read arguments; put it into a variable: --key env:NAME".into(),
            ),
            source: None,
        });
    }
    if let Some(held) = HeldKey::parse(&args.key)? {
        return find(args, held, now);
    }
    let source = KeySource::parse(&args.key);
    let passphrase = args.passphrase_file.as_deref().map(KeySource::parse);
    if source == KeySource::Stdin && passphrase == Some(KeySource::Stdin) {
        return Err(CommandError::usage("standard input can give the key or the passphrase, not both"));
    }
    for (what, source) in [("key", Some(&source)), ("passphrase", passphrase.as_ref())] {
        if let Some(path) = source.and_then(KeySource::readable_by_others) {
            let path = shown(path);
            warn(&format!("others can read the {what} {path}"), &format!("chmod 600 {path}"));
        }
    }
    // Neither a core dump nor another process of this user gets at what is read now. That cannot fail on Linux.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let material = source.read("key")?;
    let passphrase = match passphrase {
        Some(source) => Some(source.read("passphrase")?.without_line_break()),
        None => None,
    };
    let name = source.name("key");
    if CodeKey::is_meant(&material) {
        let others = args.cert.as_deref().map(certificates).transpose()?;
        return match CodeKey::load(&material, others.as_deref(), passphrase.as_ref(), now) {
            Ok(key) => Ok((Ready::Code(key), name)),
            Err(error) => Err(CommandError::CodeKey { name, error: Box::new(error) }),
        };
    }
    for (flag, is_given) in
        [("--cert", args.cert.is_some()), ("--timestamp-url", args.timestamp_url.is_some())]
    {
        if is_given {
            return Err(CommandError::usage_help(
                format!("{flag} is for Windows programs, and {name} is no key for those"),
                "give a private key in PEM, DER or PKCS #12",
            ));
        }
    }
    match SigningKey::load(&material, passphrase.as_ref(), now) {
        Ok(key) => Ok((Ready::OpenPgp(Box::new(key)), name)),
        Err(error) => Err(CommandError::Key { name, error, passphrase_flag: PASSPHRASE_FLAG }),
    }
}

/// Finds a key that somebody else holds.
fn find(args: &Args, held: HeldKey, now: u64) -> Result<(Ready, String), CommandError> {
    let name = held.name();
    let pin = held.pin_source().map(|path| KeySource::File(path.clone()));
    let passphrase = match args.passphrase_file.as_deref().map(KeySource::parse).or(pin) {
        Some(source) => {
            if let Some(path) = source.readable_by_others().map(|path| shown(path)) {
                warn(&format!("others can read the passphrase {path}"), &format!("chmod 600 {path}"));
            }
            let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
            Some(source.read("passphrase")?.without_line_break())
        }
        None => None,
    };
    if args.key.as_bytes().windows(10).any(|window| window == b"pin-value=") {
        warn(
            "everybody on this machine can read the PIN among the arguments",
            "give it with --passphrase-file FILE or env:NAME, or by pin-source=FILE",
        );
    }
    let certificate = args.cert.as_deref().map(certificates).transpose()?;
    Ok((held.find(certificate, passphrase, now)?, name))
}

/// Reads a file with certificates.
fn certificates(path: &Path) -> Result<Vec<u8>, CommandError> {
    super::read_bounded(path, LARGEST_CERTIFICATES)
        .map_err(|source| CommandError::unreadable("certificate", path, source))
}

/// Returns whether a key was given where it is to be named.
fn is_key(given: &OsStr) -> bool {
    given.as_bytes().windows(10).any(|window| window == b"-----BEGIN")
}

/// Returns the time that the environment asks for.
fn epoch() -> Result<Option<u64>, CommandError> {
    let Some(value) = std::env::var_os(EPOCH).filter(|value| !value.is_empty()) else { return Ok(None) };
    let seconds = value.to_str().and_then(|text| text.parse::<u32>().ok());
    match seconds {
        Some(seconds) => Ok(Some(seconds.into())),
        None => Err(CommandError::usage(format!(
            "{EPOCH} is {:?}, which is no number of seconds since 1970",
            value.to_string_lossy()
        ))),
    }
}

fn warn(headline: &str, help: &str) {
    let style =
        Style { color: terminal::takes_color(Stream::Stderr), width: terminal::text_width(Stream::Stderr) };
    let remarks = [("help", help.to_owned())];
    say(&Report { level: Level::WARNING, headline, excerpts: &[], remarks: &remarks }.render(style));
}

/// Tells the signer about signals, and the watch over signals about temporary files.
struct Onlooker {
    cancel: Cancel,
    watch: Watch,
}

impl Onlooker {
    fn start() -> Result<Self, CommandError> {
        let cancel = Cancel::new();
        let watch = Watch::start(cancel.clone(), || (), || ())?;
        Ok(Self { cancel, watch })
    }

    fn interrupted(&self) -> CommandError {
        let signal = self.watch.received().unwrap_or(libc::SIGINT);
        CommandError::Interrupted { signal, what: "signing was cancelled; no file was changed" }
    }
}

impl dalec_signer::Watch for Onlooker {
    fn should_stop(&self) -> bool {
        self.cancel.is_cancelled()
    }

    fn will_write(&self, temporary: &Path) {
        self.watch.remove_when_killed(temporary);
    }
}
