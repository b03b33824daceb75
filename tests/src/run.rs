//! Runs the binary and keeps what it said.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::binary::{dalec, dalec_for_everyone, everyone, is_root, kept};
use crate::running::Running;

/// An ordinary user for rootless builds when the tests run as root.
pub const USER: u32 = 65534;

/// A scratch folder with a spec, its context and an output folder.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
}

/// Who runs the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Whoever runs the tests.
    Me,
    /// An ordinary user: the one who runs the tests, or [`USER`] when that is root.
    Ordinary,
}

/// What a run of the binary left behind.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Project {
    /// Makes a scratch folder with `spec` as `spec.yml`.
    ///
    /// # Panics
    /// When the folder cannot be made.
    pub fn new(spec: &str) -> Self {
        let folder = TempDir::with_prefix_in("dalec-test-", "/var/tmp").expect("/var/tmp can be written");
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).expect("it is ours");
        let project = Self { folder };
        project.write("spec.yml", spec);
        project
    }

    /// Returns the path of `name` in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with its folders.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).expect("folders can be made");
        }
        std::fs::write(path, content).expect("files can be written");
    }

    /// Returns `dalec build -f spec.yml --target TARGET -o out .` in this folder, on the kept store.
    pub fn build(&self, target: &str) -> Invocation {
        self.build_as(Who::Me, target)
    }

    /// As [`Project::build`], by `who`.
    pub fn build_as(&self, who: Who, target: &str) -> Invocation {
        let mut invocation = Invocation::new(who, self.folder.path());
        let state = kept_state(who);
        invocation.command.args(["build", "-f", "spec.yml", "--target", target, "-o", "out"]);
        invocation.command.env("DALEC_PROGRESS", "plain").env("DALEC_STATE_DIR", state).arg(".");
        invocation
    }

    /// Returns the files below `out`, sorted, relative to it.
    ///
    /// # Panics
    /// When the folder cannot be read.
    pub fn outputs(&self) -> Vec<String> {
        let out = self.path("out");
        let mut found = Vec::new();
        let mut open = vec![out.clone()];
        while let Some(folder) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    open.push(entry.path());
                } else {
                    let path = entry.path();
                    let relative = path.strip_prefix(&out).expect("it is below");
                    found.push(relative.display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    /// Returns the only output whose name ends in `suffix`, debug symbols aside.
    ///
    /// # Panics
    /// When there is none or more than one.
    pub fn output(&self, suffix: &str) -> PathBuf {
        let names = self.outputs();
        let mut matching = names.iter().filter(|name| name.ends_with(suffix) && !name.contains("-dbgsym"));
        let name = matching.next().unwrap_or_else(|| panic!("no {suffix} in {names:?}"));
        assert_eq!(matching.next(), None, "more than one {suffix} in {names:?}");
        self.path("out").join(name)
    }
}

/// A call of the binary, or of somebody else's, that is being put together.
#[derive(Debug)]
pub struct Invocation {
    /// The process to start.
    pub command: Command,
}

impl Invocation {
    /// Returns the bare binary in `folder`, run by `who`, with an environment of its own.
    pub fn new(who: Who, folder: &Path) -> Self {
        let other = who == Who::Ordinary && is_root();
        let mut command = Command::new(if other { dalec_for_everyone() } else { dalec() });
        command.current_dir(folder).stdin(Stdio::null()).env("NO_COLOR", "1");
        command.env_remove("DALEC_STATE_DIR").env_remove("DALEC_APT_MIRROR");
        if other {
            command.uid(USER).gid(USER).env("HOME", home_of_other()).env_remove("XDG_CACHE_HOME");
        }
        Self { command }
    }

    /// Returns a call of somebody else's program in `folder`, with no input.
    pub fn other(program: &Path, folder: &Path) -> Self {
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null()).env("NO_COLOR", "1");
        Self { command }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(mut self) -> Running {
        Running::start(&mut self.command)
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it does not start, or takes longer than minutes; then with what it has said so far.
    #[track_caller]
    pub fn run(self) -> Ran {
        self.start().end()
    }

    /// Runs it and expects success.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn succeeds(self) -> Ran {
        let ran = self.run();
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        ran
    }

    /// Runs it and expects the exit code `code`.
    ///
    /// # Panics
    /// When it ends otherwise.
    #[track_caller]
    pub fn fails(self, code: i32) -> Ran {
        let ran = self.run();
        assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
        ran
    }
}

impl Ran {
    /// Expects each of `texts` in what was said on standard error.
    ///
    /// # Panics
    /// When one is missing.
    #[track_caller]
    pub fn says(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} was not said:\n{}", self.stderr);
        }
        self
    }
}

/// Returns the store that is kept between runs for `who`.
///
/// # Panics
/// When its folder cannot be made.
pub fn kept_state(who: Who) -> PathBuf {
    match who == Who::Ordinary && is_root() {
        true => home_of_other().join("state"),
        false => kept().join("state"),
    }
}

/// Prunes the kept stores where the disk is nearly full: they grow with every run, and what they hold is made again.
///
/// # Panics
/// When the disk cannot be asked, or a store cannot be pruned.
pub fn make_room() {
    /// More than the tests need from nothing.
    const ENOUGH: u64 = 36 << 30;
    let whom: &[Who] = if is_root() { &[Who::Me, Who::Ordinary] } else { &[Who::Me] };
    for (who, state) in whom.iter().map(|who| (*who, kept_state(*who))).filter(|(_, state)| state.exists()) {
        let disk = rustix::fs::statvfs(&state).expect("the disk says how full it is");
        if disk.f_bavail * disk.f_frsize < ENOUGH {
            eprintln!("the disk is nearly full: pruning {}", state.display());
            let prune = ["cache", "prune", "--all", "--force", "--state-dir"];
            let pruned = Invocation::new(who, Path::new("/")).args(prune).arg(&state).succeeds();
            eprint!("{}", pruned.stdout);
        }
    }
}

fn home_of_other() -> PathBuf {
    let home = everyone().join("home");
    std::fs::create_dir_all(&home).expect("the home of the other user can be made");
    std::os::unix::fs::chown(&home, Some(USER), Some(USER)).expect("root may give files away");
    home
}
