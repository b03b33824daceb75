//! Calls of other frontends: signers, and frontends that build a target in place of this one.

use std::collections::BTreeMap;

use bollard_buildkit_proto::pb;
use dalec_gateway::{FrontendRequest, FrontendResult, Gateway, GatewayError, Purpose};
use dalec_llb::State;

use crate::main_context::MAIN;

/// The frontend that runs the image which the option `source` names.
pub const GATEWAY: &str = "gateway.v0";
/// Options that are never passed on: they name a frontend, ask for something besides a build, or say where the main
/// context is. Another frontend would take that place before the input which we give it as its main context.
const OWN: [&str; 6] = ["source", "cmdline", "requestid", MAIN, "contextkey", "contextsubdir"];

/// Returns a call of the frontend `image` with the inputs of this request and its options, but for those that are never
/// passed on and `replaced`.
///
/// # Errors
/// What the gateway says about the inputs.
pub fn request(
    gateway: &dyn Gateway,
    image: &str,
    cmdline: &str,
    replaced: &[&str],
) -> Result<FrontendRequest, GatewayError> {
    let passed = |name: &str| !OWN.contains(&name) && !replaced.contains(&name);
    let options = gateway.build_options().options.iter().filter(|(name, _)| passed(name));
    let mut options: BTreeMap<String, String> =
        options.map(|(name, value)| (name.clone(), value.clone())).collect();
    options.insert("source".into(), image.to_owned());
    options.insert("cmdline".into(), cmdline.to_owned());
    Ok(FrontendRequest {
        frontend: GATEWAY.into(),
        options,
        inputs: gateway.inputs()?,
        evaluate: true,
        purpose: Purpose::Build,
    })
}

/// Returns the one file system that the frontend `image` returned.
///
/// # Errors
/// [`GatewayError::Frontend`] when it returned none or several, gateway errors otherwise.
pub fn single(gateway: &dyn Gateway, image: &str, result: &FrontendResult) -> Result<State, GatewayError> {
    let wrong = |message: String, hint: &str| GatewayError::Frontend {
        image: image.to_owned(),
        message,
        hint: Some(hint.to_owned()),
        log: Vec::new(),
    };
    let reference = match result.refs.as_slice() {
        [(_, Some(reference))] => reference,
        [] | [(_, None)] => {
            return Err(wrong("it returned nothing".into(), "it has to return a file system"));
        }
        several => {
            let message = format!("it returned {} results", several.len());
            return Err(wrong(message, "it has to return one file system, not one per platform"));
        }
    };
    let definition: pb::Definition = gateway.definition(reference)?;
    State::from_definition(&definition)
        .map_err(|error| wrong(format!("what it returned is no graph: {error}"), "report this to its makers"))
}
