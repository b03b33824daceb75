//! How the run of a frontend ended, and what that means for whoever called it.

use std::collections::BTreeMap;

use dalec_gateway::{FrontendResult, GatewayError, SolveFailure};
use dalec_wire::errors;
use dalec_wire::server::Outcome;

use super::image::FrontendImage;
use crate::sandbox::ExitStatus;

/// What to do about a frontend that writes something else than the protocol.
const OUTPUT_HINT: &str =
    "its standard output is for the protocol alone: words for people go to standard error";

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// It had nothing more to say, but would not end.
    Killed,
}

/// What is known after a frontend has run.
pub struct Report {
    /// How its process ended.
    pub ending: Ending,
    /// How the conversation with it ended.
    pub outcome: Outcome,
    /// The last lines that it wrote for people.
    pub log: Vec<String>,
    /// Failures of ops that it was told of, by vertex.
    pub failures: BTreeMap<String, SolveFailure>,
}

impl Report {
    /// Returns what the frontend returned.
    ///
    /// # Errors
    /// When it returned an error, or did not do its work.
    pub fn result(mut self, image: &FrontendImage) -> Result<FrontendResult, GatewayError> {
        let failed = |message: String, hint: Option<&str>, log: Vec<String>| GatewayError::Frontend {
            image: image.name.clone(),
            message,
            hint: hint.map(str::to_owned),
            log,
        };
        match self.outcome {
            Outcome::Answer(Err(status)) => match errors::from_rpc(status.clone()) {
                GatewayError::Solve(failure) => {
                    // Told as it was told by the op itself, with its log.
                    let known = self.failures.remove(&failure.vertex);
                    Err(GatewayError::Solve(known.map_or(failure, Box::new)))
                }
                _ => Err(failed(errors::bounded(status.message), None, self.log)),
            },
            Outcome::Answer(Ok(result)) => match self.ending {
                Ending::Killed | Ending::Exited(ExitStatus::Code(0)) => Ok(result),
                Ending::Exited(status) => {
                    Err(failed(format!("it returned a result, but then {}", words(status)), None, self.log))
                }
            },
            Outcome::Strange(bytes) => {
                let begin: String = String::from_utf8_lossy(&bytes).chars().take(60).collect();
                let message = format!("it does not speak the gateway protocol, but begins with {begin:?}");
                Err(failed(message, Some(OUTPUT_HINT), self.log))
            }
            Outcome::Broken => {
                let message = "what it wrote to its standard output is not the gateway protocol".to_owned();
                Err(failed(message, Some(OUTPUT_HINT), self.log))
            }
            Outcome::Nothing => {
                let message = match self.ending {
                    Ending::Killed => "it closed its connection without returning a result".to_owned(),
                    Ending::Exited(status) => format!("it {} and returned no result", words(status)),
                };
                Err(failed(message, None, self.log))
            }
        }
    }
}

fn words(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("ended with exit code {code}"),
        ExitStatus::Signal(signal) => format!("was killed by signal {signal}"),
    }
}
