//! What the engine and the shim say to each other: length-prefixed JSON over a socket.
//!
//! The engine sends an [`Input`] and one [`SandboxSpec`](super::SandboxSpec), later [`Order`]s; init answers with
//! [`Report`]s. Both ends are the same executable, so there is no version to negotiate.

use std::fmt;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::stubs::Stub;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitStatus {
    /// It ended by itself with this status, 0 to 255.
    Code(i32),
    /// This signal killed it: 9 also stands for a sandbox that was killed as a whole or ran out of memory.
    Signal(i32),
}

impl ExitStatus {
    /// Tells whether the command ended with status 0.
    pub fn success(self) -> bool {
        self == ExitStatus::Code(0)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExitStatus::Code(code) => write!(out, "exit status {code}"),
            ExitStatus::Signal(signal) => write!(out, "killed by signal {signal}"),
        }
    }
}

/// What the command's standard input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Input {
    /// Empty.
    Nothing,
    /// The descriptor that follows.
    Follows,
    /// The descriptor that follows, a terminal that is to control the command.
    Terminal,
}

/// What the engine tells the shim while the command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    /// Send a signal to the command.
    Signal {
        /// Its number.
        number: u8,
    },
}

/// What init tells the engine: first [`Report::Started`] or [`Report::Failed`], after the former [`Report::Exited`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Report {
    /// The command runs.
    Started {
        /// What was created as mount points, in order of creation.
        stubs: Vec<Stub>,
    },
    /// The command was not started.
    Failed {
        /// Why.
        failure: Failure,
        /// What was created as mount points before.
        stubs: Vec<Stub>,
    },
    /// The command ended.
    Exited {
        /// How.
        status: ExitStatus,
    },
}

/// A failure before the command ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    /// The step, the command or the user, by `kind`.
    pub(super) subject: String,
    /// The kernel's error code, if the kernel refused.
    pub(super) errno: Option<i32>,
    /// Why, in words, if the kernel was not asked.
    pub(super) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FailureKind {
    Setup,
    Command,
    User,
}

impl Failure {
    /// A step of the setup that is wrong by itself.
    pub(super) fn invalid(step: impl Into<String>, reason: impl Into<String>) -> Self {
        Failure { kind: FailureKind::Setup, subject: step.into(), errno: None, reason: reason.into() }
    }

    fn from_errno(kind: FailureKind, subject: String, errno: Errno) -> Self {
        Failure { kind, subject, errno: Some(errno.raw_os_error()), reason: String::new() }
    }
}

/// Says which step failed.
pub(super) trait At<T> {
    /// Turns the kernel's refusal into a [`Failure`] of `step`.
    fn at(self, step: impl Into<String>) -> Result<T, Failure>;

    /// Turns the kernel's refusal into a [`Failure`] to execute `command`.
    fn running(self, command: &str) -> Result<T, Failure>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, step: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|errno| Failure::from_errno(FailureKind::Setup, step.into(), errno))
    }

    fn running(self, command: &str) -> Result<T, Failure> {
        self.map_err(|errno| Failure::from_errno(FailureKind::Command, command.to_owned(), errno))
    }
}

/// Sends one value, at once: several threads may send to a sandbox.
pub(super) fn send(mut stream: impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut message = vec![0; 4];
    serde_json::to_writer(&mut message, value)?;
    let length = u32::try_from(message.len() - 4)
        .map_err(|_| io::Error::other("the sandbox description exceeds 4 GiB"))?;
    message[..4].copy_from_slice(&length.to_le_bytes());
    stream.write_all(&message)
}

/// Receives one value, or `None` if the other side has closed.
pub(super) fn receive<T: DeserializeOwned>(mut stream: impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if closed(&error) => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut body = Vec::new();
    let length = u64::from(u32::from_le_bytes(length));
    if (&mut stream).take(length).read_to_end(&mut body)? as u64 != length {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&body)?))
}

/// Sends one descriptor.
pub(super) fn send_descriptor(socket: &UnixStream, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("there is no room for a descriptor"));
    }
    rustix::net::sendmsg(socket, &[io::IoSlice::new(b"d")], &mut control, SendFlags::empty())?;
    Ok(())
}

/// Receives what [`send_descriptor`] sent; it closes when a program is executed.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] when nothing was sent.
pub(super) fn receive_descriptor(socket: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut buffers = [io::IoSliceMut::new(&mut byte)];
    let message = rustix::net::recvmsg(socket, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if message.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let received = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    received.ok_or_else(|| io::Error::other("no descriptor came"))
}

fn closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset)
}

/// Bytes as hexadecimal text, half the size of a JSON list of numbers.
pub(super) mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
