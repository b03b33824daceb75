//! Runs programs for another processor, one at a time: nothing is registered with the kernel, so that builds on this
//! machine stay without an emulator.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::binary::kept;

/// Runs the program at `path`, which is for arm64 and needs no library, and returns what it prints.
///
/// # Panics
/// When it fails.
pub fn run_arm64(path: &Path) -> String {
    let done = Command::new(emulator()).arg(path).output().expect("the emulator starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("it prints text")
}

/// Runs the program `path` of the root file system `root`, which is for arm64, with that root's libraries, and returns what
/// it prints.
///
/// # Panics
/// When it fails.
pub fn run_arm64_in(root: &Path, path: &str) -> String {
    let program = root.join(path.trim_start_matches('/'));
    let done =
        Command::new(emulator()).arg("-L").arg(root).arg(program).output().expect("the emulator starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("it prints text")
}

/// Returns QEMU's emulator of a process, from the host's own package. It is unpacked and not installed, because
/// installing it would register it.
///
/// # Panics
/// When the package cannot be had.
pub fn emulator() -> &'static Path {
    static EMULATOR: OnceLock<PathBuf> = OnceLock::new();
    EMULATOR.get_or_init(|| {
        let folder = kept().join("qemu");
        let program = folder.join("usr/bin/qemu-aarch64-static");
        if !program.exists() {
            let scratch = tempfile::TempDir::new_in(kept()).expect("folders can be made");
            let run = |command: &mut Command| {
                let done = command.current_dir(scratch.path()).output().expect("it starts");
                assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
            };
            run(Command::new("apt-get").args(["download", "-oAPT::Sandbox::User=root", "qemu-user-static"]));
            run(Command::new("sh").args(["-c", "dpkg-deb -x qemu-user-static_*.deb unpacked"]));
            // Another process may have been faster.
            let _ = std::fs::rename(scratch.path().join("unpacked"), &folder);
        }
        program
    })
}
