//! A program that runs beside its test: what it has said so far can be looked at, and nobody waits for it for ever.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::run::Ran;

/// How long a program may take to its end. A first build on a slow machine, for which packages are fetched, takes less.
const LIMIT: Duration = Duration::from_secs(300);

/// How long a program that took too long may clean up.
const GRACE: Duration = Duration::from_secs(10);

/// How often is looked whether something has happened.
const PAUSE: Duration = Duration::from_millis(20);

/// A started program; one that still runs is stopped when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    what: String,
    latest: Instant,
    stdout: Stream,
    stderr: Stream,
}

impl Running {
    /// Starts a program that may take five minutes.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with(command, LIMIT)
    }

    fn start_with(command: &mut Command, limit: Duration) -> Self {
        let what = format!("{command:?}");
        let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("{what} does not start: {error}"));
        let stdout = Stream::read(child.stdout.take().expect("it is piped"));
        let stderr = Stream::read(child.stderr.take().expect("it is piped"));
        Self { child, what, latest: Instant::now() + limit, stdout, stderr }
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has said `text` on standard error.
    ///
    /// # Panics
    /// When it ends without, or takes too long.
    #[track_caller]
    pub fn says(&mut self, text: &str) {
        let mut said = false;
        self.wait(&format!("until it says {text:?}"), |running| {
            // In this order: what has ended says no more.
            let ended = running.ended().is_some() && running.stderr.ended();
            said = running.stderr.text().contains(text);
            said || ended
        });
        assert!(said, "{text:?} was not said:\n{}", self.stderr.text());
    }

    /// Waits until `done`, or until it has ended.
    ///
    /// # Panics
    /// When it takes too long.
    #[track_caller]
    pub fn until(&mut self, mut done: impl FnMut() -> bool) {
        self.wait("until something happens", |running| done() || running.ended().is_some());
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has ended.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) {
        assert_eq!(self.ended(), None, "it has ended:\n{}", self.stderr.text());
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Kills it, if it has not ended.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("it was started by us");
    }

    /// Waits for its end, and that of everything that it said.
    ///
    /// # Panics
    /// When it takes too long.
    #[track_caller]
    pub fn end(mut self) -> Ran {
        self.wait("for its end", |running| {
            running.ended().is_some() && running.stdout.ended() && running.stderr.ended()
        });
        let status = self.ended().expect("it has ended");
        Ran {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it was started by us")
    }

    #[track_caller]
    fn wait(&mut self, why: &str, mut done: impl FnMut(&mut Self) -> bool) {
        while !done(self) {
            if Instant::now() > self.latest {
                self.stop();
                let (out, err) = (self.stdout.text(), self.stderr.text());
                panic!("waited too long {why}: {}\nit said:\n{out}\n{err}", self.what);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Asks it to stop, and after a while does not ask any more.
    fn stop(&mut self) {
        if self.ended().is_none() {
            // It may have ended by itself in the meantime.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
        let asked = Instant::now();
        while self.ended().is_none() && asked.elapsed() < GRACE {
            std::thread::sleep(PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One of a program's outputs, as far as it has come.
#[derive(Debug)]
struct Stream {
    said: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let said = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 32 << 10];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                to.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..length]);
            }
        });
        Self { said, reader }
    }

    fn ended(&self) -> bool {
        self.reader.is_finished()
    }

    fn text(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&said).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn shell(script: &str, limit: Duration) -> Running {
        Running::start_with(Command::new("/bin/sh").args(["-c", script]), limit)
    }

    #[test]
    fn what_it_says_is_kept_to_the_end() {
        let mut running = shell("echo out; echo ready >&2; read line; echo err >&2; exit 3", LIMIT);
        running.says("ready");
        let ran = running.end();
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(3), "out\n", "ready\nerr\n"));
    }

    #[test]
    fn nobody_waits_for_ever() {
        let running = shell("echo so far; exec sleep 600", Duration::from_millis(300));
        let id = running.id();
        let caught = catch_unwind(AssertUnwindSafe(|| running.end())).unwrap_err();
        let message = caught.downcast_ref::<String>().expect("a panic with words");
        assert!(message.contains("waited too long for its end") && message.contains("so far"), "{message}");
        assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
    }

    #[test]
    fn an_output_that_another_process_holds_open_is_not_waited_for_either() {
        let running = shell("sleep 2 & exit 0", Duration::from_millis(300));
        assert!(catch_unwind(AssertUnwindSafe(|| running.end())).is_err());
    }
}
