//! Files of a TLS client, by flag or by the names that `buildctl` looks for.

use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::error::ConnectError;

/// What a client needs to trust a daemon, and to be trusted by it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFiles {
    /// Certificates (PEM) of who may sign the daemon's.
    pub ca: Option<PathBuf>,
    /// The client's certificate (PEM).
    pub cert: Option<PathBuf>,
    /// The certificate's key (PEM).
    pub key: Option<PathBuf>,
    /// Name that the daemon's certificate must have; none for the host of the address.
    pub server_name: Option<String>,
}

impl TlsFiles {
    /// Returns whether anything asks for TLS.
    pub fn is_used(&self) -> bool {
        *self != Self::default()
    }

    /// Fills in what is missing with `ca.pem`, `cert.pem` and `key.pem` of `dir`, or their names in Kubernetes
    /// secrets (`ca.crt`, `tls.crt`, `tls.key`), as far as they are there.
    pub fn with_dir(mut self, dir: &Path) -> Self {
        let found =
            |names: [&str; 2]| names.map(|name| dir.join(name)).into_iter().find(|path| path.is_file());
        self.ca = self.ca.or_else(|| found(["ca.pem", "ca.crt"]));
        self.cert = self.cert.or_else(|| found(["cert.pem", "tls.crt"]));
        self.key = self.key.or_else(|| found(["key.pem", "tls.key"]));
        self
    }

    /// Reads the files; `host` is who is connected to.
    ///
    /// # Errors
    /// [`ConnectError::TlsFile`] when one cannot be read, or a certificate comes without its key.
    pub(crate) fn config(&self, host: &str) -> Result<ClientTlsConfig, ConnectError> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let mut config = ClientTlsConfig::new().domain_name(name);
        if let Some(path) = &self.ca {
            config = config.ca_certificate(Certificate::from_pem(read("CA certificate", path)?));
        }
        let missing = |what: &'static str, path: &Path| ConnectError::TlsFile {
            what,
            path: path.to_owned(),
            source: std::io::Error::other("its other half, certificate or key, is not given"),
        };
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let (cert, key) = (read("client certificate", cert)?, read("client key", key)?);
                Ok(config.identity(Identity::from_pem(cert, key)))
            }
            (Some(cert), None) => Err(missing("client certificate", cert)),
            (None, Some(key)) => Err(missing("client key", key)),
            (None, None) => Ok(config),
        }
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, ConnectError> {
    std::fs::read(path).map_err(|source| ConnectError::TlsFile { what, path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_fills_in_what_flags_leave_out() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["ca.crt", "cert.pem", "key.pem"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let given = TlsFiles { cert: Some("other.pem".into()), ..TlsFiles::default() };
        let files = given.with_dir(dir.path());
        assert_eq!(files.ca, Some(dir.path().join("ca.crt")));
        assert_eq!(files.cert, Some("other.pem".into()));
        assert_eq!(files.key, Some(dir.path().join("key.pem")));
        assert!(!TlsFiles::default().with_dir(Path::new("/nowhere")).is_used());
    }

    #[test]
    fn a_certificate_needs_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let cert = dir.path().join("cert.pem");
        std::fs::write(&cert, "").unwrap();
        let files = TlsFiles { cert: Some(cert), ..TlsFiles::default() };
        assert!(matches!(files.config("localhost"), Err(ConnectError::TlsFile { .. })));
    }
}
