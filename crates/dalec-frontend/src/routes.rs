//! Which routes there are, and which of them a request names.

use dalec_gateway::{Gateway, Warning};
use dalec_spec::{Platform, RawSpec};
use dalec_targets::routes::{self, Route};
use serde::Serialize;

use crate::error::FrontendError;
use crate::forward::Forward;
use crate::main_context::MainContext;
use crate::spec::Spec;

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

/// Returns the listed routes, sorted by name, marked with what `spec` says of them. A target that another frontend
/// builds is one entry: what is below it only that frontend knows.
pub fn targets(spec: Option<&RawSpec>) -> Vec<Target> {
    let forwards = spec.map(Forward::all).unwrap_or_default();
    let theirs = forwards.iter().map(Forward::whole).collect();
    joined(own(spec), theirs, &forwards)
}

/// Returns the targets of a request for `spec`; other frontends are asked for theirs.
pub fn with_forwarded(
    gateway: &dyn Gateway,
    main: &MainContext,
    spec: &Spec,
    forwards: &[Forward],
) -> Vec<Target> {
    let theirs = forwards.iter().flat_map(|forward| forward.targets(gateway, main, &spec.source_text));
    joined(own(spec.raw()), theirs.collect(), forwards)
}

/// Joins our targets and theirs, which stand in place of ours of the same key.
fn joined(mut own: Vec<Target>, theirs: Vec<Target>, forwards: &[Forward]) -> Vec<Target> {
    own.retain(|target| !forwards.iter().any(|forward| forward.covers(&target.name)));
    own.extend(theirs);
    own.sort_by(|a, b| a.name.cmp(&b.name));
    own
}

fn own(spec: Option<&RawSpec>) -> Vec<Target> {
    let defined = spec.map(RawSpec::target_keys).unwrap_or_default();
    let listed = routes::all().iter().filter(|route| !route.hidden);
    listed
        .map(|route| Target {
            name: route.name.clone(),
            default: route.default,
            description: route.description.clone(),
            spec_defined: defined.iter().any(|key| *key == route.target()),
        })
        .collect()
}

/// Returns the route called `target`, or else the one with the longest name that `target` is below, with a warning.
///
/// # Errors
/// [`FrontendError::UnknownTarget`] with the routes there are, also when `target` is empty.
pub fn matched(
    gateway: &dyn Gateway,
    target: &str,
    forwards: &[Forward],
) -> Result<&'static Route, FrontendError> {
    let mut name = target;
    loop {
        if let Ok(route) = routes::find(name) {
            if name != target {
                let short = format!("there is no target {target}; {name} is built instead");
                gateway.warn(Warning { short, ..Warning::default() });
            }
            return Ok(route);
        }
        match name.rsplit_once('/') {
            Some((shorter, _)) => name = shorter,
            None => return Err(unknown(target, forwards)),
        }
    }
}

/// Returns nothing if `target` can be built, hidden routes included; with a spec, also what other frontends build for it.
///
/// # Errors
/// [`FrontendError::UnknownTarget`] with the routes there are.
pub fn check_target(target: &str, spec: Option<&RawSpec>) -> Result<(), FrontendError> {
    let forwards = spec.map(Forward::all).unwrap_or_default();
    let is_known = forwards.iter().any(|forward| forward.covers(target)) || routes::find(target).is_ok();
    if is_known { Ok(()) } else { Err(unknown(target, &forwards)) }
}

/// Returns the platform that `target` is built for when the client names none, on a machine that is a `build`: Windows for
/// programs for Windows, the machine's for everything else.
pub fn default_platform(target: &str, build: &Platform) -> Platform {
    let platforms = routes::find(target).and_then(|route| routes::platforms(route, &[], build));
    let first = platforms.ok().and_then(|platforms| platforms.into_iter().next());
    first.unwrap_or_else(|| build.clone())
}

fn unknown(target: &str, forwards: &[Forward]) -> FrontendError {
    let mut routes: Vec<String> = targets(None).into_iter().map(|target| target.name).collect();
    routes.extend(forwards.iter().map(|forward| forward.key.clone()));
    FrontendError::UnknownTarget { target: target.to_owned(), routes }
}
