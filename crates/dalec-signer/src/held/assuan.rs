//! Assuan, the line protocol that GnuPG's programs speak over a socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use zeroize::Zeroizing;

use super::{HolderError, words};

/// The protocol allows no longer lines.
const LONGEST_LINE: u64 = 1002;
/// No answer that is asked for here is longer.
const MOST_DATA: usize = 1 << 16;
/// Status lines and questions before the end of an answer.
const MOST_LINES: usize = 1000;

/// A connection.
pub(super) struct Assuan {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    place: String,
}

impl Assuan {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// [`HolderError`] when nobody answers there, or not in this protocol.
    pub(super) fn connect(path: &Path) -> Result<Self, HolderError> {
        let place = path.display().to_string();
        let failed =
            |error: io::Error| HolderError::Unreachable { place: place.clone(), reason: error.to_string() };
        let writer = UnixStream::connect(path).map_err(failed)?;
        let reader = BufReader::new(writer.try_clone().map_err(failed)?);
        let mut assuan = Self { reader, writer, place };
        assuan.answer(None)?;
        Ok(assuan)
    }

    /// Sends `command`, and returns the data of the answer. `secret` answers the question for a passphrase.
    ///
    /// # Errors
    /// [`HolderError`] when the answer is an error or makes no sense.
    pub(super) fn ask(&mut self, command: &str, secret: Option<&[u8]>) -> Result<Vec<u8>, HolderError> {
        self.send(command.as_bytes())?;
        self.answer(secret)
    }

    fn send(&mut self, line: &[u8]) -> Result<(), HolderError> {
        let sent = self.writer.write_all(line).and_then(|()| self.writer.write_all(b"\n"));
        sent.map_err(|error| self.lost(&error))
    }

    fn answer(&mut self, secret: Option<&[u8]>) -> Result<Vec<u8>, HolderError> {
        let mut data = Vec::new();
        for _ in 0..MOST_LINES {
            let line = self.line()?;
            let (word, rest) = split(&line);
            match word {
                b"OK" => return Ok(data),
                b"ERR" => return Err(error(rest)),
                b"D" => data.extend(unescape(rest)),
                b"INQUIRE" => {
                    if let (b"PASSPHRASE", Some(secret)) = (split(rest).0, secret) {
                        let mut line = Zeroizing::new(b"D ".to_vec());
                        line.extend(escape(secret).iter());
                        self.send(&line)?;
                    }
                    self.send(b"END")?;
                }
                // Status lines and comments.
                _ => {}
            }
            if data.len() > MOST_DATA {
                return Err(HolderError::Answer { reason: "it is too long" });
            }
        }
        Err(HolderError::Answer { reason: "it does not end" })
    }

    fn line(&mut self) -> Result<Vec<u8>, HolderError> {
        let mut line = Vec::new();
        let read = self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        read.map_err(|error| self.lost(&error))?;
        match line.pop() {
            Some(b'\n') => Ok(line),
            None => Err(self.lost(&io::ErrorKind::UnexpectedEof.into())),
            Some(_) => Err(HolderError::Answer { reason: "a line of it is too long, or cut off" }),
        }
    }

    fn lost(&self, error: &io::Error) -> HolderError {
        HolderError::Unreachable { place: self.place.clone(), reason: error.to_string() }
    }
}

/// Splits a line at its first space.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|byte| *byte == b' ') {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[]),
    }
}

/// Returns what an error means; the low 16 bits of its number say it in the words of libgpg-error.
fn error(rest: &[u8]) -> HolderError {
    let (number, text) = split(rest);
    let number = std::str::from_utf8(number).ok().and_then(|number| number.parse::<u32>().ok());
    match number.map(|number| number & 0xffff) {
        Some(17) => HolderError::NoKey,
        Some(11 | 87) => HolderError::WrongPin,
        Some(31 | 177) => HolderError::Locked,
        Some(129) => HolderError::Blocked,
        Some(99 | 198) => HolderError::Cancelled,
        Some(85 | 86) => HolderError::NoPrompt,
        _ => HolderError::Refused { words: words(&String::from_utf8_lossy(text)) },
    }
}

fn escape(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut escaped = Zeroizing::new(Vec::with_capacity(bytes.len() * 3));
    for byte in bytes {
        match byte {
            b'%' | b'\r' | b'\n' => escaped.extend(format!("%{byte:02X}").bytes()),
            byte => escaped.push(*byte),
        }
    }
    escaped
}

fn unescape(bytes: &[u8]) -> Vec<u8> {
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.extend(u8::try_from(high * 16 + low));
                at += 3;
            }
            (byte, ..) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_go_both_ways() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unescape(&escape(&bytes)), bytes);
        assert_eq!(unescape(b"%"), b"%");
        assert_eq!(unescape(b"%4"), b"%4");
    }
}
