//! The HTTP client: one for everything that comes over the network, made when first used.
//!
//! It follows redirects itself, because credentials must not travel to another server and because loopback
//! servers are never asked through a proxy. Waiting can be cancelled at any time.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use reqwest::{Certificate, Client, ClientBuilder, Method, StatusCode, Url, redirect};
use tokio::runtime::Runtime;

use super::error::{HttpError, shown_url};
use crate::Cancel;
use crate::sources::transfer::Transfer;

const MAX_REDIRECTS: usize = 10;
/// Longest time a server can make us wait before the next attempt.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
/// How often a cancelled build is noticed while waiting.
const TICK: Duration = Duration::from_millis(50);
/// Bytes of a file that are sent at once.
const PIECE: usize = 256 << 10;
/// How the client behaves.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// PEM file with certificate authorities to trust beside the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Longest time to establish a connection.
    pub connect_timeout: Duration,
    /// Longest time without a byte.
    pub read_timeout: Duration,
    /// How often a request is sent when failures may pass; at least 1.
    pub attempts: u32,
    /// Pause before the second attempt; doubles each time.
    pub retry_delay: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            ca_bundle: None,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
            attempts: 4,
            retry_delay: Duration::from_millis(300),
        }
    }
}

/// An HTTP client; cheap to clone. Nothing is set up before the first request.
#[derive(Clone)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    settings: HttpSettings,
    machinery: OnceLock<Result<Machinery, String>>,
}

struct Machinery {
    runtime: Runtime,
    /// Certificate authorities to trust beside the system's.
    extra_roots: Vec<Certificate>,
    settings: HttpSettings,
    /// Goes through the proxy of the environment, if there is one.
    outward: OnceLock<Result<Client, String>>,
    /// For servers on this machine.
    direct: OnceLock<Result<Client, String>>,
}

/// What goes with a request.
#[derive(Debug, Clone)]
enum Body {
    None,
    Text(String),
    /// A file of this many bytes, which must not change meanwhile.
    File(PathBuf, u64),
}

/// A request.
#[derive(Debug, Clone)]
pub struct Ask {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Body,
    basic: Option<(String, String)>,
    impatient: bool,
}

impl Ask {
    /// Returns a request for what is at `url`.
    ///
    /// # Errors
    /// When it is not an `http` or `https` URL.
    pub fn get(url: &str) -> Result<Self, HttpError> {
        let bad = |reason: String| HttpError::Url { url: super::error::shown(url), reason };
        let parsed = Url::parse(url).map_err(|error| bad(error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            let scheme = parsed.scheme();
            return Err(bad(format!("{scheme:?} is not supported, only http and https are")));
        }
        Ok(Self {
            method: Method::GET,
            url: parsed,
            headers: HeaderMap::new(),
            body: Body::None,
            basic: None,
            impatient: false,
        })
    }

    /// Returns a request that sends a form; `body` is the encoded form.
    ///
    /// # Errors
    /// As [`Ask::get`].
    pub fn post_form(url: &str, body: String) -> Result<Self, HttpError> {
        let mut ask = Self::get(url)?;
        ask.method = Method::POST;
        ask.body = Body::Text(body);
        ask.header("content-type", "application/x-www-form-urlencoded")?;
        Ok(ask)
    }

    /// Returns a request that starts something, with nothing in it.
    ///
    /// # Errors
    /// As [`Ask::get`].
    pub fn post(url: &str) -> Result<Self, HttpError> {
        Ok(Self { method: Method::POST, body: Body::Text(String::new()), ..Self::get(url)? })
    }

    /// Returns a request that puts text at `url`.
    ///
    /// # Errors
    /// As [`Ask::get`].
    pub fn put(url: &str, body: String) -> Result<Self, HttpError> {
        Ok(Self { method: Method::PUT, body: Body::Text(body), ..Self::get(url)? })
    }

    /// Returns a request that puts the file `path` of `size` bytes at `url`.
    ///
    /// # Errors
    /// As [`Ask::get`].
    pub fn put_file(url: &str, path: &Path, size: u64) -> Result<Self, HttpError> {
        Ok(Self { method: Method::PUT, body: Body::File(path.to_owned(), size), ..Self::get(url)? })
    }

    /// Asks for the headers alone.
    pub fn head(mut self) -> Self {
        self.method = Method::HEAD;
        self
    }

    /// Adds a user name and a password.
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.basic = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// Makes it fail at once when the server cannot be reached.
    pub fn impatient(mut self) -> Self {
        self.impatient = true;
        self
    }

    /// Adds a header.
    ///
    /// # Errors
    /// When name or value cannot stand in a header.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), HttpError> {
        let bad = |what: &str| HttpError::Url {
            url: shown_url(&self.url),
            reason: format!("the {what} of the header {name:?} holds characters that are not allowed"),
        };
        let parsed_name: HeaderName = name.parse().map_err(|_| bad("name"))?;
        let mut parsed_value: HeaderValue = value.parse().map_err(|_| bad("value"))?;
        parsed_value.set_sensitive(true);
        self.headers.append(parsed_name, parsed_value);
        Ok(())
    }

    /// Adds a header whose value came from a server; one that cannot be sent back is left out.
    pub fn known_header(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    /// Returns where it goes.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Turns it to `location`; what was meant for one server is not told another.
    fn redirected(&mut self, location: Url) {
        if location.origin() != self.url.origin() {
            let harmless = [ACCEPT, IF_NONE_MATCH, IF_MODIFIED_SINCE];
            self.headers = harmless
                .into_iter()
                .filter_map(|name| self.headers.get(&name).cloned().map(|value| (name, value)))
                .collect();
            self.basic = None;
        }
        self.url = location;
    }
}

impl HttpClient {
    /// Returns a client; sets up nothing yet.
    pub fn new(settings: HttpSettings) -> Self {
        Self { inner: Arc::new(Inner { settings, machinery: OnceLock::new() }) }
    }

    /// Returns the settings.
    pub fn settings(&self) -> &HttpSettings {
        &self.inner.settings
    }

    /// Returns whether a request was ever made.
    pub fn was_used(&self) -> bool {
        self.inner.machinery.get().is_some()
    }

    /// Sends `ask` and has `receive` take the answer, whatever its status; both again, after a growing
    /// pause, for as long as the error may pass.
    ///
    /// # Errors
    /// Those of the last attempt.
    pub fn exchange<T>(
        &self,
        ask: &Ask,
        cancel: &Cancel,
        receive: &mut dyn FnMut(Reply<'_>) -> Result<T, HttpError>,
    ) -> Result<T, HttpError> {
        let mut delay = self.inner.settings.retry_delay;
        let mut attempt = 1;
        loop {
            let error = match self.send(ask, cancel).and_then(&mut *receive) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let give_up = ask.impatient && matches!(error, HttpError::Unreachable { .. });
            if give_up || attempt >= self.inner.settings.attempts || !error.is_transient() {
                return Err(error);
            }
            let pause = match &error {
                HttpError::Status { retry_after: Some(wish), .. } => (*wish).min(MAX_RETRY_AFTER),
                _ => delay,
            };
            rest(pause, cancel)?;
            delay *= 2;
            attempt += 1;
        }
    }

    /// Sends `ask` once and follows redirects.
    fn send(&self, ask: &Ask, cancel: &Cancel) -> Result<Reply<'_>, HttpError> {
        let machinery = self.machinery()?;
        let mut ask = ask.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = machinery.send_once(&ask, cancel)?;
            let reply = Reply { runtime: &machinery.runtime, response };
            let Some(location) = reply.redirect_target(&ask)? else {
                return Ok(reply);
            };
            ask.redirected(location);
        }
        Err(HttpError::Redirect {
            url: shown_url(&ask.url),
            reason: format!("the server redirects more than {MAX_REDIRECTS} times"),
        })
    }

    fn machinery(&self) -> Result<&Machinery, HttpError> {
        let machinery = self.inner.machinery.get_or_init(|| Machinery::new(&self.inner.settings));
        machinery.as_ref().map_err(|message| HttpError::Setup { message: message.clone() })
    }
}

impl Machinery {
    fn new(settings: &HttpSettings) -> Result<Self, String> {
        // An error says that a provider is there already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let extra_roots = match &settings.ca_bundle {
            Some(path) => read_bundle(path)?,
            None => Vec::new(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("dalec-http")
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let settings = settings.clone();
        Ok(Self { runtime, extra_roots, settings, outward: OnceLock::new(), direct: OnceLock::new() })
    }

    /// Returns the client for `url`. Reading the system's certificates takes a while, so each is made when needed.
    fn client(&self, url: &Url) -> Result<&Client, HttpError> {
        let client = if is_loopback(url) {
            self.direct.get_or_init(|| self.make_client(|| self.builder().no_proxy()))
        } else {
            self.outward.get_or_init(|| self.make_client(|| self.builder()))
        };
        client.as_ref().map_err(|message| HttpError::Setup { message: message.clone() })
    }

    fn builder(&self) -> ClientBuilder {
        Client::builder()
            .user_agent(concat!("dalec/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(self.settings.connect_timeout)
            .read_timeout(self.settings.read_timeout)
    }

    fn make_client(&self, builder: impl Fn() -> ClientBuilder) -> Result<Client, String> {
        // On a system without any certificate authority the plain builder fails.
        let client = match builder().build() {
            Ok(client) if self.extra_roots.is_empty() => Ok(client),
            Ok(_) => builder().tls_certs_merge(self.extra_roots.clone()).build(),
            Err(_) => {
                let roots = built_in_roots().chain(self.extra_roots.clone());
                builder().tls_certs_only(roots).build()
            }
        };
        client.map_err(|error| error.to_string())
    }

    fn send_once(&self, ask: &Ask, cancel: &Cancel) -> Result<reqwest::Response, HttpError> {
        let client = self.client(&ask.url)?;
        let mut request = client.request(ask.method.clone(), ask.url.clone()).headers(ask.headers.clone());
        if let Some((user, password)) = &ask.basic {
            request = request.basic_auth(user, Some(password));
        }
        request = match &ask.body {
            Body::None => request,
            Body::Text(text) => request.body(text.clone()),
            Body::File(path, size) => {
                let pieces = Pieces::of(path).map_err(|error| HttpError::Setup {
                    message: format!("cannot read {}: {error}", path.display()),
                })?;
                let body = reqwest::Body::wrap_stream(tokio_stream::iter(pieces));
                request.header(CONTENT_LENGTH, *size).body(body)
            }
        };
        let sent = wait(&self.runtime, cancel, async { request.send().await })?;
        sent.map_err(|error| HttpError::from_client(&ask.url, &error.without_url()))
    }
}

/// A file piece by piece.
struct Pieces {
    file: File,
}

impl Pieces {
    fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self { file: File::open(path)? })
    }
}

impl Iterator for Pieces {
    type Item = std::io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = vec![0; PIECE];
        match self.file.read(&mut piece) {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some(Ok(piece))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// An answer whose content is still to be read.
pub struct Reply<'a> {
    runtime: &'a Runtime,
    response: reqwest::Response,
}

impl Reply<'_> {
    /// Returns who answered: where redirects led to.
    pub fn url(&self) -> &Url {
        self.response.url()
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Returns the first header called `name`, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Returns all headers called `name` that are text.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let all = self.response.headers().get_all(name).iter();
        all.filter_map(|value| value.to_str().ok().map(str::to_owned)).collect()
    }

    /// Checks that the server said yes.
    ///
    /// # Errors
    /// [`HttpError::Status`] if it did not.
    pub fn expect_success(&self) -> Result<(), HttpError> {
        let status = self.status();
        if status.is_success() {
            return Ok(());
        }
        let retry_after = self.header(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
        Err(HttpError::Status {
            url: shown_url(self.response.url()),
            status,
            retry_after: retry_after.map(Duration::from_secs),
        })
    }

    /// Gives the content to `sink` piece by piece and reports progress as `id`.
    ///
    /// # Errors
    /// When the connection breaks, more than `limit` bytes come, the build is cancelled, or `sink` fails.
    pub fn copy_to(
        &mut self,
        id: &str,
        limit: u64,
        transfer: &Transfer<'_>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), HttpError>,
    ) -> Result<(), HttpError> {
        let total = self.response.content_length().unwrap_or(0);
        let too_large = || HttpError::TooLarge { url: shown_url(self.response.url()), limit };
        if total > limit {
            return Err(too_large());
        }
        let mut current = 0;
        transfer.step(id, current, total);
        loop {
            let chunk = wait(self.runtime, transfer.cancel, self.response.chunk())?;
            let chunk = chunk.map_err(|error| HttpError::Interrupted {
                url: shown_url(self.response.url()),
                source: super::error::Cause::of(&error.without_url()),
            })?;
            let Some(chunk) = chunk else {
                return Ok(());
            };
            current += chunk.len() as u64;
            if current > limit {
                return Err(HttpError::TooLarge { url: shown_url(self.response.url()), limit });
            }
            sink(&chunk)?;
            transfer.step(id, current, total);
        }
    }

    /// Returns the whole content, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Reply::copy_to`].
    pub fn bytes(&mut self, limit: u64, cancel: &Cancel) -> Result<Vec<u8>, HttpError> {
        let mut bytes = Vec::new();
        self.copy_to("", limit, &Transfer::silent(cancel), &mut |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(bytes)
    }

    fn redirect_target(&self, ask: &Ask) -> Result<Option<Url>, HttpError> {
        let redirects = matches!(self.status().as_u16(), 301 | 302 | 303 | 307 | 308);
        if !redirects || !matches!(ask.method, Method::GET | Method::HEAD) {
            return Ok(None);
        }
        let bad = |reason: String| HttpError::Redirect { url: shown_url(&ask.url), reason };
        let location = self
            .header(LOCATION.as_str())
            .ok_or_else(|| bad("the server redirects, but does not say where to".to_owned()))?;
        let target = ask
            .url
            .join(location)
            .map_err(|error| bad(format!("the server redirects to {location:?}: {error}")))?;
        if !matches!(target.scheme(), "http" | "https") {
            return Err(bad(format!("the server redirects to {location:?}, which is not http or https")));
        }
        Ok(Some(target))
    }
}

/// Waits for `future`, but no longer than the build goes on.
fn wait<T>(runtime: &Runtime, cancel: &Cancel, future: impl Future<Output = T>) -> Result<T, HttpError> {
    runtime.block_on(async {
        let mut future = std::pin::pin!(future);
        loop {
            if cancel.is_cancelled() {
                return Err(HttpError::Cancelled);
            }
            if let Ok(value) = tokio::time::timeout(TICK, &mut future).await {
                return Ok(value);
            }
        }
    })
}

/// Pauses, but no longer than the build goes on.
fn rest(pause: Duration, cancel: &Cancel) -> Result<(), HttpError> {
    let end = Instant::now() + pause;
    loop {
        if cancel.is_cancelled() {
            return Err(HttpError::Cancelled);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(TICK));
    }
}

/// Returns whether `url` names this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

fn read_bundle(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let found = Certificate::from_pem_bundle(&pem)
        .map_err(|error| format!("{} holds no certificates in PEM format: {error}", path.display()))?;
    if found.is_empty() {
        return Err(format!("{} holds no certificates in PEM format", path.display()));
    }
    Ok(found)
}

/// Mozilla's certificate authorities, for systems that have none.
fn built_in_roots() -> impl Iterator<Item = Certificate> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| Certificate::from_der(der).ok())
}
