//! Where a docker daemon listens: `DOCKER_HOST`, or its usual socket.

use std::fmt;
use std::path::PathBuf;

use tokio::net::{TcpStream, UnixStream};

use crate::error::ConnectError;
use crate::stream::BoxStream;

/// Where the daemon listens when nothing is said.
const DEFAULT: &str = "/var/run/docker.sock";

/// Where a docker daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Unix(PathBuf),
    /// Without TLS: `host:port`.
    Tcp(String),
}

impl Endpoint {
    /// Reads `DOCKER_HOST`.
    pub(crate) fn from_environment() -> Result<Self, ConnectError> {
        match std::env::var("DOCKER_HOST") {
            Ok(text) if !text.is_empty() => Self::parse(&text),
            _ => Ok(Self::Unix(DEFAULT.into())),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ConnectError> {
        match text.split_once("://") {
            Some(("unix", path)) => Ok(Self::Unix(path.into())),
            Some(("tcp", _)) if std::env::var_os("DOCKER_TLS_VERIFY").is_some() => Err(ConnectError::Docker {
                endpoint: text.to_owned(),
                message: "its API needs TLS, which is not supported; forward its socket, for example with ssh -L"
                    .into(),
            }),
            Some(("tcp", place)) => Ok(Self::Tcp(place.trim_end_matches('/').to_owned())),
            _ => Err(ConnectError::Docker {
                endpoint: text.to_owned(),
                message: "only unix:// and tcp:// addresses of docker daemons are supported".into(),
            }),
        }
    }

    pub(crate) async fn connect(&self) -> Result<BoxStream, ConnectError> {
        let connected: std::io::Result<BoxStream> = match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(|stream| Box::new(stream) as BoxStream),
            Self::Tcp(place) => TcpStream::connect(place).await.map(|stream| Box::new(stream) as BoxStream),
        };
        connected
            .map_err(|source| ConnectError::Unreachable { address: self.to_string(), source: source.into() })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Self::Tcp(place) => write!(formatter, "tcp://{place}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_sockets_and_ports() {
        let parsed = |text: &str| Endpoint::parse(text).map(|endpoint| endpoint.to_string());
        assert_eq!(parsed("unix:///run/docker.sock").unwrap(), "unix:///run/docker.sock");
        assert_eq!(parsed("tcp://localhost:2375/").unwrap(), "tcp://localhost:2375");
        assert!(parsed("ssh://host").is_err());
        assert!(parsed("/run/docker.sock").is_err());
    }
}
