//! Tables of system call numbers, one per instruction set, grouped by how a sandbox answers them.
//!
//! What the filter does with them is decided in [`super::seccomp`]. A call that is in no table is allowed.

use libc::c_long;

/// The calls of one instruction set that are not simply allowed.
pub(super) struct Table {
    /// Value of `AUDIT_ARCH_*` by which the kernel names the instruction set.
    pub(super) architecture: u32,
    /// Flushing to disk.
    pub(super) flush: &'static [c_long],
    /// Changing owners of files and of processes.
    pub(super) ownership: &'static [c_long],
    /// What could reach out of the sandbox, or makes no sense in it.
    pub(super) refused: &'static [c_long],
    /// What programs do without when it is missing.
    pub(super) missing: &'static [c_long],
    /// `clone`, whose flags are in the first argument.
    pub(super) clone: c_long,
    /// `socket`, whose family is in the first argument.
    pub(super) socket: c_long,
    /// `socketcall`, whose arguments are in memory but for the first, which says what is asked for.
    pub(super) socketcall: Option<c_long>,
    /// `setsockopt`, whose level and option are in the second and the third argument.
    pub(super) setsockopt: c_long,
}

/// The instruction set of this executable.
pub(super) const NATIVE: Table = Table {
    architecture: NATIVE_ARCHITECTURE,
    flush: &[libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_sync, libc::SYS_syncfs, SYNC_FILE_RANGE],
    ownership: NATIVE_OWNERSHIP,
    refused: NATIVE_REFUSED,
    // The arguments of clone3 are in memory, out of sight; without it, programs use clone.
    missing: &[
        libc::SYS_clone3,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
    ],
    clone: libc::SYS_clone,
    socket: libc::SYS_socket,
    socketcall: None,
    setsockopt: libc::SYS_setsockopt,
};

/// 32-bit programs on the same machine, where they are supported.
#[cfg(target_arch = "x86_64")]
pub(super) const COMPATIBLE: Option<Table> = Some(I386);
/// 32-bit programs on the same machine, where they are supported.
#[cfg(target_arch = "aarch64")]
pub(super) const COMPATIBLE: Option<Table> = None;

/// Numbers from here on belong to the x32 instruction set, which shares the architecture of x86-64.
#[cfg(target_arch = "x86_64")]
pub(super) const FOREIGN_FROM: Option<u32> = Some(0x4000_0000);
/// Numbers from here on belong to another instruction set.
#[cfg(target_arch = "aarch64")]
pub(super) const FOREIGN_FROM: Option<u32> = None;

#[cfg(target_arch = "x86_64")]
const NATIVE_ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE_ARCHITECTURE: u32 = 0xc000_00b7;

#[cfg(target_arch = "x86_64")]
const SYNC_FILE_RANGE: c_long = libc::SYS_sync_file_range;
/// From `asm-generic/unistd.h`; the C library's bindings lack it.
#[cfg(target_arch = "aarch64")]
const SYNC_FILE_RANGE: c_long = 84;

#[cfg(target_arch = "x86_64")]
const NATIVE_OWNERSHIP: &[c_long] = &[
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
];
#[cfg(target_arch = "aarch64")]
const NATIVE_OWNERSHIP: &[c_long] = &[
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
];

const NATIVE_REFUSED: &[c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// From `asm/unistd_32.h`: no library has these numbers for a 64-bit executable.
#[cfg(target_arch = "x86_64")]
const I386: Table = Table {
    architecture: 0x4000_0003,
    flush: &[
        118, // fsync
        148, // fdatasync
        36,  // sync
        344, // syncfs
        314, // sync_file_range
    ],
    ownership: &[
        182, // chown
        16,  // lchown
        95,  // fchown
        212, // chown32
        198, // lchown32
        207, // fchown32
        298, // fchownat
        23,  // setuid
        46,  // setgid
        70,  // setreuid
        71,  // setregid
        164, // setresuid
        170, // setresgid
        81,  // setgroups
        138, // setfsuid
        139, // setfsgid
        213, // setuid32
        214, // setgid32
        203, // setreuid32
        204, // setregid32
        208, // setresuid32
        210, // setresgid32
        206, // setgroups32
        215, // setfsuid32
        216, // setfsgid32
    ],
    refused: &[
        51,  // acct
        286, // add_key
        357, // bpf
        129, // delete_module
        338, // fanotify_init
        350, // finit_module
        431, // fsconfig
        432, // fsmount
        430, // fsopen
        433, // fspick
        128, // init_module
        101, // ioperm
        110, // iopl
        349, // kcmp
        283, // kexec_load
        288, // keyctl
        253, // lookup_dcookie
        21,  // mount
        442, // mount_setattr
        429, // move_mount
        317, // move_pages
        342, // open_by_handle_at
        428, // open_tree
        336, // perf_event_open
        217, // pivot_root
        131, // quotactl
        443, // quotactl_fd
        88,  // reboot
        287, // request_key
        346, // setns
        115, // swapoff
        87,  // swapon
        103, // syslog
        22,  // umount
        52,  // umount2
        310, // unshare
        86,  // uselib
        374, // userfaultfd
        111, // vhangup
        166, // vm86
        113, // vm86old
    ],
    missing: &[
        435, // clone3
        425, // io_uring_setup
        426, // io_uring_enter
        427, // io_uring_register
    ],
    clone: 120,
    socket: 359,
    socketcall: Some(102),
    setsockopt: 366,
};
