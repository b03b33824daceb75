//! A server that speaks TLS with a certificate that nobody signed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running server on loopback, which has no files; it stops when dropped.
#[derive(Debug)]
pub struct TlsServer {
    _folder: TempDir,
    child: Child,
    address: String,
}

impl TlsServer {
    /// Starts it.
    ///
    /// # Panics
    /// When `openssl` is not there or fails.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("folders can be made");
        let request = "req -x509 -newkey rsa:2048 -noenc -keyout key.pem -out certificate.pem -days 3650 -subj /CN=localhost \
                       -addext subjectAltName=IP:127.0.0.1";
        let made = Command::new("openssl").args(request.split_whitespace()).current_dir(&folder).output();
        let made = made.expect("openssl starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let serve = "s_server -accept 127.0.0.1:0 -cert certificate.pem -key key.pem -WWW";
        let mut command = Command::new("openssl");
        command.args(serve.split_whitespace()).current_dir(&folder).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("openssl starts");
        let said = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut addresses = said.lines().map_while(Result::ok);
        let address = addresses.find_map(|line| Some(line.strip_prefix("ACCEPT ")?.to_owned()));
        Self { _folder: folder, child, address: address.expect("it says where it listens") }
    }

    /// Returns the URL of `path`.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}/{path}", self.address)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
