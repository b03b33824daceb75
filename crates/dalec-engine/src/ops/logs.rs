//! What a process writes: passed on at once, and its end kept for the case that it fails.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::time::Duration;

use dalec_gateway::LogStream;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::error::{IoContext, Result};

/// Lines kept for a failure.
const TAIL_LINES: usize = 40;
/// Bytes of a line kept for a failure.
const LINE_BYTES: usize = 4096;
/// How often a quiet process is left alone to see whether it should be stopped.
const POLL: Duration = Duration::from_millis(50);

/// The last lines of an output.
#[derive(Debug, Default)]
pub struct Tail {
    lines: VecDeque<Vec<u8>>,
    open: [Vec<u8>; 2],
}

impl Tail {
    /// Takes what was written to a stream.
    pub fn push(&mut self, stream: LogStream, data: &[u8]) {
        let index = usize::from(stream == LogStream::Stderr);
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = LINE_BYTES.saturating_sub(self.open[index].len());
            self.open[index].extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                let line = std::mem::take(&mut self.open[index]);
                self.keep(line);
            }
        }
    }

    fn keep(&mut self, line: Vec<u8>) {
        if self.lines.len() == TAIL_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Returns the lines.
    pub fn lines(mut self) -> Vec<String> {
        for line in std::mem::take(&mut self.open) {
            if !line.is_empty() {
                self.keep(line);
            }
        }
        let text = |line: &Vec<u8>| String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
        self.lines.iter().map(text).collect()
    }
}

/// Reads both streams to their end, handing what comes to `take`.
///
/// # Errors
/// When `check` says so, which is asked all the time, and when a stream cannot be read.
pub fn follow(
    streams: [Option<File>; 2],
    check: &dyn Fn() -> Result<()>,
    take: &mut dyn FnMut(LogStream, &[u8]),
) -> Result<()> {
    let mut streams: Vec<(LogStream, File)> = [LogStream::Stdout, LogStream::Stderr]
        .into_iter()
        .zip(streams)
        .filter_map(|(stream, file)| Some((stream, file?)))
        .collect();
    let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(POLL.subsec_nanos()) };
    let mut buffer = vec![0; 64 * 1024];
    while !streams.is_empty() {
        check()?;
        let ready: Vec<bool> = {
            let mut waiting: Vec<PollFd<'_>> = streams
                .iter()
                .map(|(_, file)| PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN))
                .collect();
            match rustix::event::poll(&mut waiting, Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).at("wait for", "the output of a process"),
            }
            waiting.iter().map(|fd| !fd.revents().is_empty()).collect()
        };
        for index in (0..streams.len()).rev().filter(|index| ready[*index]) {
            let (stream, file) = &mut streams[index];
            let length = match file.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                length => length.at("read", "the output of a process")?,
            };
            if length == 0 {
                streams.remove(index);
                continue;
            }
            take(*stream, &buffer[..length]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_whole_lines_of_both_streams() {
        let mut tail = Tail::default();
        tail.push(LogStream::Stdout, b"one\ntw");
        tail.push(LogStream::Stderr, b"error\r\n");
        tail.push(LogStream::Stdout, b"o\nopen");
        assert_eq!(tail.lines(), ["one", "error", "two", "open"]);
        let mut tail = Tail::default();
        for number in 0..100 {
            tail.push(LogStream::Stdout, format!("{number}\n").as_bytes());
        }
        tail.push(LogStream::Stdout, &vec![b'x'; 10_000]);
        let lines = tail.lines();
        assert_eq!((lines.len(), lines[0].as_str(), lines[39].len()), (40, "61", LINE_BYTES));
    }
}
