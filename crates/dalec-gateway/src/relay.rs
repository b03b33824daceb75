//! [`Relay`]: a gateway that stands before another one and passes on what it does not do itself.

use std::collections::BTreeMap;

use bollard_buildkit_proto::pb;

use crate::{
    BuildOptions, FileRange, FileStat, FrontendRequest, FrontendResult, Gateway, GatewayError, Reference,
    ResolveImage, ResolvedImage, SolveRequest, Warning,
};

/// A gateway that stands before another one: what is not said here goes there unchanged.
///
/// Whoever implements this is a [`Gateway`].
pub trait Relay: Send + Sync {
    /// The gateway behind it.
    type Behind: Gateway + ?Sized;

    /// Returns the gateway behind it.
    fn behind(&self) -> &Self::Behind;

    /// Makes a `call` that may run steps of a graph.
    ///
    /// # Errors
    /// Those of the call.
    fn run<T>(&self, call: impl FnOnce(&Self::Behind) -> Result<T, GatewayError>) -> Result<T, GatewayError> {
        call(self.behind())
    }

    /// As [`Gateway::solve_frontend`].
    ///
    /// # Errors
    /// As there.
    fn relay_frontend(&self, request: FrontendRequest) -> Result<FrontendResult, GatewayError> {
        self.run(|behind| behind.solve_frontend(request))
    }

    /// As [`Gateway::resolve_image`].
    ///
    /// # Errors
    /// As there.
    fn relay_image(&self, image: &ResolveImage) -> Result<ResolvedImage, GatewayError> {
        self.behind().resolve_image(image)
    }

    /// As [`Gateway::warn`].
    fn relay_warning(&self, warning: Warning) {
        self.behind().warn(warning);
    }
}

impl<R: Relay> Gateway for R {
    fn build_options(&self) -> &BuildOptions {
        self.behind().build_options()
    }

    fn inputs(&self) -> Result<BTreeMap<String, pb::Definition>, GatewayError> {
        self.behind().inputs()
    }

    fn solve(&self, request: SolveRequest) -> Result<Option<Reference>, GatewayError> {
        self.run(|behind| behind.solve(request))
    }

    fn solve_frontend(&self, request: FrontendRequest) -> Result<FrontendResult, GatewayError> {
        self.relay_frontend(request)
    }

    fn definition(&self, reference: &Reference) -> Result<pb::Definition, GatewayError> {
        self.behind().definition(reference)
    }

    fn supports(&self, id: &str) -> bool {
        self.behind().supports(id)
    }

    fn read_file(
        &self,
        reference: &Reference,
        path: &str,
        range: Option<FileRange>,
    ) -> Result<Vec<u8>, GatewayError> {
        self.run(|behind| behind.read_file(reference, path, range))
    }

    fn read_dir(&self, reference: &Reference, path: &str) -> Result<Vec<FileStat>, GatewayError> {
        self.run(|behind| behind.read_dir(reference, path))
    }

    fn stat_file(&self, reference: &Reference, path: &str) -> Result<FileStat, GatewayError> {
        self.run(|behind| behind.stat_file(reference, path))
    }

    fn resolve_image(&self, image: &ResolveImage) -> Result<ResolvedImage, GatewayError> {
        self.relay_image(image)
    }

    fn frontend_image(&self) -> Result<pb::Definition, GatewayError> {
        self.behind().frontend_image()
    }

    fn warn(&self, warning: Warning) {
        self.relay_warning(warning);
    }
}
