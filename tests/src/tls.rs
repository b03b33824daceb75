//! Servers that speak TLS with a certificate that nobody signed.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

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
        certify("127.0.0.1", folder.path());
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

/// Makes `key.pem` and `certificate.pem` for a server at `address` in `folder`.
fn certify(address: &str, folder: &Path) {
    let request = "req -x509 -newkey rsa:2048 -noenc -keyout key.pem -out certificate.pem -days 3650 -subj /CN=localhost";
    let mut command = Command::new("openssl");
    let command = command.args(request.split_whitespace()).current_dir(folder);
    let made = command.args(["-addext", &format!("subjectAltName=IP:{address}")]).output();
    let made = made.expect("openssl starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Speaks TLS, at the port that is for it, for a server that does not; it stops when dropped. Takes root.
#[derive(Debug)]
pub struct TlsFront {
    folder: TempDir,
    child: Child,
    host: String,
}

impl TlsFront {
    /// How long it may take until it answers.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Starts one for `server`, at an address of its own.
    ///
    /// # Panics
    /// When programs are not there or fail.
    pub fn start(server: SocketAddr) -> Self {
        static STARTED: AtomicU8 = AtomicU8::new(64);
        let [.., high, low] = std::process::id().to_be_bytes();
        let host = format!("127.{}.{high}.{low}", STARTED.fetch_add(1, Ordering::SeqCst));
        let folder = TempDir::new().expect("folders can be made");
        certify(&host, folder.path());
        let listen = format!(
            "OPENSSL-LISTEN:443,bind={host},fork,reuseaddr,cert=certificate.pem,key=key.pem,verify=0"
        );
        let mut command = Command::new("socat");
        let command = command.args([listen, format!("TCP:{server}")]).current_dir(&folder);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("socat starts");
        let begin = Instant::now();
        while TcpStream::connect((host.as_str(), 443)).is_err() {
            assert!(begin.elapsed() < Self::PATIENCE, "socat does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { folder, child, host }
    }

    /// Returns its address, without a port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the certificate that it has signed itself.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
