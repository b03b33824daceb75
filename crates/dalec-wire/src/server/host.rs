//! What a server of the protocol needs beyond a [`Gateway`].

use std::fs::File;
use std::sync::Arc;

use bollard_buildkit_proto::pb;

use dalec_gateway::{FileRange, FileStat, Gateway, GatewayError, Reference};

/// A gateway that can be served to frontends in processes of their own.
pub trait Host: Gateway {
    /// Returns what graphs may use, in the words of BuildKit's capabilities of low-level builds.
    fn capabilities(&self) -> &[&'static str];

    /// Returns the entries of a directory whose names match `pattern`, sorted by name.
    ///
    /// # Errors
    /// As [`Gateway::read_dir`].
    fn read_matching(
        &self,
        reference: &Reference,
        path: &str,
        pattern: &str,
    ) -> Result<Vec<FileStat>, GatewayError>;

    /// Returns what is at `path`, following symbolic links to the end, as BuildKit does for frontends.
    ///
    /// # Errors
    /// As [`Gateway::stat_file`].
    fn stat_followed(&self, reference: &Reference, path: &str) -> Result<FileStat, GatewayError>;

    /// Makes a container: file systems that stay together while processes run in them.
    ///
    /// # Errors
    /// When a reference cannot be built, or something cannot be mounted.
    fn container(&self, request: ContainerRequest) -> Result<Arc<dyn Container>, GatewayError>;
}

/// A container to make.
#[derive(Debug, Clone, Default)]
pub struct ContainerRequest {
    /// What it was called, for messages.
    pub name: String,
    /// What is mounted where, with the file system for those mounts that have one.
    pub mounts: Vec<(pb::Mount, Option<Reference>)>,
    /// Which network its processes see.
    pub network: pb::NetMode,
    /// Its host name; empty for the usual one.
    pub hostname: String,
    /// More lines for `/etc/hosts`.
    pub extra_hosts: Vec<pb::HostIp>,
}

/// File systems in which processes run; dropped, its processes are killed and its changes are lost.
pub trait Container: Send + Sync {
    /// Starts a process. When the first one ends, those started after it are killed.
    ///
    /// # Errors
    /// When it cannot be started.
    fn start(&self, request: ProcessRequest) -> Result<StartedProcess, GatewayError>;

    /// Kills what runs in it and lets go of everything.
    fn release(&self);

    /// Returns a part of a file below the mount numbered `mount`, as the processes see it now.
    ///
    /// # Errors
    /// When there is no such file.
    fn read_file(&self, mount: usize, path: &str, range: FileRange) -> Result<Vec<u8>, GatewayError>;

    /// Returns the entries of a directory below the mount numbered `mount`, sorted by name.
    ///
    /// # Errors
    /// When there is no such directory.
    fn read_dir(&self, mount: usize, path: &str) -> Result<Vec<FileStat>, GatewayError>;

    /// Returns what is at `path` below the mount numbered `mount`, following symbolic links.
    ///
    /// # Errors
    /// When nothing is there.
    fn stat_file(&self, mount: usize, path: &str) -> Result<FileStat, GatewayError>;
}

/// A process to start in a container.
#[derive(Debug, Clone, Default)]
pub struct ProcessRequest {
    /// Its arguments, environment, user and working directory.
    pub meta: pb::Meta,
    /// Secrets for its environment.
    pub secret_env: Vec<pb::SecretEnv>,
    /// Which rights it asks for.
    pub security: pb::SecurityMode,
    /// Whether it runs on a terminal.
    pub terminal: bool,
    /// Whether something will be written to its standard input.
    pub input: bool,
}

/// A process that runs.
pub struct StartedProcess {
    /// Its standard streams.
    pub streams: Streams,
    /// Signals and changes of the terminal's size.
    pub control: Arc<dyn ProcessControl>,
    /// Waits for its end.
    pub wait: Box<dyn FnOnce() -> Result<Exit, GatewayError> + Send>,
}

/// The other ends of a process's standard streams.
#[derive(Debug, Default)]
pub struct Streams {
    /// What is written here is its input.
    pub stdin: Option<File>,
    /// What it writes; for a terminal, both outputs together.
    pub stdout: Option<File>,
    /// What it writes to standard error.
    pub stderr: Option<File>,
}

/// Says something to a process while it runs.
pub trait ProcessControl: Send + Sync {
    /// Sends it a signal by its name without `SIG`.
    ///
    /// # Errors
    /// When there is no such signal.
    fn signal(&self, name: &str) -> Result<(), GatewayError>;

    /// Changes the size of its terminal; without effect when it has none.
    fn resize(&self, rows: u16, columns: u16);
}

/// How a process ended: by itself with this status, or 128 plus the number of the signal that killed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(pub u32);
