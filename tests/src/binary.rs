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
    BINARY.get_or_init(|| built("dalec"))
}

/// Returns what `cargo xtask` runs, built on first use.
///
/// # Panics
/// When it does not build.
pub fn xtask() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| built("xtask"))
}

/// Builds the executable `name` of the package of that name.
fn built(name: &str) -> PathBuf {
    let built = cargo()
        .args(["build", "--package", name, "--bin", name, "--message-format=json"])
        .current_dir(workspace())
        .output()
        .expect("cargo starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8_lossy(&built.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == name).then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executables.next_back().expect("cargo names the executable")
}

/// Returns cargo as people start it, whoever started this process.
///
/// Cargo tells what it starts about the package at hand. Build scripts that ask for these variables would run again, and
/// all that depends on them would be compiled again, whenever they are there at one time and not at the next.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let about_a_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    for (name, _) in std::env::vars_os() {
        if about_a_package.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Returns the binary at a place that every user of the machine can read.
///
/// # Panics
/// When it cannot be copied.
pub fn dalec_for_everyone() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        remove_left_copies();
        let copy = everyone().join(format!("{COPY_PREFIX}{}", std::process::id()));
        std::fs::copy(dalec(), &copy).expect("the binary can be copied");
        copy
    })
}

/// What the names of copies begin with; the id of the process that uses one follows.
const COPY_PREFIX: &str = "dalec-";

/// Removes the copies of processes that are gone.
fn remove_left_copies() {
    for entry in std::fs::read_dir(everyone()).expect("it is ours").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let of_process = name.strip_prefix(COPY_PREFIX).and_then(|id| id.parse::<u32>().ok());
        if of_process.is_some_and(|id| !Path::new(&format!("/proc/{id}")).exists()) {
            // Another process may be as tidy at the same time.
            let _ = std::fs::remove_file(entry.path());
        }
    }
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
