//! `dalec frontend`: one request of a build engine, answered through standard input and output.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bollard_buildkit_proto::google::rpc;
use dalec_gateway::FrontendResult;
use dalec_signer_frontend::SignerError;
use dalec_wire::client::GrpcGateway;
use dalec_wire::errors::to_rpc;
use dalec_wire::stdio;

use crate::errors::{CommandError, wire};

/// Answers one request of a build engine
///
/// This is what our frontend image runs inside BuildKit: it speaks BuildKit's gateway protocol on standard input and
/// output and finds its request in the environment. People use `docker buildx build` instead, with a first line
/// `# syntax=IMAGE` in the spec.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Answers the request that BuildKit started this process for.
///
/// # Errors
/// As [`serve`].
pub fn run(_args: &Args) -> Result<(), CommandError> {
    serve(|gateway| dalec_frontend::answer(gateway).map_err(|error| wire::status(&error)))
}

/// Signs what the request that BuildKit started this process for brings.
///
/// # Errors
/// In words for the engine.
pub fn sign(gateway: &GrpcGateway) -> Result<FrontendResult, rpc::Status> {
    dalec_signer_frontend::answer(gateway).map_err(|error| match error {
        SignerError::Gateway(error) => to_rpc(&error),
        SignerError::Request(message) => {
            rpc::Status { code: tonic::Code::InvalidArgument as i32, message, details: Vec::new() }
        }
    })
}

/// Answers the request that BuildKit started this process for by `answer`.
///
/// A failed build is an answer, too: the engine gets the words, and the process ends well.
///
/// # Errors
/// When there is no engine to speak to, or it does not take the answer.
pub fn serve(
    answer: impl Fn(&GrpcGateway) -> Result<FrontendResult, rpc::Status>,
) -> Result<(), CommandError> {
    let broken = |message: &str, source: Box<dyn std::error::Error + Send + Sync>| CommandError::Internal {
        message: message.to_owned(),
        source,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| broken("cannot start a runtime", error.into()))?;
    let gateway = stdio::connect(runtime.handle())
        .map_err(|error| broken("cannot take a request of a build engine", error.into()))?;
    let answered = reply(&gateway, answer);
    // The connection's tasks wait for input that does not come any more.
    runtime.shutdown_background();
    answered.map_err(|error| broken("the build engine did not take the answer", error.into()))
}

fn reply(
    gateway: &GrpcGateway,
    answer: impl Fn(&GrpcGateway) -> Result<FrontendResult, rpc::Status>,
) -> Result<(), dalec_gateway::GatewayError> {
    match catch_unwind(AssertUnwindSafe(|| answer(gateway))) {
        Ok(Ok(result)) => gateway.return_result(&result),
        Ok(Err(error)) => gateway.return_error(error),
        Err(panic) => gateway.return_error(recovered(panic.as_ref())),
    }
}

/// Returns what is said when this program is wrong; where it stopped is on standard error.
fn recovered(panic: &(dyn Any + Send)) -> rpc::Status {
    let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    rpc::Status {
        code: tonic::Code::Internal as i32,
        message: format!(
            "recovered from panic: {words}\nhelp: this is a fault of dalec itself, please report it"
        ),
        details: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FE-014.
    #[test]
    fn a_fault_of_ours_is_an_error_with_its_words() {
        let panic = catch_unwind(|| panic!("no {}", "entry")).unwrap_err();
        assert!(recovered(panic.as_ref()).message.starts_with("recovered from panic: no entry\n"));
    }
}
