//! One timed run of a process, with its peak memory.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a run cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Seconds from start to end.
    pub seconds: f64,
    /// Most resident bytes of the process and of the one it re-executes itself as, not of its other children.
    pub peak: u64,
}

/// Runs `command` to its end.
///
/// # Errors
/// When it does not start or fails; the message holds what it said.
pub fn run(command: &mut Command, watch_memory: bool) -> Result<Cost, String> {
    let start = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let child = child.map_err(|error| format!("cannot start {:?}: {error}", command.get_program()))?;
    let pid = child.id();
    let watcher = watch_memory.then(|| std::thread::spawn(move || watch(pid)));
    let output = child.wait_with_output().map_err(|error| format!("cannot wait: {error}"))?;
    let seconds = start.elapsed().as_secs_f64();
    let peak = watcher.and_then(|thread| thread.join().ok()).unwrap_or_default();
    match output.status.success() {
        true => Ok(Cost { seconds, peak }),
        false => Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}

/// Reads the high-water mark of `pid` until it is gone.
fn watch(pid: u32) -> u64 {
    let mut peak = 0;
    while let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(kilobytes) = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        else {
            break;
        };
        peak = peak.max(kilobytes * 1024);
        std::thread::sleep(Duration::from_millis(5));
    }
    peak
}
