//! Why a download failed.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::oci::{BadDigest, BlobError, Digest};

/// Why a download failed. URLs are shown without credentials.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The URL is not one that can be fetched.
    #[error("cannot fetch {url:?}: {reason}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The checksum of the request is not one.
    #[error("the checksum makes no sense")]
    BadChecksum {
        /// What is wrong with it.
        source: BadDigest,
    },
    /// The name that the file is to get is not one.
    #[error("{name:?} cannot be the name of a file")]
    Filename {
        /// The name.
        name: String,
    },
    /// No answer: the name is unknown, nobody listens, no secure connection.
    #[error("cannot reach {host} for {url}")]
    Unreachable {
        /// The URL.
        url: String,
        /// The server.
        host: String,
        /// Why.
        source: Cause,
    },
    /// The server's certificate is not to be trusted.
    #[error("cannot trust {host} for {url}")]
    Untrusted {
        /// The URL.
        url: String,
        /// The server.
        host: String,
        /// Why.
        source: Cause,
    },
    /// The connection broke while data was coming.
    #[error("the download of {url} broke off")]
    Interrupted {
        /// The URL.
        url: String,
        /// Why.
        source: Cause,
    },
    /// The server said no.
    #[error("{url}: the server answered {status}")]
    Status {
        /// The URL.
        url: String,
        /// Its answer.
        status: reqwest::StatusCode,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The server sent us on too often, or to nowhere.
    #[error("{url}: {reason}")]
    Redirect {
        /// The URL.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// More data than allowed.
    #[error("{url} is larger than {limit} bytes")]
    TooLarge {
        /// The URL.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// The content is not what the checksum says.
    #[error("{url} has digest {actual}, expected {expected}")]
    Checksum {
        /// The URL.
        url: String,
        /// The digest it should have.
        expected: Digest,
        /// The digest it has.
        actual: Digest,
    },
    /// The client cannot be set up.
    #[error("cannot set up secure connections: {message}")]
    Setup {
        /// Why.
        message: String,
    },
    /// The cache cannot be written.
    #[error("cannot write to {}", path.display())]
    Cache {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The blob directory cannot be used.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The build was cancelled.
    #[error("the build was cancelled")]
    Cancelled,
}

impl HttpError {
    /// Returns what to do about it, when there is something to say.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unreachable { .. } => {
                "check the URL, the network and the proxy settings (HTTP_PROXY, HTTPS_PROXY, NO_PROXY)"
            }
            Self::Untrusted { .. } => "if its certificate authority is your own, name it with --ca-bundle",
            Self::Status { status, .. } if status.as_u16() == 404 => "check the URL; the file may have moved",
            Self::Status { status, .. } if matches!(status.as_u16(), 401 | 403) => {
                "the server wants credentials, or refuses the ones it got"
            }
            Self::Checksum { actual, .. } => {
                return Some(format!(
                    "if the file changed on purpose, set the digest to {actual}; if not, do not trust it"
                ));
            }
            Self::BadChecksum { .. } => "write it as sha256:HEX or sha512:HEX",
            Self::Setup { .. } => "check the file named with --ca-bundle",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// Returns whether the same request may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Interrupted { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() && status.as_u16() != 501
                    || matches!(status.as_u16(), 408 | 425 | 429)
            }
            _ => false,
        }
    }

    /// Sorts what the client reports into "no answer", "not to be trusted" and "broke off".
    pub(super) fn from_client(url: &reqwest::Url, error: &reqwest::Error) -> Self {
        let source = Cause::of(error);
        let shown = shown_url(url);
        if !error.is_connect() && !error.is_request() && !error.is_timeout() {
            return Self::Interrupted { url: shown, source };
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        if source.certificate {
            return Self::Untrusted { url: shown, host, source };
        }
        Self::Unreachable { url: shown, host, source }
    }
}

/// The innermost reasons of a failed connection, in words.
#[derive(Debug)]
pub struct Cause {
    text: String,
    certificate: bool,
}

impl Cause {
    /// Joins the reasons of `error`, its own general words left out.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let mut words: Vec<String> = Vec::new();
        let mut certificate = false;
        let mut next = std::error::Error::source(error);
        while let Some(reason) = next {
            certificate |= is_certificate_error(reason);
            let text = reason.to_string();
            // Wrappers often repeat what they wrap.
            if words.last().is_none_or(|last| !last.ends_with(&text)) {
                words.push(text);
            }
            next = reason.source();
        }
        words.retain(|text| !text.starts_with("client error"));
        let text = if error.is_timeout() && words.is_empty() {
            "no answer in time".to_owned()
        } else if words.is_empty() {
            error.to_string()
        } else {
            words.join(": ")
        };
        Self { text, certificate }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Cause {}

fn is_certificate_error(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return matches!(tls, rustls::Error::InvalidCertificate(_));
    }
    // An I/O error passes over the error it wraps when asked for its source.
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    inner.is_some_and(|inner| is_certificate_error(inner))
}

/// Returns `url` as it may be shown: without user name and password.
pub fn shown(url: &str) -> String {
    reqwest::Url::parse(url).map_or_else(|_| url.to_owned(), |url| shown_url(&url))
}

/// As [`shown`].
pub fn shown_url(url: &reqwest::Url) -> String {
    let mut url = url.clone();
    // These fail only for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}
