//! The signer inside this program, for requests that have no signer's image at hand.
//!
//! It is called as every other signer is: as an image, which a named context brings. That image is this program under
//! another name.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dalec_gateway::{FrontendRequest, Gateway, GatewayError};
use dalec_llb::{Copy, File, Platform, State};

/// The image that a signer is named by to be the one inside this program.
pub const OWN_SIGNER: &str = "dalec-signer";

/// Where this program lies in that image; its name says what it does.
const PROGRAM: &str = "/signer";

/// Brings the image of the signer inside this program along, if `request` calls it and the client has none of its own.
///
/// # Errors
/// When the engine does not know this program.
pub fn provide(
    gateway: &dyn Gateway,
    request: &mut FrontendRequest,
    platform: &Platform,
) -> Result<(), GatewayError> {
    let is_called = request.options.get("source").is_some_and(|source| source == OWN_SIGNER);
    let context = format!("context:{OWN_SIGNER}");
    let is_given = request
        .options
        .keys()
        .any(|name| name.strip_prefix(&context).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
    if !is_called || is_given {
        return Ok(());
    }
    let frontend = gateway.frontend_image()?;
    let frontend = State::from_definition(&frontend).map_err(|error| GatewayError::Request {
        message: format!("the graph of the frontend's own image cannot be read: {error}"),
    })?;
    let program = File::new("load the signer").copy(&frontend, "/frontend", PROGRAM, Copy::default());
    request.inputs.insert(OWN_SIGNER.into(), State::scratch().file(program).marshal(platform));
    request.options.insert(context, format!("input:{OWN_SIGNER}"));
    request.options.insert(format!("input-metadata:{OWN_SIGNER}"), metadata());
    Ok(())
}

/// Returns the image's configuration as metadata of an input: a mapping from names to values in base64.
fn metadata() -> String {
    let capabilities = ["inputs", "contexts"].map(|name| format!("moby.buildkit.frontend.{name}"));
    let config = serde_json::json!({
        "config": {
            "Entrypoint": [PROGRAM],
            "Labels": {
                "moby.buildkit.frontend.network.none": "true",
                "moby.buildkit.frontend.caps": capabilities.join(","),
            },
        },
    });
    serde_json::json!({ "containerimage.config": BASE64_STANDARD.encode(config.to_string()) }).to_string()
}
