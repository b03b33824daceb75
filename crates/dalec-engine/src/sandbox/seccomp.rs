//! The system call filter of a sandbox.
//!
//! Flushing to disk is answered as done; where files can have one owner only, so are changes of owners. Where real root
//! shares the host's network, sockets that read and forge its packets are refused, and so is what makes ordinary sockets
//! speak for other addresses. What docker's default profile refuses to processes without special capabilities, and
//! matters, is refused here too.
//!
//! The program is put together by hand: it answers different calls differently and knows 32-bit programs, while the
//! usual library has one answer per filter and kills foreign instruction sets. All decisions that look at nothing but
//! the call's number are cached by the kernel, so allowed calls cost nothing.

use std::os::fd::{FromRawFd, OwnedFd};

use rustix::io::Errno;

use super::syscalls::{self, Table};
use crate::mount::detached::last_errno;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
/// Returns 0 to the program without doing anything.
const DONE: u32 = libc::SECCOMP_RET_ERRNO;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
/// Leaves the answer to pid 1 of the sandbox; only where that listens, see [`Rules::asks`].
const ASK: u32 = libc::SECCOMP_RET_USER_NOTIF;
const MISSING: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

/// `clone` flags that ask for new namespaces.
const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// Sockets that lead to the hypervisor and to the kernel's cryptography: no network namespace holds them back.
pub(super) const REFUSED_FAMILIES: [u32; 2] = [libc::AF_VSOCK as u32, libc::AF_ALG as u32];

/// Families whose raw sockets see nothing of any wire: those between processes, and those to the kernel.
const HARMLESS_FAMILIES: [u32; 2] = [libc::AF_UNIX as u32, libc::AF_NETLINK as u32];

/// Kinds of sockets whose owner reads and writes packets; the second is `SOCK_PACKET`, the old way to ask for a packet
/// socket, which the C library's bindings do not want to be used.
const RAW_KINDS: [u32; 2] = [libc::SOCK_RAW as u32, 10];

/// Options of sockets, with their levels, that take the right to raw packets: those that let a socket speak for addresses
/// of others, and the mark by which a host's rules of routing and its firewall know packets.
const RAW_OPTIONS: [(u32, u32); 3] = [
    (libc::SOL_IP as u32, libc::IP_TRANSPARENT as u32),
    (libc::SOL_IPV6 as u32, libc::IPV6_TRANSPARENT as u32),
    (libc::SOL_SOCKET as u32, libc::SO_MARK as u32),
];

/// Bits of the kind of a socket in the second argument; others are flags.
pub(super) const KIND: u32 = 0xf;

/// What `socketcall` is asked for: a socket, and an option of one.
const MAKE_SOCKET: u32 = 1;
const SET_OPTION: u32 = 14;

/// Offsets into what a filter sees of a call.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// The low half of the first argument, on little-endian machines.
const FIRST_ARGUMENT: u32 = 16;
/// The low half of the second argument.
const SECOND_ARGUMENT: u32 = 24;
/// The low half of the third argument.
const THIRD_ARGUMENT: u32 = 32;

/// What depends on where a sandbox runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Whether changes of file and process owners are answered as done.
    pub(super) single_owner: bool,
    /// Whether sockets for raw packets are refused, and what else the right to such packets allows.
    pub(super) no_raw_packets: bool,
    /// Whether pid 1 listens to those who ask for sockets unseen, who get none elsewhere. A question that nobody listens to
    /// would not do: a filter that the program adds could take it, and let the call through.
    pub(super) asks: bool,
}

/// A filter program, ready to be loaded.
pub(super) struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// Builds the filter.
    pub(super) fn new(rules: Rules) -> Self {
        let mut program = vec![load(ARCHITECTURE)];
        for table in [Some(syscalls::NATIVE), syscalls::COMPATIBLE].into_iter().flatten() {
            let foreign_from =
                syscalls::FOREIGN_FROM.filter(|_| table.architecture == syscalls::NATIVE.architecture);
            let section = section(&table, foreign_from, rules);
            // Over the section, if the call is not of its architecture; too far for the jump of a comparison.
            program.push(jump(libc::BPF_JEQ, table.architecture, 1, 0));
            program.push(skip(section.len()));
            program.extend(section);
        }
        program.push(answer(MISSING));
        Filter(program)
    }

    /// Applies the filter to this process and its children, for good, and returns where the questions of its programs for
    /// sockets arrive. None, and no filter, when the kernel has no such thing, or something around this sandbox listens already.
    ///
    /// # Errors
    /// As [`Filter::load`].
    pub(super) fn load_listening(&self) -> Result<Option<OwnedFd>, Errno> {
        match self.apply(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER) {
            // SAFETY: the descriptor is new, and owned by nobody else.
            Ok(descriptor) => Ok(Some(unsafe { OwnedFd::from_raw_fd(descriptor) })),
            Err(Errno::BUSY | Errno::INVAL) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Applies the filter to this process and its children, for good.
    ///
    /// Needs CAP_SYS_ADMIN: the alternative, `no_new_privs`, would disarm set-user-id programs.
    pub(super) fn load(&self) -> Result<(), Errno> {
        self.apply(0).map(drop)
    }

    /// Applies the filter with `more` flags; returns what the kernel does.
    fn apply(&self, more: libc::c_ulong) -> Result<i32, Errno> {
        let program = libc::sock_fprog {
            len: u16::try_from(self.0.len()).map_err(|_| Errno::TOOBIG)?,
            filter: self.0.as_ptr().cast_mut(),
        };
        // Before Linux 5.16 a filter also slowed the program down by speculation barriers, unless asked not to.
        let flags = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW | more;
        // SAFETY: the program outlives the call, and the kernel only reads it.
        let result = unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
        };
        i32::try_from(result).ok().filter(|result| *result >= 0).ok_or_else(last_errno)
    }
}

/// Decides the calls of one architecture; every way through it ends with an answer.
fn section(table: &Table, foreign_from: Option<u32>, rules: Rules) -> Vec<libc::sock_filter> {
    let mut section = vec![load(NUMBER)];
    if let Some(first) = foreign_from {
        section.extend([jump(libc::BPF_JGE, first, 0, 1), answer(MISSING)]);
    }
    let ownership = if rules.single_owner { table.ownership } else { &[] };
    let groups = [(table.flush, DONE), (ownership, DONE), (table.refused, REFUSE), (table.missing, MISSING)];
    for (numbers, result) in groups {
        for &number in numbers {
            section.extend([jump(libc::BPF_JEQ, number as u32, 0, 1), answer(result)]);
        }
    }
    let namespaces = [jump(libc::BPF_JSET, NAMESPACES, 0, 1), answer(REFUSE)];
    section.extend(by_argument(FIRST_ARGUMENT, table.clone, &namespaces));
    let mut sockets = if_any(&REFUSED_FAMILIES, REFUSE);
    if rules.no_raw_packets {
        sockets.extend(raw_packets());
        section.extend(by_argument(SECOND_ARGUMENT, table.setsockopt, &raw_options()));
    }
    section.extend(by_argument(FIRST_ARGUMENT, table.socket, &sockets));
    if let Some(socketcall) = table.socketcall {
        let mut decision = if_any(&[MAKE_SOCKET], if rules.asks { ASK } else { MISSING });
        if rules.no_raw_packets {
            // Which option it is cannot be seen.
            decision.extend(if_any(&[SET_OPTION], REFUSE));
        }
        section.extend(by_argument(FIRST_ARGUMENT, socketcall, &decision));
    }
    section.push(answer(ALLOW));
    section
}

/// Refuses sockets for raw packets, with the family of the socket at hand.
fn raw_packets() -> Vec<libc::sock_filter> {
    let mut program = if_any(&[libc::AF_PACKET as u32], REFUSE);
    program.extend(if_any(&HARMLESS_FAMILIES, ALLOW));
    program.extend([load(SECOND_ARGUMENT), and(KIND)]);
    program.extend(if_any(&RAW_KINDS, REFUSE));
    program
}

/// Refuses options of sockets for what belongs to raw packets, with the level of the option at hand.
fn raw_options() -> Vec<libc::sock_filter> {
    let refuse = |(level, option)| {
        [
            jump(libc::BPF_JEQ, level, 0, 4),
            load(THIRD_ARGUMENT),
            jump(libc::BPF_JEQ, option, 0, 1),
            answer(REFUSE),
            // The next option finds the level at hand again.
            load(SECOND_ARGUMENT),
        ]
    };
    RAW_OPTIONS.into_iter().flat_map(refuse).collect()
}

/// Answers `result` if what is at hand is one of `values`.
fn if_any(values: &[u32], result: u32) -> Vec<libc::sock_filter> {
    values.iter().flat_map(|&value| [jump(libc::BPF_JEQ, value, 0, 1), answer(result)]).collect()
}

/// Decides the call `number`, with the argument at the offset `argument` at hand: `decision` answers or falls through,
/// which allows.
fn by_argument(
    argument: u32,
    number: libc::c_long,
    decision: &[libc::sock_filter],
) -> Vec<libc::sock_filter> {
    let length = u8::try_from(decision.len() + 2).expect("a decision has a few dozen instructions");
    let mut program = vec![jump(libc::BPF_JEQ, number as u32, 0, length), load(argument)];
    program.extend_from_slice(decision);
    program.push(answer(ALLOW));
    program
}

fn load(offset: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn and(mask: u32) -> libc::sock_filter {
    instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, mask, 0, 0)
}

fn jump(comparison: u32, value: u32, if_true: u8, if_false: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | comparison | libc::BPF_K, value, if_true, if_false)
}

fn skip(instructions: usize) -> libc::sock_filter {
    let distance = u32::try_from(instructions).expect("filters are limited to 4096 instructions");
    instruction(libc::BPF_JMP | libc::BPF_JA, distance, 0, 0)
}

fn answer(result: u32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, result, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYWHERE: Rules = Rules { single_owner: false, no_raw_packets: false, asks: false };
    const SINGLE_OWNER: Rules = Rules { single_owner: true, ..EVERYWHERE };
    const HOST_NETWORK: Rules = Rules { no_raw_packets: true, ..EVERYWHERE };

    fn decide(filter: &Filter, architecture: u32, number: i64, first_argument: u32) -> u32 {
        run(filter, architecture, number, [first_argument, 0, 0])
    }

    /// Runs the program as the kernel would.
    fn run(filter: &Filter, architecture: u32, number: i64, arguments: [u32; 3]) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = filter.0[at];
            at += 1;
            let jump = |taken: bool| usize::from(if taken { step.jt } else { step.jf });
            match u32::from(step.code) {
                0x20 => {
                    accumulator = match step.k {
                        NUMBER => number as u32,
                        ARCHITECTURE => architecture,
                        FIRST_ARGUMENT => arguments[0],
                        SECOND_ARGUMENT => arguments[1],
                        THIRD_ARGUMENT => arguments[2],
                        other => panic!("load from {other}"),
                    }
                }
                0x05 => at += step.k as usize,
                0x15 => at += jump(accumulator == step.k),
                0x35 => at += jump(accumulator >= step.k),
                0x45 => at += jump(accumulator & step.k != 0),
                0x54 => accumulator &= step.k,
                0x06 => return step.k,
                code => panic!("instruction {code:#x}"),
            }
        }
    }

    fn native(filter: &Filter, number: i64, first_argument: u32) -> u32 {
        decide(filter, syscalls::NATIVE.architecture, number, first_argument)
    }

    #[test]
    fn flushing_is_done_and_ordinary_calls_are_allowed() {
        let filter = Filter::new(EVERYWHERE);
        assert_eq!(native(&filter, libc::SYS_fsync, 0), DONE);
        assert_eq!(native(&filter, libc::SYS_sync, 0), DONE);
        assert_eq!(native(&filter, libc::SYS_msync, 0), ALLOW);
        assert_eq!(native(&filter, libc::SYS_read, 0), ALLOW);
        assert_eq!(native(&filter, libc::SYS_fchownat, 0), ALLOW);
    }

    #[test]
    fn owners_change_in_words_only_where_there_is_but_one() {
        let filter = Filter::new(SINGLE_OWNER);
        assert_eq!(native(&filter, libc::SYS_fchownat, 0), DONE);
        assert_eq!(native(&filter, libc::SYS_setgroups, 0), DONE);
        assert_eq!(native(&filter, libc::SYS_fchmodat, 0), ALLOW);
    }

    #[test]
    fn ways_out_are_refused() {
        let filter = Filter::new(EVERYWHERE);
        assert_eq!(native(&filter, libc::SYS_open_by_handle_at, 0), REFUSE);
        assert_eq!(native(&filter, libc::SYS_vhangup, 0), REFUSE);
        assert_eq!(native(&filter, libc::SYS_clone3, 0), MISSING);
        assert_eq!(native(&filter, libc::SYS_clone, libc::SIGCHLD as u32), ALLOW);
        assert_eq!(native(&filter, libc::SYS_clone, (libc::SIGCHLD | libc::CLONE_NEWUSER) as u32), REFUSE);
        assert_eq!(native(&filter, libc::SYS_socket, libc::AF_UNIX as u32), ALLOW);
        assert_eq!(native(&filter, libc::SYS_socket, libc::AF_VSOCK as u32), REFUSE);
    }

    #[test]
    fn the_hosts_packets_are_out_of_reach() {
        let filter = Filter::new(HOST_NETWORK);
        let socket = |family: i32, kind: i32| {
            let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            run(&filter, syscalls::NATIVE.architecture, libc::SYS_socket, [family as u32, kind as u32, 0])
        };
        assert_eq!(socket(libc::AF_PACKET, libc::SOCK_DGRAM), REFUSE);
        assert_eq!(socket(libc::AF_INET, libc::SOCK_RAW), REFUSE);
        assert_eq!(socket(libc::AF_INET6, libc::SOCK_RAW), REFUSE);
        assert_eq!(socket(libc::AF_INET, 10), REFUSE);
        assert_eq!(socket(libc::AF_XDP, libc::SOCK_RAW), REFUSE);
        assert_eq!(socket(libc::AF_NETLINK, libc::SOCK_RAW), ALLOW);
        assert_eq!(socket(libc::AF_INET, libc::SOCK_DGRAM), ALLOW);
        assert_eq!(socket(libc::AF_INET6, libc::SOCK_STREAM), ALLOW);
        assert_eq!(socket(libc::AF_VSOCK, libc::SOCK_STREAM), REFUSE);
        let elsewhere = Filter::new(EVERYWHERE);
        let raw = [libc::AF_INET as u32, libc::SOCK_RAW as u32, 0];
        assert_eq!(run(&elsewhere, syscalls::NATIVE.architecture, libc::SYS_socket, raw), ALLOW);
    }

    #[test]
    fn sockets_on_the_hosts_network_speak_for_no_other_address() {
        let option = |rules: Rules, architecture: u32, number: i64, level: i32, option: i32| {
            run(&Filter::new(rules), architecture, number, [3, level as u32, option as u32])
        };
        let own = |rules, level, name| {
            option(rules, syscalls::NATIVE.architecture, libc::SYS_setsockopt, level, name)
        };
        for (level, name) in [
            (libc::SOL_IP, libc::IP_TRANSPARENT),
            (libc::SOL_IPV6, libc::IPV6_TRANSPARENT),
            (libc::SOL_SOCKET, libc::SO_MARK),
        ] {
            assert_eq!(own(HOST_NETWORK, level, name), REFUSE);
            assert_eq!(own(EVERYWHERE, level, name), ALLOW);
            if let Some(table) = syscalls::COMPATIBLE {
                assert_eq!(option(HOST_NETWORK, table.architecture, table.setsockopt, level, name), REFUSE);
            }
        }
        for (level, name) in [
            (libc::SOL_SOCKET, libc::SO_REUSEADDR),
            (libc::SOL_SOCKET, libc::IP_TRANSPARENT),
            (libc::SOL_IP, libc::IP_TOS),
            (libc::SOL_IPV6, libc::IPV6_V6ONLY),
            (libc::SOL_TCP, libc::TCP_NODELAY),
            (libc::SOL_TCP, libc::IP_TRANSPARENT),
        ] {
            assert_eq!(own(HOST_NETWORK, level, name), ALLOW, "{level} {name}");
        }
    }

    #[test]
    fn a_foreign_instruction_set_has_no_system_calls() {
        let filter = Filter::new(EVERYWHERE);
        assert_eq!(decide(&filter, 0x1234, libc::SYS_read, 0), MISSING);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn other_programs_of_the_same_machine_are_filtered_too() {
        const I386: u32 = 0x4000_0003;
        let filter = Filter::new(SINGLE_OWNER);
        assert_eq!(decide(&filter, I386, 118, 0), DONE);
        assert_eq!(decide(&filter, I386, 212, 0), DONE);
        assert_eq!(decide(&filter, I386, 21, 0), REFUSE);
        assert_eq!(decide(&filter, I386, 3, 0), ALLOW);
        // socket, and socketcall, by which it could be called unseen.
        assert_eq!(decide(&filter, I386, 359, libc::AF_VSOCK as u32), REFUSE);
        assert_eq!(decide(&filter, I386, 102, MAKE_SOCKET), MISSING);
        let asking = Filter::new(Rules { asks: true, ..EVERYWHERE });
        assert_eq!(decide(&asking, I386, 102, MAKE_SOCKET), ASK);
        assert_eq!(decide(&filter, I386, 102, SET_OPTION), ALLOW);
        assert_eq!(decide(&Filter::new(HOST_NETWORK), I386, 102, SET_OPTION), REFUSE);
        // x32.
        assert_eq!(native(&filter, 0x4000_0000, 0), MISSING);
    }
}
