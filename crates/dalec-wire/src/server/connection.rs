//! The connection: a pair of pipes, served on a thread of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Instant;

use bollard_buildkit_proto::moby::buildkit::v1::frontend::llb_bridge_server::LlbBridgeServer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio_stream::StreamExt;
use tonic::transport::Server;
use tonic::transport::server::Connected;

use super::answers::{Answer, Answers, locked};
use super::host::Host;
use super::service::Service;
use crate::MAX_MESSAGE;

/// What every conversation begins with; anything else is not the protocol.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes kept of what came instead.
const STRANGE_BYTES: usize = 160;

/// Bytes before the payload of a frame of HTTP/2, the type of the frame that says why a connection ends, and bytes of
/// it that say so.
const FRAME_HEADER: usize = 9;
const GOAWAY: u8 = 7;
const GOAWAY_LENGTH: usize = 8;

/// Why a connection ends when something came that is not the protocol: protocol, frame size and compression errors.
const BROKEN_CODES: [u32; 3] = [1, 6, 9];

/// Calls that are worked on at a time; more wait.
const CALLS: usize = 256;

/// A frontend that is being served.
///
/// Dropped, it is served no more.
pub struct Serving {
    answers: Arc<Answers>,
    watch: Arc<Mutex<Watch>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How a conversation ended.
#[derive(Debug)]
pub enum Outcome {
    /// The frontend had its last word: a result or an error.
    Answer(Answer),
    /// It wrote something else than the protocol; this is how that begins.
    Strange(Vec<u8>),
    /// It began with the protocol, but wrote something else between.
    Broken,
    /// It left without a word.
    Nothing,
}

/// What was seen of the connection.
#[derive(Debug, Default)]
struct Watch {
    /// The first bytes, while they may still be the preface or are known not to be.
    first: Vec<u8>,
    strange: bool,
    written: Written,
    /// Whether it was answered that something is not the protocol.
    broken: bool,
    closed: Option<Instant>,
}

/// The frames that are written, as far as they tell why a conversation ends.
#[derive(Debug, Default)]
struct Written {
    /// How the frame that is being written begins.
    begin: Vec<u8>,
    /// Bytes of it that are still to come and say nothing.
    rest: usize,
}

/// Serves `host` to the frontend that writes to `from` and reads from `to`, both pipes.
///
/// # Errors
/// When they are no pipes, or no thread can be had.
pub fn serve(host: Arc<dyn Host>, from: OwnedFd, to: OwnedFd) -> io::Result<Serving> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("gateway")
        .max_blocking_threads(CALLS)
        .build()?;
    let answers = Arc::new(Answers::default());
    let watch = Arc::new(Mutex::new(Watch::default()));
    let (closed, is_closed) = oneshot::channel();
    let (stop, is_stopped) = oneshot::channel();
    let stream = {
        let _entered = runtime.enter();
        let (from, to) = (pipe::Receiver::from_owned_fd(from)?, pipe::Sender::from_owned_fd(to)?);
        Watched { from, to, watch: watch.clone(), closed: Some(closed) }
    };
    let service = LlbBridgeServer::new(Service::new(host, answers.clone()))
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let conversation = async move {
        let incoming = tokio_stream::once(Ok::<_, io::Error>(stream)).chain(tokio_stream::pending());
        tokio::select! {
            // It ends for no reason of its own: a second connection never comes.
            _ = Server::builder().add_service(service).serve_with_incoming(incoming) => {}
            _ = is_closed => {}
            _ = is_stopped => {}
        }
    };
    // Calls that still run are waited for when the runtime goes: whoever stops the server stops them, too.
    let thread = std::thread::Builder::new().name("gateway".into());
    let thread = thread.spawn(move || {
        runtime.block_on(conversation);
        drop(runtime);
    })?;
    Ok(Serving { answers, watch, stop: Some(stop), thread: Some(thread) })
}

impl Serving {
    /// Returns since when nothing more is to be expected of the frontend: it had its last word, or closed the
    /// connection.
    pub fn over_since(&self) -> Option<Instant> {
        self.answers.ended().or(locked(&self.watch).closed)
    }

    /// Returns whether the frontend had its last word.
    pub fn is_answered(&self) -> bool {
        self.answers.ended().is_some()
    }

    /// Ends the conversation and returns how it went. Waits for calls that are being worked on.
    pub fn end(mut self) -> Outcome {
        self.stop();
        if let Some(answer) = self.answers.take_answer() {
            return Outcome::Answer(answer);
        }
        let watch = locked(&self.watch);
        match (watch.strange, watch.broken) {
            (true, _) => Outcome::Strange(watch.first.clone()),
            (false, true) => Outcome::Broken,
            (false, false) => Outcome::Nothing,
        }
    }

    fn stop(&mut self) {
        // Gone already when the frontend closed the connection.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

/// The two pipes as one stream, which remembers how it began and says when it is let go of.
struct Watched {
    from: pipe::Receiver,
    to: pipe::Sender,
    watch: Arc<Mutex<Watch>>,
    closed: Option<oneshot::Sender<()>>,
}

impl Watch {
    fn see(&mut self, data: &[u8]) {
        let wanted = if self.strange { STRANGE_BYTES } else { PREFACE.len() };
        if self.first.len() >= wanted {
            return;
        }
        let room = STRANGE_BYTES - self.first.len();
        self.first.extend_from_slice(&data[..data.len().min(room)]);
        let common = self.first.len().min(PREFACE.len());
        self.strange = self.first[..common] != PREFACE[..common];
    }
}

impl Written {
    /// Returns whether `data`, which was written after what was seen before, says that the other side broke the rules.
    fn see(&mut self, mut data: &[u8]) -> bool {
        let mut broken = false;
        while !data.is_empty() {
            let skipped = self.rest.min(data.len());
            self.rest -= skipped;
            data = &data[skipped..];
            let wanted =
                if self.begin.len() < FRAME_HEADER { FRAME_HEADER } else { FRAME_HEADER + GOAWAY_LENGTH };
            let taken = (wanted - self.begin.len()).min(data.len());
            self.begin.extend_from_slice(&data[..taken]);
            data = &data[taken..];
            let &[a, b, c, kind, _, _, _, _, _, ref payload @ ..] = self.begin.as_slice() else { continue };
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            match (kind, payload) {
                (GOAWAY, [_, _, _, _, code @ ..]) if code.len() == 4 => {
                    broken |= BROKEN_CODES.iter().any(|broken| code == broken.to_be_bytes());
                    self.rest = length.saturating_sub(GOAWAY_LENGTH);
                    self.begin.clear();
                }
                (GOAWAY, _) if length >= GOAWAY_LENGTH => {}
                _ => {
                    self.rest = length;
                    self.begin.clear();
                }
            }
        }
        broken
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.from).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = read {
            locked(&self.watch).see(&buffer.filled()[before..]);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.to).poll_write(context, data);
        if let Poll::Ready(Ok(length)) = written {
            let mut watch = locked(&self.watch);
            watch.broken |= watch.written.see(&data[..length]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.to).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.to).poll_shutdown(context)
    }
}

impl Connected for Watched {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl Drop for Watched {
    fn drop(&mut self) {
        locked(&self.watch).closed.get_or_insert_with(Instant::now);
        // Nobody waits for it when the server was stopped.
        let _ = self.closed.take().map(|closed| closed.send(()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_protocol_from_something_else() {
        let seen = |pieces: &[&[u8]]| {
            let mut watch = Watch::default();
            pieces.iter().for_each(|piece| watch.see(piece));
            (watch.strange, watch.first)
        };
        assert!(!seen(&[b"PRI * ", b"HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0"]).0);
        assert!(!seen(&[b"PRI"]).0);
        assert_eq!(seen(&[b"PR", b"INT"]), (true, b"PRINT".to_vec()));
        let (strange, first) = seen(&[b"signing", &[b'x'; 1000], b"more"]);
        assert_eq!((strange, first.len()), (true, STRANGE_BYTES));
    }

    #[test]
    fn an_answer_tells_that_the_rules_were_broken() {
        let settings = [&[0, 0, 6, 4, 0, 0, 0, 0, 0][..], &[7; 6]].concat();
        let leave =
            |code: u8| [&[0, 0, 10, 7, 0, 0, 0, 0, 0][..], &[0, 0, 0, 1, 0, 0, 0, code], b"no"].concat();
        for (code, expected) in [(0, false), (1, true), (6, true), (11, false)] {
            let bytes = [settings.clone(), leave(code), settings.clone()].concat();
            assert_eq!(Written::default().see(&bytes), expected, "{code}");
            let mut written = Written::default();
            let seen: Vec<bool> = bytes.iter().map(|byte| written.see(&[*byte])).collect();
            assert_eq!(seen.contains(&true), expected, "{code}");
            assert!(written.begin.is_empty() && written.rest == 0);
        }
    }
}
