//! What a step of a build may do with a socket of the host. With an ssh agent: list its keys and sign with them, and nothing
//! else. With another server, which the client gave as one: whatever that server allows.
//!
//! The embedded engine and the client of a `buildkitd` both lend agents, each over connections of its own. The protocol is
//! `draft-ietf-sshm-ssh-agent`: a length of four bytes, a byte that says what it is, and the rest.

use std::io::{self, Read, Write};
use std::path::PathBuf;

/// The agent of mounts that name none.
pub const DEFAULT: &str = "default";

/// A socket of the host that steps may connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is no agent's: bytes are passed on as they are, both ways.
    pub raw: bool,
}

/// Bytes of the largest message; the agent of OpenSSH takes no larger ones.
const MAX_MESSAGE: usize = 256 << 10;

const FAILURE: u8 = 5;
const LIST_KEYS: u8 = 11;
const SIGN: u8 = 13;

/// Passes requests of `step` on that only use keys, and answers others itself, until the step has ended.
///
/// # Errors
/// When one of the two goes in the middle of a message, or sends what is no message.
pub fn exchange(mut step: impl Read + Write, mut agent: impl Read + Write) -> io::Result<()> {
    while let Some(request) = message(&mut step)? {
        let answer = match request.first() {
            Some(&(LIST_KEYS | SIGN)) => {
                send(&mut agent, &request)?;
                message(&mut agent)?.ok_or(io::ErrorKind::UnexpectedEof)?
            }
            _ => vec![FAILURE],
        };
        send(&mut step, &answer)?;
    }
    Ok(())
}

/// Reads a message without its length; none at the end.
fn message(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_be_bytes(length) as usize;
    if length == 0 || length > MAX_MESSAGE {
        return Err(io::Error::other("a message has no sensible length"));
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message)?;
    Ok(Some(message))
}

fn send(stream: &mut impl Write, message: &[u8]) -> io::Result<()> {
    // The length was checked when it came in.
    let length = (message.len() as u32).to_be_bytes();
    stream.write_all(&[&length, message].concat())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    const REMOVE_ALL: u8 = 19;

    #[test]
    fn keys_can_be_used_and_nothing_else() {
        let (mut step, step_end) = UnixStream::pair().unwrap();
        let (agent, mut agent_end) = UnixStream::pair().unwrap();
        let filter = std::thread::spawn(move || exchange(&step_end, &agent));
        send(&mut step, &[REMOVE_ALL]).unwrap();
        assert_eq!(message(&mut step).unwrap(), Some(vec![FAILURE]));
        send(&mut step, &[LIST_KEYS]).unwrap();
        // The first thing that the agent sees.
        assert_eq!(message(&mut agent_end).unwrap(), Some(vec![LIST_KEYS]));
        send(&mut agent_end, &[12, 0, 0, 0, 0]).unwrap();
        assert_eq!(message(&mut step).unwrap(), Some(vec![12, 0, 0, 0, 0]));
        drop(step);
        filter.join().unwrap().unwrap();
    }

    #[test]
    fn a_message_of_any_length_is_refused() {
        assert!(message(&mut &[0xff; 16][..]).is_err());
        assert!(message(&mut &[0; 16][..]).is_err());
    }
}
