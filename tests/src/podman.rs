//! Somebody else's way to run containers, with a store of its own.

use std::path::Path;

use tempfile::TempDir;

use crate::run::Invocation;

/// A podman that knows no images yet; what it keeps goes when it is dropped.
#[derive(Debug)]
pub struct Podman {
    folder: TempDir,
}

impl Podman {
    /// Makes an empty store.
    ///
    /// # Panics
    /// When its folder cannot be made.
    #[allow(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        Self {
            folder: TempDir::with_prefix_in("dalec-podman-", "/var/tmp").expect("/var/tmp can be written"),
        }
    }

    /// Returns a command on this store; its arguments follow.
    pub fn command(&self) -> Invocation {
        let path = |name: &str| self.folder.path().join(name);
        // Copies instead of mounts: nothing has to be undone, and no file system is asked for features.
        Invocation::other(Path::new("podman"), self.folder.path())
            .arg("--root")
            .arg(path("root"))
            .arg("--runroot")
            .arg(path("run"))
            .arg("--tmpdir")
            .arg(path("tmp"))
            .args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none"])
    }

    /// Returns a container of `image` that is about to run, without network; flags may not follow, arguments may.
    pub fn run(&self, image: &str) -> Invocation {
        // Limits that every machine allows; those that podman sets by itself are higher than some may set.
        let limits = ["--ulimit", "nofile=256:256", "--ulimit", "nproc=256:256"];
        self.command().args(["run", "--rm", "--network", "none"]).args(limits).arg(image)
    }
}
