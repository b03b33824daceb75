//! Files over HTTP and HTTPS: downloaded once, named by content, asked for again only when they may have changed.
//!
//! A file whose digest is known and that is in the blob directory costs no network at all. Without a digest
//! the server is asked whether the file changed since (`ETag`, `Last-Modified`). Where the file goes in a
//! build, and with which owner and times, is not decided here.

mod cache;
mod client;
mod error;
mod filename;

#[cfg(test)]
pub(crate) mod test_server;

use std::io::Write;
use std::path::PathBuf;

use reqwest::StatusCode;
use reqwest::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};

use super::transfer::Transfer;
use crate::oci::{BlobError, Digest, Hasher};

pub use cache::{HttpCache, write_atomically};
pub use client::{Ask, HttpClient, HttpSettings, Reply, is_loopback};
pub use error::HttpError;

use cache::Record;

/// Largest file that is downloaded when the caller names no limit: 16 GiB.
pub const DEFAULT_MAX_BYTES: u64 = 16 << 30;

/// A file to fetch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpRequest {
    /// Where it is: `http://` or `https://`.
    pub url: String,
    /// Its digest, `sha256:HEX` or `sha512:HEX`, when it is known.
    pub checksum: Option<String>,
    /// The name it gets, instead of the one that server or URL give it.
    pub filename: Option<String>,
    /// Headers to send, for example `Authorization`; never sent on to another server.
    pub headers: Vec<(String, String)>,
    /// Largest size in bytes; none for [`DEFAULT_MAX_BYTES`].
    pub max_bytes: Option<u64>,
}

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedFile {
    /// Its content, in the blob directory; not to be changed.
    pub path: PathBuf,
    /// Its digest: the checksum of the request, or its SHA-256.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Its name: one path component.
    pub filename: String,
    /// Whether nothing was downloaded.
    pub from_cache: bool,
}

/// Fetches a file.
///
/// # Errors
/// When URL, checksum or name make no sense, the server cannot be reached or says no, the content is
/// not what the checksum says, the cache cannot be written, or the build is cancelled.
pub fn fetch(
    request: &HttpRequest,
    client: &HttpClient,
    cache: &HttpCache,
    transfer: &Transfer<'_>,
) -> Result<FetchedFile, HttpError> {
    let ask = ask(request)?;
    if let Some(name) = &request.filename
        && !filename::is_safe(name)
    {
        return Err(HttpError::Filename { name: name.clone() });
    }
    let checksum = match &request.checksum {
        Some(text) => Some(text.parse::<Digest>().map_err(|source| HttpError::BadChecksum { source })?),
        None => None,
    };
    let key = HttpCache::key(&request.url, &request.headers);
    let record = cache.load(&key);
    if let Some(digest) = &checksum
        && cache.blobs().contains(digest)
    {
        let filename = filename_of(request, record.as_ref().and_then(|record| record.filename.as_deref()));
        return known(cache, digest, filename);
    }
    let fresh = record.filter(|record| checksum.is_none() && cache.blobs().contains(&record.digest));
    let download = Download { request, cache, transfer, checksum, key, known: fresh };
    client.exchange(&download.conditional(ask), transfer.cancel, &mut |reply| download.receive(reply))
}

fn ask(request: &HttpRequest) -> Result<Ask, HttpError> {
    let mut ask = Ask::get(&request.url)?;
    for (name, value) in &request.headers {
        ask.header(name, value)?;
    }
    Ok(ask)
}

fn known(cache: &HttpCache, digest: &Digest, filename: String) -> Result<FetchedFile, HttpError> {
    let path = cache.blobs().path(digest);
    let size = match path.metadata() {
        Ok(metadata) => metadata.len(),
        Err(source) => return Err(BlobError::Read { path, source }.into()),
    };
    Ok(FetchedFile { path, digest: digest.clone(), size, filename, from_cache: true })
}

fn filename_of(request: &HttpRequest, from_server: Option<&str>) -> String {
    match (&request.filename, from_server) {
        (Some(name), _) => name.clone(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => filename::from_url(&request.url),
    }
}

struct Download<'a> {
    request: &'a HttpRequest,
    cache: &'a HttpCache,
    transfer: &'a Transfer<'a>,
    checksum: Option<Digest>,
    key: String,
    /// What an earlier download left, when the server is to be asked whether it still holds.
    known: Option<Record>,
}

impl Download<'_> {
    fn conditional(&self, mut ask: Ask) -> Ask {
        let Some(record) = &self.known else {
            return ask;
        };
        if let Some(etag) = &record.etag {
            ask.known_header(IF_NONE_MATCH, etag);
        }
        if let Some(modified) = &record.last_modified {
            ask.known_header(IF_MODIFIED_SINCE, modified);
        }
        ask
    }

    fn receive(&self, mut reply: Reply<'_>) -> Result<FetchedFile, HttpError> {
        if let Some(record) = &self.known
            && reply.status() == StatusCode::NOT_MODIFIED
        {
            return known(self.cache, &record.digest, filename_of(self.request, record.filename.as_deref()));
        }
        reply.expect_success()?;
        let limit = self.request.max_bytes.unwrap_or(DEFAULT_MAX_BYTES);
        let hasher = self.checksum.as_ref().map_or_else(Hasher::sha256, Digest::hasher);
        let mut writer = self.cache.blobs().writer(hasher)?;
        reply.copy_to(&self.request.url, limit, self.transfer, &mut |chunk| {
            writer.write_all(chunk).map_err(|source| self.cache.write_error(source))
        })?;
        let size = writer.written();
        let digest = writer.finish(self.checksum.as_ref()).map_err(|error| self.mismatch(error))?;
        let from_server = reply.header("content-disposition").and_then(filename::from_disposition);
        let record = Record {
            url: self.request.url.clone(),
            digest: digest.clone(),
            etag: reply.header(ETAG.as_str()).map(str::to_owned),
            last_modified: reply.header(LAST_MODIFIED.as_str()).map(str::to_owned),
            filename: from_server,
        };
        self.cache.save(&self.key, &record)?;
        let filename = filename_of(self.request, record.filename.as_deref());
        let path = self.cache.blobs().path(&digest);
        self.transfer.done(&self.request.url, size);
        Ok(FetchedFile { path, digest, size, filename, from_cache: false })
    }

    fn mismatch(&self, error: BlobError) -> HttpError {
        match error {
            BlobError::Mismatch { expected, actual } => {
                HttpError::Checksum { url: error::shown(&self.request.url), expected, actual }
            }
            other => other.into(),
        }
    }
}

#[cfg(test)]
mod tests;
