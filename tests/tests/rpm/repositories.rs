//! Repositories that a spec brings along, served over HTTP with signed packages and signed metadata.

use std::fs;
use std::process::Command;

use dalec_e2e::engine::Engine;
use dalec_e2e::http::{Response, Server};
use dalec_e2e::on_both_engines;
use dalec_e2e::openpgp::Key;
use dalec_e2e::rpm_world::words;
use dalec_e2e::run::Project;
use dalec_e2e::specs::script;
use dalec_e2e::tls::TlsServer;

use crate::specs::build;

on_both_engines!(
    root: it_is_there_for_the_phases_that_it_is_for,
    the_targets_repositories_go_before,
    what_another_key_signed_is_refused,
    what_is_new_in_it_is_found,
    one_that_cannot_be_read_is_named,
);

/// A repository with one package, `extra-tool`.
pub struct Repository {
    folder: Project,
    server: Server,
    key: Key,
}

impl Repository {
    fn serve() -> Self {
        Self::of(&["1.0.0"])
    }

    /// Serves the package in these versions, each of which says its own.
    pub fn of(versions: &[&str]) -> Self {
        let key = Key::generate("repository@example.org");
        let folder = Project::new("");
        let packages = folder.path("packages");
        fs::create_dir(&packages).unwrap();
        let server = Server::start(move |path| {
            let path = packages.join(path.trim_start_matches('/'));
            fs::read(path).map_or_else(|_| Response::not_found(), Response::ok)
        });
        let repository = Self { folder, server, key };
        repository.add(versions);
        repository
    }

    /// Adds the package in these versions.
    fn add(&self, versions: &[&str]) {
        let folder = self.folder.path("packages");
        for version in versions {
            let spec = script("extra-tool", "").replace("1.0.0", version);
            let one = Project::new(&spec.replace("I am extra-tool", &format!("I am extra-tool {version}")));
            let build = build(Engine::Embedded, &one, "azlinux3/rpm").arg("--build-arg=DALEC_SKIP_TESTS=1");
            build.arg("--sign-key").arg(self.key.private()).succeeds();
            let package = one.output(".noarch.rpm");
            fs::copy(&package, folder.join(package.file_name().unwrap())).unwrap();
        }
        let createrepo =
            Command::new("createrepo_c").args(["--quiet", "--no-database"]).arg(&folder).output();
        let createrepo = createrepo.expect("createrepo_c starts");
        assert!(createrepo.status.success(), "{}", String::from_utf8_lossy(&createrepo.stderr));
        let metadata = folder.join("repodata/repomd.xml");
        let _ = fs::remove_file(metadata.with_extension("xml.asc"));
        self.key.sign_beside(&metadata);
    }

    /// Returns the entry of `extra_repos` for `phases`, whose key is `key`.
    pub fn entry(&self, key: &str, phases: &str) -> String {
        let url = self.server.url("");
        let config = format!(
            "[extra]\\nname=extra\\nbaseurl={url}\\ngpgcheck=1\\nrepo_gpgcheck=1\\ngpgkey=file:///etc/pki/rpm-gpg/extra.asc\\n"
        );
        format!(
            "{{ keys: {{ extra.asc: {{ context: {{}}, path: {key} }} }}, config: {{ extra: {{ inline: {{ file: {{ contents: \"{config}\" }} }} }} }}, \
             envs: {phases} }}"
        )
    }

    /// Returns a project with the key, and with `dependencies` that know the repository in `phases`.
    fn project(&self, name: &str, dependencies: &str, phases: &str) -> Project {
        let entry = self.entry("key.asc", phases);
        self.with(&script(name, &format!("dependencies:\n  extra_repos:\n    - {entry}\n{dependencies}")))
    }

    pub fn with(&self, spec: &str) -> Project {
        let project = Project::new(spec);
        project.write("key.asc", fs::read(self.key.public_text()).unwrap());
        project
    }
}

/// DEP-009 to DEP-011: nothing of it stays in what is built.
pub fn it_is_there_for_the_phases_that_it_is_for(engine: Engine) {
    let repository = Repository::serve();
    let builds = "  build: { extra-tool: {} }\nbuild:\n  steps:\n    - command: extra-tool\n    - command: test -z \"$(rpm -q gpg-pubkey --qf '%{PACKAGER}' | grep repository@example.org)\"\n";
    let runs = "  runtime: { extra-tool: {}, bash: {} }\n";
    let tests = "  runtime: { bash: {} }\n  test: { extra-tool: {} }\ntests:\n  - name: has it\n    steps:\n      - command: extra-tool\n";
    for (dependencies, phases) in [(builds, "[build]"), (runs, "[install]"), (tests, "[test]")] {
        let project = repository.project("phases", dependencies, phases);
        build(engine, &project, "azlinux3/rpm").succeeds();
    }
    for (dependencies, phases) in
        [(builds, "[install, test]"), (runs, "[build, test]"), (tests, "[build, install]")]
    {
        let project = repository.project("phases", dependencies, phases);
        build(engine, &project, "azlinux3/rpm").fails(1).says(&["extra-tool"]);
        assert_eq!(project.outputs(), Vec::<String>::new());
    }
    let project = repository.project("phases", runs, "[install]");
    build(engine, &project, "azlinux3/container").succeeds();
    assert!(project.path("out/usr/bin/extra-tool").exists());
    let mut query = Command::new("rpm");
    query.arg("--root").arg(project.path("out")).args(["--dbpath", "/var/lib/rpm"]);
    let known = query.args(["--query", "--all", "--queryformat", "%{NAME} %{PACKAGER}\\n"]).output().unwrap();
    let known = String::from_utf8(known.stdout).unwrap();
    assert!(known.contains("extra-tool ") && !known.contains("repository@example.org"), "{known}");
    for path in ["etc/yum.repos.d/extra.repo", "etc/pki/rpm-gpg/extra.asc"] {
        assert!(!project.path("out").join(path).exists(), "{path}");
    }
}

/// DEP-012
fn the_targets_repositories_go_before(engine: Engine) {
    let repository = Repository::serve();
    let nobody = "{ config: { nobody.repo: { inline: { file: { contents: \"[nobody]\\nname=nobody\\nbaseurl=http://127.0.0.1:1/\\n\" } } } } }";
    let spec = script(
        "override",
        &format!(
            "dependencies:\n  runtime: {{ extra-tool: {{}} }}\n  extra_repos:\n    - {nobody}\ntargets:\n  azlinux3:\n    dependencies:\n      \
             extra_repos:\n        - {}\n",
            repository.entry("key.asc", "[install]")
        ),
    );
    build(engine, &repository.with(&spec), "azlinux3/rpm").succeeds();
}

/// Of both, the list of packages and a package itself.
fn what_another_key_signed_is_refused(engine: Engine) {
    let repository = Repository::serve();
    let other = Key::generate("other@example.org");
    for (checked, refusal) in [
        ("repo_gpgcheck=1", "repomd.xml GPG signature verification error"),
        (
            "repo_gpgcheck=0",
            words("not correct for this package", "OpenPGP check for package \"extra-tool-1.0.0"),
        ),
    ] {
        let entry = repository.entry("key.asc", "[install]").replace("repo_gpgcheck=1", checked);
        let spec =
            format!("dependencies:\n  runtime: {{ extra-tool: {{}} }}\n  extra_repos:\n    - {entry}\n");
        let project = repository.with(&script("other", &spec));
        project.write("key.asc", fs::read(other.public_text()).unwrap());
        build(engine, &project, "azlinux3/rpm").fails(1).says(&[refusal]);
        assert_eq!(project.outputs(), Vec::<String>::new());
    }
}

/// Lists of packages are kept for a while, but not of a repository that may change any time.
fn what_is_new_in_it_is_found(engine: Engine) {
    let repository = Repository::serve();
    for (version, other) in [("1.0.0", "2.0.0"), ("2.0.0", "3.0.0")] {
        let runtime = format!("  runtime: {{ extra-tool: {{ version: [\"= {version}-1.azl3\"] }} }}\n");
        let project = repository.project("newer", &runtime, "[install]");
        build(engine, &project, "azlinux3/rpm").succeeds();
        repository.add(&[other]);
    }
}

/// What is missing because of that is said behind it.
fn one_that_cannot_be_read_is_named(engine: Engine) {
    let server = TlsServer::start();
    let config = format!("[silent]\\nname=silent\\nbaseurl={}\\ngpgcheck=0\\n", server.url(""));
    let more = format!(
        "dependencies:\n  build: {{ extra-tool: {{}} }}\n  extra_repos:\n    - envs: [build]\n      config: {{ silent: {{ inline: {{ \
         file: {{ contents: \"{config}\" }} }} }} }}\n"
    );
    let project = Project::new(&script("unread", &more));
    let ran = build(engine, &project, "azlinux3/rpm").fails(1);
    ran.says(&["the package repository silent cannot be read: ", "--ca-bundle", "dependency \"extra-tool\""]);
}
