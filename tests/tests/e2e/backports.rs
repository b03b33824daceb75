//! Suites beside that of a distribution, which its archive has or has left behind.

use std::fs;
use std::process::Command;

use dalec_e2e::bases;
use dalec_e2e::http::{Response, Server};
use dalec_e2e::layout::{ARCHITECTURE, Layer, Layout};
use dalec_e2e::openpgp::Key;
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::specs::script;
use serde_json::json;
use sha2::{Digest, Sha256};

/// An archive on loopback that images of bullseye have their packages from. Bookworm's images stand in for those.
struct Archive {
    project: Project,
    _server: Server,
}

impl Archive {
    /// Serves bullseye, with nothing in it, and where `has_backports` its backports with the package `newer-tool`.
    fn serve(has_backports: bool) -> Self {
        let spec = "dependencies: {build: {newer-tool: {}}, runtime: {newer-tool: {}}}\n\
                    build:\n  steps:\n    - command: newer-tool\n\
                    tests:\n  - name: it is there\n    steps: [{command: newer-tool, stdout: {contains: [backported]}}]\n";
        let project = Project::new(&script("takes-newer", spec));
        let key = Key::generate("archive@example.org");
        let folder = project.path("archive");
        suite(&project, &key, "bullseye", "", "");
        if has_backports {
            let index = package(&project);
            // The index is past its date, as those of closed suites are.
            let more =
                "NotAutomatic: yes\nButAutomaticUpgrades: yes\nValid-Until: Sat, 02 Jan 2021 00:00:00 UTC\n";
            suite(&project, &key, "bullseye-backports", &index, more);
        }
        let server = Server::start(move |path| {
            let path = folder.join(path.trim_start_matches('/'));
            fs::read(path).map_or_else(|_| Response::not_found(), Response::ok)
        });
        let sources = format!(
            "Types: deb\nURIs: {}\nSuites: bullseye\nComponents: main\nSigned-By: /usr/share/keyrings/archive.gpg\n",
            server.url("").trim_end_matches('/')
        );
        project.write("apt/etc/apt/sources.list.d/debian.sources", sources);
        project.write("apt/usr/share/keyrings/archive.gpg", fs::read(key.public()).unwrap());
        Layer::pack(&project.path("apt"), None, &project.path("apt.tar"));
        for (name, image) in [("worker", bases::worker("bookworm")), ("base", bases::base("bookworm"))] {
            let mut layers = image.layers();
            layers.push(Layer::read(&project.path("apt.tar")));
            let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
            let config = json!({ "Env": [path] });
            Layout::write(&project.path(name), &layers.iter().collect::<Vec<_>>(), config);
        }
        Self { project, _server: server }
    }

    fn build(&self, route: &str) -> Invocation {
        let context = |name: &str, folder: &str| {
            format!("--build-context={name}={}", Layout::open(&self.project.path(folder)).context())
        };
        let contexts = [context("dalec-bullseye-worker", "worker"), context("debian:bullseye", "base")];
        self.project.build(route).args(contexts)
    }
}

/// Writes the suite `name`, whose index is `packages` and whose signed description has `more`.
fn suite(project: &Project, key: &Key, name: &str, packages: &str, more: &str) {
    let list = format!("main/binary-{ARCHITECTURE}/Packages");
    project.write(&format!("archive/dists/{name}/{list}"), packages);
    let hash = hex::encode(Sha256::digest(packages));
    let release = format!(
        "Origin: Test\nSuite: {name}\nCodename: {name}\nDate: Fri, 01 Jan 2021 00:00:00 UTC\n{more}\
         Architectures: {ARCHITECTURE}\nComponents: main\nSHA256:\n {hash} {} {list}\n",
        packages.len()
    );
    project.write("release", release);
    let signed = key.sign_around(&project.path("release"));
    project.write(&format!("archive/dists/{name}/InRelease"), signed);
}

/// Makes the package, and returns its entry in the index.
fn package(project: &Project) -> String {
    let control = "Package: newer-tool\nVersion: 2.0~bpo11+1\nArchitecture: all\nMaintainer: Ann <ann@example.org>\n\
                   Description: more\n";
    project.write("package/DEBIAN/control", control);
    project.write("package/usr/bin/newer-tool", "#!/bin/sh\necho backported\n");
    let run = |command: &mut Command| assert!(command.status().expect("it starts").success());
    run(Command::new("chmod").arg("755").arg(project.path("package/usr/bin/newer-tool")));
    let file = "pool/newer-tool.deb";
    let deb = project.path("archive").join(file);
    fs::create_dir_all(project.path("archive/pool")).unwrap();
    let mut build = Command::new("dpkg-deb");
    run(build.args(["--root-owner-group", "--build"]).arg(project.path("package")).arg(&deb));
    let content = fs::read(&deb).unwrap();
    let hash = hex::encode(Sha256::digest(&content));
    format!("{control}Filename: {file}\nSize: {}\nSHA256: {hash}\n", content.len())
}

mod root {
    use super::*;

    /// DEP-013: build dependencies and what is installed come from there, and nothing of it stays.
    #[test]
    fn packages_come_from_backports() {
        let archive = Archive::serve(true);
        archive.build("bullseye/testing/container").succeeds();
        let root = archive.project.path("out");
        assert!(root.join("usr/bin/newer-tool").exists());
        assert!(!root.join("etc/apt/sources.list.d/dalec-suites.list").exists());
    }

    /// What such a suite would not have brought is built without it; what it would have is said to be nowhere.
    #[test]
    fn an_archive_without_backports_has_the_rest() {
        let archive = Archive::serve(false);
        let ran = archive.build("bullseye/deb").fails(1);
        ran.says(&[
            "dependency \"newer-tool\" cannot be installed: no package repository has it, and the archive has no \
             bullseye-backports",
        ]);
        archive.project.write("spec.yml", script("takes-nothing", ""));
        archive.build("bullseye/deb").succeeds();
    }
}
