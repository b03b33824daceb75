//! Debian's and Ubuntu's suites beside the ones that other tests build for.

use std::fs;
use std::process::Command;

use dalec_e2e::deb::Deb;
use dalec_e2e::run::Project;

use crate::specs::{example, hello};

/// TGT-005: the oldest of Debian's that is built for, put together from its own repository. The program is run by the
/// spec's test, and here in the minimal container.
#[test]
fn bullseye_builds_tests_and_runs() {
    let project = hello();
    project.build("bullseye/deb").succeeds();
    let deb = Deb::read(&project.output(".deb"));
    assert_eq!(deb.field("Version"), "1.0.0-debian11u1");
    // The C library of that release is all it needs.
    assert!(deb.field("Depends").contains("libc6 (>= 2.2"), "{}", deb.field("Depends"));
}

/// DEB-009: units go where that release of debhelper has them.
#[test]
fn bullseye_has_units_below_lib() {
    let project = Project::new(&example("shell-tool.yml"));
    project.build("bullseye/deb").succeeds();
    let deb = Deb::read(&project.output(".deb"));
    assert!(deb.files.contains_key("/lib/systemd/system/disk-note.service"), "{:?}", deb.files.keys());
}

/// TGT-015
#[test]
fn a_minimal_container_of_bullseye() {
    let project = hello();
    project.build("bullseye/container").succeeds();
    let out = project.path("out");
    assert!(out.join("usr/bin/hello").exists() && !out.join("usr/bin/dpkg").exists());
    let loader = fs::canonicalize(out.join("lib64/ld-linux-x86-64.so.2"));
    if let Ok(loader) = loader {
        let mut command = Command::new(loader);
        command.arg("--library-path").arg(out.join("lib/x86_64-linux-gnu")).arg(out.join("usr/bin/hello"));
        assert_eq!(command.output().unwrap().stdout, b"Hello, world!\n");
    }
}

/// Ubuntu's images come from a registry or a context: here Debian's stand in for them, which share the tools.
mod root {
    use dalec_e2e::bases;
    use dalec_e2e::run::{Invocation, Project};
    use dalec_e2e::specs::script;

    use super::*;

    fn build(project: &Project, suite: &str, what: &str) -> Invocation {
        let context = |name: &str, value: String| format!("--build-context={name}={value}");
        project.build(&format!("{suite}/{what}")).args([
            context(&format!("dalec-{suite}-worker"), bases::worker("bookworm").context()),
            context(&format!("ubuntu:{suite}"), bases::base("bookworm").context()),
        ])
    }

    /// DEB-004: the version and the changelog say which suite it is.
    #[test]
    fn packages_say_which_suite_of_ubuntu_they_are_for() {
        for (suite, version) in [
            ("bionic", "1.0.0-ubuntu18.04u1"),
            ("focal", "1.0.0-ubuntu20.04u1"),
            ("jammy", "1.0.0-ubuntu22.04u1"),
            ("noble", "1.0.0-ubuntu24.04u1"),
            ("resolute", "1.0.0-ubuntu26.04u1"),
        ] {
            let project = Project::new(&script("suite", ""));
            build(&project, suite, "dsc").succeeds();
            let dsc = fs::read_to_string(project.output(".dsc")).unwrap();
            assert!(dsc.contains(&format!("Version: {version}\n")), "{dsc}");
            let archive = project.output(".debian.tar.xz");
            let mut tar = Command::new("tar");
            let changelog = tar.arg("-xOf").arg(archive).arg("debian/changelog").output().unwrap().stdout;
            let changelog = String::from_utf8(changelog).unwrap();
            assert!(changelog.starts_with(&format!("suite ({version}) {suite}; ")), "{changelog}");
        }
    }

    /// TGT-008, TGT-009: with the images as contexts, packages are built and tested, and containers made.
    #[test]
    fn jammy_builds_on_images_that_are_given() {
        let project = hello();
        build(&project, "jammy", "deb").succeeds();
        assert_eq!(Deb::read(&project.output(".deb")).field("Version"), "1.0.0-ubuntu22.04u1");
        let project = hello();
        build(&project, "jammy", "container").succeeds();
        assert!(project.path("out/usr/bin/hello").exists());
    }
    /// DEB-014: Ubuntu's debhelper calls packages of debug symbols otherwise, and all of them come out. It and dpkg
    /// differ from Debian's in two words, which are changed here.
    #[test]
    fn debug_symbols_of_ubuntu_come_along() {
        let ubuntu = r#"    - command: |
        sed -i "s/'DBGSYM_PACKAGE_TYPE' => .*/'DBGSYM_PACKAGE_TYPE' => 'ddeb',/" /usr/share/perl5/Debian/Debhelper/Dh_Lib.pm
        sed -i "s/^my .pkg_type = /&\$override{'Package-Type'} || /" /usr/bin/dpkg-gencontrol
"#;
        let spec = example("hello.yml").replace("    - command: cc", &format!("{ubuntu}    - command: cc"));
        let project = Project::new(&spec);
        project.write("hello.c", example("hello/hello.c"));
        build(&project, "noble", "deb").succeeds();
        let name = project.outputs().into_iter().find(|name| name.ends_with(".ddeb")).expect("debug symbols");
        let changes = fs::read_to_string(project.output("_amd64.changes")).unwrap();
        assert!(changes.contains(&name), "{changes}");
        assert_eq!(Deb::read(&project.path("out").join(name)).field("Package"), "hello-dalec-dbgsym");
    }
}
