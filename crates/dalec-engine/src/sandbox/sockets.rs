//! Sockets of 32-bit programs on x86-64, which ask for them with arguments in memory, where the system call filter sees
//! nothing.
//!
//! The kernel asks pid 1 instead: it reads the arguments once, makes the socket itself, without any capability, and hands it
//! over. So what was looked at is what is made, whatever other threads write there meanwhile. A process can have but one such
//! filter, and programs that bring their own want that one; so only roots of 32-bit programs get it.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::seccomp::{KIND, REFUSED_FAMILIES};
use crate::mount::detached::last_errno;

/// Families of which a socket without capabilities is of use.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

// From `linux/seccomp.h`; the C library's bindings lack them.
const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;
const IS_VALID: libc::c_ulong = 0x4008_2102;
const ADD_DESCRIPTOR: libc::c_ulong = 0x4018_2103;

/// Links of scripts to interpreters that are followed; the kernel follows as many.
const MOST_INTERPRETERS: usize = 5;

/// Returns whether the program at `path` is one for the other instruction set of this machine; a script is what runs it.
pub(super) fn is_32_bit(path: &str) -> bool {
    let mut path = path.to_owned();
    for _ in 0..MOST_INTERPRETERS {
        // Without waiting for whoever is at the other end of a pipe.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(&path);
        let mut start = Vec::new();
        let read = file.and_then(|file| file.take(256).read_to_end(&mut start));
        if read.is_err() {
            return false;
        }
        match start.strip_prefix(b"#!") {
            // The class of an executable is 1 for 32 bits.
            None => return start.starts_with(b"\x7fELF\x01"),
            Some(line) => {
                let line = String::from_utf8_lossy(line);
                let Some(interpreter) = line.split_ascii_whitespace().next() else { return false };
                interpreter.clone_into(&mut path);
            }
        }
    }
    false
}

/// Answers one question that waits at `listener`.
pub(super) fn answer(listener: &OwnedFd) {
    // SAFETY: all zero bytes are a valid value of this plain structure of the kernel, and what the call wants.
    let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // Who asked may have ended.
    if control(listener, RECEIVE, &mut asked).is_err() {
        return;
    }
    let outcome = arguments(listener, &asked).and_then(|[family, kind, protocol]| {
        let socket = make(family, kind, protocol)?;
        hand_over(listener, asked.id, &socket, kind)
    });
    if let Err(errno) = outcome {
        let error = -errno.raw_os_error();
        let mut answer = libc::seccomp_notif_resp { id: asked.id, val: 0, error, flags: 0 };
        let _ = control(listener, SEND, &mut answer);
    }
}

/// Returns the three numbers of a question.
fn arguments(listener: &OwnedFd, asked: &libc::seccomp_notif) -> Result<[i32; 3], Errno> {
    let mut numbers = [0_i32; 3];
    let size = size_of_val(&numbers);
    let ours = libc::iovec { iov_base: numbers.as_mut_ptr().cast(), iov_len: size };
    // The upper half of the register is not the program's.
    let place = asked.data.args[1] as u32 as usize;
    let theirs = libc::iovec { iov_base: std::ptr::without_provenance_mut(place), iov_len: size };
    // SAFETY: only `numbers` is written, and no more of it than there is.
    let read =
        unsafe { libc::process_vm_readv(asked.pid as i32, &raw const ours, 1, &raw const theirs, 1, 0) };
    if read != size as isize {
        return Err(Errno::FAULT);
    }
    // Another process may have had the number by then.
    let mut id = asked.id;
    control(listener, IS_VALID, &mut id)?;
    Ok(numbers)
}

/// Makes a socket as somebody without capabilities.
fn make(family: i32, kind: i32, protocol: i32) -> Result<OwnedFd, Errno> {
    if REFUSED_FAMILIES.contains(&(family as u32)) {
        return Err(Errno::PERM);
    }
    if !FAMILIES.contains(&family) {
        return Err(Errno::AFNOSUPPORT);
    }
    let kind = kind & (KIND as i32 | libc::SOCK_NONBLOCK);
    without_capabilities(|| {
        // SAFETY: a call with three numbers.
        match unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) } {
            -1 => Err(last_errno()),
            // SAFETY: the descriptor is owned by nobody else.
            descriptor => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        }
    })
}

fn without_capabilities<T>(work: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    let own = rustix::thread::capabilities(None)?;
    let none = CapabilitySets { effective: CapabilitySet::empty(), ..own };
    rustix::thread::set_capabilities(None, none)?;
    let made = work();
    rustix::thread::set_capabilities(None, own)?;
    made
}

/// Gives a copy of `socket` to whoever asked, as the answer.
fn hand_over(listener: &OwnedFd, id: u64, socket: &OwnedFd, kind: i32) -> Result<(), Errno> {
    let mut added = libc::seccomp_notif_addfd {
        id,
        flags: libc::SECCOMP_ADDFD_FLAG_SEND as u32,
        srcfd: socket.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: (kind & libc::SOCK_CLOEXEC) as u32,
    };
    control(listener, ADD_DESCRIPTOR, &mut added)
}

fn control<T>(listener: &OwnedFd, request: libc::c_ulong, argument: &mut T) -> Result<(), Errno> {
    // SAFETY: the argument is the structure that the request is about, and outlives the call.
    match unsafe { libc::ioctl(listener.as_fd().as_raw_fd(), request as _, std::ptr::from_mut(argument)) } {
        -1 => Err(last_errno()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let old = file("old", b"\x7fELF\x01\x01\x01");
        assert!(is_32_bit(&old));
        assert!(!is_32_bit(&file("new", b"\x7fELF\x02\x01\x01")));
        assert!(is_32_bit(&file("script", format!("#! {old} -e\necho\n").as_bytes())));
        assert!(!is_32_bit(&file("empty", b"")) && !is_32_bit(&file("bare", b"#!")));
        let circle = folder.path().join("circle");
        assert!(!is_32_bit(&file("circle", format!("#!{}\n", circle.display()).as_bytes())));
        assert!(!is_32_bit("/no/such/program") && !is_32_bit("/"));
    }
}
