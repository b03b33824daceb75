//! A gateway that passes everything on, and shows and remembers which images a build started from.
//!
//! Where a base image came from is part of the result: it is printed and recorded, never silent. Finding one may take
//! seconds and is no step of a graph, so it is shown as a step of its own.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::SystemTime;

use dalec_gateway::{
    Event, Gateway, GatewayError, Progress, Relay, ResolveImage, ResolvedImage, VertexEvent,
};
use serde::Serialize;

use crate::progress::words;

/// An image that a build started from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Base {
    /// The reference that was asked for.
    pub reference: String,
    /// How many packages are in it besides its own because they were asked for.
    #[serde(skip)]
    pub packages: usize,
    /// The platform that was asked for; empty for the preferred one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// Digest of what was found.
    pub digest: String,
    /// Where it came from, in words.
    pub origin: String,
}

impl Base {
    /// Returns what people call it.
    pub fn name(&self) -> String {
        called(&self.reference, self.packages)
    }
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

impl<'a> Relay for Observed<'a> {
    type Behind = dyn Gateway + 'a;

    fn behind(&self) -> &Self::Behind {
        self.inner
    }

    fn relay_image(&self, image: &ResolveImage) -> Result<ResolvedImage, GatewayError> {
        let mut step = finding(image);
        self.progress.event(Event::Vertex(step.clone()));
        let found = self.inner.resolve_image(image);
        step.completed = Some(SystemTime::now());
        step.error = found.as_ref().err().map(GatewayError::to_string);
        self.progress.event(Event::Vertex(step));
        let found = found?;
        let base = Base {
            reference: image.reference.clone(),
            packages: if found.has_packages { image.packages.len() } else { 0 },
            platform: image.platform.clone(),
            digest: found.digest.clone(),
            origin: found.origin.clone(),
        };
        self.bases.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(base);
        Ok(found)
    }
}

/// Returns what people call the image `reference` with so many packages more.
fn called(reference: &str, packages: usize) -> String {
    match packages {
        0 => reference.to_owned(),
        count => format!("{reference} with {}", words::count(count as u64, "package")),
    }
}

/// Returns the step of looking for `image`, which starts now.
fn finding(image: &ResolveImage) -> VertexEvent {
    VertexEvent {
        digest: format!("find {} {} {}", image.reference, image.platform, image.packages.join(" ")),
        name: format!("[internal] find {}", called(&image.reference, image.packages.len())),
        group: String::new(),
        inputs: Vec::new(),
        started: Some(SystemTime::now()),
        completed: None,
        cached: false,
        error: None,
    }
}
