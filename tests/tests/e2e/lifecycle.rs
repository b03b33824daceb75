//! Real upstream software as packages: installed in a clean root with apt, run, upgraded and removed.
//!
//! The clean root is the testing container of a probe package; the tests of the probe's spec do what an
//! administrator would do.

use dalec_e2e::http::{Response, Server};
use dalec_e2e::run::{Project, Who};
use dalec_e2e::upstream::{Archive, debian_source, rust_crate};

use crate::specs::{example, script};

/// What happens to a package in the clean root.
struct Life<'a> {
    package: &'a str,
    suite: &'a str,
    /// A command that proves that it runs, and what it prints first.
    program: (&'a str, &'a str),
    /// A file that is gone after removal.
    file: &'a str,
    /// Steps between installation and upgrade, and after the upgrade.
    changed: &'a [&'a str],
    kept: &'a [&'a str],
}

fn lives(life: &Life<'_>, first: &Project, second: &Project, who: Who) {
    let run = |command: &str, expected: &str| {
        format!("      - command: {command}\n        stdout:\n          contains: [{expected:?}]\n")
    };
    let plain = |commands: &[&str]| {
        commands.iter().map(|command| format!("      - command: {command}\n")).collect::<String>()
    };
    let apt = "env DEBIAN_FRONTEND=noninteractive apt-get -y -o APT::Sandbox::User=root \
               -o Dpkg::Options::=--force-confold";
    let version = "dpkg-query -W -f '${Version}'";
    let package = life.package;
    let steps = [
        plain(&[&format!("{apt} update"), &format!("{apt} install /debs/first.deb")]),
        run(life.program.0, life.program.1),
        plain(life.changed),
        run(&format!("{version} {package}"), "u1"),
        plain(&[&format!("{apt} install /debs/second.deb")]),
        run(&format!("{version} {package}"), "u2"),
        run(life.program.0, life.program.1),
        plain(life.kept),
        plain(&[&format!("{apt} remove {package}"), "dpkg --audit", "apt-get check"]),
    ];
    let tests = format!(
        "tests:\n  - name: life of {package}\n    mounts:\n      - dest: /debs\n        spec:\n          context: {{}}\n          \
         path: debs\n    steps:\n{}    files:\n      {}:\n        not_exist: true\n",
        steps.concat(),
        life.file
    );
    let probe = Project::new(&script(&format!("probe-{package}"), &tests));
    for (project, name) in [(first, "first"), (second, "second")] {
        probe.write(&format!("debs/{name}.deb"), std::fs::read(project.output(".deb")).unwrap());
    }
    probe.build_as(who, &format!("{}/deb", life.suite)).succeeds();
}

fn serve(archive: &Archive) -> Server {
    let archive = archive.clone();
    Server::start(move |path| match path.ends_with(&archive.name) {
        true => Response::ok(archive.content.clone()),
        false => Response::not_found(),
    })
}

fn both_revisions(spec: impl Fn(u32) -> String, suite: &str, who: Who, arguments: &[String]) -> [Project; 2] {
    [1, 2].map(|revision| {
        let project = Project::new(&spec(revision));
        project.build_as(who, &format!("{suite}/deb")).args(arguments).succeeds();
        project
    })
}

#[test]
fn a_c_program_with_the_gnu_build_system() {
    let archive = debian_source("hello");
    let server = serve(&archive);
    let spec = |revision| example("c-autotools.yml").replace("revision: 1", &format!("revision: {revision}"));
    let url = format!("ARCHIVE_URL={}", server.url(&archive.name));
    let arguments = ["--build-arg".to_owned(), url];
    let [first, second] = both_revisions(spec, "bookworm", Who::Me, &arguments);
    let life = Life {
        package: "hello-autotools",
        suite: "bookworm",
        program: ("hello --greeting=Servus", "Servus"),
        file: "/usr/bin/hello",
        changed: &["env LC_ALL=C.UTF-8 hello --help"],
        kept: &[],
    };
    lives(&life, &first, &second, Who::Me);
}

#[test]
fn a_rust_program_from_its_crate() {
    let archive = rust_crate("shellharden", "4.3.1");
    let server = serve(&archive);
    let spec = |revision: u32| {
        include_str!("../../specs/rust-crate.yml")
            .replace("@REVISION@", &revision.to_string())
            .replace("@URL@", &server.url(&archive.name))
            .replace("@DIGEST@", &archive.digest())
    };
    let [first, second] = both_revisions(spec, "trixie", Who::Me, &[]);
    let life = Life {
        package: "shellharden",
        suite: "trixie",
        program: ("shellharden --version", "4.3.1"),
        file: "/usr/bin/shellharden",
        changed: &[],
        kept: &[],
    };
    lives(&life, &first, &second, Who::Me);
}

/// ART-006: the administrator's change of the configuration file survives the upgrade.
#[test]
fn a_shell_tool_with_a_service() {
    let spec = |revision| example("shell-tool.yml").replace("revision: 1", &format!("revision: {revision}"));
    let [first, second] = both_revisions(spec, "bookworm", Who::Ordinary, &[]);
    let life = Life {
        package: "disk-note",
        suite: "bookworm",
        program: ("disk-note", ":"),
        file: "/usr/bin/disk-note",
        changed: &["sed -i s/disk.note/mine/ /etc/disk-note.conf", "test -e /var/lib/disk-note"],
        kept: &["grep -q mine /etc/disk-note.conf"],
    };
    lives(&life, &first, &second, Who::Ordinary);
}
