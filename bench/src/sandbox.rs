//! How long a sandbox takes to start a process that exits at once.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use dalec_engine::sandbox::{DEFAULT_HOSTNAME, Launcher, Network, SandboxSpec};
use dalec_engine::userns;

/// First argument by which this program becomes the process that exits at once.
pub const TRIVIAL: &str = "trivial";

/// Returns the seconds of `count` starts, one after the other.
///
/// # Errors
/// When the sandbox cannot be entered or started, in words.
pub fn starts(count: usize) -> Result<Vec<f64>, String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    let entered = userns::enter(userns::Options::default()).map_err(|error| words(&error))?;
    let folder = tempfile::tempdir().map_err(|error| words(&error))?;
    let root = folder.path().join("root");
    std::fs::create_dir(&root).map_err(|error| words(&error))?;
    let program = std::env::current_exe().map_err(|error| words(&error))?;
    std::fs::copy(program, root.join("program")).map_err(|error| words(&error))?;
    std::fs::set_permissions(root.join("program"), std::fs::Permissions::from_mode(0o755))
        .map_err(|error| words(&error))?;
    let spec = SandboxSpec {
        root,
        readonly_root: false,
        mounts: Vec::new(),
        args: vec!["/program".into(), TRIVIAL.into()],
        env: Vec::new(),
        cwd: "/".into(),
        user: String::new(),
        network: Network::None,
        hostname: DEFAULT_HOSTNAME.into(),
        extra_hosts: Vec::new(),
        ulimits: Vec::new(),
        remove_stub_parents: false,
        mode: entered.mode,
    };
    let launcher = Launcher::new().map_err(|error| words(&error))?;
    let mut seconds = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        let mut running = launcher.spawn(&spec).map_err(|error| words(&error))?;
        running.wait().map_err(|error| words(&error))?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(seconds)
}
