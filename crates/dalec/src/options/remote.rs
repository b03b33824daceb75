//! Which engine builds, and how a `buildkitd` is reached.

use std::path::{Path, PathBuf};

use dalec_buildkit::{Address, SourcePolicy, TlsFiles};

use super::caches::Caches;
use crate::errors::CommandError;

/// Where `buildctl` looks for a daemon when nothing is said.
const DEFAULT_ADDRESS: &str = "unix:///run/buildkit/buildkitd.sock";

/// Names a file with a source policy, for buildx and for us.
const POLICY: &str = "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY";

/// What runs the graph of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum EngineKind {
    /// This process, with no daemon
    Embedded,
    /// A buildkitd, here or elsewhere
    Buildkit,
}

/// Flags about a `buildkitd`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options for --engine buildkit")]
pub struct RemoteArgs {
    /// Where the buildkitd listens [default: unix:///run/buildkit/buildkitd.sock]
    ///
    /// unix:///PATH, tcp://HOST:PORT, docker-container://NAME for one in a container, or docker:// for the one inside a
    /// docker daemon, which DOCKER_HOST names.
    #[arg(long, value_name = "ADDRESS", env = "BUILDKIT_HOST", hide_env = true)]
    buildkit_host: Option<String>,
    /// Directory with ca.pem, cert.pem and key.pem, or ca.crt, tls.crt and tls.key
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    tls_dir: Option<PathBuf>,
    /// Certificates (PEM) of the authority that signed the daemon's
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    tls_ca: Option<PathBuf>,
    /// Certificate (PEM) that the daemon knows this client by
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    tls_cert: Option<PathBuf>,
    /// Key (PEM) of that certificate
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    tls_key: Option<PathBuf>,
    /// Name that the daemon's certificate must have [default: the host of the address]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    tls_server_name: Option<String>,
    /// Where the daemon may take results from that it does not have itself
    ///
    /// An image reference, or type=registry,ref=REFERENCE, type=local,src=DIR, type=gha and other types that the daemon
    /// knows. May be given several times.
    #[arg(long, value_name = "CACHE", hide_short_help = true)]
    cache_from: Vec<String>,
    /// Where the daemon puts results for others
    ///
    /// type=registry,ref=REFERENCE, type=local,dest=DIR, type=inline (in the image itself), type=gha and other types that
    /// the daemon knows; mode=max also puts in what no result holds.
    #[arg(long, value_name = "CACHE", hide_short_help = true)]
    cache_to: Vec<String>,
}

/// What the flags say about a `buildkitd`.
pub struct Remote {
    /// Where it listens.
    pub address: Address,
    /// How it is trusted.
    pub tls: TlsFiles,
    /// Its caches.
    pub caches: Caches,
    /// Which sources it may fetch.
    pub source_policy: Option<SourcePolicy>,
}

impl RemoteArgs {
    /// Returns where the daemon is, and its caches.
    ///
    /// # Errors
    /// [`CommandError::Usage`] for an address that is none, or a cache.
    pub fn read(&self) -> Result<Remote, CommandError> {
        let text = self.buildkit_host.as_deref().filter(|text| !text.is_empty()).unwrap_or(DEFAULT_ADDRESS);
        let address: Address = text.parse().map_err(|error: dalec_buildkit::BadAddress| {
            CommandError::usage_help(format!("--buildkit-host: {error}"), format!("write {}", Address::FORMS))
        })?;
        let tls = TlsFiles {
            ca: self.tls_ca.clone(),
            cert: self.tls_cert.clone(),
            key: self.tls_key.clone(),
            server_name: self.tls_server_name.clone(),
        };
        let tls = match &self.tls_dir {
            Some(dir) if dir.is_dir() => tls.with_dir(dir),
            Some(dir) => {
                return Err(CommandError::usage(format!(
                    "--tls-dir: there is no directory {}",
                    dir.display()
                )));
            }
            None => tls,
        };
        if tls.is_used() && !matches!(address, Address::Tcp { .. }) {
            return Err(CommandError::usage(format!(
                "TLS is for tcp:// addresses, and this one is {address}"
            )));
        }
        let policy = std::env::var_os(POLICY).filter(|path| !path.is_empty()).map(PathBuf::from);
        Ok(Remote {
            address,
            tls,
            caches: Caches::read(&self.cache_from, &self.cache_to)?,
            source_policy: policy.map(|path| source_policy(&path)).transpose()?,
        })
    }

    /// Returns nothing if no flag is given that only a `buildkitd` understands; `BUILDKIT_HOST` may be set for others.
    ///
    /// # Errors
    /// [`CommandError::Usage`] that names the flag.
    pub fn refuse(&self) -> Result<(), CommandError> {
        let given = [
            ("--cache-from", !self.cache_from.is_empty()),
            ("--cache-to", !self.cache_to.is_empty()),
            ("--tls-dir", self.tls_dir.is_some()),
            ("--tls-ca", self.tls_ca.is_some()),
            ("--tls-cert", self.tls_cert.is_some()),
            ("--tls-key", self.tls_key.is_some()),
            ("--tls-server-name", self.tls_server_name.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => Err(CommandError::usage_help(
                format!("{flag} means nothing to the embedded engine"),
                "build with --engine buildkit, or leave it out",
            )),
        }
    }
}

/// Reads the policy in the file `path`.
fn source_policy(path: &Path) -> Result<SourcePolicy, CommandError> {
    let unreadable = |cause: String| {
        CommandError::usage(format!("cannot read the source policy {} ({POLICY}): {cause}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    text.parse().map_err(|error: serde_json::Error| unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        remote: RemoteArgs,
    }

    fn parse(line: &[&str]) -> RemoteArgs {
        Line::parse_from(["test"].iter().chain(line)).remote
    }

    #[test]
    fn a_daemon_has_an_address_and_perhaps_tls() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), "").unwrap();
        let tls_dir = dir.path().to_str().unwrap();
        let place = parse(&["--buildkit-host", "tcp://host:1", "--tls-dir", tls_dir]).read().unwrap();
        assert_eq!(place.address.to_string(), "tcp://host:1");
        assert_eq!(place.tls.ca, Some(dir.path().join("ca.pem")));
        assert!(parse(&["--buildkit-host", "host:1"]).read().is_err());
        assert!(parse(&["--buildkit-host", "unix:///sock", "--tls-ca", "ca.pem"]).read().is_err());
        assert!(parse(&["--buildkit-host", "tcp://host:1", "--tls-dir", "/nowhere"]).read().is_err());
    }

    #[test]
    fn a_policy_is_read_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.json");
        std::fs::write(&path, r#"{"rules": []}"#).unwrap();
        assert!(source_policy(&path).is_ok());
        std::fs::write(&path, "rules: []").unwrap();
        for path in [path, dir.path().join("nowhere")] {
            assert_eq!(source_policy(&path).unwrap_err().exit().code(), 2);
        }
    }

    #[test]
    fn what_only_a_daemon_understands_is_refused_elsewhere() {
        assert!(parse(&[]).refuse().is_ok());
        assert!(parse(&["--buildkit-host", "unix:///sock"]).refuse().is_ok());
        for line in [["--cache-from", "a"], ["--cache-to", "type=inline"], ["--tls-server-name", "a"]] {
            let error = parse(&line).refuse().unwrap_err();
            assert_eq!(error.exit().code(), 2);
        }
    }
}
