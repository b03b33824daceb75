//! The commands, one per file: its flags with their help, and one function that does it.

pub mod build;
pub mod cache;
pub mod completions;
pub mod frontend;
pub mod key;
pub mod lint;
pub mod resolve;
pub mod schema;
pub mod sign;
pub mod targets;
pub mod verify;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use dalec_signer::{CertificateFacts, Signer};
use dalec_spec::Platform;

use crate::errors::{CommandError, Style};
use crate::terminal::{self, Keep, Stream, clean};

/// Returns the time in seconds since 1970.
pub fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map(|since| since.as_secs()).unwrap_or_default()
}

/// Returns seconds since 1970 as people write the time.
pub fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map(|time| time.to_string()).unwrap_or_else(|| format!("{seconds} s after 1970"))
}

/// Returns who signs, safe to show: what a key says of its owner is anybody's text.
pub fn signer(signer: &Signer) -> String {
    match &signer.user_id {
        Some(user) => format!("{} ({})", signer.fingerprint, clean(user.as_bytes(), Keep::Nothing)),
        None => signer.fingerprint.clone(),
    }
}

/// Returns whose certificate it is, safe to show.
pub fn certificate(certificate: &CertificateFacts) -> String {
    format!("{} ({})", certificate.fingerprint, name(&certificate.subject))
}

/// Returns a name in a certificate, safe to show.
fn name(name: &str) -> String {
    clean(name.as_bytes(), Keep::Nothing)
}

/// Reads a file of at most `limit` bytes.
fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

/// How a command that prints data writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DataFormat {
    /// for people
    Text,
    /// for programs
    Json,
}

/// Writes data to standard output.
fn print(data: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(data.as_bytes()).and_then(|()| stdout.flush()).map_err(CommandError::stdout)
}

/// Says why a command did not do what was asked, on standard error.
pub fn report(error: &CommandError) {
    if let Some(words) = error.words() {
        let style = Style {
            color: terminal::takes_color(Stream::Stderr),
            width: terminal::text_width(Stream::Stderr),
        };
        say(&words.text(style));
    }
}

/// Writes words to standard error.
pub fn say(words: &str) {
    // Nobody can be told that standard error is closed.
    let _ = io::stderr().lock().write_all(words.as_bytes());
}

/// Writes words to standard error if it takes them at once, whoever else is writing there.
pub fn say_without_waiting(words: &str) {
    let stderr = rustix::stdio::stderr();
    let mut ready = [rustix::event::PollFd::new(&stderr, rustix::event::PollFlags::OUT)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    let polled = rustix::event::poll(&mut ready, Some(&now));
    if polled.is_ok() && ready[0].revents().contains(rustix::event::PollFlags::OUT) {
        // Nobody can be told that standard error is closed. Its lock may be held by a writer that waits.
        let _ = rustix::io::write(stderr, words.as_bytes());
    }
}

/// Returns the platform of this machine.
fn host() -> Platform {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    };
    Platform::new("linux", arch)
}

/// Returns `value` as indented JSON with a final line break.
fn to_json(value: &impl serde::Serialize) -> Result<String, CommandError> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| CommandError::Environment {
        message: "cannot write JSON".into(),
        help: None,
        source: Some(error.into()),
    })
}
