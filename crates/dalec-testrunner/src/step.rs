//! Runs the command of one step.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, ScopedJoinHandle};

use crate::protocol::{STDERR, STDOUT, Step, StepPaths};
use crate::report::Failure;

const PIECE: usize = 64 * 1024;

/// Runs the step that `paths` describe and returns the exit code of its command.
///
/// What the command prints goes to this process's own streams while it runs; a stream that is wanted for
/// checks is written to its file as well. A process that the command leaves behind is not waited for.
pub(crate) fn run(paths: &StepPaths) -> Result<i32, Failure> {
    let step = read(&paths.step)?;
    let failed = |reason: String| Failure::Command { command: step.command.clone(), reason };
    let words = dalec_spec::shlex::split(&step.command).map_err(|error| failed(error.to_string()))?;
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed("the command is empty".into()));
    };
    let stdout = Capture::new(step.capture_stdout, &paths.output.join(STDOUT))?;
    let stderr = Capture::new(step.capture_stderr, &paths.output.join(STDERR))?;
    let mut command = Command::new(program);
    command.args(arguments);
    command.stdin(if step.stdin.is_empty() { Stdio::null() } else { Stdio::piped() });
    let child = start(command, stdout, stderr).map_err(|error| failed(reason(program, &error)))?;
    let status = child.finish(&step.stdin).map_err(|error| failed(error.to_string()))?;
    Ok(code(status))
}

fn read(path: &Path) -> Result<Step, Failure> {
    let description = |reason: String| Failure::Description { path: path.to_owned(), reason };
    let text = std::fs::read(path).map_err(|error| description(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| description(error.to_string()))
}

fn reason(program: &str, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::NotFound {
        return error.to_string();
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let found = match program.contains('/') {
        true => Some(Path::new(program).to_owned()),
        false => path.split(':').map(|folder| Path::new(folder).join(program)).find(|file| file.exists()),
    };
    match found.filter(|file| file.exists()) {
        // The kernel says the same when it is the interpreter that is missing.
        Some(file) => match interpreter(&file) {
            Some(interpreter) => {
                format!(
                    "{} needs {interpreter}, which is not installed; add the package that has it to \
                     `dependencies.runtime` of the spec",
                    file.display()
                )
            }
            None => format!("{} needs a program loader that is not installed", file.display()),
        },
        None if program.contains('/') => error.to_string(),
        None => format!("{program} is in none of the directories of PATH ({path})"),
    }
}

/// Returns the interpreter that a script names in its first line.
fn interpreter(file: &Path) -> Option<String> {
    use std::io::Read;
    let mut start = [0; 256];
    let length = File::open(file).and_then(|mut file| file.read(&mut start)).ok()?;
    let line = start[..length].strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line).into_owned();
    line.split_whitespace().next().map(str::to_owned)
}

fn code(status: ExitStatus) -> i32 {
    let signal = || status.signal().map_or(2, |signal| 128 + signal);
    let code = status.code().unwrap_or_else(signal);
    if let Some(signal) = status.signal() {
        // The exit code alone would not tell.
        eprintln!("the command was ended by signal {signal}");
    }
    code
}

/// One stream that is shown and kept: the reading end of a pipe and the file that what comes out goes to.
struct Capture {
    reader: PipeReader,
    writer: PipeWriter,
    file: File,
}

impl Capture {
    fn new(wanted: bool, path: &Path) -> Result<Option<Self>, Failure> {
        if !wanted {
            return Ok(None);
        }
        let cannot = || Failure::io("keep the output", path);
        let (reader, writer) = io::pipe().map_err(cannot())?;
        let file = File::create(path).map_err(cannot())?;
        Ok(Some(Self { reader, writer, file }))
    }
}

/// A command that runs.
struct Running {
    child: Child,
    stdout: Option<(PipeReader, File)>,
    stderr: Option<(PipeReader, File)>,
}

fn start(mut command: Command, stdout: Option<Capture>, stderr: Option<Capture>) -> io::Result<Running> {
    let stdout = stdout.map(|capture| {
        command.stdout(capture.writer);
        (capture.reader, capture.file)
    });
    let stderr = stderr.map(|capture| {
        command.stderr(capture.writer);
        (capture.reader, capture.file)
    });
    let child = command.spawn()?;
    // `command` goes out of scope here and with it our writing ends, so that reading ends with the child.
    Ok(Running { child, stdout, stderr })
}

impl Running {
    fn finish(mut self, stdin: &str) -> io::Result<ExitStatus> {
        let (exited, running) = io::pipe()?;
        let input = self.child.stdin.take();
        thread::scope(|scope| {
            let copy = |stream: Option<(PipeReader, File)>, shown: Shown| {
                let exited = exited.as_fd();
                stream.map(|(reader, file)| scope.spawn(move || tee(reader, exited, file, shown)))
            };
            let stdout = copy(self.stdout, Shown::Stdout);
            let stderr = copy(self.stderr, Shown::Stderr);
            // Detached: a command that never reads its input must not hold this process up.
            let stdin = stdin.to_owned();
            thread::spawn(move || {
                // A command may end without reading all of its input.
                input.map(|mut input| input.write_all(stdin.as_bytes()))
            });
            let status = self.child.wait();
            drop(running);
            join(stdout)?;
            join(stderr)?;
            status
        })
    }
}

fn join(copy: Option<ScopedJoinHandle<'_, io::Result<()>>>) -> io::Result<()> {
    copy.map_or(Ok(()), |copy| {
        copy.join().unwrap_or_else(|_| Err(io::Error::other("copying the output failed")))
    })
}

#[derive(Clone, Copy)]
enum Shown {
    Stdout,
    Stderr,
}

impl Shown {
    fn write(self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
            Self::Stderr => io::stderr().write_all(bytes),
        }
    }
}

/// Copies `reader` to `shown` and to `file` until it ends, or until nothing is left in it once `exited` has ended.
fn tee(mut reader: PipeReader, exited: BorrowedFd<'_>, mut file: File, shown: Shown) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    while readable(reader.as_fd(), exited)? {
        let length = reader.read(&mut piece)?;
        if length == 0 {
            break;
        }
        file.write_all(&piece[..length])?;
        shown.write(&piece[..length])?;
    }
    Ok(())
}

/// Waits until `reader` has something to read or has ended; returns false when only `exited` has.
fn readable(reader: BorrowedFd<'_>, exited: BorrowedFd<'_>) -> io::Result<bool> {
    let wait = |fd: BorrowedFd<'_>| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut files = [wait(reader), wait(exited)];
    loop {
        // SAFETY: the array is valid for its length, and both descriptors are open as long as they are borrowed.
        if unsafe { libc::poll(files.as_mut_ptr(), files.len() as libc::nfds_t, -1) } >= 0 {
            return Ok(files[0].revents != 0);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
