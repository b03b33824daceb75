//! Git repositories on loopback: over HTTP, open to all or with a token, and over ssh.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tempfile::TempDir;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// A bare repository `repo.git` in a folder of its own.
#[derive(Debug)]
pub struct Repository {
    folder: TempDir,
    /// The first commit.
    commit: String,
}

impl Repository {
    /// Makes a repository of one commit with `files` by path and content, which is the branch `main` and the tag `v1`.
    ///
    /// # Panics
    /// When git fails.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let folder = TempDir::with_prefix_in("dalec-git-", "/var/tmp").expect("/var/tmp can be written");
        let work = folder.path().join("work");
        write(&work, files);
        git(&work, &["init", "--quiet", "--initial-branch=main"]);
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "--message=All files"]);
        git(&work, &["tag", "v1"]);
        git(folder.path(), &["clone", "--quiet", "--bare", "work", "repo.git"]);
        let commit = git(&work, &["rev-parse", "HEAD"]);
        Self { folder, commit }
    }

    /// Moves the branch `main` on to a commit with `files`, too.
    ///
    /// # Panics
    /// When git fails.
    pub fn change(&self, files: &[(&str, &str)]) {
        let work = self.folder.path().join("work");
        write(&work, files);
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "--message=Other files"]);
        git(&work, &["push", "--quiet", "../repo.git", "main"]);
    }

    /// Gives the last commit of the branch `main` the tag `name`.
    ///
    /// # Panics
    /// When git fails.
    pub fn tag(&self, name: &str) {
        let work = self.folder.path().join("work");
        git(&work, &["tag", name]);
        git(&work, &["push", "--quiet", "../repo.git", name]);
    }

    /// Returns the first commit.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// Returns where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("repo.git")
    }

    /// Serves it over HTTP; with a `token`, only who has that gets in.
    ///
    /// # Panics
    /// When loopback cannot be listened on.
    pub fn over_http(&self, token: Option<&str>) -> HttpServer {
        let login = token.map(|token| BASE64_STANDARD.encode(format!("x-access-token:{token}")));
        HttpServer::start(self.folder.path().to_path_buf(), login)
    }

    /// Serves it over ssh to whoever has the key of the server.
    ///
    /// # Panics
    /// When the server does not start.
    pub fn over_ssh(&self) -> SshServer {
        SshServer::start(self.path())
    }
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("it is below")).expect("folders can be made");
        std::fs::write(path, content).expect("files can be written");
    }
}

/// Runs git with nothing of the user's settings, and returns what it said.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.args(arguments).output().expect("git starts");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Git's own HTTP service; it stops when dropped.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
}

impl HttpServer {
    fn start(folder: PathBuf, login: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
        let address = listener.local_addr().expect("it is bound");
        let (stop, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted) = (stop.clone(), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let (folder, login) = (folder.clone(), login.clone());
                // A client that goes away in the middle is its own affair.
                std::thread::spawn(move || drop(serve(stream, &folder, login.as_deref())));
            }
        });
        Self { address, stop, requests }
    }

    /// Returns how many requests were made.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Returns the URL of the repository.
    pub fn url(&self) -> String {
        format!("http://{}/repo.git", self.address)
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener up so that it sees the flag.
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers one request with what `git http-backend` says to it.
fn serve(mut stream: TcpStream, folder: &Path, login: Option<&str>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines.first().map(String::as_str).unwrap_or_default().split(' ');
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let header = |name: &str| {
        let mut pairs = lines.iter().filter_map(|line| line.split_once(": "));
        pairs.find(|(found, _)| found.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    };
    if let Some(login) = login
        && header("Authorization").split_once(' ').is_none_or(|(_, given)| given != login)
    {
        return write!(
            stream,
            "HTTP/1.1 401 -\r\nWWW-Authenticate: Basic realm=\"tests\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    let mut body = vec![0; header("Content-Length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut backend = Command::new("git");
    backend.arg("http-backend").env("GIT_PROJECT_ROOT", folder).env("GIT_HTTP_EXPORT_ALL", "1");
    backend.env("REQUEST_METHOD", method).env("PATH_INFO", path).env("QUERY_STRING", query);
    backend.env("CONTENT_TYPE", header("Content-Type")).env("CONTENT_LENGTH", body.len().to_string());
    backend.env("HTTP_CONTENT_ENCODING", header("Content-Encoding"));
    backend.env("GIT_PROTOCOL", header("Git-Protocol")).env("REMOTE_USER", "tester");
    let mut backend = backend.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(mut input) = backend.stdin.take() {
        input.write_all(&body)?;
    }
    let answer = backend.wait_with_output()?.stdout;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let content = answer.get(end + 4..).unwrap_or_default();
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    )?;
    stream.write_all(content)
}

/// A real `sshd` that lets one key in, and an agent that holds this key; both stop when dropped.
#[derive(Debug)]
pub struct SshServer {
    folder: TempDir,
    repository: PathBuf,
    port: u16,
    processes: Vec<Child>,
}

impl SshServer {
    /// Gives the server another host key.
    ///
    /// # Panics
    /// When it does not start again.
    pub fn change_host_key(&mut self) {
        let daemon = self.processes.first_mut().expect("it runs");
        let _ = daemon.kill();
        daemon.wait().expect("it was started by us");
        for name in ["host", "host.pub"] {
            std::fs::remove_file(self.folder.path().join(name)).expect("it is there");
        }
        make_key(&self.folder.path().join("host"));
        self.processes[0] = daemon_of(self.folder.path());
        self.answers();
    }

    fn start(repository: PathBuf) -> Self {
        let folder = TempDir::with_prefix_in("dalec-ssh-", "/var/tmp").expect("/var/tmp can be written");
        let path = |name: &str| folder.path().join(name);
        ["host", "user"].iter().for_each(|name| make_key(&path(name)));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        // Free now, and hardly taken by somebody else in the moment between.
        let port = port.expect("loopback has a free port").port();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\nStrictModes no\n\
             PasswordAuthentication no\nPermitRootLogin prohibit-password\n",
            path("host").display(),
            path("user.pub").display()
        );
        std::fs::write(path("config"), config).expect("it can be written");
        // Where it locks itself up; systems that start one themselves make it.
        std::fs::create_dir_all("/run/sshd").expect("root can make folders");
        let agent = in_background(Command::new("ssh-agent").arg("-D").arg("-a").arg(path("agent")));
        let processes = vec![daemon_of(folder.path()), agent];
        let server = Self { repository, port, processes, folder };
        server.answers();
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(server.folder.path().join("user")).env("SSH_AUTH_SOCK", server.agent());
        assert!(add.status().expect("ssh-add starts").success());
        server
    }

    fn answers(&self) {
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() || !self.agent().exists() {
            assert!(begin.elapsed() < PATIENCE, "sshd or ssh-agent does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the URL of the repository.
    pub fn url(&self) -> String {
        format!("ssh://root@127.0.0.1:{}{}", self.port, self.repository.display())
    }

    /// Returns the host, with its port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the socket of the agent.
    pub fn agent(&self) -> PathBuf {
        self.folder.path().join("agent")
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn make_key(path: &Path) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
    assert!(made.expect("ssh-keygen starts").success());
}

fn daemon_of(folder: &Path) -> Child {
    in_background(Command::new("/usr/sbin/sshd").args(["-D", "-f"]).arg(folder.join("config")))
}

fn in_background(command: &mut Command) -> Child {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("programs of OpenSSH start")
}
