//! A failure on its way from the op that failed to whoever asked.

use std::sync::Arc;

use dalec_gateway::{Excerpt, GatewayError, SolveFailure};

use super::graph::{Graph, Vertex};
use crate::error::{Error, Shared};
use crate::shared::Core;

/// Why a vertex has no outcome; cheap to clone, for several may wait for it.
#[derive(Debug, Clone)]
pub struct Failure(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    error: Shared,
    /// Digest and name of the vertex that failed; none when it was not a vertex's fault.
    vertex: Option<(String, String)>,
    excerpts: Vec<Excerpt>,
}

impl Failure {
    /// Returns the failure of `vertex`.
    ///
    /// An error of a graph within `graph` is that of the vertex there.
    pub fn of(error: Error, graph: &Graph, vertex: &Vertex) -> Self {
        if let Error::Below(failure) = error {
            return *failure;
        }
        Self(Arc::new(Inner {
            error: Shared(Arc::new(error)),
            vertex: Some((vertex.digest.clone(), vertex.name.clone())),
            excerpts: graph.excerpts(&vertex.digest),
        }))
    }

    /// Returns whether it is no failure, but someone said stop.
    pub fn is_cancelled(&self) -> bool {
        matches!(*self.0.error.0, Error::Cancelled)
    }

    /// Returns what went wrong, in one line.
    pub fn message(&self) -> String {
        self.0.error.to_string()
    }

    /// Returns it as a gateway says it.
    pub fn to_gateway(&self, core: &Core) -> GatewayError {
        let error = &*self.0.error.0;
        let cause = || Some(Box::new(self.0.error.clone()) as Box<dyn std::error::Error + Send + Sync>);
        if let Some((message, hint)) = error.environment(core.store().root()) {
            return GatewayError::Environment { message, hint, source: cause() };
        }
        match (error, &self.0.vertex) {
            (Error::Cancelled, _) => GatewayError::Cancelled,
            (Error::Request(message), _) => GatewayError::Request { message: message.clone() },
            (Error::Image { reference, hint, .. }, None) => GatewayError::Image {
                reference: reference.clone(),
                hint: hint.clone(),
                source: self.0.error.cause(),
            },
            (error, vertex) => {
                let (digest, name) = vertex.clone().unwrap_or_default();
                GatewayError::Solve(Box::new(self.solve_failure(error, digest, name)))
            }
        }
    }

    fn solve_failure(&self, error: &Error, vertex: String, name: String) -> SolveFailure {
        let (exit_code, log) = match error {
            Error::Process { exit_code, log, .. } => (*exit_code, log.clone()),
            _ => (None, Vec::new()),
        };
        let hint = match error {
            Error::Process { hint, .. } | Error::Op { hint, .. } | Error::Image { hint, .. } => hint.as_str(),
            _ => "",
        };
        SolveFailure {
            vertex,
            name,
            message: error.to_string(),
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
            exit_code,
            log,
            excerpts: self.0.excerpts.clone(),
            details: Vec::new(),
            cause: self.0.error.cause(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(Arc::new(Inner { error: Shared(Arc::new(error)), vertex: None, excerpts: Vec::new() }))
    }
}
