//! A real registry on loopback, open to all or with a password.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::layout::Layout;
use crate::run::Invocation;

/// Who may use a registry with a password.
pub const USER: &str = "tester";
/// The password of [`USER`].
pub const PASSWORD: &str = "open sesame";
/// [`PASSWORD`] as `htpasswd -B` writes it.
const HASHED: &str = "$2b$04$f/LPR9NWdesVyTbzaPS3Suz5MX2YezekDVVBDvLSrgyBV9Y6fwLDm";

/// How long it may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running registry; it stops when dropped, and what it holds is gone.
#[derive(Debug)]
pub struct Registry {
    folder: TempDir,
    process: Child,
    port: u16,
    password: bool,
}

impl Registry {
    /// Starts a registry that anybody may use.
    ///
    /// # Panics
    /// When it does not start.
    pub fn open() -> Self {
        Self::start(false)
    }

    /// Starts a registry that lets only [`USER`] in.
    ///
    /// # Panics
    /// When it does not start.
    pub fn with_password() -> Self {
        Self::start(true)
    }

    fn start(password: bool) -> Self {
        let folder = TempDir::with_prefix_in("dalec-registry-", "/var/tmp").expect("/var/tmp can be written");
        // Free now, and hardly taken by somebody else in the moment between.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("loopback has a free port").port();
        let path = |name: &str| folder.path().join(name);
        let auth = match password {
            true => format!("auth:\n  htpasswd:\n    realm: tests\n    path: {}\n", path("users").display()),
            false => String::new(),
        };
        let config = format!(
            "version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\n\
             http:\n  addr: 127.0.0.1:{port}\n{auth}",
            path("data").display()
        );
        std::fs::write(path("config.yml"), config).expect("it can be written");
        std::fs::write(path("users"), format!("{USER}:{HASHED}\n")).expect("it can be written");
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(path("config.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry starts");
        let registry = Self { folder, process, port, password };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "docker-registry does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        registry
    }

    /// Returns the reference of an image in it, `127.0.0.1:PORT/NAME`.
    pub fn reference(&self, name: &str) -> String {
        format!("127.0.0.1:{}/{name}", self.port)
    }

    /// Puts an image in, and returns its reference.
    ///
    /// # Panics
    /// When it is not taken.
    pub fn push(&self, layout: &Layout, name: &str) -> String {
        let reference = self.reference(name);
        let skopeo = Invocation::other(Path::new("skopeo"), self.folder.path());
        let mut skopeo = skopeo.args(["copy", "--insecure-policy", "--quiet", "--dest-tls-verify=false"]);
        if self.password {
            skopeo = skopeo.arg("--dest-creds").arg(format!("{USER}:{PASSWORD}"));
        }
        skopeo
            .arg(format!("oci:{}", layout.folder().display()))
            .arg(format!("docker://{reference}"))
            .succeeds();
        reference
    }

    /// Returns the folder with all that it holds.
    pub fn store(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
