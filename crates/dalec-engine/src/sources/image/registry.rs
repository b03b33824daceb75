//! Images in registries, over the distribution project's HTTP protocol.
//!
//! Registries on this machine's loopback are spoken to without encryption, all others over https.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use reqwest::Url;

use super::ImageError;
use super::auth::{self, Authorization, Credential, CredentialLookup, LoginError};
use super::provider::{MAX_DOCUMENT, Part, Provider, Root};
use crate::Cancel;
use crate::oci::{BlobDir, BlobError, Descriptor, Digest, Reference, media_type};
use crate::sources::http::{Ask, HttpClient, HttpError, Reply};
use crate::sources::transfer::Transfer;

/// How to reach registries.
#[derive(Clone)]
pub struct RegistrySettings {
    /// Base URLs to try before the registry itself, by the registry's domain.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// Finds logins.
    pub credentials: Arc<CredentialLookup>,
}

impl Default for RegistrySettings {
    fn default() -> Self {
        Self { mirrors: BTreeMap::new(), credentials: Arc::new(auth::host_credentials) }
    }
}

/// One image in a registry.
pub struct RegistryProvider {
    reference: Reference,
    client: HttpClient,
    credentials: Arc<CredentialLookup>,
    endpoints: Vec<Endpoint>,
}

/// A server that may have the image.
pub(super) struct Endpoint {
    /// Without a slash at the end.
    pub base: String,
    /// The registry whose login counts.
    registry: String,
    plain_http: bool,
    authorization: Mutex<Option<Authorization>>,
    /// Whether it ever answered; until then it is not asked twice, so that a machine without it fails fast.
    answers: AtomicBool,
}

/// What a request came to.
pub(super) enum Outcome<T> {
    Done(T),
    LoginWanted(Wanted),
}

/// What a server asks for before it lets us do something.
pub(super) struct Wanted {
    /// The server, which is another than was asked where that one redirects.
    by: Url,
    challenges: Vec<String>,
}

impl Wanted {
    /// Returns what `reply` asks for, if it does.
    pub fn of(reply: &Reply<'_>) -> Option<Self> {
        let challenges = || reply.headers("www-authenticate");
        (reply.status().as_u16() == 401).then(|| Self { by: reply.url().clone(), challenges: challenges() })
    }
}

impl RegistryProvider {
    /// Returns the image `reference`; nothing is asked yet.
    pub fn new(reference: &Reference, client: HttpClient, settings: &RegistrySettings) -> Self {
        let domain = reference.domain();
        let mirrors = settings.mirrors.get(domain).into_iter().flatten();
        let mut endpoints: Vec<Endpoint> = mirrors.map(|mirror| Endpoint::mirror(mirror)).collect();
        endpoints.push(Endpoint::of_domain(domain));
        Self { reference: reference.clone(), client, credentials: settings.credentials.clone(), endpoints }
    }

    /// Returns the digest that the registry has for the reference, without fetching the manifest.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses. A registry that does not say the digest yields `None`.
    pub fn current_digest(&self, transfer: &Transfer<'_>) -> Result<Option<Digest>, ImageError> {
        let path = self.manifest_path(&self.wanted());
        self.call(&path, true, transfer, &mut |reply| {
            Ok(reply.header("docker-content-digest").and_then(|text| text.parse().ok()))
        })
    }

    /// Returns the tag or digest to ask for.
    fn wanted(&self) -> String {
        match (self.reference.digest(), self.reference.tag()) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.unwrap_or("latest").to_owned(),
        }
    }

    fn manifest_path(&self, wanted: &str) -> String {
        format!("/v2/{}/manifests/{wanted}", self.reference.repository())
    }

    /// Asks one endpoint after the other, the registry itself last.
    fn call<T>(
        &self,
        path: &str,
        head: bool,
        transfer: &Transfer<'_>,
        receive: &mut dyn FnMut(Reply<'_>) -> Result<T, HttpError>,
    ) -> Result<T, ImageError> {
        let mut last = None;
        for endpoint in &self.endpoints {
            match self.call_endpoint(endpoint, path, head, transfer, receive) {
                Err(error) if !error.is_cancelled() => last = Some(error),
                other => return other,
            }
        }
        // There is at least the registry itself.
        Err(last.unwrap_or(ImageError::Cancelled))
    }

    fn call_endpoint<T>(
        &self,
        endpoint: &Endpoint,
        path: &str,
        head: bool,
        transfer: &Transfer<'_>,
        receive: &mut dyn FnMut(Reply<'_>) -> Result<T, HttpError>,
    ) -> Result<T, ImageError> {
        let url = format!("{}{path}", endpoint.base);
        let mut credentials = "no login was asked for".to_owned();
        for attempt in 0..2 {
            let ask = self.ask(endpoint, &url, head)?;
            let outcome = self.client.exchange(&ask, transfer.cancel, &mut |reply| {
                endpoint.answers.store(true, Ordering::Relaxed);
                if let Some(wanted) = Wanted::of(&reply) {
                    return Ok(Outcome::LoginWanted(wanted));
                }
                reply.expect_success()?;
                receive(reply).map(Outcome::Done)
            });
            match outcome {
                Ok(Outcome::Done(value)) => return Ok(value),
                Ok(Outcome::LoginWanted(wanted)) if attempt == 0 => {
                    credentials = self.log_in(endpoint, &wanted, transfer)?;
                }
                Ok(Outcome::LoginWanted(_)) => break,
                Err(HttpError::Status { status, .. }) if status.as_u16() == 403 => break,
                Err(HttpError::Status { status, .. }) if status.as_u16() == 404 => {
                    return Err(ImageError::Missing {
                        reference: self.reference.to_string(),
                        place: format!("the registry {}", endpoint.registry),
                        names: Vec::new(),
                    });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(self.denied(endpoint, credentials))
    }

    fn ask(&self, endpoint: &Endpoint, url: &str, head: bool) -> Result<Ask, HttpError> {
        let mut ask = Ask::get(url)?;
        if !endpoint.answers.load(Ordering::Relaxed) {
            ask = ask.impatient();
        }
        for accepted in [
            media_type::OCI_INDEX,
            media_type::OCI_MANIFEST,
            media_type::DOCKER_INDEX,
            media_type::DOCKER_MANIFEST,
            "*/*",
        ] {
            ask.header("accept", accepted)?;
        }
        let ask = if head { ask.head() } else { ask };
        match endpoint.authorization().as_ref() {
            Some(authorization) => authorization.apply(ask),
            None => Ok(ask),
        }
    }

    fn log_in(
        &self,
        endpoint: &Endpoint,
        wanted: &Wanted,
        transfer: &Transfer<'_>,
    ) -> Result<String, ImageError> {
        let login = Login {
            reference: &self.reference,
            actions: "pull",
            client: &self.client,
            credentials: self.credentials.as_ref(),
        };
        login.run(endpoint, wanted, transfer.cancel)
    }

    fn denied(&self, endpoint: &Endpoint, credentials: String) -> ImageError {
        endpoint.denied(&self.reference, credentials)
    }
}

/// Gets what a registry asks for before it lets us do something.
pub(super) struct Login<'a> {
    /// The image.
    pub reference: &'a Reference,
    /// What is to be done with it, such as `pull` or `pull,push`, where the registry does not say.
    pub actions: &'a str,
    /// Asks.
    pub client: &'a HttpClient,
    /// Finds logins.
    pub credentials: &'a CredentialLookup,
}

impl Login<'_> {
    /// Logs in; returns in words with which login.
    ///
    /// The registry's own question is the only one that is answered. Where it sends us could name a token server that
    /// gets the login.
    ///
    /// # Errors
    /// When somebody else asks, the registry refuses, or its question makes no sense.
    pub fn run(&self, endpoint: &Endpoint, wanted: &Wanted, cancel: &Cancel) -> Result<String, ImageError> {
        if !endpoint.is_at(&wanted.by) {
            let host = wanted.by.host_str().unwrap_or_default();
            let words = format!("it leads to {host}, which asks for a login and gets none");
            return Err(endpoint.denied(self.reference, words));
        }
        let found = (self.credentials)(&endpoint.registry);
        let (credential, words): (Option<Credential>, String) = match found {
            Ok(credential) => (Some(credential), "the stored login was not accepted".to_owned()),
            Err(reason) => (None, reason),
        };
        let scope = format!("repository:{}:{}", self.reference.repository(), self.actions);
        let plain = endpoint.plain_http;
        match auth::answer(&wanted.challenges, &scope, credential.as_ref(), plain, self.client, cancel) {
            Ok(authorization) => {
                *endpoint.authorization() = Some(authorization);
                Ok(words)
            }
            Err(LoginError::Refused) => Err(endpoint.denied(self.reference, words)),
            Err(LoginError::Http(error)) => Err(error.into()),
            Err(LoginError::Challenge(reason)) => {
                Err(ImageError::Challenge { registry: endpoint.registry.clone(), reason })
            }
        }
    }
}

impl Endpoint {
    /// Returns the registry that references of `domain` mean.
    pub fn of_domain(domain: &str) -> Self {
        // The default registry answers under another name than its references carry.
        let host = if domain == "docker.io" { "registry-1.docker.io" } else { domain };
        let plain_http = Ask::get(&format!("http://{host}/"))
            .is_ok_and(|ask| crate::sources::http::is_loopback(ask.url()));
        let scheme = if plain_http { "http" } else { "https" };
        Self {
            base: format!("{scheme}://{host}"),
            registry: domain.to_owned(),
            plain_http,
            authorization: Mutex::default(),
            answers: AtomicBool::default(),
        }
    }

    fn mirror(url: &str) -> Self {
        let base = url.trim_end_matches('/').to_owned();
        let registry = base.split_once("://").map_or(base.as_str(), |(_, rest)| rest);
        let registry = registry.split('/').next().unwrap_or_default().to_owned();
        Self {
            plain_http: base.starts_with("http://"),
            base,
            registry,
            authorization: Mutex::default(),
            answers: AtomicBool::default(),
        }
    }

    /// Returns whether `url` is at this very server.
    fn is_at(&self, url: &Url) -> bool {
        Url::parse(&self.base).is_ok_and(|base| base.origin() == url.origin())
    }

    /// Returns the error for a registry that does not let us do something with `reference`.
    pub fn denied(&self, reference: &Reference, credentials: String) -> ImageError {
        ImageError::Denied { reference: reference.to_string(), registry: self.registry.clone(), credentials }
    }

    /// Returns what goes with every request once the registry asked for it.
    pub fn authorization(&self) -> std::sync::MutexGuard<'_, Option<Authorization>> {
        // It is replaced as a whole, so a panic elsewhere cannot leave half of one.
        self.authorization.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Provider for RegistryProvider {
    fn root(&self, transfer: &Transfer<'_>) -> Result<Root, ImageError> {
        let path = self.manifest_path(&self.wanted());
        let (bytes, media_type) = self.call(&path, false, transfer, &mut |mut reply| {
            let kind = reply.header("content-type").unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
            Ok((reply.bytes(MAX_DOCUMENT, transfer.cancel)?, kind))
        })?;
        let digest = match self.reference.digest() {
            Some(expected) => {
                let actual = expected.like(&bytes);
                if actual != *expected {
                    return Err(BlobError::Mismatch { expected: expected.clone(), actual }.into());
                }
                actual
            }
            None => Digest::sha256_of(&bytes),
        };
        Ok(Root { bytes, media_type, digest })
    }

    fn copy(
        &self,
        part: Part,
        descriptor: &Descriptor,
        blobs: &BlobDir,
        transfer: &Transfer<'_>,
    ) -> Result<(), ImageError> {
        let digest = &descriptor.digest;
        let path = match part {
            Part::Manifest => self.manifest_path(digest.as_str()),
            Part::Blob => format!("/v2/{}/blobs/{digest}", self.reference.repository()),
        };
        self.call(&path, false, transfer, &mut |mut reply| {
            let mut writer = blobs.writer(digest.hasher())?;
            reply.copy_to(digest.as_str(), descriptor.size, transfer, &mut |chunk| {
                std::io::Write::write_all(&mut writer, chunk)
                    .map_err(|source| BlobError::Write { path: blobs.path(digest), source }.into())
            })?;
            writer.finish(Some(digest))?;
            Ok(())
        })
    }

    fn name(&self) -> String {
        self.reference.to_string()
    }
}
