//! Hosting frontends: an image whose entrypoint speaks BuildKit's gateway protocol runs in a sandbox, and is served
//! the engine over its standard input and output.
//!
//! What is found, set and refused is what BuildKit does (`frontend/gateway/gateway.go`), so that images made for it
//! run unchanged: the entrypoint alone is run, as root, with the request in its environment. What a frontend says
//! is a stranger's word; whatever it does, it ends with the call, and its processes and mounts with it.

mod caches;
mod capabilities;
mod container;
mod files;
mod image;
mod outcome;
mod process;
mod served;
mod signals;

use std::sync::Arc;

use dalec_gateway::{FrontendRequest, FrontendResult, GatewayError};

use crate::session::Session;

pub use caches::CacheNamespace;
pub use capabilities::CAPABILITIES;

/// The one frontend that is built in: it runs others.
const GATEWAY: &str = "gateway.v0";
/// The frontend that BuildKit has built in besides, and the image in which its makers publish the same.
const DOCKERFILE: (&str, &str) = ("dockerfile.v0", "docker/dockerfile:1");

/// Frontends that call frontends that call frontends: deeper than this is taken for a mistake without end.
const MAX_DEPTH: usize = 16;

/// Calls a frontend for the one that `session` belongs to.
///
/// # Errors
/// [`GatewayError::Image`] when its image is nowhere to be had, [`GatewayError::Frontend`] when it does not do its work,
/// [`GatewayError::Solve`] when it fails because of an op that it asked for.
pub fn call(session: &Session, request: &FrontendRequest) -> Result<FrontendResult, GatewayError> {
    if request.frontend == DOCKERFILE.0 {
        let mut request = FrontendRequest { frontend: GATEWAY.into(), ..request.clone() };
        request.options.insert("source".into(), DOCKERFILE.1.into());
        return call(session, &request);
    }
    if request.frontend != GATEWAY {
        return Err(GatewayError::Frontend {
            image: request.frontend.clone(),
            message: "this engine has no frontend of that name built in".into(),
            hint: Some("call one by its image".into()),
            log: Vec::new(),
        });
    }
    let Some(source) = request.options.get("source") else {
        return Err(GatewayError::Request { message: "the call of a frontend names no image".into() });
    };
    if session.depth() >= MAX_DEPTH {
        return Err(GatewayError::Frontend {
            image: source.clone(),
            message: format!("more than {MAX_DEPTH} frontends call each other"),
            hint: None,
            log: Vec::new(),
        });
    }
    let image = image::find(session, source, request)?;
    image.check_capabilities(request)?;
    let called = Arc::new(session.calling(request));
    let ended = process::run(&called, &image);
    session.take_over(&called, ended.as_ref().ok());
    ended
}
