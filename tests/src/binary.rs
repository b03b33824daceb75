//! The binary under test, and the folders that are kept between runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Returns the `dalec` binary of this checkout, built on first use.
///
/// # Panics
/// When it does not build.
pub fn dalec() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--package", "dalec", "--bin", "dalec", "--message-format=json"])
            .current_dir(workspace())
            .output()
            .expect("cargo starts");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let messages = String::from_utf8_lossy(&built.stdout);
        let mut executables = messages.lines().filter_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            (message["target"]["name"] == "dalec")
                .then(|| message["executable"].as_str().map(PathBuf::from))?
        });
        executables.next_back().expect("cargo names the executable")
    })
}

/// Returns the binary at a place that every user of the machine can read.
///
/// # Panics
/// When it cannot be copied.
pub fn dalec_for_everyone() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        let copy = everyone().join(format!("dalec-{}", std::process::id()));
        std::fs::copy(dalec(), &copy).expect("the binary can be copied");
        copy
    })
}

/// Returns the root of the checkout.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above")
}

/// Returns the folder in which costly things are kept for the next run.
///
/// # Panics
/// When it cannot be made.
pub fn kept() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    let folder = cache.join("dalec-tests");
    std::fs::create_dir_all(&folder).expect("the cache folder can be made");
    folder
}

/// Returns a folder that every user of the machine can use, kept for the next run.
///
/// # Panics
/// When it cannot be made.
pub fn everyone() -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let folder = PathBuf::from("/var/tmp/dalec-tests");
    std::fs::create_dir_all(&folder).expect("/var/tmp can be written");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

/// Returns whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
