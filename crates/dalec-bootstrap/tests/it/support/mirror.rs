//! A web server on loopback that has the files of a mirror and counts who asks.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::deb::{Deb, sha256, xz};
use super::keys::Key;

/// A running server; it ends with the process.
pub struct Mirror {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    requests: Vec<String>,
    failures: Vec<Failure>,
}

/// How the server fails a request.
#[derive(Clone, Copy)]
pub enum Failure {
    /// Answers that it is busy.
    Busy,
    /// Promises a whole answer and hangs up in the middle.
    HangUp,
}

/// What the index of a suite says about itself.
pub struct Suite<'a> {
    pub codename: &'a str,
    pub suite: &'a str,
    pub version: Option<&'a str>,
    /// More lines, such as `Valid-Until: …\n`.
    pub lines: &'a str,
}

impl Mirror {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, state }
    }

    /// Returns the URL of a path on this server, such as `debian`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Returns `text` with this server's address replaced, for snapshots.
    pub fn redact(&self, text: &str) -> String {
        text.replace(&self.address, "MIRROR")
    }

    pub fn put(&self, path: &str, content: Vec<u8>) {
        self.state.lock().unwrap().files.insert(format!("/{path}"), content);
    }

    pub fn take(&self, path: &str) -> Vec<u8> {
        self.state.lock().unwrap().files.remove(&format!("/{path}")).expect("the file is there")
    }

    /// Fails the next requests, in this order.
    pub fn fail(&self, failures: &[Failure]) {
        self.state.lock().unwrap().failures = failures.iter().rev().copied().collect();
    }

    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Puts packages and their list into an archive, and returns the text of the index.
    pub fn index(&self, archive: &str, suite: &Suite<'_>, debs: &[Deb]) -> String {
        let mut list = String::new();
        for deb in debs {
            let content = deb.build();
            let path = format!("pool/{}_{}.deb", deb.name, deb.version.replace(':', "%3a"));
            list.push_str(&format!(
                "{}Filename: {path}\nSize: {}\nSHA256: {}\n\n",
                deb.paragraph(),
                content.len(),
                sha256(&content)
            ));
            self.put(&format!("{archive}/{path}"), content);
        }
        let list = xz(list.as_bytes());
        let directory = format!("{archive}/dists/{}", suite.codename);
        let text = format!(
            "Origin: Debian\nLabel: Debian\nSuite: {}\n{}Codename: {}\n\
             Date: Sat, 11 Jul 2026 10:16:37 UTC\n{}SHA256:\n {} {} main/binary-amd64/Packages.xz\n",
            suite.suite,
            suite.version.map(|version| format!("Version: {version}\n")).unwrap_or_default(),
            suite.codename,
            suite.lines,
            sha256(&list),
            list.len(),
        );
        self.put(&format!("{directory}/main/binary-amd64/Packages.xz"), list);
        text
    }

    /// Puts a whole suite there, signed.
    pub fn publish(&self, archive: &str, suite: &Suite<'_>, debs: &[Deb], key: &Key) {
        let text = self.index(archive, suite, debs);
        self.put(&format!("{archive}/dists/{}/InRelease", suite.codename), key.sign(&text));
    }

    /// Puts `bookworm` with empty companions there.
    pub fn publish_bookworm(&self, debs: &[Deb], key: &Key) {
        self.publish("debian", &BOOKWORM, debs, key);
        self.publish("debian", &BOOKWORM_UPDATES, &[], key);
        self.publish("debian-security", &BOOKWORM_SECURITY, &[], key);
    }
}

pub const BOOKWORM: Suite<'_> =
    Suite { codename: "bookworm", suite: "oldstable", version: Some("12.15"), lines: "" };
pub const BOOKWORM_UPDATES: Suite<'_> = Suite {
    codename: "bookworm-updates",
    suite: "oldstable-updates",
    version: Some("12-updates"),
    lines: "",
};
pub const BOOKWORM_SECURITY: Suite<'_> =
    Suite { codename: "bookworm-security", suite: "oldstable-security", version: Some("12"), lines: "" };

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
        }
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let (content, failure) = {
            let mut state = state.lock().unwrap();
            state.requests.push(path.clone());
            (state.files.get(&path).cloned(), state.failures.pop())
        };
        let (status, body) = match (content, failure) {
            (_, Some(Failure::Busy)) => ("503 Service Unavailable", b"busy".to_vec()),
            (Some(content), _) => ("200 OK", content),
            (None, _) => ("404 Not Found", b"not here".to_vec()),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        let hangs_up = matches!(failure, Some(Failure::HangUp));
        let sent = if hangs_up { &body[..body.len() / 2] } else { &body };
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent)).is_err() {
            return;
        }
        if hangs_up {
            return;
        }
    }
}
