//! A real BuildKit daemon and its clients.
//!
//! The daemon lives as long as the test process that uses it, in a mount and a process namespace of its own: when the
//! process ends, however it ends, a small guard stops the daemon, and everything that it mounted, started or stored goes
//! with it.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::binary::is_root;
use crate::run::Invocation;
use crate::tools::tools;

/// How long the daemon may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `$@` until standard input ends, then asks it to stop, and after ten seconds does not ask any more.
/// `$0` is the folder that goes with it; a disk may take long to remove what is in it, so nobody waits for that.
const GUARD: &str = r#"
unshare --mount --pid --fork --mount-proc --kill-child "$@" >"$0/log" 2>&1 &
namespace=$!
cat >/dev/null
kill -TERM $(cat /proc/$namespace/task/$namespace/children) 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 $namespace 2>/dev/null || break; sleep 1; done
kill -KILL $namespace 2>/dev/null
wait $namespace
mv "$0" "$0-gone"
rm -rf "$0-gone" &
"#;

/// A running daemon.
#[derive(Debug)]
pub struct Buildkit {
    folder: PathBuf,
    guard: Child,
    /// Its end is the guard's sign to stop the daemon.
    alive: Option<ChildStdin>,
}

impl Buildkit {
    /// Returns the daemon that all tests of this process share, started on first use.
    ///
    /// # Panics
    /// When the tests do not run as root, or it does not start.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Buildkit> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// Starts a daemon of its own, with `flags` beside the usual ones; it is stopped when dropped.
    ///
    /// # Panics
    /// When the tests do not run as root, or it does not start.
    pub fn start(flags: &[&str]) -> Self {
        assert!(is_root(), "buildkitd needs root here: run these tests as root");
        let folder =
            TempDir::with_prefix_in("dalec-buildkit-", "/var/tmp").expect("/var/tmp can be written").keep();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", GUARD]).arg(&folder).arg(&tools().buildkitd);
        command.args(["--debug", "--oci-worker-net=host", "--oci-worker-snapshotter=overlayfs"]);
        command.args(["--oci-worker-gc=false", "--containerd-worker=false"]);
        command.arg("--root").arg(folder.join("root")).args(["--addr", &address(&folder)]).args(flags);
        // A signal to the tests must not reach the guard.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut guard = spawned.expect("a shell starts");
        let alive = guard.stdin.take();
        let daemon = Self { folder, guard, alive };
        daemon.wait_until_it_answers();
        let create = ["create", "--name", "tests", "--driver", "remote", &daemon.address()];
        daemon.bare_buildx(&daemon.folder).args(create).succeeds();
        daemon
    }

    /// Returns its address, `unix://…`.
    pub fn address(&self) -> String {
        address(&self.folder)
    }

    /// Returns the folder that goes with it: its store, its log, what its clients keep.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the folder with all that it keeps: content, snapshots and metadata.
    pub fn store(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// Returns what it has logged so far.
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.folder.join("log")).expect("the log is there");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Returns BuildKit's own client in `folder`; the command follows.
    pub fn buildctl(&self, folder: &Path) -> Invocation {
        let mut invocation = Invocation::other(&tools().buildctl, folder);
        self.isolate(&mut invocation);
        invocation.args(["--addr", &self.address()])
    }

    /// Returns `buildx build --progress plain` in `folder`; contexts, options and the main context follow.
    pub fn buildx(&self, folder: &Path) -> Invocation {
        self.bare_buildx(folder).args(["build", "--builder", "tests", "--progress", "plain"])
    }

    /// Returns `buildx` in `folder`; the command follows.
    pub fn bare_buildx(&self, folder: &Path) -> Invocation {
        let mut invocation = Invocation::other(&tools().buildx, folder);
        self.isolate(&mut invocation);
        invocation.command.env("BUILDX_BUILDER", "tests");
        invocation
    }

    /// Keeps what the user of the tests has set up out of a client.
    fn isolate(&self, invocation: &mut Invocation) {
        let clients = self.folder.join("clients");
        invocation.command.env("DOCKER_CONFIG", &clients).env("BUILDX_CONFIG", clients.join("buildx"));
        for name in ["BUILDKIT_HOST", "DOCKER_HOST", "DOCKER_CONTEXT", "BUILDX_BUILDER", "SOURCE_DATE_EPOCH"]
        {
            invocation.command.env_remove(name);
        }
    }

    fn wait_until_it_answers(&self) {
        let start = Instant::now();
        while self.buildctl(&self.folder).args(["debug", "workers"]).run().code != Some(0) {
            assert!(start.elapsed() < PATIENCE, "buildkitd does not answer:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Buildkit {
    fn drop(&mut self) {
        drop(self.alive.take());
        // The guard was started, so it can be waited for; how it ends tells nothing.
        let _ = self.guard.wait();
    }
}

fn address(folder: &Path) -> String {
    format!("unix://{}", folder.join("sock").display())
}
