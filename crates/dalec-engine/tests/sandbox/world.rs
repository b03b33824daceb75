//! Roots to run in, and the one way in which cases run something.

use std::io::Read;
use std::path::{Path, PathBuf};

use dalec_engine::mount::{self, Mounted, Overlay, Writable};
use dalec_engine::sandbox::{
    DEFAULT_HOSTNAME, ExitStatus, Launcher, Network, RunningSandbox, SandboxError, SandboxMount, SandboxSpec,
};
use dalec_engine::userns::Mode;

pub type Case = fn(&World);

/// A list of cases whose names are those of the functions.
macro_rules! cases {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name as Case)),*] };
}
pub(crate) use cases;

pub struct World {
    pub mode: Mode,
    pub launcher: Launcher,
    base: tempfile::TempDir,
}

/// What a command left behind.
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    pub fn new(mode: Mode) -> Self {
        let base = tempfile::tempdir().expect("a temporary directory");
        let write = |path: &str, text: &str| {
            let path = base.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("create a directory");
            std::fs::write(path, text).expect("write a file");
        };
        write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nbuilder:x:1000:1000::/home/builder:/bin/sh\n");
        write("etc/group", "root:x:0:\nbuilder:x:1000:\ntools:x:50:builder\n");
        write("bin/not-executable", "text");
        write("lib/empty", "");
        std::fs::copy("/proc/self/exe", base.path().join("bin/probe")).expect("copy this program");
        World { mode, launcher: Launcher::new().expect("a launcher"), base }
    }

    /// A fresh writable root over the common base.
    pub fn root(&self) -> Root {
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let [upper, work, merged] = ["upper", "work", "merged"].map(|name| scratch.path().join(name));
        for directory in [&upper, &work, &merged] {
            std::fs::create_dir(directory).expect("create a directory");
        }
        let overlay = Overlay {
            lowers: &[self.base.path().to_path_buf()],
            writable: Some(Writable { upper: &upper, work: &work }),
            user_namespace: self.mode.in_user_namespace(),
        };
        let mounted = mount::overlay(&overlay, &merged).expect("mount the root");
        Root { _mounted: mounted, scratch }
    }

    /// A spec that runs the probe with `commands`.
    pub fn spec(&self, root: &Root, commands: &[&str]) -> SandboxSpec {
        let args =
            ["/bin/probe", "probe"].iter().chain(commands).map(|argument| (*argument).to_owned()).collect();
        SandboxSpec {
            root: root.path(),
            readonly_root: false,
            mounts: Vec::new(),
            args,
            env: vec!["PATH=/usr/bin:/bin".to_owned()],
            cwd: "/".to_owned(),
            user: String::new(),
            network: Network::None,
            hostname: DEFAULT_HOSTNAME.to_owned(),
            extra_hosts: Vec::new(),
            ulimits: Vec::new(),
            remove_stub_parents: false,
            mode: self.mode,
        }
    }

    pub fn spawn(&self, spec: &SandboxSpec) -> Result<RunningSandbox, SandboxError> {
        self.launcher.spawn(spec)
    }

    /// Runs `spec` to its end.
    pub fn run(&self, spec: &SandboxSpec) -> Outcome {
        let mut sandbox = self.spawn(spec).unwrap_or_else(|error| panic!("{error}: {:?}", error));
        let mut stderr = sandbox.stderr().expect("standard error");
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).expect("read standard error");
            text
        });
        let mut stdout = String::new();
        sandbox.stdout().expect("standard output").read_to_string(&mut stdout).expect("read standard output");
        let status = sandbox.wait().expect("wait for the sandbox");
        Outcome { status, stdout, stderr: reader.join().expect("the reader of standard error") }
    }

    /// Runs the probe in a fresh root and returns what it prints; it must succeed.
    pub fn probe(&self, commands: &[&str]) -> String {
        self.probe_with(commands, |_| ())
    }

    /// The same with a changed spec.
    pub fn probe_with(&self, commands: &[&str], change: impl FnOnce(&mut SandboxSpec)) -> String {
        let root = self.root();
        self.probe_in(&root, commands, change)
    }

    /// The same in a given root.
    pub fn probe_in(&self, root: &Root, commands: &[&str], change: impl FnOnce(&mut SandboxSpec)) -> String {
        let mut spec = self.spec(root, commands);
        change(&mut spec);
        let outcome = self.run(&spec);
        assert!(outcome.status.success(), "{}: {}{}", outcome.status, outcome.stdout, outcome.stderr);
        outcome.stdout
    }
}

pub struct Root {
    _mounted: Mounted,
    scratch: tempfile::TempDir,
}

impl Root {
    pub fn path(&self) -> PathBuf {
        self.scratch.path().join("merged")
    }

    /// What was written, as relative paths in order.
    pub fn written(&self) -> Vec<String> {
        let mut found = Vec::new();
        let upper = self.scratch.path().join("upper");
        collect(&upper, &upper, &mut found);
        found.sort();
        found
    }
}

fn collect(base: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).expect("list a directory") {
        let path = entry.expect("a directory entry").path();
        found.push(path.strip_prefix(base).expect("a path below").display().to_string());
        if path.is_dir() && !path.is_symlink() {
            collect(base, &path, found);
        }
    }
}

pub fn bind(source: &Path, dest: &str, readonly: bool) -> SandboxMount {
    SandboxMount::Bind {
        source: source.to_path_buf(),
        selector: String::new(),
        dest: dest.to_owned(),
        readonly,
    }
}
