//! Package repositories that a spec brings along for Debian's targets.

use std::fs;
use std::process::Command;

use dalec_e2e::run::Project;
use dalec_e2e::specs::script;
use dalec_e2e::tls::TlsServer;
use sha2::{Digest, Sha256};

/// Returns a project whose context holds a repository with the package `extra-tool` in versions 1.0, 1.2 and 2.0, which
/// `phases` know.
pub fn project(dependencies: &str, phases: &str) -> Project {
    let entry = format!(
        "{{ envs: {phases}, config: {{ extra: {{ inline: {{ file: {{ contents: \"deb [trusted=yes] file:/srv/extra ./\\n\" }} }} }} }}, \
         data: [{{ dest: /srv/extra, spec: {{ context: {{}}, path: repository }} }}] }}"
    );
    let spec = script("phases", &format!("dependencies:\n  extra_repos:\n    - {entry}\n{dependencies}"));
    let project = Project::new(&spec);
    fs::create_dir(project.path("repository")).unwrap();
    let packages: String =
        ["1.0", "1.2", "2.0"].iter().map(|version| add(&project, version) + "\n").collect();
    project.write("repository/Packages", packages);
    project
}

/// Adds one version of the package to the repository, and returns its entry in the list.
fn add(project: &Project, version: &str) -> String {
    project.write("package/usr/bin/extra-tool", format!("#!/bin/sh\necho extra {version}\n"));
    let control = format!(
        "Package: extra-tool\nVersion: {version}\nArchitecture: all\nMaintainer: Ann <ann@example.org>\nDescription: more\n"
    );
    project.write("package/DEBIAN/control", &control);
    let chmod = Command::new("chmod").arg("755").arg(project.path("package/usr/bin/extra-tool")).status();
    assert!(chmod.unwrap().success());
    let name = format!("extra-tool_{version}_all.deb");
    let deb = project.path("repository").join(&name);
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group", "--build"]).arg(project.path("package")).arg(&deb);
    let built = build.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    fs::remove_dir_all(project.path("package")).unwrap();
    let content = fs::read(&deb).unwrap();
    let digest: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{control}Filename: ./{name}\nSize: {}\nSHA256: {digest}\n", content.len())
}

/// DEP-009, DEP-011: it is there for the phases that it is for, and nothing of it stays.
#[test]
fn a_repository_is_there_while_packages_are_installed() {
    let builds = "  build: { extra-tool: {} }\nbuild:\n  steps:\n    - command: extra-tool\n";
    let runs = "  runtime: { extra-tool: {} }\n";
    project(builds, "[build]").build("bookworm/deb").succeeds();
    let project_of_container = project(runs, "[install]");
    project_of_container.build("bookworm/container").succeeds();
    let root = project_of_container.path("out");
    assert!(root.join("usr/bin/extra-tool").exists());
    assert!(!root.join("etc/apt/sources.list.d/extra.list").exists());
    assert!(
        !root.join("srv/extra").exists() || fs::read_dir(root.join("srv/extra")).unwrap().next().is_none()
    );
    for (dependencies, phases) in [(builds, "[install, test]"), (runs, "[build, test]")] {
        let project = project(dependencies, phases);
        project.build("bookworm/deb").fails(1).says(&["extra-tool", "cannot be installed"]);
        assert_eq!(project.outputs(), Vec::<String>::new());
    }
}

#[test]
fn one_that_cannot_be_read_is_named() {
    let server = TlsServer::start();
    let more = format!(
        "dependencies:\n  build: {{ extra-tool: {{}} }}\n  extra_repos:\n    - envs: [build]\n      config: {{ silent.list: {{ inline: {{ \
         file: {{ contents: \"deb {} ./\\n\" }} }} }} }}\n",
        server.url("")
    );
    let project = Project::new(&script("unread", &more));
    let ran = project.build("bookworm/deb").fails(1);
    ran.says(&["a package repository cannot be read: ", "--ca-bundle", "spec.yml:21"]);
}

/// A repository below `repository` of a project, with packages of nothing but a name, a version and dependencies.
fn repository(project: &Project, packages: &[(&str, &str, &str)]) {
    let mut index = String::new();
    for (name, version, depends) in packages {
        let depends = if depends.is_empty() { String::new() } else { format!("Depends: {depends}\n") };
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Ann <ann@example.org>\n{depends}Description: {name}\n"
        );
        let (folder, file) = (format!("package-{name}-{version}"), format!("{name}_{version}.deb"));
        project.write(&format!("{folder}/DEBIAN/control"), &control);
        project.write(&format!("repository/{file}"), "");
        let deb = project.path("repository").join(&file);
        let mut build = Command::new("dpkg-deb");
        build.args(["--root-owner-group", "--build"]).arg(project.path(&folder)).arg(&deb);
        assert!(build.output().unwrap().status.success());
        let content = fs::read(&deb).unwrap();
        let digest: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        index
            .push_str(&format!("{control}Filename: ./{file}\nSize: {}\nSHA256: {digest}\n\n", content.len()));
        fs::remove_dir_all(project.path(&folder)).unwrap();
    }
    project.write("repository/Packages", index);
}

/// DEP-008: apt takes the newest version or none; old ones are found all the same, with the old ones that they want.
#[test]
fn old_versions_are_found_with_what_they_depend_on() {
    let config = "deb [trusted=yes] file:/srv/extra ./\\n";
    let repositories = format!(
        "  extra_repos:\n    - config: {{extra: {{inline: {{file: {{contents: \"{config}\"}}}}}}}}\n      \
         data: [{{dest: /srv/extra, spec: {{context: {{}}, path: repository}}}}]\n"
    );
    let old = "tool: {version: [\"<< 2.0\"]}";
    let check = "test \"$(dpkg-query -W -f '${Version} ' base library tool)\" = '0.9 1.0 1.5 '";
    let more = format!(
        "dependencies:\n  build: {{{old}}}\n  runtime: {{{old}}}\n{repositories}build:\n  steps:\n    - command: {check}\n\
         tests:\n  - name: old\n    steps:\n      - command: sh -c \"dpkg-query -W tool library base\"\n        \
         stdout: {{contains: [\"tool\\t1.5\", \"library\\t1.0\", \"base\\t0.9\"]}}\n"
    );
    let project = Project::new(&script("old", &more));
    let packages = [
        ("tool", "1.0", "library (= 1.0)"),
        ("tool", "1.5", "library (= 1.0), base"),
        ("tool", "2.0", "library (= 2.0)"),
        ("library", "1.0", "base (<< 1.0)"),
        ("library", "2.0", ""),
        ("base", "0.9", ""),
        ("base", "1.0", ""),
    ];
    repository(&project, &packages);
    project.build("bookworm/deb").succeeds();
}
