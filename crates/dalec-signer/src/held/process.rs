//! Programs that are asked about keys.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::HolderError;

/// No answer that is asked for here is longer.
const MOST_OUTPUT: u64 = 4 << 20;

/// What a program said.
pub(super) struct Said {
    /// Whether it was content.
    pub(super) success: bool,
    /// Its output.
    pub(super) stdout: Vec<u8>,
    /// Its complaints.
    pub(super) stderr: String,
}

/// Runs `command`, which people know as `program`, with `input`.
///
/// # Errors
/// [`HolderError::Program`] when it cannot be run.
pub(super) fn run(mut command: Command, program: &'static str, input: &[u8]) -> Result<Said, HolderError> {
    let failed = |error: std::io::Error| HolderError::Program { program, reason: error.to_string() };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("LC_ALL", "C.UTF-8");
    let mut child = command.spawn().map_err(failed)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Who does not read all of it says so in another way.
            let _ = stdin.map(|mut stdin| stdin.write_all(input));
        });
        let stderr = scope.spawn(|| stderr.map(all).unwrap_or_default());
        (stdout.map(all).unwrap_or_default(), stderr.join().unwrap_or_default())
    });
    let status = child.wait().map_err(failed)?;
    Ok(Said { success: status.success(), stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
}

/// Reads all that is taken; a program that has more to say finds nobody who listens.
fn all(source: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = source.take(MOST_OUTPUT).read_to_end(&mut bytes);
    bytes
}
