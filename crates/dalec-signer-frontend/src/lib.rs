//! The signers' image as a frontend: takes what a build made, and answers with the same tree, signed.
//!
//! Follows the contract that Dalec has with signers: artifacts come as the main context, settings as build arguments and
//! the command line, and keys are secrets of the client. One step signs, in a container that holds this program alone: it
//! has no network unless a timestamp service is named, and no key is ever a part of the graph. How files are signed is
//! not known here.

mod request;

use std::collections::BTreeMap;

use dalec_gateway::{FrontendResult, Gateway, GatewayError, SolveRequest};
use dalec_llb::{Exec, Mount, Network, Platform, ProgressGroup, Secret, State};

use request::Request;

/// Name of this program in the signers' image, where it is also what starts.
pub const PROGRAM: &str = "signer";
/// First argument of this program where it runs as the step that signs; flags follow, see [`flag`].
pub const STEP: &str = "sign-tree";

/// Variable with the session of the client in the step that looks at its keys; nothing reads it.
const SESSION: &str = "DALEC_SIGNER_SESSION";

/// Where things are for the step that signs.
pub mod place {
    /// What is to be signed.
    pub const INPUT: &str = "/tmp/internal/dalec/signer/input";
    /// Where the signed tree is written.
    pub const OUTPUT: &str = "/tmp/internal/dalec/signer/output";
    /// The named context, if there is one.
    pub const CONTEXT: &str = "/tmp/internal/dalec/signer/context";
    /// The OpenPGP key.
    pub const KEY: &str = "/run/secrets/dalec-signer/key";
    /// What opens it.
    pub const PASSPHRASE: &str = "/run/secrets/dalec-signer/passphrase";
    /// The private key for Windows programs.
    pub const CODE_KEY: &str = "/run/secrets/dalec-signer/code-key";
    /// What opens it.
    pub const CODE_PASSPHRASE: &str = "/run/secrets/dalec-signer/code-passphrase";
    /// The file in the named context with the certificates of the private key for Windows programs.
    pub const CERTIFICATES: &str = "certificates.pem";
    /// The file in the named context with fingerprints of the only keys that may sign.
    pub const FINGERPRINTS: &str = "fingerprints";
    /// The file in [`OUTPUT`] with the fingerprints of the keys that are there, one in each line.
    pub const KEYS: &str = "keys";
}

/// Flags of the step that signs. Each has a value behind it but [`flag::REPLACE`].
pub mod flag {
    /// A kind of signatures to make: one word of the command line.
    pub const KIND: &str = "--kind";
    /// The only key that may sign.
    pub const FINGERPRINT: &str = "--fingerprint";
    /// How signatures beside files look: `armored` or `binary`.
    pub const DETACH: &str = "--detach";
    /// The timestamp service.
    pub const TIMESTAMP_URL: &str = "--timestamp-url";
    /// The time of the signatures, in seconds since 1970.
    pub const TIME: &str = "--time";
    /// Signatures that are there make room.
    pub const REPLACE: &str = "--replace";
    /// What people call the secret with the OpenPGP key.
    pub const KEY_NAME: &str = "--key-name";
    /// The same of the private key for Windows programs.
    pub const CODE_KEY_NAME: &str = "--code-key-name";
    /// Nothing is signed: the fingerprints of the keys are written.
    pub const LIST_KEYS: &str = "--list-keys";
    /// Fingerprint of a key that was there when keys were listed; others do not sign.
    pub const KEY: &str = "--key";
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The request makes no sense.
    #[error("{0}")]
    Request(String),
    /// The build engine said no, or signing failed.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

/// Answers a request for signatures.
///
/// # Errors
/// [`SignerError`] when the request makes no sense, or something could not be signed.
pub fn answer(gateway: &dyn Gateway) -> Result<FrontendResult, SignerError> {
    let options = &gateway.build_options().options;
    let request = Request::parse(options)?;
    let inputs = gateway.inputs()?;
    let name = request::context_name(options);
    let session = &gateway.build_options().session;
    let artifacts = match inputs.get(name) {
        Some(definition) => state(definition)?,
        // Somebody asks for signatures of a directory.
        None => request::local(name, session),
    };
    let signing = request::named_context(options, session, &inputs)?;
    let program = state(&gateway.frontend_image()?)?;
    let platform = platform(gateway);
    let keys = keys(gateway, &program, &request, signing.as_ref(), &platform)?;
    let signed =
        program.run(signing_step(&request, &artifacts, signing.as_ref(), &keys)).output(place::OUTPUT);
    let solved = gateway.solve(SolveRequest { definition: signed.marshal(&platform), evaluate: true })?;
    Ok(FrontendResult { refs: vec![(String::new(), solved)], metadata: BTreeMap::new() })
}

/// Returns the fingerprints of the keys that the client has now.
///
/// Engines know what a step made by what went into it, and secrets are no part of that: without the name of its key, a
/// signature by a key that was replaced since would be taken for the new one's. An engine that builds for several clients
/// at the same time runs a step of theirs once if it is the same, and asks one of them for its secrets: the session makes
/// this one the client's own.
///
/// # Errors
/// What the engine says.
fn keys(
    gateway: &dyn Gateway,
    program: &State,
    request: &Request,
    signing: Option<&State>,
    platform: &Platform,
) -> Result<Vec<String>, SignerError> {
    let step = step(request, signing, vec![flag::LIST_KEYS.to_owned()]);
    let step = step.network(Network::None).env(SESSION, &gateway.build_options().session);
    let listed = program.run(step.name("Look at the keys").ignore_cache(true));
    let definition = listed.output(place::OUTPUT).marshal(platform);
    let Some(listed) = gateway.solve(SolveRequest { definition, evaluate: true })? else {
        return Ok(Vec::new());
    };
    let text = gateway.read_file(&listed, place::KEYS, None)?;
    Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
}

/// Returns the step that signs with `keys`.
fn signing_step(request: &Request, artifacts: &State, signing: Option<&State>, keys: &[String]) -> Exec {
    let mut flags = request.flags();
    flags.extend(keys.iter().flat_map(|key| [flag::KEY.to_owned(), key.clone()]));
    let network = match request.timestamp_url {
        Some(_) => Network::Sandbox,
        None => Network::None,
    };
    let input = Mount::bind(place::INPUT, artifacts).readonly();
    step(request, signing, flags).network(network).name("Sign").mount(input)
}

/// Returns a step of this program that has the client's keys.
fn step(request: &Request, signing: Option<&State>, flags: Vec<String>) -> Exec {
    let args = [format!("/{PROGRAM}"), STEP.to_owned()].into_iter().chain(request.names()).chain(flags);
    let secret = |path: &str, id: &str| {
        // Whether it is needed turns out when the files are seen.
        Mount::secret(path, Secret { id: id.to_owned(), optional: true, mode: 0o400 })
    };
    Exec::new(args)
        .readonly_root()
        .group(&ProgressGroup::new("Sign package"))
        .mount(Mount::output(place::OUTPUT))
        .mounts(signing.map(|signing| Mount::bind(place::CONTEXT, signing).readonly()))
        .mount(secret(place::KEY, &request.key))
        .mount(secret(place::PASSPHRASE, &request.passphrase))
        .mount(secret(place::CODE_KEY, &request.code_key))
        .mount(secret(place::CODE_PASSPHRASE, &request.code_passphrase))
}

fn state(definition: &dalec_llb::pb::Definition) -> Result<State, SignerError> {
    State::from_definition(definition)
        .map_err(|error| SignerError::Request(format!("a graph in the request cannot be read: {error}")))
}

/// Returns the platform that the engine runs this program on.
fn platform(gateway: &dyn Gateway) -> Platform {
    let first = gateway.build_options().platforms.first().cloned().unwrap_or_default();
    let mut parts = first.split('/').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    Platform { os: next(), architecture: next(), variant: next() }
}
