//! Every kind of artifact: what the package says of it, and what is there after an installation.

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::probe::Probe;
use dalec_e2e::rpm::Rpm;
use dalec_e2e::run::Project;

use crate::specs::{build, on_base, package};

on_both_engines!(
    root: the_package_lists_all_kinds,
    installed_as_the_spec_says,
    symbols_and_requirements_are_left_alone
);

const SPEC: &str = include_str!("../../specs/all-artifacts.yml");

/// ART-001 to ART-009, ART-011 to ART-013, DEP-006, RPM-008, RPM-009
fn the_package_lists_all_kinds(engine: Engine) {
    let project = Project::new(SPEC);
    build(engine, &project, "azlinux3/rpm").succeeds();
    let rpm = package(&project);
    assert_eq!(
        rpm.tag("DESCRIPTION").trim(),
        "One of each\nAll kinds of files, their owners and their permissions: 100% of them."
    );
    let files = rpm.files();
    for (path, mode, flags) in [
        ("/usr/bin/program", "-rwxr-xr-x", ""),
        ("/usr/bin/renamed", "-rwxr-x---", ""),
        ("/usr/bin/first", "-rwxr-xr-x", ""),
        ("/usr/bin/second", "-rwxr-xr-x", ""),
        ("/usr/libexec/everything/helper", "-rwxr-xr-x", ""),
        ("/usr/libexec/other", "-rwxr-xr-x", ""),
        ("/opt/everything/README", "-rw-r--r--", ""),
        ("/usr/lib64/libeverything.so.1", "-rwxr-xr-x", ""),
        ("/usr/include/everything/everything.h", "-rw-r--r--", ""),
        ("/usr/share/man/man1/everything.1.gz", "-rw-r--r--", "d"),
        ("/usr/share/everything/a.txt", "-rw-r--r--", ""),
        ("/usr/share/everything/b.txt", "-rw-r--r--", ""),
        ("/etc/everything.conf", "-rw-r-----", "cn"),
        ("/usr/share/doc/everything/README", "-rw-r--r--", "d"),
        ("/usr/share/licenses/everything/LICENSE", "-rw-r--r--", "l"),
        ("/etc/everything.d", "drwxr-x---", ""),
        ("/var/lib/everything", "drwx------", ""),
        ("/var/lib/numbered", "drwxr-xr-x", ""),
        ("/usr/lib/systemd/system/everything.service", "-rw-r--r--", ""),
        ("/usr/lib/systemd/system/quiet.service", "-rw-r--r--", ""),
        ("/usr/lib/systemd/system/everything.service.d/limits.conf", "-rw-r--r--", ""),
    ] {
        let file = files.get(path).unwrap_or_else(|| panic!("{path} is missing in {:?}", files.keys()));
        assert_eq!((file.mode.as_str(), file.flags.as_str()), (mode, flags), "{path}");
    }
    assert_eq!(files["/usr/bin/the-program"].link, "/usr/bin/program");
    assert_eq!(files["/usr/bin/program"].capabilities, "cap_kill=ep");
    let requires = rpm.list("--requires");
    for needed in ["/usr/sbin/useradd", "/usr/sbin/groupadd", "/usr/bin/getent", "systemd"] {
        assert!(requires.iter().any(|line| line.ends_with(needed)), "{needed} is missing in {requires:?}");
    }
    let provides = rpm.list("--provides");
    for provided in ["anything = 1.2", "user(every)", "group(every)"] {
        assert!(provides.iter().any(|line| line == provided), "{provided} is missing in {provides:?}");
    }
    assert_eq!(rpm.list("--conflicts"), ["nothing"]);
    assert_eq!(rpm.list("--obsoletes"), ["something < 1.0"]);
}

/// ART-005, ART-006, ART-009 to ART-012, RPM-006: dnf installs it and its scripts run; removed, nothing is left but the
/// changed configuration.
fn installed_as_the_spec_says(engine: Engine) {
    let project = Project::new(SPEC);
    build(engine, &project, "azlinux3/rpm").succeeds();
    let name = project.outputs().into_iter().find(|name| name.starts_with("RPMS/")).unwrap();
    let package = std::fs::read(project.path("out").join(name)).unwrap();
    let wants = "/etc/systemd/system/multi-user.target.wants";
    let probe = Probe::new(&on_base("dependencies:\n  runtime:\n    libcap: {}\n"))
        .given("everything.rpm", package)
        .run("dnf -y install /given/everything.rpm")
        .says("getent passwd every", "every:")
        .says("getent group every", "every:")
        .says("stat -c '%a %U:%G' /etc/everything.conf", "640 root:every")
        .says("stat -c '%a %U:%G' /etc/everything.d", "750 root:every")
        .says("stat -c '%a %U:%G' /var/lib/everything", "700 every:every")
        .says("stat -c '%u:%g' /var/lib/numbered", "4242:0")
        .says("stat -c '%a %U:%G' /srv/everything", "777 every:every")
        .says("getcap /usr/bin/program", "cap_kill=ep")
        .says(&format!("readlink {wants}/everything.service"), "system/everything.service")
        .run(&format!("test ! -e {wants}/quiet.service"))
        .says("the-program", "42")
        .run("rpm -V --nomode --nouser --nogroup everything")
        .run("sh -c 'echo mine >> /etc/everything.conf'")
        .run("dnf -y remove everything")
        .says("cat /etc/everything.conf.rpmsave", "mine")
        .run("test ! -e /usr/bin/program")
        .run(&format!("test ! -L {wants}/everything.service"))
        .run("test ! -L /usr/bin/the-program");
    build(engine, &probe.project("probe-everything"), "azlinux3/rpm").succeeds();
}

/// ART-014, ART-015
fn symbols_and_requirements_are_left_alone(engine: Engine) {
    let built = |spec: &str| {
        let project = Project::new(spec);
        build(engine, &project, "azlinux3/rpm").succeeds();
        project
    };
    let plain = built(SPEC);
    let left = built(
        &SPEC.replace("artifacts:\n", "artifacts:\n  disable_strip: true\n  disable_auto_requires: true\n"),
    );
    let size = |project: &Project| package(project).tag("LONGSIZE").parse::<u64>().unwrap();
    assert!(size(&left) > size(&plain) + 2000, "{} and {}", size(&left), size(&plain));
    let needs_libc = |rpm: &Rpm| rpm.list("--requires").iter().any(|line| line.starts_with("libc.so.6"));
    assert!(needs_libc(&package(&plain)) && !needs_libc(&package(&left)));
}
