//! The system call filter of a sandbox.
//!
//! Flushing to disk is answered as done; where files can have one owner only, so are changes of owners. What docker's
//! default profile refuses to processes without special capabilities, and matters, is refused here too.
//!
//! The program is put together by hand: it answers different calls differently and knows 32-bit programs, while the
//! usual library has one answer per filter and kills foreign instruction sets. All decisions that look at nothing but
//! the call's number are cached by the kernel, so allowed calls cost nothing.

use rustix::io::Errno;

use super::syscalls::{self, Table};
use crate::mount::detached::last_errno;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
/// Returns 0 to the program without doing anything.
const DONE: u32 = libc::SECCOMP_RET_ERRNO;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
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
const REFUSED_FAMILIES: [u32; 2] = [libc::AF_VSOCK as u32, libc::AF_ALG as u32];

/// Offsets into what a filter sees of a call.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// The low half of the first argument, on little-endian machines.
const FIRST_ARGUMENT: u32 = 16;

/// A filter program, ready to be loaded.
pub(super) struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// Builds the filter; with `single_owner`, changes of file and process owners are answered as done.
    pub(super) fn new(single_owner: bool) -> Self {
        let mut program = vec![load(ARCHITECTURE)];
        for table in [Some(syscalls::NATIVE), syscalls::COMPATIBLE].into_iter().flatten() {
            let foreign_from =
                syscalls::FOREIGN_FROM.filter(|_| table.architecture == syscalls::NATIVE.architecture);
            let section = section(&table, foreign_from, single_owner);
            // Over the section, if the call is not of its architecture; too far for the jump of a comparison.
            program.push(jump(libc::BPF_JEQ, table.architecture, 1, 0));
            program.push(skip(section.len()));
            program.extend(section);
        }
        program.push(answer(MISSING));
        Filter(program)
    }

    /// Applies the filter to this process and its children, for good.
    ///
    /// Needs CAP_SYS_ADMIN: the alternative, `no_new_privs`, would disarm set-user-id programs.
    pub(super) fn load(&self) -> Result<(), Errno> {
        let program = libc::sock_fprog {
            len: u16::try_from(self.0.len()).map_err(|_| Errno::TOOBIG)?,
            filter: self.0.as_ptr().cast_mut(),
        };
        // Before Linux 5.16 a filter also slowed the program down by speculation barriers, unless asked not to.
        let flags = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        // SAFETY: the program outlives the call, and the kernel only reads it.
        let result = unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
        };
        if result == 0 { Ok(()) } else { Err(last_errno()) }
    }
}

/// Decides the calls of one architecture; every way through it ends with an answer.
fn section(table: &Table, foreign_from: Option<u32>, single_owner: bool) -> Vec<libc::sock_filter> {
    let mut section = vec![load(NUMBER)];
    if let Some(first) = foreign_from {
        section.extend([jump(libc::BPF_JGE, first, 0, 1), answer(MISSING)]);
    }
    let ownership = if single_owner { table.ownership } else { &[] };
    let groups = [(table.flush, DONE), (ownership, DONE), (table.refused, REFUSE), (table.missing, MISSING)];
    for (numbers, result) in groups {
        for &number in numbers {
            section.extend([jump(libc::BPF_JEQ, number as u32, 0, 1), answer(result)]);
        }
    }
    let namespaces = [jump(libc::BPF_JSET, NAMESPACES, 0, 1), answer(REFUSE)];
    section.extend(by_first_argument(table.clone, &namespaces));
    let families: Vec<_> = REFUSED_FAMILIES
        .iter()
        .flat_map(|&family| [jump(libc::BPF_JEQ, family, 0, 1), answer(REFUSE)])
        .collect();
    section.extend(by_first_argument(table.socket, &families));
    section.push(answer(ALLOW));
    section
}

/// Decides the call `number` by its first argument: `decision` answers or falls through, which allows.
fn by_first_argument(number: libc::c_long, decision: &[libc::sock_filter]) -> Vec<libc::sock_filter> {
    let length = u8::try_from(decision.len() + 2).expect("a decision has a handful of instructions");
    let mut program = vec![jump(libc::BPF_JEQ, number as u32, 0, length), load(FIRST_ARGUMENT)];
    program.extend_from_slice(decision);
    program.push(answer(ALLOW));
    program
}

fn load(offset: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
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

    /// Runs the program as the kernel would.
    fn decide(filter: &Filter, architecture: u32, number: i64, first_argument: u32) -> u32 {
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
                        FIRST_ARGUMENT => first_argument,
                        other => panic!("load from {other}"),
                    }
                }
                0x05 => at += step.k as usize,
                0x15 => at += jump(accumulator == step.k),
                0x35 => at += jump(accumulator >= step.k),
                0x45 => at += jump(accumulator & step.k != 0),
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
        let filter = Filter::new(false);
        assert_eq!(native(&filter, libc::SYS_fsync, 0), DONE);
        assert_eq!(native(&filter, libc::SYS_sync, 0), DONE);
        assert_eq!(native(&filter, libc::SYS_msync, 0), ALLOW);
        assert_eq!(native(&filter, libc::SYS_read, 0), ALLOW);
        assert_eq!(native(&filter, libc::SYS_fchownat, 0), ALLOW);
    }

    #[test]
    fn owners_change_in_words_only_where_there_is_but_one() {
        let filter = Filter::new(true);
        assert_eq!(native(&filter, libc::SYS_fchownat, 0), DONE);
        assert_eq!(native(&filter, libc::SYS_setgroups, 0), DONE);
        assert_eq!(native(&filter, libc::SYS_fchmodat, 0), ALLOW);
    }

    #[test]
    fn ways_out_are_refused() {
        let filter = Filter::new(false);
        assert_eq!(native(&filter, libc::SYS_open_by_handle_at, 0), REFUSE);
        assert_eq!(native(&filter, libc::SYS_vhangup, 0), REFUSE);
        assert_eq!(native(&filter, libc::SYS_clone3, 0), MISSING);
        assert_eq!(native(&filter, libc::SYS_clone, libc::SIGCHLD as u32), ALLOW);
        assert_eq!(native(&filter, libc::SYS_clone, (libc::SIGCHLD | libc::CLONE_NEWUSER) as u32), REFUSE);
        assert_eq!(native(&filter, libc::SYS_socket, libc::AF_UNIX as u32), ALLOW);
        assert_eq!(native(&filter, libc::SYS_socket, libc::AF_VSOCK as u32), REFUSE);
    }

    #[test]
    fn a_foreign_instruction_set_has_no_system_calls() {
        let filter = Filter::new(false);
        assert_eq!(decide(&filter, 0x1234, libc::SYS_read, 0), MISSING);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn other_programs_of_the_same_machine_are_filtered_too() {
        const I386: u32 = 0x4000_0003;
        let filter = Filter::new(true);
        assert_eq!(decide(&filter, I386, 118, 0), DONE);
        assert_eq!(decide(&filter, I386, 212, 0), DONE);
        assert_eq!(decide(&filter, I386, 21, 0), REFUSE);
        assert_eq!(decide(&filter, I386, 3, 0), ALLOW);
        // socket, and socketcall, by which it could be called unseen.
        assert_eq!(decide(&filter, I386, 359, libc::AF_VSOCK as u32), REFUSE);
        assert_eq!(decide(&filter, I386, 102, 1), MISSING);
        // x32.
        assert_eq!(native(&filter, 0x4000_0000, 0), MISSING);
    }
}
