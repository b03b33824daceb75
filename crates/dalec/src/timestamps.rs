//! Asks a timestamp service over HTTP, as RFC 3161 says.

use std::error::Error;

use dalec_bootstrap::{Event, Http, HttpOptions, Progress};
use dalec_engine::Cancel;
use dalec_signer::TIMESTAMP_LIMIT;

use crate::errors::CommandError;

/// A service at an address.
pub struct Service {
    http: Http,
    url: String,
    stop: Stop,
}

impl Service {
    /// Returns the service at `url`; nobody is asked yet.
    ///
    /// # Errors
    /// [`CommandError`] when that is no address of such a service, or there is no HTTPS on this machine.
    pub fn new(url: &str, cancel: Cancel) -> Result<Self, CommandError> {
        if !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(CommandError::usage(format!("{url} is no http:// or https:// address")));
        }
        let http = Http::new(&HttpOptions::default()).map_err(|error| CommandError::Environment {
            message: error.to_string(),
            help: error.hint().map(str::to_owned),
            source: error.source().map(|source| source.to_string().into()),
        })?;
        Ok(Self { http, url: url.to_owned(), stop: Stop(cancel) })
    }
}

impl dalec_signer::Timestamps for Service {
    fn ask(&self, question: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let limit = TIMESTAMP_LIMIT as u64;
        Ok(self.http.post(&self.url, "application/timestamp-query", question, limit, &self.stop)?)
    }
}

struct Stop(Cancel);

impl Progress for Stop {
    fn report(&self, _event: Event) {}

    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}
