//! Running git: bounded in what it writes, stopped with the build, gone when this process is.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use dalec_gateway::LogStream;
use rustix::process::{Pid, Resource, Rlimit, Signal};

use super::error::GitError;
use super::remote::Remote;
use super::setup::Setup;
use crate::error::{Error, IoContext, Result};
use crate::ops::{OpContext, follow};

/// Largest file that git may write: 16 GiB, as much as a download may have.
const LARGEST_FILE: u64 = 16 << 30;
/// Most bytes that are read of what git answers, where that is not taken piece by piece.
const LONGEST_ANSWER: usize = 64 << 20;
/// Bytes that are kept of what git complains about.
const WORDS: usize = 64 << 10;
/// Oldest version whose settings can all be given by the environment.
const OLDEST: (u32, u32) = (2, 32);

/// One call of git that is being put together.
pub struct Call<'a> {
    context: &'a OpContext<'a>,
    remote: &'a Remote,
    setup: &'a Setup,
    command: Command,
    stdin: Option<File>,
}

/// What a call came to.
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// What it complained about, as far as it was kept.
    pub words: String,
}

impl<'a> Call<'a> {
    /// Returns a call for a repository.
    pub fn new(context: &'a OpContext<'a>, setup: &'a Setup, remote: &'a Remote) -> Self {
        let mut command = Command::new("git");
        command.env_clear().envs(setup.environment(remote)).current_dir("/");
        Self { context, remote, setup, command, stdin: None }
    }

    /// Works in the repository `dir`.
    pub fn git_dir(mut self, dir: &Path) -> Self {
        self.command.env("GIT_DIR", dir);
        self
    }

    /// Writes files to `dir`, and which ones they are to the file `index`.
    pub fn work_tree(mut self, dir: &Path, index: &Path) -> Self {
        self.command.env("GIT_WORK_TREE", dir).env("GIT_INDEX_FILE", index).current_dir(dir);
        self
    }

    /// Reads `file`.
    pub fn stdin(mut self, file: File) -> Self {
        self.stdin = Some(file);
        self
    }

    /// Runs it and returns what it answers.
    ///
    /// # Errors
    /// What git says, told as the failure to `action` the repository.
    pub fn output(self, action: &'static str, arguments: &[&str]) -> Result<Vec<u8>> {
        let mut answer = Vec::new();
        let (context, remote, setup) = (self.context, self.remote, self.setup);
        let ran = self.stream(arguments, &mut |piece| match answer.len() + piece.len() > LONGEST_ANSWER {
            true => Err(Error::op(format!("{} has too much to say", remote.url()))),
            false => {
                answer.extend_from_slice(piece);
                Ok(())
            }
        })?;
        match ran.status.success() {
            true => Ok(answer),
            false => Err(failed(context, setup, remote, action, &ran.words).into()),
        }
    }

    /// Runs it and returns how it ended; `take` gets what it answers.
    ///
    /// # Errors
    /// What `take` says, and when git cannot be started or the build is cancelled.
    pub fn stream(mut self, arguments: &[&str], take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Ran> {
        self.command.args(arguments);
        self.command.stdin(self.stdin.take().map_or_else(Stdio::null, Stdio::from));
        let (mut process, streams) = start(self.command)?;
        let mut words = Vec::new();
        let mut received = Received::new(self.remote);
        let refused = std::cell::RefCell::new(None);
        let check = || match refused.take() {
            Some(error) => Err(error),
            None => self.context.check(),
        };
        follow(streams, &check, &mut |stream, piece| match stream {
            LogStream::Stdout => {
                if let Err(error) = take(piece) {
                    refused.replace(Some(error));
                }
            }
            LogStream::Stderr => {
                received.tell(self.context, piece);
                words.extend_from_slice(piece);
                let surplus = words.len().saturating_sub(WORDS);
                words.drain(..surplus);
            }
        })?;
        check()?;
        let status = process.wait()?;
        Ok(Ran { status, words: String::from_utf8_lossy(&words).into_owned() })
    }
}

/// Returns what git's `words` stand for: it was to `action` something of `remote`.
///
/// Git does not say where a server sends it; so where that is all that is missing, it is asked for the answer's header.
pub fn failed(
    context: &OpContext<'_>,
    setup: &Setup,
    remote: &Remote,
    action: &'static str,
    words: &str,
) -> GitError {
    match GitError::of_words(action, remote, &setup.login, words) {
        GitError::Moved { remote: url, .. } => {
            let mut call = Call::new(context, setup, remote);
            // Its trace leaves logins out, and nobody else sees it.
            for (name, value) in
                [("GIT_TRACE_CURL", "1"), ("GIT_TRACE_CURL_NO_DATA", "1"), ("GIT_TRACE_REDACT", "1")]
            {
                call.command.env(name, value);
            }
            let ran = call.stream(&["ls-remote", "--", remote.url(), "HEAD"], &mut |_| Ok(()));
            let host = ran.ok().and_then(|ran| host_of_location(&ran.words)).unwrap_or_default();
            GitError::Moved { remote: url, host }
        }
        error => error,
    }
}

/// Returns the server of the last address that a trace shows as the place of something; no more of it, for the rest may
/// be a secret.
fn host_of_location(trace: &str) -> Option<String> {
    let header = |line: &str| {
        let (_, header) = line.split_once("<= Recv header: ")?;
        let (name, value) = header.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
    };
    let place = trace.lines().filter_map(header).next_back()?;
    let (_, rest) = place.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let is_host = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter);
    (!host.is_empty() && host.len() <= 253 && host.chars().all(is_host)).then(|| host.to_owned())
}

/// Goes on if the program is there and new enough.
///
/// # Errors
/// When it is not.
pub fn check() -> Result<()> {
    let answer = Command::new("git").arg("version").output();
    let answer = answer.map_err(|source| GitError::Missing { source })?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let version = text.trim().trim_start_matches("git version ").to_owned();
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < OLDEST { Err(GitError::TooOld { version }.into()) } else { Ok(()) }
}

fn start(mut command: Command) -> Result<(Process, [Option<File>; 2])> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    // SAFETY: only system calls between fork and exec.
    unsafe {
        command.pre_exec(|| {
            // Whoever dies cannot stop it, and the next one finds the repository unlocked.
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            let limit = Rlimit { current: Some(LARGEST_FILE), maximum: Some(LARGEST_FILE) };
            // A limit that is lower already stays.
            let _ = rustix::process::setrlimit(Resource::Fsize, limit);
            Ok(())
        });
    }
    let mut child = command.spawn().map_err(|source| GitError::Missing { source })?;
    let stdout = child.stdout.take().map(|pipe| File::from(OwnedFd::from(pipe)));
    let stderr = child.stderr.take().map(|pipe| File::from(OwnedFd::from(pipe)));
    Ok((Process { child, ended: false }, [stdout, stderr]))
}

/// A process that is killed, with those that it started, when this is dropped before it has ended.
struct Process {
    child: Child,
    ended: bool,
}

impl Process {
    fn wait(&mut self) -> Result<ExitStatus> {
        let status = self.child.wait().at("wait for", PathBuf::from("git"))?;
        self.ended = true;
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let _: io::Result<ExitStatus> = self.child.wait();
    }
}

/// Reads from git's progress how much has come.
struct Received {
    id: String,
    line: Vec<u8>,
}

impl Received {
    fn new(remote: &Remote) -> Self {
        Self { id: format!("fetch {}", remote.url()), line: Vec::new() }
    }

    fn tell(&mut self, context: &OpContext<'_>, piece: &[u8]) {
        for byte in piece {
            match byte {
                b'\r' | b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    if let Some((bytes, done)) = received(&String::from_utf8_lossy(&line)) {
                        context.progress.status(&self.id, bytes, 0, done);
                    }
                }
                byte if self.line.len() < 256 => self.line.push(*byte),
                _ => {}
            }
        }
    }
}

/// Reads `Receiving objects:  45% (1/2), 1.20 MiB | 3.00 MiB/s`; returns the bytes, and whether that is all.
fn received(line: &str) -> Option<(u64, bool)> {
    let (_, rest) = line.split_once("Receiving objects:")?;
    let amount = rest.split(", ").nth(1)?.split('|').next()?.trim();
    let (number, unit) = amount.split_once(' ')?;
    let unit = match unit {
        "bytes" => 1.0,
        "KiB" => f64::from(1 << 10),
        "MiB" => f64::from(1 << 20),
        "GiB" => f64::from(1 << 30),
        _ => return None,
    };
    Some(((number.parse::<f64>().ok()? * unit) as u64, rest.contains("done")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_another_address_only_the_server_is_told() {
        let trace = |place: &str| {
            format!(
                "12:00 http.c:1 <= Recv header: HTTP/1.1 301\n12:00 http.c:1 <= Recv header: Location: {place}\n"
            )
        };
        let host = |place: &str| host_of_location(&trace(place));
        assert_eq!(host("https://new.example.org/a?token=1").as_deref(), Some("new.example.org"));
        assert_eq!(host("https://me:secret@new.example.org:81/a").as_deref(), Some("new.example.org:81"));
        assert_eq!(host("http://[::1]:81").as_deref(), Some("[::1]:81"));
        for none in ["/elsewhere", "https:///a", "https://\u{1b}[2J/", ""] {
            assert_eq!(host(none), None, "{none}");
        }
    }

    #[test]
    fn progress_is_read_in_bytes() {
        let line = "Receiving objects:  50% (1/2), 1.50 MiB | 3.00 MiB/s";
        assert_eq!(received(line), Some((3 << 19, false)));
        let last = "Receiving objects: 100% (2/2), 512 bytes | 512.00 KiB/s, done.";
        assert_eq!(received(last), Some((512, true)));
        assert_eq!(received("remote: Counting objects: 3, done."), None);
    }
}
