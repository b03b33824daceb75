//! `dalec key`: keys for signing packages. Starts no engine.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use dalec_signer::{Algorithm, GenerateError, NewKey};
use rustix::process::DumpableBehavior;
use tempfile::NamedTempFile;

use super::say;
use crate::errors::CommandError;
use crate::options::keys::KeySource;
use crate::terminal::{Keep, clean};

const DAY: u64 = 24 * 60 * 60;

/// Makes keys for signing packages
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    New(New),
}

/// Makes an OpenPGP key that signs packages
///
/// Writes the secret key, which only its owner may read, and the public key, for everybody who checks signatures. Files
/// that are there already stay as they are. What was made is an ordinary OpenPGP key: GnuPG imports it, and keys that
/// GnuPG made are as good.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  dalec key new \"Hello Packages <packages@example.org>\"    # key.asc and public.asc
  dalec key new \"Hello <a@example.org>\" --passphrase-file env:PASSPHRASE --expires 5y")]
struct New {
    /// Whose key it is, in one line: `NAME <ADDRESS>`
    #[arg(value_name = "OWNER")]
    owner: String,
    /// How the key computes
    #[arg(long, value_enum, default_value = "ed25519")]
    algorithm: Form,
    /// How long the key is good: a number with d, w, m or y behind it, or never
    #[arg(long, value_name = "TIME", default_value = "2y", value_parser = lifetime)]
    expires: Lifetime,
    /// Locks the secret key: a file with the passphrase, env:NAME, or - for standard input
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<OsString>,
    /// Where the secret key goes
    #[arg(short, long, value_name = "FILE", default_value = "key.asc")]
    output: PathBuf,
    /// Where the public key goes
    #[arg(long, value_name = "FILE", default_value = "public.asc")]
    public: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// small and fast; rpm, GnuPG, debsig-verify and apt know it
    Ed25519,
    /// for verifiers that know nothing else; takes seconds to make
    Rsa4096,
}

/// Seconds; none for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lifetime(Option<u64>);

fn lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" {
        return Ok(Lifetime(None));
    }
    let wrong = || "write 90d, 8w, 6m, 2y or never".to_owned();
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let days = match unit {
        "d" => 1,
        "w" => 7,
        "m" => 30,
        "y" => 365,
        _ => return Err(wrong()),
    };
    match number.parse::<u64>() {
        Ok(number) if number > 0 => Ok(Lifetime(Some(number.saturating_mul(days * DAY)))),
        _ => Err(wrong()),
    }
}

/// Makes a key, and says where it is.
///
/// # Errors
/// When the owner or the time is of no use, or a file is there already or cannot be written.
pub fn run(args: &Args) -> Result<(), CommandError> {
    let Command::New(args) = &args.command;
    // Found out before the work, though only writing decides.
    for path in [&args.output, &args.public] {
        if path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
    }
    let passphrase = args.passphrase_file.as_deref().map(KeySource::parse);
    let passphrase = match passphrase {
        Some(source) => Some(source.read("passphrase")?.without_line_break()),
        None => None,
    };
    if passphrase.as_ref().is_some_and(|passphrase| passphrase.bytes().is_empty()) {
        return Err(CommandError::usage("the passphrase is empty; leave --passphrase-file out for none"));
    }
    // Neither a core dump nor another process of this user gets at the secret. That cannot fail on Linux.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let created = super::now();
    let key = dalec_signer::generate(&NewKey {
        user_id: &args.owner,
        algorithm: match args.algorithm {
            Form::Ed25519 => Algorithm::Ed25519,
            Form::Rsa4096 => Algorithm::Rsa4096,
        },
        created,
        lifetime: args.expires.0,
        passphrase: passphrase.as_ref(),
    });
    let key = key.map_err(|error| match error {
        GenerateError::UserId | GenerateError::Lifetime => CommandError::usage(error.to_string()),
        GenerateError::Refused => {
            CommandError::Environment { message: error.to_string(), help: None, source: None }
        }
    })?;
    let public = written(&args.public, key.public.as_bytes(), 0o644)?;
    let secret = written(&args.output, key.secret.bytes(), 0o600)?;
    placed(secret, &args.output)?;
    if let Err(error) = placed(public, &args.public) {
        // The secret key is of this moment, and nobody has it yet.
        let _ = std::fs::remove_file(&args.output);
        return Err(error);
    }
    let until = match args.expires.0 {
        Some(seconds) => format!("good until {}", super::time(created.saturating_add(seconds))),
        None => "good for ever".to_owned(),
    };
    let locked = match passphrase {
        Some(_) => "locked by the passphrase",
        None => "not locked: who can read it can sign",
    };
    say(&format!(
        "{}: the secret key, {locked}\n{}: the public key, for everybody who checks signatures\nkey {}, {until}\n",
        shown(&args.output),
        shown(&args.public),
        super::signer(&key.signer),
    ));
    Ok(())
}

fn shown(path: &Path) -> String {
    clean(path.display().to_string().as_bytes(), Keep::Nothing)
}

fn taken(path: &Path) -> CommandError {
    CommandError::Usage {
        message: format!("{} is there already", path.display()),
        help: Some("a key that is lost cannot be made again; move it, or name other files".into()),
        source: None,
    }
}

/// Writes `bytes` beside `path`.
fn written(path: &Path, bytes: &[u8], mode: u32) -> Result<NamedTempFile, CommandError> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> io::Result<NamedTempFile> {
        let permissions = std::fs::Permissions::from_mode(mode);
        let mut file =
            tempfile::Builder::new().prefix(".dalec-").permissions(permissions).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    write().map_err(|source| CommandError::unwritable(path, source))
}

/// Gives a file its name, unless there is one of that name.
fn placed(file: NamedTempFile, path: &Path) -> Result<(), CommandError> {
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(taken(path)),
        Err(error) => Err(CommandError::unwritable(path, error.error)),
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, Lifetime, lifetime};

    #[test]
    fn times_have_units() {
        assert_eq!(lifetime("90d"), Ok(Lifetime(Some(90 * DAY))));
        assert_eq!(lifetime("2y"), Ok(Lifetime(Some(730 * DAY))));
        assert_eq!(lifetime("never"), Ok(Lifetime(None)));
        for wrong in ["", "d", "2", "-1y", "0d", "1h", "2 y", "ü"] {
            assert!(lifetime(wrong).is_err(), "{wrong}");
        }
    }
}
