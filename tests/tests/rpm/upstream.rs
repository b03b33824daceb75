//! Real upstream software, each as `.deb` and `.rpm` from one spec: installed, run, upgraded and removed with the
//! distribution's own tools.

use std::fs;

use dalec_e2e::engine::Engine;
use dalec_e2e::http::{Response, Server};
use dalec_e2e::probe::Probe;
use dalec_e2e::rpm_world;
use dalec_e2e::run::Project;
use dalec_e2e::upstream::{Archive, debian_source, go_vendored, python_source, rust_vendored};

use crate::specs::{build, on_base};

/// A program and what an administrator sees of it.
struct Program {
    name: &'static str,
    spec: &'static str,
    archive: Archive,
    /// A command that proves that it runs, and what it prints.
    run: (&'static str, &'static str),
    /// A file that is there while it is installed.
    file: &'static str,
}

/// The repository with compilers that RPM's images do not have, as a directory that comes with the build.
pub const TOOLCHAINS: &str = "
        - keys:
            toolchains.asc:
              context:
                name: toolchains
              path: key.asc
          config:
            toolchains.repo:
              inline:
                file:
                  contents: |
                    [toolchains]
                    name=Compilers
                    baseurl=file:///opt/toolchains
                    gpgcheck=1
                    repo_gpgcheck=1
                    gpgkey=file:///etc/pki/rpm-gpg/toolchains.asc
          data:
            - dest: /opt/toolchains
              spec:
                context:
                  name: toolchains
          envs: [build]";

impl Program {
    /// Builds its package of `revision` for a target and returns its only file with `suffix`.
    fn build(&self, server: &Server, revision: u32, route: &str, suffix: &str) -> Vec<u8> {
        let spec =
            self.spec.replace("@REVISION@", &revision.to_string()).replace("@REPOSITORIES@", TOOLCHAINS);
        let spec = spec
            .replace("@URL@", &server.url(&self.archive.name))
            .replace("@DIGEST@", &self.archive.digest());
        let project = Project::new(&spec);
        let mut build = match route.starts_with("azlinux3") {
            true => build(Engine::Embedded, &project, route),
            false => Engine::Embedded.build(&project, route),
        };
        if self.spec.contains("@REPOSITORIES@") && route.starts_with("azlinux3") {
            build = build.arg(format!("--build-context=toolchains={}", rpm_world::toolchains().display()));
        }
        build.succeeds();
        let names = project.outputs();
        let is_package = |name: &&String| {
            name.ends_with(suffix) && !name.ends_with(".src.rpm") && !name.contains("-dbgsym")
        };
        let packages: Vec<&String> = names.iter().filter(is_package).collect();
        let [package] = packages[..] else { panic!("{names:?}") };
        fs::read(project.path("out").join(package)).unwrap()
    }

    /// Lives and dies on Debian and on the RPM distribution.
    fn lives(&self) {
        let archive = self.archive.clone();
        let server = Server::start(move |path| match path.ends_with(&archive.name) {
            true => Response::ok(archive.content.clone()),
            false => Response::not_found(),
        });
        let (name, (command, said)) = (self.name, self.run);
        let [first, second] = [1, 2].map(|revision| self.build(&server, revision, "azlinux3/rpm", ".rpm"));
        let probe = Probe::new(&on_base("")).given("first.rpm", first).given("second.rpm", second);
        let probe = probe
            .run("dnf -y install /given/first.rpm")
            .says(command, said)
            .says(&format!("rpm -q {name}"), "-1.azl3")
            .run("dnf -y install /given/second.rpm")
            .says(&format!("rpm -q {name}"), "-2.azl3")
            .says(command, said)
            .run(&format!("rpm -V {name}"))
            .run(&format!("dnf -y remove {name}"))
            .run(&format!("test ! -e {}", self.file))
            .run("dnf check");
        build(Engine::Embedded, &probe.project(&format!("probe-{name}")), "azlinux3/rpm").succeeds();

        let [first, second] = [1, 2].map(|revision| self.build(&server, revision, "bookworm/deb", ".deb"));
        let probe = Probe::new("").given("first.deb", first).given("second.deb", second);
        let apt = "env DEBIAN_FRONTEND=noninteractive apt-get -y -o APT::Sandbox::User=root";
        let version = format!("dpkg-query -W -f '${{Version}}' {name}");
        let probe = probe
            .run(&format!("{apt} update"))
            .run(&format!("{apt} install /given/first.deb"))
            .says(command, said)
            .says(&version, "-debian12u1")
            .run(&format!("{apt} install /given/second.deb"))
            .says(&version, "-debian12u2")
            .says(command, said)
            .run(&format!("{apt} remove {name}"))
            .run(&format!("test ! -e {}", self.file))
            .run("dpkg --audit");
        Engine::Embedded.build(&probe.project(&format!("probe-{name}")), "bookworm/deb").succeeds();
    }
}

mod root {
    use super::*;

    /// ART-008, TEST-019: the spec's own test builds a program with it.
    #[test]
    fn a_c_library() {
        Program {
            name: "libyaml",
            spec: include_str!("../../specs/c-library.yml"),
            archive: debian_source("libyaml"),
            run: ("sh -c 'ldconfig -p | grep libyaml-0.so.2'", "libyaml-0.so.2"),
            file: "/usr/include/yaml.h",
        }
        .lives();
    }

    /// ART-010, ART-012: it serves a file as its own user.
    #[test]
    fn a_daemon() {
        Program {
            name: "mini-httpd",
            spec: include_str!("../../specs/daemon.yml"),
            archive: debian_source("mini-httpd"),
            run: (
                "bash -ec 'echo served > /var/lib/mini-httpd/index.html; mini_httpd -D -C /etc/mini-httpd.conf & sleep 1; \
                 exec 3<>/dev/tcp/127.0.0.1/18473; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3; kill %1; \
                 stat -c %U /var/lib/mini-httpd'",
                "served\nmini-httpd",
            ),
            file: "/usr/bin/mini_httpd",
        }
        .lives();
    }

    /// DEP-009 to DEP-011
    #[test]
    fn a_go_tool() {
        Program {
            name: "gojq",
            spec: include_str!("../../specs/go-tool.yml"),
            archive: go_vendored("github.com/itchyny/gojq", "v0.12.11"),
            run: ("gojq --version", "gojq 0.12.11"),
            file: "/usr/bin/gojq",
        }
        .lives();
    }

    #[test]
    fn a_rust_tool() {
        Program {
            name: "hexyl",
            spec: include_str!("../../specs/rust-tool.yml"),
            archive: rust_vendored("hexyl", "0.9.0"),
            run: ("hexyl --version", "hexyl 0.9.0"),
            file: "/usr/bin/hexyl",
        }
        .lives();
    }

    /// ART-004, RPM-009
    #[test]
    fn a_python_tool() {
        Program {
            name: "pycodestyle",
            spec: include_str!("../../specs/python-tool.yml"),
            archive: python_source("pycodestyle", "2.9.1"),
            run: ("pycodestyle --version", "2.9.1"),
            file: "/usr/share/pycodestyle/pycodestyle.py",
        }
        .lives();
    }
}
