//! Exec ops: one process in a root file system, with mounts.

use std::collections::BTreeMap;
use std::sync::Arc;

use bollard_buildkit_proto::pb;

use crate::file::push_input;
use crate::location::Location;
use crate::platform::Platform;
use crate::state::{Body, Metadata, Output, ProgressGroup, State, Vertex};

/// Network of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// What the engine's sandbox gives.
    #[default]
    Sandbox,
    /// The host's.
    Host,
    /// None but loopback.
    None,
}

/// How several processes may use one cache mount at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheSharing {
    /// All at once.
    #[default]
    Shared,
    /// Each gets a copy of its own.
    Private,
    /// One after the other.
    Locked,
}

/// How a secret is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Name of the client's secret.
    pub id: String,
    /// True when the build goes on without it.
    pub optional: bool,
    /// Permission bits of the file.
    pub mode: u32,
}

/// How a socket of the client is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// What the client calls it, for example with `--ssh`.
    pub id: String,
    /// True when the build goes on without it; nothing is mounted then.
    pub optional: bool,
    /// Permission bits of the socket.
    pub mode: u32,
}

/// One mount of an [`Exec`].
#[derive(Debug, Clone)]
pub struct Mount {
    dest: String,
    state: State,
    selector: String,
    readonly: bool,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Bind,
    Cache { id: String, sharing: CacheSharing },
    Tmpfs,
    Secret(Secret),
    Socket(Socket),
}

impl Mount {
    /// Mounts `state` at `dest`, writable; what is written there is an output of the exec.
    pub fn bind(dest: impl Into<String>, state: &State) -> Self {
        Self::new(dest, state.clone(), Kind::Bind)
    }

    /// Mounts an empty directory at `dest`; what is written there is an output of the exec.
    pub fn output(dest: impl Into<String>) -> Self {
        Self::new(dest, State::scratch(), Kind::Bind)
    }

    /// Mounts the cache directory called `id` at `dest`.
    pub fn cache(dest: impl Into<String>, id: impl Into<String>, sharing: CacheSharing) -> Self {
        Self::new(dest, State::scratch(), Kind::Cache { id: id.into(), sharing })
    }

    /// Mounts an empty directory in memory at `dest`.
    pub fn tmpfs(dest: impl Into<String>) -> Self {
        Self::new(dest, State::scratch(), Kind::Tmpfs)
    }

    /// Mounts a client's secret as the file `dest`.
    pub fn secret(dest: impl Into<String>, secret: Secret) -> Self {
        Self::new(dest, State::scratch(), Kind::Secret(secret))
    }

    /// Mounts a client's socket at `dest`.
    pub fn socket(dest: impl Into<String>, socket: Socket) -> Self {
        Self::new(dest, State::scratch(), Kind::Socket(socket))
    }

    /// Forbids writing; the mount is then no output.
    pub fn readonly(mut self) -> Self {
        self.readonly = true;
        self
    }

    /// Mounts only `path` of the state.
    pub fn selector(mut self, path: impl Into<String>) -> Self {
        self.selector = path.into();
        self
    }

    fn new(dest: impl Into<String>, state: State, kind: Kind) -> Self {
        Self { dest: dest.into(), state, selector: String::new(), readonly: false, kind }
    }

    fn is_output(&self) -> bool {
        matches!(self.kind, Kind::Bind) && !self.readonly
    }
}

/// A process to run.
#[derive(Debug, Clone)]
pub struct Exec {
    args: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: String,
    user: String,
    network: Network,
    readonly_root: bool,
    mounts: Vec<Mount>,
    platform: Option<Platform>,
    metadata: Metadata,
}

/// What an exec leaves behind.
#[derive(Debug, Clone)]
pub struct Executed {
    vertex: Arc<Vertex>,
    outputs: BTreeMap<String, i64>,
}

impl Exec {
    /// Returns a process with these arguments, the first of which is looked up in `PATH`.
    pub fn new<S: Into<String>>(args: impl IntoIterator<Item = S>) -> Self {
        Self {
            args: args.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            cwd: "/".into(),
            user: String::new(),
            network: Network::default(),
            readonly_root: false,
            mounts: Vec::new(),
            platform: None,
            metadata: Metadata::default(),
        }
    }

    /// Returns `/bin/sh -c script`.
    pub fn shell(script: impl Into<String>) -> Self {
        Self::new(["/bin/sh".to_owned(), "-c".to_owned(), script.into()])
    }

    /// Sets one environment variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets environment variables.
    pub fn envs(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.env.extend(variables);
        self
    }

    /// Sets the working directory.
    pub fn cwd(mut self, path: impl Into<String>) -> Self {
        self.cwd = path.into();
        self
    }

    /// Sets the user, `name` or `uid[:gid]`.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// Sets the network.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Forbids writing to the root file system, which is then no output.
    pub fn readonly_root(mut self) -> Self {
        self.readonly_root = true;
        self
    }

    /// Adds a mount. Later mounts may lie inside earlier ones.
    pub fn mount(mut self, mount: Mount) -> Self {
        self.mounts.push(mount);
        self
    }

    /// Adds mounts.
    pub fn mounts(mut self, mounts: impl IntoIterator<Item = Mount>) -> Self {
        self.mounts.extend(mounts);
        self
    }

    /// Runs on `platform` instead of the graph's.
    pub fn platform(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }

    /// Sets the words to show.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.metadata.description.insert("llb.customname".into(), name.into());
        self
    }

    /// Notes what in the spec caused this.
    pub fn at(mut self, locations: impl IntoIterator<Item = Location>) -> Self {
        self.metadata.locations.extend(locations);
        self
    }

    /// Shows the op under `group`.
    pub fn group(mut self, group: &ProgressGroup) -> Self {
        self.metadata.group = Some(group.clone());
        self
    }

    /// Runs even when the result is known.
    pub fn ignore_cache(mut self, ignore: bool) -> Self {
        self.metadata.ignore_cache = ignore;
        self
    }
}

impl State {
    /// Runs `exec` with this file system as root.
    pub fn run(&self, exec: Exec) -> Executed {
        let mut inputs: Vec<Output> = Vec::new();
        let mut outputs = BTreeMap::new();
        let mut next_output = 0;
        let root = Mount { readonly: exec.readonly_root, ..Mount::bind("/", self) };
        let mut mounts = Vec::with_capacity(exec.mounts.len() + 1);
        for mount in std::iter::once(root).chain(exec.mounts) {
            let output = if mount.is_output() {
                outputs.insert(mount.dest.clone(), next_output);
                next_output += 1;
                next_output - 1
            } else {
                -1
            };
            let input = match mount.state.output.clone() {
                Some(state) => push_input(&mut inputs, state),
                None => -1,
            };
            mounts.push(mount.into_pb(input, output));
        }
        let op = pb::op::Op::Exec(pb::ExecOp {
            meta: Some(pb::Meta {
                args: exec.args,
                env: exec.env.into_iter().map(|(name, value)| format!("{name}={value}")).collect(),
                cwd: exec.cwd,
                user: exec.user,
                ..pb::Meta::default()
            }),
            mounts,
            network: match exec.network {
                Network::Sandbox => pb::NetMode::Unset,
                Network::Host => pb::NetMode::Host,
                Network::None => pb::NetMode::None,
            }
            .into(),
            ..pb::ExecOp::default()
        });
        let vertex =
            Vertex { op: Body::Op(Box::new(op)), inputs, platform: exec.platform, metadata: exec.metadata };
        Executed { vertex: Arc::new(vertex), outputs }
    }
}

impl Executed {
    /// Returns the root file system afterwards.
    ///
    /// # Panics
    /// If the root was read-only: it is then the one that went in.
    pub fn root(&self) -> State {
        self.output("/")
    }

    /// Returns what the writable bind mount at `dest` holds afterwards.
    ///
    /// # Panics
    /// If there is no writable bind mount at `dest`.
    pub fn output(&self, dest: &str) -> State {
        let index = self.outputs.get(dest);
        let index = *index.unwrap_or_else(|| panic!("exec has no output at {dest:?}"));
        State { output: Some(Output { vertex: self.vertex.clone(), index }) }
    }
}

impl Mount {
    fn into_pb(self, input: i64, output: i64) -> pb::Mount {
        let mut mount = pb::Mount {
            input,
            selector: self.selector,
            dest: self.dest,
            output,
            readonly: self.readonly,
            ..pb::Mount::default()
        };
        match self.kind {
            Kind::Bind => {}
            Kind::Cache { id, sharing } => {
                mount.mount_type = pb::MountType::Cache.into();
                mount.cache_opt = Some(pb::CacheOpt {
                    id,
                    sharing: match sharing {
                        CacheSharing::Shared => pb::CacheSharingOpt::Shared,
                        CacheSharing::Private => pb::CacheSharingOpt::Private,
                        CacheSharing::Locked => pb::CacheSharingOpt::Locked,
                    }
                    .into(),
                });
            }
            Kind::Tmpfs => {
                mount.mount_type = pb::MountType::Tmpfs.into();
                mount.tmpfs_opt = Some(pb::TmpfsOpt::default());
            }
            Kind::Secret(secret) => {
                mount.mount_type = pb::MountType::Secret.into();
                mount.secret_opt = Some(pb::SecretOpt {
                    id: secret.id,
                    mode: secret.mode,
                    optional: secret.optional,
                    ..pb::SecretOpt::default()
                });
            }
            Kind::Socket(socket) => {
                mount.mount_type = pb::MountType::Ssh.into();
                mount.ssh_opt = Some(pb::SshOpt {
                    id: socket.id,
                    mode: socket.mode,
                    optional: socket.optional,
                    ..pb::SshOpt::default()
                });
            }
        }
        mount
    }
}
