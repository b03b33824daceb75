//! Plain downloads: one client, retries, and errors that name the URL.
//!
//! What the bytes mean, and whether they may be believed, is decided elsewhere.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder, Response};
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
            all(url, respond(url, request)?, limit)
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
        mut consume: impl FnMut(Response) -> Result<T, BootstrapError>,
    ) -> Result<T, BootstrapError> {
        self.attempt(progress, || respond(url, self.client.get(url)).and_then(&mut consume))
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
            match one() {
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

fn respond(url: &str, request: RequestBuilder) -> Result<Response, BootstrapError> {
    let response = request.send().map_err(|source| {
        // The client repeats the URL in its message; ours names it already.
        BootstrapError::Unreachable { url: url.to_owned(), source: source.without_url().into() }
    })?;
    match response.status() {
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(BootstrapError::NotFound { url: url.to_owned() }),
        status if status.is_success() => Ok(response),
        status => Err(BootstrapError::Status { url: url.to_owned(), status: status.as_u16() }),
    }
}

fn all(url: &str, response: Response, limit: u64) -> Result<Vec<u8>, BootstrapError> {
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
    use std::sync::atomic::{AtomicU32, Ordering};

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
}
