//! Which routes there are, and which of them a request names.

use dalec_spec::RawSpec;
use dalec_targets::routes::{self, Route};
use serde::Serialize;

use crate::error::FrontendError;

/// One entry of the list of targets, as the `frontend.targets` subrequest shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Route, for example `bookworm/deb`.
    pub name: String,
    /// Whether it is what the bare target key stands for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
    /// One line about the result.
    pub description: String,
    /// Whether the spec has settings for this target.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub spec_defined: bool,
}

/// Returns the listed routes, sorted by name, marked with what `spec` says of them.
pub fn targets(spec: Option<&RawSpec>) -> Vec<Target> {
    let defined = spec.map(RawSpec::target_keys).unwrap_or_default();
    let listed = routes::all().iter().filter(|route| !route.hidden);
    let mut targets: Vec<Target> = listed
        .map(|route| Target {
            name: route.name.clone(),
            default: route.default,
            description: route.description.clone(),
            spec_defined: defined.iter().any(|key| *key == route.target()),
        })
        .collect();
    targets.sort_by(|a, b| a.name.cmp(&b.name));
    targets
}

/// Returns the route called `target`.
///
/// # Errors
/// [`FrontendError::UnknownTarget`] with the routes there are, also when `target` is empty.
pub fn find(target: &str) -> Result<&'static Route, FrontendError> {
    routes::find(target).map_err(|_| FrontendError::UnknownTarget {
        target: target.to_owned(),
        routes: targets(None).into_iter().map(|target| target.name).collect(),
    })
}

/// Returns nothing if `target` can be built, hidden routes included.
///
/// # Errors
/// [`FrontendError::UnknownTarget`] with the routes there are.
pub fn check_target(target: &str) -> Result<(), FrontendError> {
    find(target).map(drop)
}
