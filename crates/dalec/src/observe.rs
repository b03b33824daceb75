//! A gateway that passes everything on, and shows and remembers which images a build started from.
//!
//! Where a base image came from is part of the result: it is printed and recorded, never silent. Finding one may take
//! seconds and is no step of a graph, so it is shown as a step of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::SystemTime;

use bollard_buildkit_proto::pb;
use dalec_gateway::{
    BuildOptions, Event, FileRange, FileStat, FrontendRequest, FrontendResult, Gateway, GatewayError,
    Progress, Reference, ResolveImage, ResolvedImage, SolveRequest, VertexEvent, Warning,
};
use serde::Serialize;

use crate::progress::words;

/// An image that a build started from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Base {
    /// The reference that was asked for.
    pub reference: String,
    /// The platform that was asked for; empty for the preferred one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// Digest of what was found.
    pub digest: String,
    /// Where it came from, in words.
    pub origin: String,
}

/// A gateway with a memory for images.
pub struct Observed<'a> {
    inner: &'a dyn Gateway,
    progress: Progress,
    bases: Mutex<BTreeSet<Base>>,
}

impl<'a> Observed<'a> {
    /// Returns a gateway that passes everything on to `inner` and shows on `progress` which images are looked for.
    pub fn new(inner: &'a dyn Gateway, progress: Progress) -> Self {
        Self { inner, progress, bases: Mutex::default() }
    }

    /// Returns the images that were resolved so far, in order.
    pub fn bases(&self) -> Vec<Base> {
        let bases = self.bases.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        bases.iter().cloned().collect()
    }
}

impl Gateway for Observed<'_> {
    fn build_options(&self) -> &BuildOptions {
        self.inner.build_options()
    }

    fn inputs(&self) -> Result<BTreeMap<String, pb::Definition>, GatewayError> {
        self.inner.inputs()
    }

    fn solve(&self, request: SolveRequest) -> Result<Option<Reference>, GatewayError> {
        self.inner.solve(request)
    }

    fn solve_frontend(&self, request: FrontendRequest) -> Result<FrontendResult, GatewayError> {
        self.inner.solve_frontend(request)
    }

    fn definition(&self, reference: &Reference) -> Result<pb::Definition, GatewayError> {
        self.inner.definition(reference)
    }

    fn supports(&self, id: &str) -> bool {
        self.inner.supports(id)
    }

    fn read_file(
        &self,
        reference: &Reference,
        path: &str,
        range: Option<FileRange>,
    ) -> Result<Vec<u8>, GatewayError> {
        self.inner.read_file(reference, path, range)
    }

    fn read_dir(&self, reference: &Reference, path: &str) -> Result<Vec<FileStat>, GatewayError> {
        self.inner.read_dir(reference, path)
    }

    fn stat_file(&self, reference: &Reference, path: &str) -> Result<FileStat, GatewayError> {
        self.inner.stat_file(reference, path)
    }

    fn resolve_image(&self, image: &ResolveImage) -> Result<ResolvedImage, GatewayError> {
        let mut step = finding(image);
        self.progress.event(Event::Vertex(step.clone()));
        let found = self.inner.resolve_image(image);
        step.completed = Some(SystemTime::now());
        step.error = found.as_ref().err().map(GatewayError::to_string);
        self.progress.event(Event::Vertex(step));
        let found = found?;
        let base = Base {
            reference: image.reference.clone(),
            platform: image.platform.clone(),
            digest: found.digest.clone(),
            origin: found.origin.clone(),
        };
        self.bases.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(base);
        Ok(found)
    }

    fn frontend_image(&self) -> Result<pb::Definition, GatewayError> {
        self.inner.frontend_image()
    }

    fn warn(&self, warning: Warning) {
        self.inner.warn(warning);
    }
}

/// Returns the step of looking for `image`, which starts now.
fn finding(image: &ResolveImage) -> VertexEvent {
    let mut name = format!("[internal] find {}", image.reference);
    if !image.packages.is_empty() {
        name = format!("{name} with {}", words::count(image.packages.len() as u64, "package"));
    }
    VertexEvent {
        digest: format!("find {} {} {}", image.reference, image.platform, image.packages.join(" ")),
        name,
        group: String::new(),
        inputs: Vec::new(),
        started: Some(SystemTime::now()),
        completed: None,
        cached: false,
        error: None,
    }
}
