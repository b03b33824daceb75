//! [`Remote`]: the daemon as the gateway of our frontend, with a session of their own for signers.
//!
//! A secret that is for signers alone must be out of reach for everything else, and the daemon lets a step ask any
//! session of the builds that it belongs to. So a signer is called in a second build, with a session that serves those
//! secrets; the first build's session refuses them. Three things make that hold:
//!
//! 1. What the signer is given is built before its session opens, and while that is open the first build runs nothing. A
//!    step that both builds know could ask either session: what was built may stand on steps that a cache made
//!    unnecessary, and another platform of the first build may still need them.
//! 2. What the signer returns is taken over into the first build while the second one lives: steps of the signer do not
//!    run again, and need not be in any cache.
//! 3. The second session closes then: nothing that is built later can ask it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, mpsc};

use bollard_buildkit_proto::pb;
use dalec_gateway::{
    FrontendRequest, FrontendResult, Gateway, GatewayError, Purpose, Reference, Relay, SolveRequest,
};
use dalec_wire::client::GrpcGateway;

use crate::client::{Build, BuildError, Client};
use crate::session::Services;

/// The daemon as a gateway.
pub(crate) struct Remote<'a> {
    pub(crate) client: &'a Client,
    pub(crate) build: &'a Build,
    gateway: GrpcGateway,
}

/// What a signer returned, as graphs.
struct Signed {
    graphs: Vec<(String, Option<pb::Definition>)>,
    metadata: BTreeMap<String, Vec<u8>>,
}

impl<'a> Remote<'a> {
    pub(crate) fn new(client: &'a Client, build: &'a Build, gateway: GrpcGateway) -> Self {
        Self { client, build, gateway }
    }

    /// Returns the daemon's own gateway.
    pub(crate) fn into_gateway(self) -> GrpcGateway {
        self.gateway
    }

    fn sign(&self, request: FrontendRequest) -> Result<FrontendResult, GatewayError> {
        let Some(secrets) = &self.build.signer_secrets else {
            return self.run(|gateway| gateway.solve_frontend(request));
        };
        for definition in request.inputs.values() {
            self.solve(SolveRequest { definition: definition.clone(), evaluate: true })?;
        }
        let _nothing_else_runs = self.build.signing.write().unwrap_or_else(PoisonError::into_inner);
        let services = Services {
            secrets: Some(secrets.clone()),
            targets: BTreeMap::new(),
            ..self.build.services.clone()
        };
        let build = Build {
            services,
            shared: None,
            signer_secrets: None,
            // This one runs while all others wait.
            signing: Arc::default(),
            exports: Vec::new(),
            cache_exports: Vec::new(),
            ..self.build.clone()
        };
        let (send, signed) = mpsc::channel();
        let (taken_over, wait) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let second = scope.spawn(move || {
                self.client.build(&build, |gateway| {
                    // Without a result there is nobody to take anything over.
                    let _ = send.send(call(gateway, request)?);
                    drop(send);
                    // The other end is dropped, not used.
                    let _ = wait.recv();
                    Ok::<_, GatewayError>(FrontendResult::default())
                })
            });
            let result = signed.recv().ok().map(|signed| self.take_over(signed));
            drop(taken_over);
            let second = second.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            match (result, second) {
                (_, Err(BuildError::Frontend(error) | BuildError::Gateway(error))) => Err(error),
                (Some(result), Ok(_)) => result,
                (None, Ok(_)) => Err(GatewayError::Request { message: "the signer returned nothing".into() }),
            }
        })
    }

    /// Makes what a signer returned a part of the first build.
    fn take_over(&self, signed: Signed) -> Result<FrontendResult, GatewayError> {
        let solve = |(key, graph): (String, Option<pb::Definition>)| {
            let reference = match graph {
                Some(definition) => self.gateway.solve(SolveRequest { definition, evaluate: true })?,
                None => None,
            };
            Ok((key, reference))
        };
        let refs = signed.graphs.into_iter().map(solve).collect::<Result<_, GatewayError>>()?;
        Ok(FrontendResult { refs, metadata: signed.metadata })
    }
}

/// Calls the signer and builds what it returns.
fn call(gateway: &dyn Gateway, request: FrontendRequest) -> Result<Signed, GatewayError> {
    let result = gateway.solve_frontend(FrontendRequest { evaluate: true, ..request })?;
    let graph = |(key, reference): (String, Option<Reference>)| {
        let graph = reference.map(|reference| gateway.definition(&reference)).transpose()?;
        Ok((key, graph))
    };
    let graphs = result.refs.into_iter().map(graph).collect::<Result<_, GatewayError>>()?;
    Ok(Signed { graphs, metadata: result.metadata })
}

impl Relay for Remote<'_> {
    type Behind = GrpcGateway;

    fn behind(&self) -> &GrpcGateway {
        &self.gateway
    }

    /// Waits until nobody signs.
    fn run<T>(&self, call: impl FnOnce(&GrpcGateway) -> Result<T, GatewayError>) -> Result<T, GatewayError> {
        let _nobody_signs = self.build.signing.read().unwrap_or_else(PoisonError::into_inner);
        call(&self.gateway)
    }

    fn relay_frontend(&self, request: FrontendRequest) -> Result<FrontendResult, GatewayError> {
        match request.purpose {
            Purpose::Sign => self.sign(request),
            Purpose::Build => self.run(|gateway| gateway.solve_frontend(request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fake::{self, Fake, Oddities};
    use crate::session::{SecretError, Secrets};

    struct Key;

    impl Secrets for Key {
        fn secret(&self, _: &str) -> Result<Option<Vec<u8>>, SecretError> {
            Ok(Some(b"key".to_vec()))
        }
    }

    #[test]
    fn no_step_of_another_platform_runs_while_a_signer_can_have_its_secrets() {
        let daemon = Fake::start(Oddities::default());
        let build = Build { signer_secrets: Some(Arc::new(Key)), ..fake::build() };
        let built = daemon.client().build(&build, |gateway| {
            std::thread::scope(|scope| {
                let request = FrontendRequest {
                    frontend: "gateway.v0".into(),
                    options: BTreeMap::new(),
                    inputs: BTreeMap::new(),
                    evaluate: true,
                    purpose: Purpose::Sign,
                };
                let signed = scope.spawn(|| gateway.solve_frontend(request));
                daemon.wait_for("the signer begins");
                gateway.solve(SolveRequest { definition: pb::Definition::default(), evaluate: true })?;
                signed.join().unwrap()
            })
        });
        built.unwrap();
        let events = daemon.events();
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let expected =
            ["the signer begins", "the signer ends", "the build ended", "a step runs", "the build ended"];
        assert_eq!(events, expected);
    }
}
