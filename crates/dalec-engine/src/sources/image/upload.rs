//! Images into registries, over the distribution project's HTTP protocol: blobs first, then what refers to them.

use std::path::Path;
use std::sync::Arc;

use reqwest::Url;

use super::ImageError;
use super::auth::CredentialLookup;
use super::registry::{Endpoint, Login, Outcome, RegistrySettings, Wanted};
use crate::Cancel;
use crate::oci::{Digest, Reference};
use crate::sources::http::{Ask, HttpClient, HttpError, Reply};

/// Puts one image into a registry.
pub struct Upload<'a> {
    reference: &'a Reference,
    client: HttpClient,
    credentials: Arc<CredentialLookup>,
    endpoint: Endpoint,
    cancel: &'a Cancel,
}

impl<'a> Upload<'a> {
    /// Returns the way to the registry of `reference`; nothing is sent yet.
    pub fn new(
        reference: &'a Reference,
        client: HttpClient,
        settings: &RegistrySettings,
        cancel: &'a Cancel,
    ) -> Self {
        let endpoint = Endpoint::of_domain(reference.domain());
        Self { reference, client, credentials: settings.credentials.clone(), endpoint, cancel }
    }

    /// Sends the file `path` of `size` bytes as the blob `digest`, unless the registry has it.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn blob(&self, digest: &Digest, path: &Path, size: u64) -> Result<(), ImageError> {
        let there = format!("{}/v2/{}/blobs/{digest}", self.endpoint.base, self.reference.repository());
        let known = self.exchange(
            || Ok(Ask::get(&there)?.head()),
            |reply| match reply.status().as_u16() {
                404 => Ok(false),
                _ => reply.expect_success().map(|()| true),
            },
        )?;
        if known {
            return Ok(());
        }
        let start = format!("{}/v2/{}/blobs/uploads/", self.endpoint.base, self.reference.repository());
        let place = self.exchange(
            || Ask::post(&start),
            |reply| {
                reply.expect_success()?;
                place(&start, reply.header("location"), digest)
            },
        )?;
        self.exchange(
            || {
                let mut ask = Ask::put_file(place.as_str(), path, size)?;
                ask.header("content-type", "application/octet-stream")?;
                Ok(ask)
            },
            |reply| reply.expect_success(),
        )
    }

    /// Sends a manifest or an index under the tag or digest `name`; everything it refers to must be there.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn manifest(&self, name: &str, media_type: &str, text: &str) -> Result<(), ImageError> {
        let url = format!("{}/v2/{}/manifests/{name}", self.endpoint.base, self.reference.repository());
        self.exchange(
            || {
                let mut ask = Ask::put(&url, text.to_owned())?;
                ask.header("content-type", media_type)?;
                Ok(ask)
            },
            |reply| reply.expect_success(),
        )
    }

    /// Sends a request, and once more after logging in when the registry asks for that.
    fn exchange<T>(
        &self,
        ask: impl Fn() -> Result<Ask, HttpError>,
        receive: impl Fn(&Reply<'_>) -> Result<T, HttpError>,
    ) -> Result<T, ImageError> {
        let mut credentials = "no login was asked for".to_owned();
        for attempt in 0..2 {
            let mut ask = ask()?;
            // Where uploads go may be another server, which gets no login of this one.
            if ask.url().as_str().starts_with(&format!("{}/", self.endpoint.base))
                && let Some(authorization) = self.endpoint.authorization().as_ref()
            {
                ask = authorization.apply(ask)?;
            }
            let outcome = self.client.exchange(&ask, self.cancel, &mut |reply| {
                if let Some(wanted) = Wanted::of(&reply) {
                    return Ok(Outcome::LoginWanted(wanted));
                }
                receive(&reply).map(Outcome::Done)
            });
            match outcome {
                Ok(Outcome::Done(value)) => return Ok(value),
                Ok(Outcome::LoginWanted(wanted)) if attempt == 0 => {
                    let login = Login {
                        reference: self.reference,
                        actions: "pull,push",
                        client: &self.client,
                        credentials: self.credentials.as_ref(),
                    };
                    credentials = login.run(&self.endpoint, &wanted, self.cancel)?;
                }
                Ok(Outcome::LoginWanted(_)) => break,
                Err(HttpError::Status { status, .. }) if status.as_u16() == 403 => break,
                Err(error) => return Err(error.into()),
            }
        }
        Err(self.endpoint.denied(self.reference, credentials))
    }
}

/// Returns where the content of a blob goes: what the registry says, with the digest.
fn place(start: &str, location: Option<&str>, digest: &Digest) -> Result<Url, HttpError> {
    let bad = |reason: String| HttpError::Redirect { url: start.to_owned(), reason };
    let location = location.ok_or_else(|| bad("the server does not say where to upload to".to_owned()))?;
    let start = Url::parse(start).map_err(|error| bad(error.to_string()))?;
    let mut place = start.join(location).map_err(|error| bad(format!("{location:?}: {error}")))?;
    if place.scheme() != start.scheme() && place.scheme() != "https" {
        return Err(bad(format!("the server wants the upload at {location:?}, which is not https")));
    }
    place.query_pairs_mut().append_pair("digest", digest.as_str());
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_go_where_the_registry_says() {
        let digest = Digest::sha256_of(b"x");
        let at = |location| place("https://r.example/v2/a/blobs/uploads/", Some(location), &digest);
        let encoded = digest.as_str().replace(':', "%3A");
        assert_eq!(
            at("/v2/a/blobs/uploads/1?state=2").unwrap().as_str(),
            format!("https://r.example/v2/a/blobs/uploads/1?state=2&digest={encoded}")
        );
        assert_eq!(at("https://store.example/1").unwrap().host_str(), Some("store.example"));
        assert!(at("http://store.example/1").is_err());
        assert!(place("https://r.example/", None, &digest).is_err());
    }
}
