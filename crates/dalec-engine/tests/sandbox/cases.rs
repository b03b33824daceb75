//! What must hold in every sandbox, whoever runs it.

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use dalec_engine::sandbox::{ExitStatus, HostEntry, Launcher, Network, SandboxError, SandboxMount, Ulimit};
use dalec_engine::userns::{self, Mode};

use crate::world::{Case, Root, World, bind, cases};

pub const ALL: &[(&str, Case)] = cases![
    command_is_alone_in_its_pid_namespace,
    orphans_are_reaped_by_pid_one,
    exit_status_and_signals_are_reported,
    output_streams_are_separate_and_input_is_empty,
    environment_is_what_was_given_and_home,
    nothing_but_the_standard_descriptors_is_open,
    rights_are_the_usual_fourteen,
    rights_do_not_reach_the_hosts_packets,
    sockets_of_32_bit_programs_are_no_others,
    dangerous_calls_are_refused,
    flushing_is_answered_as_done,
    ownership_changes_work_or_are_answered_as_done,
    pid_one_is_out_of_reach,
    device_files_made_inside_are_dead,
    devices_of_the_sandbox_work,
    kernel_settings_are_hidden_or_read_only,
    roots_that_redirect_kernel_file_systems_are_refused,
    no_file_of_the_host_is_visible,
    control_groups_of_the_host_have_no_names,
    network_none_has_only_loopback,
    network_host_has_the_hosts_names,
    extra_hosts_and_hostname_are_seen,
    bind_mounts_show_the_source_and_keep_readonly,
    selector_cannot_leave_its_source,
    a_later_mount_may_lie_in_an_earlier_one,
    tmpfs_is_empty_writable_and_gone,
    secret_files_have_their_mode_and_leave_nothing,
    readonly_root_refuses_writes,
    mount_points_leave_no_trace,
    parents_of_mount_points_stay_unless_asked,
    mount_points_behind_links_stay_in_the_root,
    working_directory_is_made_for_the_user,
    users_are_resolved_in_the_root,
    limits_are_set,
    missing_command_is_told_apart_from_a_broken_one,
    unknown_user_names_the_user,
    failed_setup_names_the_step,
    command_without_words_is_an_error,
    kill_ends_everything,
    drop_ends_everything,
    death_of_the_engine_ends_everything,
    many_sandboxes_at_once,
    an_executable_that_was_removed_still_starts_sandboxes,
];

fn single(world: &World) -> bool {
    world.mode == Mode::SingleId
}

// Processes.

fn command_is_alone_in_its_pid_namespace(world: &World) {
    let answers = world.probe(&["pid", "ls=/proc", "status=NSpid"]);
    let mut answers = answers.lines();
    assert_eq!(answers.next(), Some("2"));
    let processes: Vec<&str> = answers
        .next()
        .unwrap()
        .split(' ')
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    assert_eq!(processes, ["1", "2"]);
    assert_eq!(answers.next(), Some("2"));
}

fn orphans_are_reaped_by_pid_one(world: &World) {
    assert_eq!(world.probe(&["orphan"]), "reaped\n");
}

fn exit_status_and_signals_are_reported(world: &World) {
    let status = |command: &str| {
        let root = world.root();
        world.run(&world.spec(&root, &[command])).status
    };
    assert_eq!(status("exit=0"), ExitStatus::Code(0));
    assert_eq!(status("exit=42"), ExitStatus::Code(42));
    assert_eq!(status("signal=15"), ExitStatus::Signal(15));
    assert_eq!(status("signal=9"), ExitStatus::Signal(9));
    // Nothing is ignored or blocked; the one bit is the broken pipe, by the runtime of the probe itself.
    assert_eq!(world.probe(&["status=SigIgn", "status=SigBlk"]), "0000000000001000\n0000000000000000\n");
}

fn output_streams_are_separate_and_input_is_empty(world: &World) {
    let root = world.root();
    let outcome = world.run(&world.spec(&root, &["pid", "error=trouble", "stdin"]));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("2\n\n0\n", "trouble\n"));
}

fn environment_is_what_was_given_and_home(world: &World) {
    assert_eq!(world.probe(&["env"]), "PATH=/usr/bin:/bin HOME=/root\n");
    let given =
        |spec: &mut dalec_engine::sandbox::SandboxSpec| spec.env = vec!["HOME=/h".into(), "A=b=c".into()];
    assert_eq!(world.probe_with(&["env"], given), "HOME=/h A=b=c\n");
    let user = world.probe_with(&["umask", "cwd"], |spec| spec.cwd = "/lib".into());
    assert_eq!(user, "22\n/lib\n");
}

fn nothing_but_the_standard_descriptors_is_open(world: &World) {
    // A descriptor of the host that the engine forgot to protect.
    let leak = rustix::fs::open("/", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    // The fourth is the listing itself.
    assert_eq!(world.probe(&["descriptors"]), "0 1 2 3\n");
    drop(leak);
}

// Rights.

const FOURTEEN: &str = "00000000a80425fb";

fn rights_are_the_usual_fourteen(world: &World) {
    let answers =
        world.probe(&["status=CapEff", "status=CapPrm", "status=CapBnd", "status=CapInh", "status=CapAmb"]);
    let none = "0000000000000000";
    assert_eq!(answers, format!("{FOURTEEN}\n{FOURTEEN}\n{FOURTEEN}\n{none}\n{none}\n"));
    assert_eq!(world.probe(&["status=NoNewPrivs", "status=Seccomp"]), "0\n2\n");
    if !single(world) {
        let ordinary =
            world.probe_with(&["status=CapEff", "status=CapBnd"], |spec| spec.user = "builder".into());
        assert_eq!(ordinary, format!("{none}\n{FOURTEEN}\n"));
    }
}

/// A program with `cap_net_raw` or `cap_net_bind_service` on its file starts, but has nobody else's packets.
fn rights_do_not_reach_the_hosts_packets(world: &World) {
    let questions = [
        "status=CapEff",
        "status=CapPrm",
        "status=CapBnd",
        "call=packets",
        "call=raw-packets",
        "call=netlink",
        "call=transparent",
        "call=transparent-6",
        "call=mark",
        "call=reuse",
        "file-rights=/bin/probe",
    ];
    let answers = world.probe_with(&questions, |spec| spec.network = Network::Host);
    let calls = "EPERM\nEPERM\nok\nEPERM\nEPERM\nEPERM\nok\nstarted\n";
    assert_eq!(answers, format!("{FOURTEEN}\n{FOURTEEN}\n{FOURTEEN}\n{calls}"));
}

/// Starts `/bin/probe`, and is a 32-bit program: what runs then is what such a program starts.
fn old_program() -> Vec<u8> {
    const BASE: u32 = 0x0800_0000;
    let code_at = 52 + 32;
    let mut code = vec![0x8d, 0x4c, 0x24, 0x04]; // lea ecx, [esp+4]
    code.extend([0x8b, 0x04, 0x24]); // mov eax, [esp]
    code.extend([0x8d, 0x54, 0x81, 0x04]); // lea edx, [ecx+eax*4+4]
    code.push(0xbb); // mov ebx, the path
    let path_at = BASE + code_at + code.len() as u32 + 4 + 7 + 9;
    code.extend(path_at.to_le_bytes());
    code.extend([0xb8, 11, 0, 0, 0, 0xcd, 0x80]); // execve
    code.extend([0x89, 0xc3, 0xb8, 1, 0, 0, 0, 0xcd, 0x80]); // exit
    code.extend(b"/bin/probe\0");
    let size = code_at + code.len() as u32;
    let half = |number: u16| number.to_le_bytes();
    let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend([half(2), half(3)].concat());
    file.extend([1, BASE + code_at, 52, 0, 0].iter().flat_map(|word| word.to_le_bytes()));
    file.extend([half(52), half(32), half(1), half(0), half(0), half(0)].concat());
    file.extend([1, 0, BASE, BASE, size, size, 5, 4096].iter().flat_map(|word| word.to_le_bytes()));
    file.extend(code);
    file
}

/// The filter does not see what they are, so somebody else looks.
fn sockets_of_32_bit_programs_are_no_others(world: &World) {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let names =
        ["inet", "inet-6", "netlink", "raw", "packets", "vsock"].map(|name| format!("old-socket={name}"));
    let questions: Vec<&str> = names.iter().map(String::as_str).collect();
    for network in [Network::None, Network::Host] {
        let root = world.root();
        let program = root.path().join("bin/old");
        std::fs::write(&program, old_program()).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let answers = world.probe_in(&root, &questions, |spec| {
            spec.args[0] = "/bin/old".into();
            spec.network = network;
        });
        let sockets = "socket, kept, 0\nsocket, closed, 0\nsocket, kept, 0\n";
        assert_eq!(answers, format!("{sockets}EPERM\nerror 97\nEPERM\n"), "{network:?}");
    }
    // Others are left alone: they ask in words that the filter sees, and may bring a filter of their own.
    assert_eq!(world.probe(&["old-socket=inet"]), "ENOSYS\n");
}

fn dangerous_calls_are_refused(world: &World) {
    let calls = ["mount", "umount", "unshare-user", "clone-user", "bpf", "keyctl", "vsock", "clone3"]
        .map(|name| format!("call={name}"));
    let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
    assert_eq!(world.probe(&calls), "EPERM\nEPERM\nEPERM\nEPERM\nEPERM\nEPERM\nEPERM\nENOSYS\n");
}

fn flushing_is_answered_as_done(world: &World) {
    assert_eq!(world.probe(&["call=fsync", "call=fsync-nothing"]), "ok\nok\n");
}

fn ownership_changes_work_or_are_answered_as_done(world: &World) {
    let answers = world.probe(&[
        "write=/file",
        "call=chown",
        "stat=/file",
        "call=setgroups",
        "call=setresuid",
        "status=Uid",
    ]);
    let (owner, user) = if single(world) { ("0:0", "0 0 0 0") } else { ("1234:1234", "42 42 42 42") };
    assert_eq!(answers, format!("ok\nok\n100644 {owner} 4\nok\nok\n{user}\n"));
}

fn pid_one_is_out_of_reach(world: &World) {
    let answers = world.probe(&[
        "call=kill-init",
        "call=trace-init",
        "link=/proc/1/exe",
        "link=/proc/1/root",
        "link=/proc/1/fd/3",
    ]);
    // The signal is accepted and ignored: pid 1 of a namespace cannot be killed from inside.
    assert_eq!(answers, "ok\nEPERM\nEACCES\nEACCES\nEACCES\n");
}

fn device_files_made_inside_are_dead(world: &World) {
    let expected = if world.mode.in_user_namespace() { "EPERM\n" } else { "made, EACCES\n" };
    assert_eq!(world.probe(&["device=/lib/null"]), expected);
    assert_eq!(world.probe(&["device=/dev/own"]), expected);
}

// What is visible.

fn devices_of_the_sandbox_work(world: &World) {
    let answers = world.probe(&[
        "ls=/dev",
        "write=/dev/null",
        "append=/dev/zero",
        "stat=/dev/shm",
        "write=/dev/shm/file",
    ]);
    let devices = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero";
    assert_eq!(answers, format!("{devices}\nok\nok\n41777 0:0 40\nok\n"));
    assert_eq!(world.probe(&["link=/dev/ptmx", "stdout", "ls=/dev/pts"]), "pts/ptmx\nok\nptmx\n");
    if !single(world) {
        assert_eq!(world.probe_with(&["stdout"], |spec| spec.user = "builder".into()), "ok\n");
    }
}

fn kernel_settings_are_hidden_or_read_only(world: &World) {
    // Kernels differ in what they have; what they have is hidden or protected.
    let there = |path: &&str| Path::new(path).exists();
    let files =
        ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/interrupts"].into_iter().filter(there);
    let directories = ["/proc/scsi", "/proc/acpi", "/sys/firmware"].into_iter().filter(there);
    let settings = ["/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/kernel/profiling"];
    for path in files {
        assert_eq!((path, world.probe(&[&format!("cat={path}")]).as_str()), (path, "\n"));
    }
    for path in directories {
        assert_eq!((path, world.probe(&[&format!("ls={path}")]).as_str()), (path, "\n"));
    }
    for path in settings.into_iter().filter(there) {
        // In a user namespace, the owner is a stranger already.
        let answer = world.probe(&[&format!("append={path}")]);
        assert!(["EROFS\n", "EACCES\n"].contains(&answer.as_str()), "{path}: {answer}");
    }
}

/// Behind a link, nothing of them would be found again to be hidden.
fn roots_that_redirect_kernel_file_systems_are_refused(world: &World) {
    for name in ["proc", "sys", "dev"] {
        let refusal = |prepare: &dyn Fn(&Path)| {
            let root = world.root();
            prepare(&root.path());
            let error = world.spawn(&world.spec(&root, &["pid"])).unwrap_err();
            describe(&error)
        };
        let step = format!("cannot prepare the sandbox: create the mount point /{name}");
        for target in ["p", "/lib", "no/such"] {
            let linked = refusal(&|root| {
                std::fs::create_dir(root.join("p")).unwrap();
                std::os::unix::fs::symlink(target, root.join(name)).unwrap();
            });
            assert_eq!(linked, format!("{step}: it is a symbolic link in the root"));
        }
        let file = refusal(&|root| std::fs::write(root.join(name), "").unwrap());
        assert_eq!(file, format!("{step}: it is not a directory in the root"));
    }
    let root = world.root();
    std::fs::create_dir(root.path().join("proc")).unwrap();
    assert_eq!(world.probe_in(&root, &["pid"], |_| ()), "2\n");
}

fn no_file_of_the_host_is_visible(world: &World) {
    let answers = world.probe(&["ls=/", "cat=/proc/self/mountinfo"]);
    let (names, mounts) = answers.split_once('\n').unwrap();
    assert_eq!(names, "bin dev etc lib proc sys");
    let points: Vec<&str> = mounts.split('|').map(|mount| mount.split(' ').nth(4).unwrap()).collect();
    let inside = |point: &&str| {
        ["/dev", "/proc", "/sys"].iter().any(|place| point.starts_with(place))
            || ["/", "/etc/hosts", "/etc/resolv.conf"].contains(point)
    };
    let outside: Vec<_> = points.iter().filter(|point| !inside(point)).collect();
    assert_eq!(outside, Vec::<&&str>::new());
}

fn control_groups_of_the_host_have_no_names(world: &World) {
    let groups = world.probe(&["cat=/proc/self/cgroup"]);
    assert!(groups.trim().split('|').all(|line| line.ends_with(":/")), "{groups}");
}

fn network_none_has_only_loopback(world: &World) {
    let answers = world.probe(&["ls=/sys/class/net", "loopback", "cat=/etc/resolv.conf", "cat=/etc/hosts"]);
    let hosts = "127.0.0.1\tlocalhost buildkitsandbox|::1\tlocalhost ip6-localhost ip6-loopback";
    assert_eq!(answers, format!("lo\nok\n\n{hosts}\n"));
}

fn network_host_has_the_hosts_names(world: &World) {
    let answers = world.probe_with(
        &["cat=/etc/resolv.conf", "link=/proc/self/ns/net", "append=/etc/resolv.conf"],
        |spec| {
            spec.network = Network::Host;
        },
    );
    let resolv =
        std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default().trim_end().replace('\n', "|");
    let namespace = std::fs::read_link("/proc/self/ns/net").unwrap();
    assert_eq!(answers, format!("{resolv}\n{}\nEROFS\n", namespace.display()));
}

fn extra_hosts_and_hostname_are_seen(world: &World) {
    let answers = world.probe_with(&["hostname", "cat=/etc/hosts"], |spec| {
        spec.hostname = "builder".into();
        spec.extra_hosts =
            vec![HostEntry { host: "mirror".into(), ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)) }];
    });
    let hosts = "127.0.0.1\tlocalhost builder|::1\tlocalhost ip6-localhost ip6-loopback|10.0.0.1\tmirror";
    assert_eq!(answers, format!("builder\n{hosts}\n"));
}

// Mounts.

fn source_directory() -> tempfile::TempDir {
    let source = tempfile::tempdir().unwrap();
    std::fs::create_dir(source.path().join("inner")).unwrap();
    std::fs::write(source.path().join("inner/file"), "content").unwrap();
    std::os::unix::fs::symlink("/etc", source.path().join("link")).unwrap();
    source
}

fn bind_mounts_show_the_source_and_keep_readonly(world: &World) {
    let source = source_directory();
    let mounts = vec![
        bind(source.path(), "/data", false),
        bind(&source.path().join("inner"), "/fixed", true),
        bind(&source.path().join("inner/file"), "/lib/file", true),
    ];
    let commands =
        ["cat=/data/inner/file", "write=/data/new", "write=/fixed/new", "cat=/lib/file", "append=/lib/file"];
    let answers = world.probe_with(&commands, |spec| spec.mounts = mounts);
    assert_eq!(answers, "content\nok\nEROFS\ncontent\nEROFS\n");
    assert_eq!(std::fs::read_to_string(source.path().join("new")).unwrap(), "text");
}

fn selector_cannot_leave_its_source(world: &World) {
    let source = source_directory();
    let select = |selector: &str| SandboxMount::Bind {
        source: source.path().to_path_buf(),
        selector: selector.to_owned(),
        dest: "/data".to_owned(),
        readonly: true,
    };
    assert_eq!(world.probe_with(&["ls=/data"], |spec| spec.mounts = vec![select("inner")]), "file\n");
    assert_eq!(world.probe_with(&["ls=/data"], |spec| spec.mounts = vec![select("../../inner/")]), "file\n");
    assert_eq!(
        world.probe_with(&["cat=/data"], |spec| spec.mounts = vec![select("/inner/file")]),
        "content\n"
    );
    let root = world.root();
    let mut spec = world.spec(&root, &[]);
    spec.mounts = vec![select("link")];
    let error = world.spawn(&spec).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot prepare the sandbox: open {} link", source.path().display())
    );
}

fn a_later_mount_may_lie_in_an_earlier_one(world: &World) {
    let source = source_directory();
    let answers = world.probe_with(
        &["ls=/data", "write=/data/inner/new", "ls=/data/inner", "ls=/data/extra"],
        |spec| {
            spec.mounts = vec![
                bind(source.path(), "/data", false),
                SandboxMount::Tmpfs { dest: "/data/inner".into(), size: None },
                SandboxMount::Tmpfs { dest: "data/extra".into(), size: None },
            ];
        },
    );
    assert_eq!(answers, "extra inner link\nok\nnew\n\n");
    assert_eq!(std::fs::read_to_string(source.path().join("inner/file")).unwrap(), "content");
}

fn tmpfs_is_empty_writable_and_gone(world: &World) {
    let root = world.root();
    let answers = world.probe_in(&root, &["ls=/tmp", "write=/tmp/file", "stat=/tmp"], |spec| {
        spec.mounts = vec![SandboxMount::Tmpfs { dest: "/tmp".into(), size: Some(4096) }];
    });
    assert_eq!(answers, "\nok\n41777 0:0 60\n");
    assert_eq!(traces(&root), Vec::<String>::new());
}

fn secret_files_have_their_mode_and_leave_nothing(world: &World) {
    let root = world.root();
    let commands = ["cat=/run/secrets/token", "stat=/run/secrets/token", "append=/run/secrets/token"];
    let answers = world.probe_in(&root, &commands, |spec| {
        spec.mounts = vec![SandboxMount::File {
            dest: "/run/secrets/token".into(),
            data: b"hunter2".to_vec(),
            mode: 0o400,
            uid: 1000,
            gid: 50,
        }];
        spec.remove_stub_parents = true;
    });
    let owner = if single(world) { "0:0" } else { "1000:50" };
    assert_eq!(answers, format!("hunter2\n100400 {owner} 7\nEROFS\n"));
    assert_eq!(traces(&root), Vec::<String>::new());
}

fn readonly_root_refuses_writes(world: &World) {
    let answers = world.probe_with(&["write=/file", "write=/dev/shm/file", "write=/scratch/file"], |spec| {
        spec.readonly_root = true;
        spec.mounts = vec![SandboxMount::Tmpfs { dest: "/scratch".into(), size: None }];
    });
    assert_eq!(answers, "EROFS\nok\nok\n");
}

/// What a run changed in `root`, without directories that are only there because something below them was touched.
fn traces(root: &Root) -> Vec<String> {
    root.written().into_iter().filter(|path| path != "etc").collect()
}

fn mount_points_leave_no_trace(world: &World) {
    let root = world.root();
    let times = |root: &Root| {
        ["", "etc"].map(|path| std::fs::metadata(root.path().join(path)).unwrap().modified().unwrap())
    };
    let before = times(&root);
    let source = source_directory();
    world.probe_in(&root, &["pid"], |spec| {
        spec.mounts = vec![
            bind(source.path(), "/data", false),
            bind(&source.path().join("inner/file"), "/etc/file", true),
        ];
    });
    assert_eq!(traces(&root), Vec::<String>::new());
    assert_eq!(times(&root), before);
    // What the command puts there itself stays.
    world.probe_in(&root, &["remove=/etc/hosts", "write=/etc/own", "write=/etc/hosts.new"], |_| ());
    assert_eq!(traces(&root), ["etc/hosts.new", "etc/own"]);
}

fn parents_of_mount_points_stay_unless_asked(world: &World) {
    let source = source_directory();
    let run = |remove: bool| {
        let root = world.root();
        world.probe_in(&root, &["pid"], |spec| {
            spec.mounts = vec![bind(source.path(), "/one/two/three", false)];
            spec.remove_stub_parents = remove;
        });
        traces(&root)
    };
    assert_eq!(run(false), ["one", "one/two"]);
    assert_eq!(run(true), Vec::<String>::new());
}

fn mount_points_behind_links_stay_in_the_root(world: &World) {
    let root = world.root();
    let [outside, source] = [tempfile::tempdir().unwrap(), source_directory()];
    std::os::unix::fs::symlink(outside.path(), root.path().join("absolute")).unwrap();
    std::os::unix::fs::symlink("../../../../run/resolv.conf", root.path().join("etc/resolv.conf")).unwrap();
    let before = root.written();
    let answers = world.probe_in(&root, &["cat=/absolute/new/inner/file", "cat=/run/resolv.conf"], |spec| {
        spec.mounts = vec![bind(source.path(), "/absolute/new", false)];
        spec.remove_stub_parents = true;
    });
    assert_eq!(answers, "content\n\n");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(root.written(), before);
}

fn working_directory_is_made_for_the_user(world: &World) {
    let root = world.root();
    let answers = world.probe_in(&root, &["cwd", "stat=/work/deep", "write=file"], |spec| {
        spec.cwd = "/work/deep".into();
        spec.user = "builder".into();
    });
    let owner = if single(world) { "0:0" } else { "1000:1000" };
    let size = answers.lines().nth(1).unwrap().rsplit(' ').next().unwrap();
    assert_eq!(answers, format!("/work/deep\n40755 {owner} {size}\nok\n"));
    assert_eq!(traces(&root), ["work", "work/deep", "work/deep/file"]);
}

fn users_are_resolved_in_the_root(world: &World) {
    let ids = |user: &str| {
        world.probe_with(&["status=Uid", "status=Gid", "status=Groups", "env"], |spec| {
            spec.user = user.to_owned();
            spec.env.clear();
        })
    };
    if single(world) {
        assert!(ids("builder").starts_with("0 0 0 0\n0 0 0 0\n"));
        return;
    }
    assert_eq!(ids(""), "0 0 0 0\n0 0 0 0\n0\nHOME=/root\n");
    assert_eq!(ids("builder"), "1000 1000 1000 1000\n1000 1000 1000 1000\n50 1000\nHOME=/home/builder\n");
    assert_eq!(ids("1000:0"), "1000 1000 1000 1000\n0 0 0 0\n0\nHOME=/home/builder\n");
    assert_eq!(ids("77"), "77 77 77 77\n0 0 0 0\n0\nHOME=/\n");
}

fn limits_are_set(world: &World) {
    assert!(world.probe(&["limit=nofile"]).starts_with("Some(1024) "));
    let answers = world.probe_with(&["limit=nofile"], |spec| {
        spec.ulimits = vec![Ulimit { name: "nofile".into(), soft: 100, hard: 200 }];
    });
    assert_eq!(answers, "Some(100) Some(200)\n");
    let root = world.root();
    let mut spec = world.spec(&root, &[]);
    spec.ulimits = vec![Ulimit { name: "patience".into(), soft: 1, hard: 1 }];
    assert_eq!(
        describe(&world.spawn(&spec).unwrap_err()),
        "cannot prepare the sandbox: set the limit patience: there is no such limit"
    );
}

// Failures.

fn describe(error: &SandboxError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn missing_command_is_told_apart_from_a_broken_one(world: &World) {
    let failure = |command: &str| {
        let root = world.root();
        let mut spec = world.spec(&root, &[]);
        spec.args = vec![command.to_owned()];
        let error = world.spawn(&spec).unwrap_err();
        assert_eq!(traces(&root), Vec::<String>::new());
        (error.shell_status(), describe(&error))
    };
    let missing = "No such file or directory (os error 2)";
    assert_eq!(failure("no-such-command"), (Some(127), format!("cannot run `no-such-command`: {missing}")));
    assert_eq!(failure("/bin/nothing"), (Some(127), format!("cannot run `/bin/nothing`: {missing}")));
    let denied = "Permission denied (os error 13)";
    assert_eq!(failure("not-executable"), (Some(126), format!("cannot run `not-executable`: {denied}")));
    assert_eq!(failure("/lib"), (Some(126), format!("cannot run `/lib`: {denied}")));
    // Found by PATH, not only by its full name.
    let found = world.probe_with(&["pid"], |spec| spec.args[0] = "probe".into());
    assert_eq!(found, "2\n");
}

fn unknown_user_names_the_user(world: &World) {
    let root = world.root();
    let mut spec = world.spec(&root, &[]);
    spec.user = "stranger".into();
    let error = world.spawn(&spec).unwrap_err();
    assert_eq!(error.to_string(), "cannot run as user `stranger`: there is no user stranger in /etc/passwd");
    assert_eq!(error.shell_status(), None);
}

fn failed_setup_names_the_step(world: &World) {
    let root = world.root();
    let mut spec = world.spec(&root, &[]);
    spec.mounts = vec![bind(Path::new("/no/such/source"), "/data", false)];
    let missing = "No such file or directory (os error 2)";
    let expected = format!("cannot prepare the sandbox: open /no/such/source: {missing}");
    assert_eq!(describe(&world.spawn(&spec).unwrap_err()), expected);

    spec.mounts = vec![SandboxMount::Tmpfs { dest: "/lib/empty/below".into(), size: None }];
    let expected =
        "cannot prepare the sandbox: create the mount point /lib/empty/below: Not a directory (os error 20)";
    assert_eq!(describe(&world.spawn(&spec).unwrap_err()), expected);

    spec.mounts = vec![SandboxMount::Tmpfs { dest: "/lib/..".into(), size: None }];
    let expected =
        "cannot prepare the sandbox: create the mount point /lib/..: a mount cannot replace the root";
    assert_eq!(describe(&world.spawn(&spec).unwrap_err()), expected);

    spec.mounts.clear();
    spec.root = "/no/such/root".into();
    let expected = format!("cannot prepare the sandbox: open the root /no/such/root: {missing}");
    assert_eq!(describe(&world.spawn(&spec).unwrap_err()), expected);
    assert_eq!(traces(&root), Vec::<String>::new());
}

fn command_without_words_is_an_error(world: &World) {
    let root = world.root();
    let mut spec = world.spec(&root, &[]);
    spec.args.clear();
    assert_eq!(
        describe(&world.spawn(&spec).unwrap_err()),
        "cannot prepare the sandbox: read the command: it is empty"
    );
    spec.args = vec!["a\0b".into()];
    let error = describe(&world.spawn(&spec).unwrap_err());
    assert_eq!(error, "cannot prepare the sandbox: read the command: it contains a zero byte");
}

// Ends.

/// The processes of this machine that are in the pid namespace `name`.
fn processes_in(name: &str) -> usize {
    let is_inside = |entry: &std::fs::DirEntry| {
        std::fs::read_link(entry.path().join("ns/pid")).is_ok_and(|link| link.to_str() == Some(name))
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter(is_inside).count()
}

pub fn mounts_of_this_process() -> String {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap()
}

fn kill_ends_everything(world: &World) {
    let root = world.root();
    let mounts = mounts_of_this_process();
    let mut sandbox = world.spawn(&world.spec(&root, &["forever"])).unwrap();
    let mut stdout = BufReader::new(sandbox.stdout().unwrap());
    let mut namespace = String::new();
    stdout.read_line(&mut namespace).unwrap();
    assert!(processes_in(namespace.trim()) >= 2, "{namespace}");

    let killer = sandbox.killer();
    std::thread::spawn(move || killer.kill());
    assert_eq!(sandbox.wait().unwrap(), ExitStatus::Signal(9));
    assert_eq!(processes_in(namespace.trim()), 0);
    assert_eq!(stdout.read_to_end(&mut Vec::new()).unwrap(), 0);
    assert_eq!(mounts_of_this_process(), mounts);
    assert_eq!(traces(&root), Vec::<String>::new());
    assert_eq!(sandbox.wait().unwrap(), ExitStatus::Signal(9));
}

fn drop_ends_everything(world: &World) {
    let root = world.root();
    let mut sandbox = world.spawn(&world.spec(&root, &["forever"])).unwrap();
    let mut stdout = BufReader::new(sandbox.stdout().unwrap());
    let mut namespace = String::new();
    stdout.read_line(&mut namespace).unwrap();
    drop(sandbox);
    assert_eq!(processes_in(namespace.trim()), 0);
    assert_eq!(traces(&root), Vec::<String>::new());
}

/// An engine of its own that is killed in the middle of a step; the step holds a pipe open as long as it lives.
fn death_of_the_engine_ends_everything(_: &World) {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, fifo, rustix::fs::Mode::from_raw_mode(0o600), 0).unwrap();
    let mut engine = Command::new("/proc/self/exe")
        .arg("hold")
        .arg(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(std::fs::File::open(&pipe).unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    engine.kill().unwrap();
    engine.wait().unwrap();
    // Ends only when the last process of the sandbox has.
    assert_eq!(reader.read_to_end(&mut Vec::new()).unwrap(), 0);
}

/// Becomes an engine that runs one endless step, until it is killed.
pub fn hold_until_killed(directory: &Path) -> ExitCode {
    let entered = userns::enter(userns::Options::default()).expect("namespaces");
    let world = World::new(entered.mode);
    let root = world.root();
    let mut spec = world.spec(&root, &["hold=/pipes/pipe"]);
    spec.mounts = vec![bind(directory, "/pipes", false)];
    // Another thread than the one that starts it waits for it, and the former is gone by then.
    let mut sandbox =
        std::thread::scope(|scope| scope.spawn(|| world.spawn(&spec)).join().unwrap()).expect("a sandbox");
    let status = sandbox.wait().expect("an end");
    panic!("the step ended by itself: {status}");
}

fn many_sandboxes_at_once(world: &World) {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(world.probe(&["pid", "descriptors"]), "2\n0 1 2 3\n");
                }
            });
        }
    });
}

fn an_executable_that_was_removed_still_starts_sandboxes(world: &World) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("program");
    std::fs::copy("/proc/self/exe", &path).unwrap();
    let program = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let descriptor = format!("/proc/self/fd/{}", program.as_raw_fd());
    let launcher = Launcher::from_executable(descriptor.as_ref()).unwrap();
    let root = world.root();
    assert!(launcher.spawn(&world.spec(&root, &["pid"])).unwrap().wait().unwrap().success());
}
