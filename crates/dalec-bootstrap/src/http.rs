//! Plain downloads: one client, retries, and errors that name the URL.
//!
//! What the bytes mean, and whether they may be believed, is decided elsewhere.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder};
use reqwest::header::CONTENT_TYPE;
use reqwest::tls::Certificate;

use crate::error::BootstrapError;
use crate::progress::{self, Progress};

/// How often a transient failure is met with another attempt.
const ATTEMPTS: u32 = 3;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a wait goes on before it asks whether it is still wanted.
const WAIT_SLICE: Duration = Duration::from_millis(50);
/// The longest silence on one connection.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// The size of the pieces in which an answer comes, and how many of them may be on their way.
const PIECE: usize = 64 << 10;
const PIECES: usize = 4;

/// How to reach servers.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// A PEM file with certificate authorities to be trusted beside the system's.
    pub ca_bundle: Option<PathBuf>,
    /// The wait before the second attempt; doubled for the next.
    pub retry_delay: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { ca_bundle: None, retry_delay: Duration::from_millis(500) }
    }
}

/// An HTTP client that threads share; honours `http_proxy` and its relatives.
#[derive(Debug)]
pub struct Http {
    client: Client,
    retry_delay: Duration,
}

impl Http {
    /// Makes a client that trusts the system's authorities, or Mozilla's where there are none.
    ///
    /// # Errors
    /// [`BootstrapError::Io`] if the CA bundle cannot be read, [`BootstrapError::Https`] if it
    /// is not PEM.
    pub fn new(options: &HttpOptions) -> Result<Self, BootstrapError> {
        // Whoever comes second finds the same provider installed: there is one in the workspace.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let extra = match &options.ca_bundle {
            Some(path) => read_bundle(path)?,
            None => Vec::new(),
        };
        let client = builder()
            .tls_certs_merge(extra.clone())
            .build()
            .or_else(|_| builder().tls_certs_only(mozilla_roots().chain(extra)).build())
            .map_err(|source| BootstrapError::Https { source: source.into() })?;
        Ok(Self { client, retry_delay: options.retry_delay })
    }

    /// Downloads `url` into memory.
    ///
    /// # Errors
    /// [`BootstrapError::TooLarge`] beyond `limit` bytes, and those of reading from it.
    pub(crate) fn get(
        &self,
        url: &str,
        limit: u64,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>, BootstrapError> {
        self.read(url, progress, |response| all(url, response, limit))
    }

    /// Sends `body`, which is of the type `kind`, to `url` and returns what it answers.
    ///
    /// # Errors
    /// [`BootstrapError::TooLarge`] beyond `limit` bytes, and those of reading from it.
    pub fn post(
        &self,
        url: &str,
        kind: &str,
        body: &[u8],
        limit: u64,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>, BootstrapError> {
        self.attempt(progress, || {
            let request = self.client.post(url).header(CONTENT_TYPE, kind).body(body.to_vec());
            all(url, respond(url, request, progress)?, limit)
        })
    }

    /// Requests `url` and hands the answer to `consume`, again after a transient failure.
    ///
    /// `consume` reports a broken connection as [`BootstrapError::Unreachable`].
    ///
    /// # Errors
    /// [`BootstrapError::Unreachable`], [`BootstrapError::NotFound`],
    /// [`BootstrapError::Status`], [`BootstrapError::Cancelled`], and those of `consume`.
    pub(crate) fn read<T>(
        &self,
        url: &str,
        progress: &dyn Progress,
        mut consume: impl FnMut(Answer<'_>) -> Result<T, BootstrapError>,
    ) -> Result<T, BootstrapError> {
        self.attempt(progress, || respond(url, self.client.get(url), progress).and_then(&mut consume))
    }

    /// Makes one attempt, and others after a transient failure.
    fn attempt<T>(
        &self,
        progress: &dyn Progress,
        mut one: impl FnMut() -> Result<T, BootstrapError>,
    ) -> Result<T, BootstrapError> {
        let mut delay = self.retry_delay;
        let mut attempt = 1;
        loop {
            progress::check(progress)?;
            let outcome = one();
            // What a caller who wants to stop breaks off looks like a broken connection.
            if outcome.is_err() {
                progress::check(progress)?;
            }
            match outcome {
                Err(error) if attempt < ATTEMPTS && is_transient(&error) => {
                    wait(delay, progress)?;
                    delay *= 2;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }
}

/// What a server answers, as it comes.
///
/// The connection belongs to a thread of its own: no silence of a server keeps a caller waiting who wants to stop. That
/// thread ends with the connection, or with the next piece that nobody takes.
pub(crate) struct Answer<'a> {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
    has_ended: bool,
    progress: &'a dyn Progress,
}

impl Read for Answer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.piece.read(buffer)? {
                0 if !buffer.is_empty() && !self.has_ended => {}
                count => return Ok(count),
            }
            let piece = receive(&self.pieces, self.progress).map_err(io::Error::other)?;
            self.piece = io::Cursor::new(piece.ok_or(io::ErrorKind::UnexpectedEof)??);
            self.has_ended = self.piece.get_ref().is_empty();
        }
    }
}

/// Waits for what comes next; none when nothing does any more.
fn receive<T>(from: &Receiver<T>, progress: &dyn Progress) -> Result<Option<T>, BootstrapError> {
    loop {
        progress::check(progress)?;
        match from.recv_timeout(WAIT_SLICE) {
            Ok(value) => return Ok(Some(value)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

/// Sends `request`; returns the answer once its status is known and good.
fn respond<'a>(
    url: &str,
    request: RequestBuilder,
    progress: &'a dyn Progress,
) -> Result<Answer<'a>, BootstrapError> {
    let unreachable = |source| BootstrapError::Unreachable { url: url.to_owned(), source };
    let (to_status, from_status) = sync_channel(1);
    let (to_pieces, pieces) = sync_channel(PIECES);
    let thread = std::thread::Builder::new().name("dalec-download".to_owned());
    let started = thread.spawn(move || transfer(request, &to_status, &to_pieces));
    started.map_err(|error| unreachable(error.into()))?;
    // The client repeats the URL in its message; ours names it already.
    let status = match receive(&from_status, progress)? {
        Some(status) => status.map_err(|source: reqwest::Error| unreachable(source.without_url().into()))?,
        None => return Err(unreachable(io::Error::from(io::ErrorKind::BrokenPipe).into())),
    };
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(BootstrapError::NotFound { url: url.to_owned() }),
        status if status.is_success() => {
            Ok(Answer { pieces, piece: io::Cursor::default(), has_ended: false, progress })
        }
        status => Err(BootstrapError::Status { url: url.to_owned(), status: status.as_u16() }),
    }
}

/// Hands over the status and the content of the answer, for as long as somebody takes them; an empty piece is the end.
fn transfer(
    request: RequestBuilder,
    status: &SyncSender<Result<StatusCode, reqwest::Error>>,
    pieces: &SyncSender<io::Result<Vec<u8>>>,
) {
    let mut response = match request.send() {
        Ok(response) => response,
        // Nobody takes it when the caller has stopped, which is what ends a piece below, too.
        Err(error) => return drop(status.send(Err(error))),
    };
    if status.send(Ok(response.status())).is_err() || !response.status().is_success() {
        return;
    }
    loop {
        let mut piece = vec![0; PIECE];
        let piece = match response.read(&mut piece) {
            Ok(count) => {
                piece.truncate(count);
                Ok(piece)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let is_last = piece.as_ref().is_ok_and(Vec::is_empty) || piece.is_err();
        if pieces.send(piece).is_err() || is_last {
            return;
        }
    }
}

fn all(url: &str, response: Answer<'_>, limit: u64) -> Result<Vec<u8>, BootstrapError> {
    let mut bytes = Vec::new();
    let read = response.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|source| BootstrapError::Unreachable { url: url.to_owned(), source: source.into() })?;
    match bytes.len() as u64 > limit {
        true => Err(BootstrapError::TooLarge { url: url.to_owned(), limit }),
        false => Ok(bytes),
    }
}

/// Waits for `delay`, in slices, so that a caller who wants to stop need not wait too.
fn wait(delay: Duration, progress: &dyn Progress) -> Result<(), BootstrapError> {
    let mut left = delay;
    while !left.is_zero() {
        progress::check(progress)?;
        let slice = left.min(WAIT_SLICE);
        std::thread::sleep(slice);
        left -= slice;
    }
    Ok(())
}

fn builder() -> reqwest::blocking::ClientBuilder {
    Client::builder()
        .user_agent(concat!("dalec/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(SILENCE_TIMEOUT)
}

fn is_transient(error: &BootstrapError) -> bool {
    match error {
        BootstrapError::Unreachable { .. } => true,
        BootstrapError::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
        _ => false,
    }
}

fn mozilla_roots() -> impl Iterator<Item = Certificate> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|certificate| Certificate::from_der(certificate).ok())
}

fn read_bundle(path: &Path) -> Result<Vec<Certificate>, BootstrapError> {
    let pem = std::fs::read(path).map_err(BootstrapError::io("read", path))?;
    Certificate::from_pem_bundle(&pem).map_err(|source| BootstrapError::Https { source: source.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Event;
    use std::io::Write;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    /// Wants to stop from the third question on.
    #[derive(Default)]
    struct SoonCancelled(AtomicU32);

    impl Progress for SoonCancelled {
        fn report(&self, _event: Event) {}

        fn is_cancelled(&self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed) >= 2
        }
    }

    #[test]
    fn the_wait_for_another_attempt_ends_when_the_caller_stops() {
        // A wait that heeds nobody would outlast every test run.
        let retry_delay = Duration::from_secs(1_000_000);
        let http = Http::new(&HttpOptions { retry_delay, ..HttpOptions::default() }).unwrap();
        // Port 0 is nobody's: the attempt fails at once, as a broken connection does.
        let error = http.get("http://127.0.0.1:0/x", 1, &SoonCancelled::default()).unwrap_err();
        assert!(matches!(error, BootstrapError::Cancelled), "{error}");
    }

    /// Wants to stop once a server was asked.
    struct Asked(Arc<AtomicBool>);

    impl Progress for Asked {
        fn report(&self, _event: Event) {}

        fn is_cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_server_that_falls_silent_is_left_when_the_caller_stops() {
        for said in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/x", listener.local_addr().unwrap());
            let asked = Arc::new(AtomicBool::default());
            let (done, is_done) = sync_channel::<()>(0);
            let server = std::thread::spawn({
                let asked = asked.clone();
                move || {
                    let (mut stream, _) = listener.accept().unwrap();
                    let _ = stream.read(&mut [0; 1000]).unwrap();
                    stream.write_all(said.as_bytes()).unwrap();
                    asked.store(true, Ordering::Relaxed);
                    // It holds the connection for as long as the caller waits, which has to end by itself.
                    let waited = is_done.recv_timeout(SILENCE_TIMEOUT / 2);
                    matches!(waited, Err(RecvTimeoutError::Disconnected))
                }
            });
            let http = Http::new(&HttpOptions::default()).unwrap();
            let error = http.get(&url, 100, &Asked(asked)).unwrap_err();
            drop(done);
            assert!(matches!(error, BootstrapError::Cancelled), "{error}");
            assert!(server.join().unwrap(), "the caller waited for a silent server");
        }
    }
}
