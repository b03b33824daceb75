//! Who runs the cases: the caller; and, if that is root, an ordinary user without and one with subordinate ids.
//!
//! The ordinary users exist only in a mount namespace of the test, where `/etc/passwd` and the lists of
//! subordinate ids are replaced.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use dalec_engine::userns::{self, Entered, Mode};
use rustix::thread::UnshareFlags;

/// A number that no real user has.
const ORDINARY_ID: u32 = 54_321;

pub struct Person {
    name: &'static str,
    kind: Kind,
}

enum Kind {
    Caller,
    Ordinary { subordinate: &'static str },
}

pub fn all() -> Vec<Person> {
    let mut people = vec![Person { name: "caller", kind: Kind::Caller }];
    if is_root_of_the_machine() {
        people.push(Person { name: "ordinary", kind: Kind::Ordinary { subordinate: "" } });
        if Path::new("/usr/bin/newuidmap").exists() {
            let subordinate = "prober:700000:65536\n";
            people.push(Person { name: "subordinate", kind: Kind::Ordinary { subordinate } });
        } else {
            println!("without newuidmap (package uidmap), rootless is tested with one id only");
        }
    }
    people
}

/// Root of a container or user namespace cannot become anybody else.
fn is_root_of_the_machine() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    rustix::process::geteuid().is_root() && map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Starts a process for which user namespaces are closed, and checks what it is told.
///
/// The number of user namespaces is limited per user namespace, so the machine's own setting is left alone.
pub fn refusal_is_explained() -> bool {
    let mut command = Command::new("/proc/self/exe");
    command.arg("refused");
    // SAFETY: only system calls between fork and exec.
    unsafe {
        command.pre_exec(|| {
            let (uid, gid) = (rustix::fs::Uid::from_raw(ORDINARY_ID), rustix::fs::Gid::from_raw(ORDINARY_ID));
            if is_root_of_the_machine() {
                rustix::thread::set_thread_res_gid(gid, gid, gid)?;
                rustix::thread::set_thread_res_uid(uid, uid, uid)?;
            }
            rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER)?;
            // No id is mapped, so the program that follows has no rights in the namespace.
            std::fs::write("/proc/sys/user/max_user_namespaces", "0")
        });
    }
    let output = command.output().expect("run this test without user namespaces");
    let passed = String::from_utf8_lossy(&output.stdout) == REFUSAL;
    println!(
        "test refusal_is_explained ... {}",
        if passed { "ok".into() } else { format!("FAILED: {output:?}") }
    );
    passed
}

const REFUSAL: &str = "this machine does not let ordinary users create user namespaces: \
                       No space left on device (os error 28)\n\
                       allow them with `sysctl user.max_user_namespaces=10000`, or run as root\n";

/// Tries to enter a user namespace where that is refused, and prints what it is told.
pub fn explain_refusal() -> ExitCode {
    let error = userns::enter(userns::Options::default()).expect_err("user namespaces are closed");
    let source = std::error::Error::source(&error).expect("a cause");
    println!("{error}: {source}\n{}", error.hint().expect("a hint"));
    ExitCode::SUCCESS
}

/// Every person must get the mode that is meant to be tested.
pub fn check_mode(person: &str, entered: &Entered) {
    match person {
        "ordinary" => assert_eq!(entered.mode, Mode::SingleId),
        "subordinate" => {
            assert_eq!(*entered, Entered { mode: Mode::Subordinate { ids: 65537 }, remark: None })
        }
        _ => {}
    }
}

impl Person {
    pub fn run(&self, filters: &[&str]) -> bool {
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let program = scratch.path().join("sandbox-test");
        std::fs::copy(std::env::current_exe().expect("the path of this test"), &program)
            .expect("copy this test");
        let mut command = Command::new(&program);
        command.args(["inside", self.name]).args(filters).env("TMPDIR", scratch.path()).current_dir("/");
        if let Kind::Ordinary { subordinate } = self.kind {
            std::fs::set_permissions(scratch.path(), PermissionsExt::from_mode(0o755))
                .expect("open the directory");
            rustix::fs::chown(scratch.path(), Some(rustix::fs::Uid::from_raw(ORDINARY_ID)), None)
                .expect("chown");
            become_ordinary(&mut command, scratch.path(), subordinate);
        }
        command.status().expect("run the cases").success()
    }
}

fn become_ordinary(command: &mut Command, scratch: &Path, subordinate: &str) {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let passwd = format!("{passwd}prober:x:{ORDINARY_ID}:{ORDINARY_ID}::/:/bin/sh\n");
    let mut replaced = Vec::new();
    for (name, text) in [("passwd", passwd.as_str()), ("subuid", subordinate), ("subgid", subordinate)] {
        let (source, target) = (scratch.join(name), Path::new("/etc").join(name));
        // A machine without the file has no helper that would read it.
        if target.exists() {
            std::fs::write(&source, text).expect("write a replacement");
            replaced.push(
                [source, target].map(|path| CString::new(path.as_os_str().as_bytes()).expect("a path")),
            );
        }
    }
    // SAFETY: only system calls between fork and exec.
    unsafe {
        command.pre_exec(move || {
            rustix::thread::unshare_unsafe(UnshareFlags::NEWNS)?;
            let private =
                rustix::mount::MountPropagationFlags::PRIVATE | rustix::mount::MountPropagationFlags::REC;
            rustix::mount::mount_change("/", private)?;
            for [source, target] in &replaced {
                rustix::mount::mount_bind(source.as_c_str(), target.as_c_str())?;
            }
            // Not by `Command::uid`, which would come before this closure.
            let (uid, gid) = (rustix::fs::Uid::from_raw(ORDINARY_ID), rustix::fs::Gid::from_raw(ORDINARY_ID));
            rustix::thread::set_thread_groups(&[])?;
            rustix::thread::set_thread_res_gid(gid, gid, gid)?;
            rustix::thread::set_thread_res_uid(uid, uid, uid)?;
            Ok(())
        });
    }
}
