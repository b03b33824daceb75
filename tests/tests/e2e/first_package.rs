//! The README's first command, as whoever runs the tests and as an ordinary user.

use std::fs;

use dalec_e2e::binary::workspace;
use dalec_e2e::deb::Deb;
use dalec_e2e::run::{Invocation, Project, Who};

use crate::specs::{example, hello};

#[test]
fn hello_becomes_a_package_with_everything_beside_it() {
    let project = hello();
    let ran = project.build("bookworm/deb").succeeds();
    assert_eq!(ran.stdout, "", "standard output is for data");
    let outputs = project.outputs();
    let version = "hello-dalec_1.0.0-debian12u1";
    for name in [
        format!("{version}_amd64.deb"),
        format!("{version}.dsc"),
        format!("{version}.debian.tar.xz"),
        "hello-dalec_1.0.0.orig.tar.gz".to_owned(),
        "hello-dalec-dbgsym_1.0.0-debian12u1_amd64.deb".to_string(),
    ] {
        assert!(outputs.contains(&name), "{name} is missing in {outputs:?}");
    }
    for suffix in ["_source.changes", "_source.buildinfo"] {
        assert!(outputs.iter().any(|name| name.ends_with(suffix)), "{suffix} is missing in {outputs:?}");
    }
    let deb = Deb::read(&project.output(".deb"));
    assert_eq!(deb.field("Package"), "hello-dalec");
    assert_eq!(deb.field("Version"), "1.0.0-debian12u1");
    assert_eq!(deb.field("Architecture"), "amd64");
    assert_eq!(deb.field("Maintainer"), "Hello Maintainers <hello@example.org>");
    assert_eq!(deb.field("Homepage"), "https://example.org/hello-dalec");
    assert!(deb.field("Depends").contains("libc6"), "{}", deb.field("Depends"));
    let program = &deb.files["/usr/bin/hello"];
    assert_eq!((program.mode & 0o7777, program.owner), (0o755, (0, 0)));
    assert!(program.content.starts_with(b"\x7fELF"));
}

/// The same package, whoever builds it, wherever, whenever, in whichever store.
#[test]
fn the_package_is_the_same_for_root_and_for_ordinary_users() {
    let (first, second) = (hello(), hello());
    // Another time of the source file must not show.
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(second.path("hello.c")).unwrap().set_modified(old).unwrap();
    first.build_as(Who::Me, "bookworm/deb").succeeds();
    let ran = second.build_as(Who::Ordinary, "bookworm/deb").succeeds();
    ran.says(&["rootless"]);
    assert_eq!(fs::read(first.output(".deb")).unwrap(), fs::read(second.output(".deb")).unwrap());
}

/// A store and a folder of its own give the same bytes as the kept store, in all files, at whatever time.
#[test]
fn the_package_is_the_same_from_an_empty_store() {
    let (first, second) = (hello(), hello());
    first.build("bookworm/deb").succeeds();
    let mut fresh = Invocation::new(Who::Me, &second.path(""));
    fresh.command.args(["build", "-f", "spec.yml", "--target", "bookworm/deb", "-o", "out"]);
    fresh.command.arg("--state-dir").arg(second.path("state")).arg(".");
    fresh.succeeds();
    assert_eq!(first.outputs(), second.outputs());
    for name in first.outputs() {
        let read = |project: &Project| fs::read(project.path("out").join(&name)).unwrap();
        assert!(read(&first) == read(&second), "{name} differs");
    }
}

/// ART-001, ART-003, ART-005, ART-006, ART-007, ART-009, ART-012
#[test]
fn the_shell_tool_brings_all_its_files() {
    let project = Project::new(&example("shell-tool.yml"));
    project.build("bookworm/deb").succeeds();
    let deb = Deb::read(&project.output(".deb"));
    assert_eq!(deb.field("Architecture"), "all");
    assert_eq!(
        deb.field("Description"),
        "Notes how full the disks are\nA timer-friendly script that writes one line per file system,\n\
         for machines that have nothing bigger to watch them."
    );
    assert!(deb.field("Depends").contains("mawk"), "{}", deb.field("Depends"));
    let names: Vec<&str> = deb.files.keys().map(String::as_str).collect();
    for name in [
        "/etc/disk-note.conf",
        "/usr/bin/disk-note",
        "/usr/bin/dnote",
        "/usr/share/man/man1/disk-note.1.gz",
        "/usr/share/doc/disk-note/README.md",
        "/usr/share/doc/disk-note/LICENSE",
        "/var/lib/disk-note/",
    ] {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    assert!(names.iter().any(|name| name.ends_with("/systemd/system/disk-note.service")), "{names:?}");
    assert_eq!(deb.files["/usr/bin/disk-note"].mode & 0o7777, 0o755);
    assert_eq!(deb.files["/var/lib/disk-note/"].mode & 0o7777, 0o750);
    assert!(String::from_utf8_lossy(&deb.control["/conffiles"].content).contains("/etc/disk-note.conf"));
}

/// A minimal container has no shell, so the script says that it needs one.
#[test]
fn the_shell_tool_runs_in_its_container() {
    let project = Project::new(&example("shell-tool.yml"));
    project.build("bookworm/container").succeeds();
    for name in ["bin/sh", "bin/df", "bin/dnote"] {
        let path = project.path("out/usr").join(name);
        assert!(path.symlink_metadata().is_ok(), "{name} is missing");
    }
}

#[test]
fn every_example_lints_clean() {
    for entry in fs::read_dir(workspace().join("examples")).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "yml") {
            let ran = Invocation::new(Who::Me, workspace()).arg("lint").arg(&path).succeeds();
            assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
        }
    }
}
