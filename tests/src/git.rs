//! Git repositories, and a server for them on loopback.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tempfile::TempDir;

/// A repository that is worked in, served as `git://…/repo`; the server stops when this is dropped.
#[derive(Debug)]
pub struct Repository {
    folder: TempDir,
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Default for Repository {
    fn default() -> Self {
        Self::new()
    }
}

impl Repository {
    /// Makes an empty repository with the branch `main`, and serves it.
    ///
    /// # Panics
    /// When git fails, or loopback cannot be listened on.
    pub fn new() -> Self {
        let folder = TempDir::with_prefix_in("dalec-git-", "/var/tmp").expect("/var/tmp can be written");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be listened on");
        let address = listener.local_addr().expect("it is bound");
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted, root) = (stop.clone(), asked.clone(), folder.path().to_owned());
        let thread = std::thread::spawn(move || {
            let mut children = Vec::new();
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                children.extend(stream.and_then(|stream| serve(&root, stream)));
            }
            children.iter_mut().for_each(|child| drop(child.wait()));
        });
        let repository = Self { folder, address, stop, asked, thread: Some(thread) };
        std::fs::create_dir(repository.path("")).expect("the folder is ours");
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// Returns the address.
    pub fn url(&self) -> String {
        format!("git://{}/repo", self.address)
    }

    /// Returns how often somebody connected.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Returns the path of `name` in the working tree.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("repo").join(name)
    }

    /// Writes a file, with its folders.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders can be made");
        std::fs::write(path, content).expect("files can be written");
    }

    /// Commits all files and returns the hash.
    ///
    /// # Panics
    /// When git fails.
    pub fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in it and returns what it answers.
    ///
    /// # Panics
    /// When git fails.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = clean(&self.path("")).args(arguments).output().expect("git is installed");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {words}");
        String::from_utf8(output.stdout).expect("it is text").trim_end().to_owned()
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener up so that it sees the flag.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Lets a process answer one connection.
fn serve(root: &Path, stream: TcpStream) -> std::io::Result<std::process::Child> {
    let output = OwnedFd::from(stream.try_clone()?);
    let mut daemon = clean(root);
    daemon
        .args(["daemon", "--inetd", "--export-all"])
        .arg(format!("--base-path={}", root.display()))
        .arg(root);
    daemon.stdin(OwnedFd::from(stream)).stdout(output).stderr(Stdio::null()).spawn()
}

/// Returns a git that knows nobody's settings.
fn clean(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("HOME", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "A U Thor").env(format!("GIT_{who}_EMAIL"), "a@example.org");
        command.env(format!("GIT_{who}_DATE"), "2001-02-03T04:05:06Z");
    }
    command
}
