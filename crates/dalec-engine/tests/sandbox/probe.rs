//! The program inside: answers questions about the world it sees, one `name=argument` each, one answer per line.

use std::ffi::CString;
use std::fmt::Display;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

pub fn main(commands: &[&str]) -> ExitCode {
    for command in commands {
        let (name, argument) = command.split_once('=').unwrap_or((command, ""));
        match name {
            "exit" => return ExitCode::from(argument.parse::<u8>().expect("a status")),
            // SAFETY: kills this process.
            "signal" => unsafe {
                libc::raise(argument.parse().expect("a signal"));
            },
            "forever" => forever(),
            "pause" => {
                println!("pausing");
                std::thread::park();
            }
            "hold" => hold(argument),
            _ => println!("{}", answer(name, argument)),
        }
    }
    ExitCode::SUCCESS
}

fn answer(name: &str, argument: &str) -> String {
    match name {
        "pid" => std::process::id().to_string(),
        "status" => status_field(argument),
        "env" => std::env::vars().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "),
        "cwd" => result(std::env::current_dir().map(|path| path.display().to_string())),
        "hostname" => read("/proc/sys/kernel/hostname").trim().to_owned(),
        "cat" => read(argument).trim_end().replace('\n', "|"),
        "ls" => list(argument),
        "link" => result(std::fs::read_link(argument).map(|path| path.display().to_string())),
        "stat" => stat(argument),
        "write" => done(std::fs::write(argument, "text")),
        "append" => done(std::fs::OpenOptions::new().append(true).open(argument).map(|_| ())),
        "mkdir" => done(std::fs::create_dir_all(argument)),
        "remove" => done(std::fs::remove_file(argument).or_else(|_| std::fs::remove_dir(argument))),
        "device" => device(argument),
        #[cfg(target_arch = "x86_64")]
        "old-socket" => old_socket(argument),
        "file-rights" => file_rights(argument),
        "call" => call(argument),
        "descriptors" => list("/proc/self/fd"),
        "loopback" => loopback(),
        "orphan" => orphan(),
        "error" => {
            eprintln!("{argument}");
            String::new()
        }
        "stdout" => done(std::fs::OpenOptions::new().write(true).open("/dev/stdout").map(|_| ())),
        "stdin" => {
            let mut text = String::new();
            result(io::stdin().read_to_string(&mut text))
        }
        "close-stdin" => done(
            rustix::fs::open("/dev/null", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty())
                .and_then(rustix::stdio::dup2_stdin)
                .map_err(io::Error::from),
        ),
        "terminal" => terminal(),
        "limit" => limit(argument),
        "umask" => format!("{:o}", rustix::process::umask(rustix::fs::Mode::empty()).bits()),
        _ => format!("unknown question {name}"),
    }
}

/// Tells about the terminal that this process runs on, and whether it is the one that controls it.
fn terminal() -> String {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).expect("a terminal");
    let own = std::fs::File::open("/dev/tty").is_ok_and(|tty| {
        rustix::termios::tcgetsid(tty).is_ok_and(|session| session == rustix::process::getpid())
    });
    let whose = if own { "its own" } else { "another's" };
    format!("{} rows, {} columns, {whose} terminal", size.ws_row, size.ws_col)
}

fn result<T: Display>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(error) => error_name(error.raw_os_error().unwrap_or(0)),
    }
}

fn error_name(code: i32) -> String {
    let known = [
        (libc::EPERM, "EPERM"),
        (libc::ENOENT, "ENOENT"),
        (libc::EACCES, "EACCES"),
        (libc::EROFS, "EROFS"),
        (libc::ENOSYS, "ENOSYS"),
    ];
    known
        .iter()
        .find(|(number, _)| *number == code)
        .map_or_else(|| format!("error {code}"), |(_, name)| (*name).to_owned())
}

fn done(outcome: io::Result<()>) -> String {
    result(outcome.map(|()| "ok"))
}

fn read(path: &str) -> String {
    result(std::fs::read_to_string(path))
}

fn list(path: &str) -> String {
    let names = std::fs::read_dir(path).map(|entries| {
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names.join(" ")
    });
    result(names)
}

fn stat(path: &str) -> String {
    use std::os::unix::fs::MetadataExt;
    let text = std::fs::symlink_metadata(path).map(|metadata| {
        format!("{:o} {}:{} {}", metadata.mode(), metadata.uid(), metadata.gid(), metadata.len())
    });
    result(text)
}

fn status_field(name: &str) -> String {
    let status = read("/proc/self/status");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.map_or_else(|| "missing".to_owned(), |value| value.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Makes a device file like `/dev/null` and reads from it.
fn device(path: &str) -> String {
    use rustix::fs::{CWD, FileType, Mode};
    let made = rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::from_raw_mode(0o666), 0x103);
    match made {
        Ok(()) => format!("made, {}", done(std::fs::File::open(path).map(|_| ()))),
        Err(errno) => error_name(errno.raw_os_error()),
    }
}

/// Copies a program, gives the copy the rights over low ports and raw packets in all of its sets, and starts it.
fn file_rights(program: &str) -> String {
    // `vfs_cap_data` of linux/capability.h: revision 2, effective; permitted and inheritable, low and high halves.
    const NETWORK: u32 = 1 << 10 | 1 << 13;
    let value: Vec<u8> =
        [0x0200_0001, NETWORK, NETWORK, 0, 0].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    let outcome = std::fs::copy(program, "/with-rights").and_then(|_| {
        let none = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr("/with-rights", "security.capability", &value, none)?;
        std::process::Command::new("/with-rights").arg("exit=0").status()
    });
    result(outcome.map(|_| "started"))
}

fn call(name: &str) -> String {
    let path = CString::new("/bin/probe").expect("a path");
    // SAFETY: the arguments are constants, or pointers to values that outlive the calls.
    let value = unsafe {
        match name {
            "fsync" => libc::fsync(libc::open(path.as_ptr(), libc::O_RDONLY)),
            // A descriptor that is not open: only a filter says that all is well.
            "fsync-nothing" => libc::fsync(77),
            "chown" => libc::chown(c"/file".as_ptr(), 1234, 1234),
            "setgroups" => libc::syscall(libc::SYS_setgroups, 1, [42_u32].as_ptr()) as i32,
            "setresuid" => libc::syscall(libc::SYS_setresuid, 42, 42, 42) as i32,
            "mount" => libc::mount(c"x".as_ptr(), c"/tmp".as_ptr(), c"tmpfs".as_ptr(), 0, std::ptr::null()),
            "umount" => libc::umount2(c"/etc/hosts".as_ptr(), libc::MNT_DETACH),
            "unshare-user" => libc::unshare(libc::CLONE_NEWUSER),
            "clone-user" => {
                libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0) as i32
            }
            "clone3" => libc::syscall(libc::SYS_clone3, 0, 0) as i32,
            "bpf" => libc::syscall(libc::SYS_bpf, 0, 0, 0) as i32,
            "keyctl" => libc::syscall(libc::SYS_keyctl, 0, 0) as i32,
            "packets" => libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM, 0),
            "raw-packets" => libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 1),
            "netlink" => libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, 0),
            "transparent" => set_option(libc::AF_INET, libc::SOL_IP, libc::IP_TRANSPARENT),
            "transparent-6" => set_option(libc::AF_INET6, libc::SOL_IPV6, libc::IPV6_TRANSPARENT),
            "mark" => set_option(libc::AF_INET, libc::SOL_SOCKET, libc::SO_MARK),
            "reuse" => set_option(libc::AF_INET, libc::SOL_SOCKET, libc::SO_REUSEADDR),
            "vsock" => libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0),
            "kill-init" => libc::kill(1, libc::SIGKILL),
            "trace-init" => libc::ptrace(libc::PTRACE_ATTACH, 1, 0, 0) as i32,
            _ => return format!("unknown call {name}"),
        }
    };
    done(if value < 0 { Err(io::Error::last_os_error()) } else { Ok(()) })
}

/// Asks for a socket in the words of 32-bit programs, and uses it.
#[cfg(target_arch = "x86_64")]
fn old_socket(name: &str) -> String {
    let [family, kind, protocol] = match name {
        "inet" => [libc::AF_INET, libc::SOCK_STREAM, 0],
        "inet-6" => [libc::AF_INET6, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0],
        "netlink" => [libc::AF_NETLINK, libc::SOCK_RAW, 0],
        "raw" => [libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP],
        "packets" => [libc::AF_PACKET, libc::SOCK_DGRAM, 0],
        _ => [libc::AF_VSOCK, libc::SOCK_STREAM, 0],
    };
    let socket = socketcall(1, [family, kind, protocol, 0, 0]);
    if socket < 0 {
        return error_name(-socket);
    }
    // SAFETY: the descriptor is this process's own.
    let flags = unsafe { libc::fcntl(socket, libc::F_GETFD) };
    // Listening takes an address by itself.
    let listening = match name {
        "inet" => socketcall(4, [socket, 1, 0, 0, 0]),
        _ => 0,
    };
    format!("socket, {}, {listening}", if flags & libc::FD_CLOEXEC == 0 { "kept" } else { "closed" })
}

/// The call of 32-bit programs for all that has to do with sockets; returns what the kernel does.
#[cfg(target_arch = "x86_64")]
fn socketcall(call: i32, arguments: [i32; 5]) -> i32 {
    let size = size_of_val(&arguments);
    let mut result: i32 = 102;
    // SAFETY: the arguments lie in a new mapping where 32 bits reach, and the interrupt changes what is named.
    unsafe {
        let (access, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT);
        let place = libc::mmap(std::ptr::null_mut(), size, access, kind, -1, 0);
        place.cast::<[i32; 5]>().write(arguments);
        std::arch::asm!(
            "push rbx", "mov ebx, {call:e}", "int 0x80", "pop rbx",
            call = in(reg) call, inout("eax") result, in("ecx") place as u32,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    result
}

/// Sets a socket option of a new socket to 1.
fn set_option(family: i32, level: i32, option: i32) -> i32 {
    let one = 1_i32;
    // SAFETY: the value outlives the call, and its size is the one that is named.
    unsafe {
        let socket = libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        let size = size_of_val(&one) as libc::socklen_t;
        libc::setsockopt(socket, level, option, (&raw const one).cast(), size)
    }
}

/// Talks to itself over the loopback interface, which must be there and up.
fn loopback() -> String {
    let echo = || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut client = TcpStream::connect(listener.local_addr()?)?;
        client.write_all(b"x")?;
        listener.accept()?.0.read_exact(&mut [0])
    };
    done(echo())
}

/// Leaves a grandchild behind that ends at once, and waits until somebody has reaped it.
fn orphan() -> String {
    let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
    // SAFETY: this process has one thread.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            let grandchild = libc::fork();
            if grandchild == 0 {
                libc::_exit(0);
            }
            let _ = rustix::io::write(&writer, format!("{grandchild}").as_bytes());
            libc::_exit(0);
        }
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    drop(writer);
    let mut pid = String::new();
    std::fs::File::from(reader).read_to_string(&mut pid).expect("the pid of the grandchild");
    while std::path::Path::new("/proc").join(&pid).exists() {
        std::thread::yield_now();
    }
    "reaped".to_owned()
}

/// Ignores every signal that can be ignored, as does a child in a session of its own; says so, and never ends.
fn forever() -> ! {
    for signal in 1..32 {
        // SAFETY: sets a disposition; refusals do not matter.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    // SAFETY: this process has one thread.
    let is_child = unsafe { libc::fork() } == 0;
    if is_child {
        let _ = rustix::process::setsid();
    } else {
        println!("{}", std::fs::read_link("/proc/self/ns/pid").expect("a namespace").display());
        io::stdout().flush().expect("write");
    }
    loop {
        rustix::event::pause();
    }
}

/// Says `ready` into a named pipe and keeps it open for ever.
fn hold(path: &str) -> ! {
    let mut pipe = std::fs::OpenOptions::new().write(true).open(path).expect("the pipe");
    pipe.write_all(b"ready\n").expect("write");
    loop {
        rustix::event::pause();
    }
}

fn limit(name: &str) -> String {
    let resource = match name {
        "nofile" => rustix::process::Resource::Nofile,
        _ => rustix::process::Resource::Nproc,
    };
    let limit = rustix::process::getrlimit(resource);
    format!("{:?} {:?}", limit.current, limit.maximum)
}
