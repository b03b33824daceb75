//! Where a `buildkitd` listens, in the words that `buildctl` and `docker` use.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

/// Where a `buildkitd` listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// A TCP port, usually with TLS.
    Tcp {
        /// Host name or IP address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Inside a container of a docker daemon.
    DockerContainer(String),
    /// The one in a docker daemon: where the daemon listens, none for `DOCKER_HOST` or its usual socket.
    Docker(Option<String>),
}

/// A text that names no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text} is no address of a buildkitd: {reason}")]
pub struct BadAddress {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Address {
    /// The forms an address can have, for help texts.
    pub const FORMS: &str = "unix:///PATH, tcp://HOST:PORT, docker-container://NAME or docker://";
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = |reason| BadAddress { text: text.to_owned(), reason };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("it does not begin with a scheme"))?;
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            "unix" => Err(bad("the path of the socket is not absolute")),
            "tcp" => {
                let (host, port) = rest.rsplit_once(':').ok_or_else(|| bad("it has no port"))?;
                let port = port.parse().map_err(|_| bad("its port is no number below 65536"))?;
                let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
                match host {
                    "" => Err(bad("it has no host")),
                    host => Ok(Self::Tcp { host: host.to_owned(), port }),
                }
            }
            "docker-container" => match rest.split('?').next().unwrap_or_default() {
                "" => Err(bad("it names no container")),
                name if is_container_name(name) => Ok(Self::DockerContainer(name.to_owned())),
                _ => Err(bad(
                    "the name of the container has other characters than letters, digits, _, . and -",
                )),
            },
            "docker" => Ok(Self::Docker((!rest.is_empty()).then(|| rest.to_owned()))),
            _ => Err(bad("its scheme is not known")),
        }
    }
}

/// Names become a part of a URL's path.
fn is_container_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(formatter, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(formatter, "tcp://{host}:{port}"),
            Self::DockerContainer(name) => write!(formatter, "docker-container://{name}"),
            Self::Docker(endpoint) => {
                write!(formatter, "docker://{}", endpoint.as_deref().unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_they_are_read() {
        for text in [
            "unix:///run/buildkit/buildkitd.sock",
            "tcp://builder.example.org:1234",
            "tcp://[::1]:1234",
            "docker-container://buildx_buildkit_builder0",
            "docker://",
            "docker://unix:///run/other.sock",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        for text in [
            "",
            "/run/buildkit/buildkitd.sock",
            "unix://relative.sock",
            "tcp://host",
            "tcp://:1",
            "tcp://host:port",
            "tcp://host:70000",
            "docker-container://",
            "docker-container://a/../../images",
            "ssh://host",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
