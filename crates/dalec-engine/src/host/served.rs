//! What is served to a frontend: its session, containers, and a memory of what failed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dalec_files::Selection;
use dalec_gateway::{FileStat, Gateway, GatewayError, Reference, Relay, SolveFailure, Warning};
use dalec_wire::server::{Container, ContainerRequest, Host};

use super::CAPABILITIES;
use super::container::EngineContainer;
use crate::session::Session;
use crate::snapshot::resolve::Last;
use crate::solver::locked;

/// Failures that are remembered; a frontend that goes on after more than these tells of later ones itself.
const MAX_FAILURES: usize = 32;

/// Warnings that are passed on; nobody reads more.
const MAX_WARNINGS: usize = 1000;

/// The session of a frontend as it is served.
pub struct Served {
    session: Arc<Session>,
    /// Failed ops that the frontend was told of: what comes back of them through the protocol has lost their logs.
    failures: Mutex<BTreeMap<String, SolveFailure>>,
    warnings: AtomicUsize,
}

impl Served {
    /// Returns what is served of `session`.
    pub fn new(session: Arc<Session>) -> Self {
        Self { session, failures: Mutex::default(), warnings: AtomicUsize::new(0) }
    }

    /// Returns the failures that the frontend was told of, by vertex.
    pub fn take_failures(&self) -> BTreeMap<String, SolveFailure> {
        std::mem::take(&mut *locked(&self.failures))
    }
}

/// Returns a failure without its cause, which only one can have; what it says is added to the message.
fn copy(failure: &SolveFailure) -> SolveFailure {
    let mut message = failure.message.clone();
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    SolveFailure {
        vertex: failure.vertex.clone(),
        name: failure.name.clone(),
        message,
        hint: failure.hint.clone(),
        exit_code: failure.exit_code,
        log: failure.log.clone(),
        excerpts: failure.excerpts.clone(),
        details: failure.details.clone(),
        cause: None,
    }
}

impl Relay for Served {
    type Behind = Session;

    fn behind(&self) -> &Session {
        &self.session
    }

    /// Remembers a failure.
    fn run<T>(&self, call: impl FnOnce(&Session) -> Result<T, GatewayError>) -> Result<T, GatewayError> {
        let result = call(&self.session);
        if let Err(GatewayError::Solve(failure)) = &result {
            let mut failures = locked(&self.failures);
            if failures.len() < MAX_FAILURES {
                failures.entry(failure.vertex.clone()).or_insert_with(|| copy(failure));
            }
        }
        result
    }

    fn relay_warning(&self, warning: Warning) {
        if self.warnings.fetch_add(1, Ordering::Relaxed) < MAX_WARNINGS {
            self.session.warn(warning);
        }
    }
}

impl Host for Served {
    fn capabilities(&self) -> &[&'static str] {
        CAPABILITIES
    }

    fn read_matching(
        &self,
        reference: &Reference,
        path: &str,
        pattern: &str,
    ) -> Result<Vec<FileStat>, GatewayError> {
        let patterns = Selection::new(&[pattern.to_owned()], &[])
            .map_err(|error| GatewayError::Request { message: error.to_string() })?;
        let mut entries = self.read_dir(reference, path)?;
        entries.retain(|entry| patterns.includes(entry.name.as_bytes()));
        Ok(entries)
    }

    fn stat_followed(&self, reference: &Reference, path: &str) -> Result<FileStat, GatewayError> {
        self.run(|session| session.stat(reference, path, Last::Follow))
    }

    fn container(&self, request: ContainerRequest) -> Result<Arc<dyn Container>, GatewayError> {
        let container = self.run(|_| EngineContainer::new(self.session.clone(), request))?;
        Ok(Arc::new(container))
    }
}
