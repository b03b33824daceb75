//! Repositories that tests make, and a server for them: `git http-backend` behind HTTP on loopback.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A repository that is worked in.
pub struct Origin {
    dir: PathBuf,
}

impl Origin {
    /// Makes an empty repository.
    pub fn new(dir: &Path) -> Self {
        fs::create_dir_all(dir).expect("make the repository");
        let origin = Self { dir: dir.to_owned() };
        origin.git(&["init", "--quiet", "--initial-branch=main"]);
        origin
    }

    /// Makes a tree, whatever it says, and returns its hash; the entries are `MODE NAME` and a hash.
    pub fn tree(&self, entries: &[(&str, &str)]) -> String {
        let record = |(entry, hash): &(&str, &str)| {
            [entry.as_bytes(), &[0], &hex::decode(hash).expect("a hash")].concat()
        };
        fs::write(self.path(".git/made"), entries.iter().flat_map(record).collect::<Vec<u8>>())
            .expect("write");
        self.git(&["hash-object", "-t", "tree", "-w", "--literally", ".git/made"])
    }

    /// Runs git in it and returns what it answers.
    pub fn git(&self, arguments: &[&str]) -> String {
        git(&self.dir, arguments)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("make a directory");
        fs::write(path, text).expect("write a file");
    }

    /// Commits all files and returns the hash.
    pub fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=x"]);
        self.git(&["rev-parse", "HEAD"])
    }
}

/// Runs git in `dir`, with nobody's settings.
pub fn git(dir: &Path, arguments: &[&str]) -> String {
    let mut command = clean(dir);
    let output = command.args(arguments).output().expect("run git");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {words}");
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

fn clean(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("HOME", "/dev/null").env("GIT_CEILING_DIRECTORIES", dir.parent().expect("a parent"));
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "A U Thor").env(format!("GIT_{who}_EMAIL"), "a@example.org");
        command.env(format!("GIT_{who}_DATE"), "2001-02-03T04:05:06Z");
    }
    command
}

/// How the server behaves.
#[derive(Clone, Default)]
pub struct Manners {
    /// Header that it wants to see.
    pub authorization: Option<&'static str>,
    /// Speaks the protocol of old servers, which do not give commits by hash.
    pub old: bool,
    /// Gives files, as any web server could, and knows nothing of git.
    pub plain: bool,
    /// Sends everybody to the same place below this address.
    pub moved: Option<String>,
    /// Says that this is its default branch.
    pub head: Option<&'static str>,
    /// Speaks https.
    pub tls: Option<Arc<ServerConfig>>,
}

/// Makes the certificate of a server on loopback, which is `certificate.pem` in `dir` and its own authority.
pub fn certificate(dir: &Path) -> Arc<ServerConfig> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    openssl.args(["-subj", "/CN=tests", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "36500"]);
    openssl.args(["-keyout", "key.pem", "-out", "certificate.pem"]).current_dir(dir);
    let output = openssl.output().expect("run openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let certificate = CertificateDer::from_pem_file(dir.join("certificate.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(dir.join("key.pem")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("protocols").with_no_client_auth();
    Arc::new(config.with_single_cert(vec![certificate], key).expect("a key of the certificate"))
}

/// The server of all repositories below a directory; it ends when dropped.
pub struct GitServer {
    address: SocketAddr,
    scheme: &'static str,
    stop: Arc<AtomicBool>,
    pub requests: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl GitServer {
    pub fn start(root: &Path, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen on loopback");
        let address = listener.local_addr().expect("it is bound");
        let (stop, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted, root) = (stop.clone(), requests.clone(), root.to_owned());
        let scheme = if manners.tls.is_some() { "https" } else { "http" };
        let thread = std::thread::spawn(move || {
            let workers = Mutex::new(Vec::new());
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let (root, manners) = (root.clone(), manners.clone());
                let worker = std::thread::spawn(move || {
                    // A client that goes away is its own affair.
                    let _ = stream.and_then(|stream| converse(stream, &root, &manners));
                });
                workers.lock().expect("workers").push(worker);
            }
            workers.into_inner().expect("workers").into_iter().for_each(|worker| drop(worker.join()));
        });
        Self { address, scheme, stop, requests, thread: Some(thread) }
    }

    /// Returns the address of a repository without its scheme.
    pub fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Returns the address of a repository.
    pub fn url(&self, name: &str) -> String {
        format!("{}://{}", self.scheme, self.place(name))
    }

    pub fn asked(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        self.thread.take().map(JoinHandle::join);
    }
}

fn converse(mut stream: TcpStream, root: &Path, manners: &Manners) -> std::io::Result<()> {
    let Some(tls) = &manners.tls else { return answer(&mut stream, root, manners) };
    let connection = ServerConnection::new(tls.clone()).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    answer(&mut stream, root, manners)?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn answer(stream: &mut (impl Read + Write), root: &Path, manners: &Manners) -> std::io::Result<()> {
    let mut reader = BufReader::new(&mut *stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().into_iter();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header =
        |name: &str| headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)?;
    if manners.authorization.is_some_and(|wanted| header("authorization") != wanted) {
        return stream.write_all(
            b"HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    }
    if let Some(place) = &manners.moved {
        let head = "Content-Length: 0\r\nConnection: close\r\n\r\n";
        return write!(stream, "HTTP/1.1 302 x\r\nLocation: {place}{}\r\n{head}", &target[1..]);
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    if manners.plain {
        let (status, content) = match fs::read(root.join(path.trim_start_matches('/'))) {
            Ok(content) => ("200", content),
            Err(_) => ("404", Vec::new()),
        };
        let length = content.len();
        write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
        return stream.write_all(&content);
    }
    let mut backend = clean(root);
    backend.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    backend.env("PATH_INFO", path).env("QUERY_STRING", query).env("REQUEST_METHOD", &method);
    backend.env("CONTENT_TYPE", header("content-type")).env("CONTENT_LENGTH", body.len().to_string());
    backend.env("HTTP_CONTENT_ENCODING", header("content-encoding")).env("REMOTE_ADDR", "127.0.0.1");
    if !manners.old {
        backend.env("GIT_PROTOCOL", header("git-protocol"));
    }
    let mut backend = backend.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut input = backend.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || {
        // It may have seen enough.
        let _ = input.write_all(&body);
    });
    let output = backend.wait_with_output()?.stdout;
    drop(writer.join());
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(output.len());
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let content = output.get(end + 4..).unwrap_or_default();
    let content = manners.head.map_or_else(|| content.to_vec(), |head| with_head(content, head));
    let length = content.len();
    write!(stream, "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(&content)
}

/// Replaces the name of the default branch in an answer.
fn with_head(mut content: &[u8], head: &str) -> Vec<u8> {
    let mut answer = Vec::new();
    // Lines begin with their length, in four digits; below four it stands for itself.
    while let Some((digits, rest)) = content.split_at_checked(4) {
        let length = std::str::from_utf8(digits).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(line) = length.map(|length| length.saturating_sub(4)).and_then(|size| rest.get(..size))
        else {
            break;
        };
        match String::from_utf8_lossy(line).split_once("symref-target:") {
            Some((before, _)) => {
                let line = format!("{before}symref-target:{head}\n");
                answer.extend(format!("{:04x}{line}", line.len() + 4).into_bytes());
            }
            None => answer.extend([digits, line].concat()),
        }
        content = &rest[line.len()..];
    }
    answer.extend(content);
    answer
}
