//! The cache of Bazel: a directory, and a server of the client's where there is one.
//!
//! Bazel reads where its cache is from a file of the system, which a project's own settings may override.

use dalec_llb::{File, Mount, Socket, State};

use super::Planner;

const DIR: &str = "/tmp/dalec/bazel-local-cache";

/// What the client calls the socket of its server.
const SOCKET: &str = "bazel-default";
const SOCKET_PATH: &str = "/tmp/dalec/bazel-remote.sock";

const SETTINGS: &str = "\
build --disk_cache=/tmp/dalec/bazel-local-cache
fetch --disk_cache=/tmp/dalec/bazel-local-cache
";

/// Whether the client has a server is no part of any key, so that only the build itself can look.
const SETUP: &str = r#"if [ -S /tmp/dalec/bazel-remote.sock ]; then
    for dalec_command in build fetch; do
        echo "$dalec_command --remote_cache=unix:/tmp/dalec/bazel-remote.sock" >>/etc/bazel.bazelrc
    done
fi
"#;

/// Adds the cache.
pub(super) fn add(planner: &mut Planner<'_>, scope: &str) {
    let file = File::new("Write the settings of Bazel").group(planner.place.group);
    let settings = State::scratch().file(file.mkfile("/bazelrc", 0o644, None, SETTINGS.as_bytes()));
    planner.shared(DIR, "dalec-bazelcache", scope);
    let socket = Socket { id: SOCKET.into(), optional: true, mode: 0o600 };
    planner.caches.mounts.extend([
        Mount::bind("/etc/bazel.bazelrc", &settings).selector("/bazelrc"),
        Mount::socket(SOCKET_PATH, socket),
    ]);
    planner.caches.setup = SETUP;
}
