//! The frontend's side of the protocol as BuildKit starts it: the channel is standard input and output, the request is in
//! the environment (`frontend/gateway/grpcclient`).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use bollard_buildkit_proto::pb;
use hyper_util::rt::TokioIo;
use prost::Message;
use serde::Deserialize;
use thiserror::Error;
use tokio::net::unix::pipe;
use tokio::runtime::Handle;
use tonic::metadata::MetadataMap;
use tower::service_fn;

use super::client::{Connection, GrpcGateway};
use dalec_gateway::{BuildOptions, GatewayError};

/// Where BuildKit puts the graph of the frontend's own image.
pub const FRONTEND_DEFINITION: &str = "/run/config/buildkit/metadata/frontend.bin";

/// Why a request that came through standard input cannot be taken.
#[derive(Debug, Error)]
pub enum StdioError {
    /// Standard input and output are not what an engine gives its frontends.
    #[error(
        "standard input and output are not pipes of a build engine; BuildKit runs this command, people do not"
    )]
    NotPipes(#[source] io::Error),
    /// There was no connection.
    #[error("cannot speak to the build engine through standard input and output")]
    Channel(#[source] tonic::transport::Error),
    /// The environment does not hold a request.
    #[error("{variable} is not readable: {message}")]
    Environment {
        /// Name of the variable or path of the file.
        variable: String,
        /// What is wrong.
        message: String,
    },
    /// The engine does not answer as it should.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

/// Returns the gateway behind standard input and output.
///
/// Takes both: what is printed to standard output afterwards comes out on standard error, where it does no harm.
///
/// # Errors
/// See [`StdioError`].
pub fn connect(runtime: &Handle) -> Result<GrpcGateway, StdioError> {
    let options = options(std::env::vars())?;
    let frontend = frontend_definition(Path::new(FRONTEND_DEFINITION))?;
    let (input, output) = take_pipes().map_err(StdioError::NotPipes)?;
    let channel = runtime.block_on(async {
        let pipes = pipe::Receiver::from_owned_fd(input)
            .and_then(|input| Ok(tokio::io::join(input, pipe::Sender::from_owned_fd(output)?)))
            .map_err(StdioError::NotPipes)?;
        let mut once = Some(TokioIo::new(pipes));
        let connector = service_fn(move |_| {
            let taken = once.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
            std::future::ready(taken)
        });
        super::endpoint().connect_with_connector(connector).await.map_err(StdioError::Channel)
    })?;
    Ok(GrpcGateway::connect(Connection {
        channel,
        runtime: runtime.clone(),
        metadata: MetadataMap::new(),
        options,
        frontend,
        // The engine ends the process.
        cancelled: None,
    })?)
}

/// Returns own handles of standard input and output, and lets the latter go to standard error.
fn take_pipes() -> io::Result<(OwnedFd, OwnedFd)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok((input, output))
}

/// Reads the request from the environment's variables.
fn options(variables: impl Iterator<Item = (String, String)>) -> Result<BuildOptions, StdioError> {
    let mut request = BuildOptions::default();
    for (name, value) in variables {
        match name.as_str() {
            "BUILDKIT_SESSION_ID" => request.session = value,
            "BUILDKIT_EXPORTEDPRODUCT" => request.product = value,
            "BUILDKIT_WORKERS" => request.platforms = platforms(&value)?,
            _ if name.starts_with("BUILDKIT_FRONTEND_OPT_") => {
                let (key, value) = value.split_once('=').unwrap_or((&value, ""));
                request.options.insert(key.to_owned(), value.to_owned());
            }
            _ => {}
        }
    }
    Ok(request)
}

/// A worker as the environment describes it.
#[derive(Deserialize)]
struct Worker {
    // BuildKit writes the first, and takes any case.
    #[serde(alias = "Platforms", default)]
    platforms: Option<Vec<Platform>>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    #[serde(default)]
    variant: String,
}

fn platforms(workers: &str) -> Result<Vec<String>, StdioError> {
    let workers: Vec<Worker> = serde_json::from_str(workers).map_err(|error| StdioError::Environment {
        variable: "BUILDKIT_WORKERS".into(),
        message: error.to_string(),
    })?;
    let platforms = workers.into_iter().flat_map(|worker| worker.platforms.unwrap_or_default());
    let text = |platform: Platform| {
        super::images::platform_text(&pb::Platform {
            os: platform.os,
            architecture: platform.architecture,
            variant: platform.variant,
            ..pb::Platform::default()
        })
    };
    Ok(platforms.map(text).collect())
}

/// Reads the graph of the frontend's image, nothing when the engine gives none.
fn frontend_definition(path: &Path) -> Result<Option<pb::Definition>, StdioError> {
    let unreadable =
        |message: String| StdioError::Environment { variable: path.display().to_string(), message };
    match std::fs::read(path) {
        Ok(bytes) => match pb::Definition::decode(bytes.as_slice()) {
            Ok(definition) => Ok(Some(definition)),
            Err(error) => Err(unreadable(error.to_string())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_holds_the_request() {
        let workers = r#"[{"id":"a","labels":{},"platforms":[{"architecture":"amd64","os":"linux"}],"gcPolicy":null},
            {"Platforms":[{"architecture":"arm","os":"linux","variant":"v7"}]},{"platforms":null}]"#;
        let variables = [
            ("BUILDKIT_FRONTEND_OPT_0", "target=bookworm/deb"),
            ("BUILDKIT_FRONTEND_OPT_1", "build-arg:URL=a=b"),
            ("BUILDKIT_FRONTEND_OPT_10", "no-cache"),
            ("BUILDKIT_SESSION_ID", "s1"),
            ("BUILDKIT_WORKERS", workers),
            ("BUILDKIT_EXPORTEDPRODUCT", "buildkit"),
            ("PATH", "/bin"),
        ];
        let read = options(variables.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned()))).unwrap();
        assert_eq!(read.options["target"], "bookworm/deb");
        assert_eq!(read.options["build-arg:URL"], "a=b");
        assert_eq!(read.options["no-cache"], "");
        assert_eq!(read.platforms, ["linux/amd64", "linux/arm/v7"]);
        assert_eq!((read.session.as_str(), read.product.as_str()), ("s1", "buildkit"));
    }

    #[test]
    fn workers_that_are_no_json_are_named() {
        let variables = [("BUILDKIT_WORKERS".to_owned(), "none".to_owned())];
        let error = options(variables.into_iter()).unwrap_err();
        assert!(error.to_string().starts_with("BUILDKIT_WORKERS is not readable"), "{error}");
    }
}
