//! Go modules that only those get who log in; the same for every family of targets and on each engine.

use std::fs;
use std::path::PathBuf;

use crate::buildkit::Buildkit;
use crate::engine::Engine;
use crate::repositories::Repository;
use crate::run::{Invocation, Project, Who, kept_state};
use crate::tls::TlsFront;
use crate::traces::files_with;

const SPEC: &str = r#"
name: private
version: 1.0.0
revision: 1
description: A program of modules that are not public
website: https://example.org
license: MIT
packager: Test Maintainers <test@example.org>
sources:
  src:
    context: {}
    includes: [go.mod, main.go]
    generate:
      - gomod:
          auth:
            "TOKEN_HOST": {token: MODULES_TOKEN}
            "HEADER_HOST": {header: MODULES_HEADER}
            "SSH_HOST": {ssh: {id: modules, username: root}}
dependencies:
  build: [git, golang-go, openssh-client]
build:
  env: {CGO_ENABLED: "0", GOCACHE: /tmp/go-cache, GOPROXY: "off", GOFLAGS: -mod=mod, GONOSUMDB: "*"}
  steps:
    - command: |
        test "$(sed 1,2d /proc/net/dev | cut -d: -f1 | tr -d ' ')" = lo
        test ! -e /run/secrets/TOKEN_HOST
        cd src && go build -o ../private .
artifacts:
  binaries: {private: {}}
tests:
  - name: all modules are there
    steps:
      - command: private
        stdout: {equals: "token header ssh\n"}
"#;

/// Lets `repository` have the module `path`, which knows one word.
fn publish(repository: &Repository, path: &str, word: &str) {
    let module = format!("module {path}\n\ngo 1.19\n");
    let code = format!("package {word}\n\nconst Word = \"{word}\"\n");
    repository.change(&[("go.mod", &module), ("word.go", &code)]);
    repository.tag("v1.0.0");
}

/// SRC-023: over https with a token and with a header, and over ssh; who has none of it gets nothing. No trace is left of
/// what opened the hosts, neither here nor in what comes out. What is built for `engine` is one file with `suffix`.
///
/// # Panics
/// When it is not so.
pub fn are_downloaded(engine: Engine, build: &dyn Fn(&Project) -> Invocation, suffix: &str) {
    let (token, header) = ("canary-token-of-modules", "canary-header-of-modules");
    let repositories = ["token", "header", "ssh"].map(|word| Repository::new(&[("README", word)]));
    let servers = [repositories[0].over_http(Some(token)), repositories[1].over_http(Some(header))];
    let fronts = servers.each_ref().map(|server| TlsFront::start(server.address()));
    let ssh = repositories[2].over_ssh();
    let [with_token, with_header] = fronts.each_ref().map(|front| format!("{}/repo.git", front.host()));
    let paths = [with_token, with_header, format!("127.0.0.1{}", repositories[2].path().display())];
    for ((repository, path), word) in repositories.iter().zip(&paths).zip(["token", "header", "ssh"]) {
        publish(repository, path, word);
    }
    let hosts =
        [("TOKEN_HOST", fronts[0].host()), ("HEADER_HOST", fronts[1].host()), ("SSH_HOST", &ssh.host())];
    let spec = hosts.iter().fold(SPEC.to_owned(), |spec, (name, host)| spec.replace(name, host));
    let project = Project::new(&spec);
    let required: String = paths.iter().map(|path| format!("require {path} v1.0.0\n")).collect();
    project.write("go.mod", format!("module example.org/private\n\ngo 1.19\n\n{required}"));
    let imports: String = paths.iter().map(|path| format!("\t\"{path}\"\n")).collect();
    let words = "token.Word, header.Word, ssh.Word";
    project.write(
        "main.go",
        format!(
            "package main\n\nimport (\n\t\"fmt\"\n{imports})\n\nfunc main() {{ fmt.Println({words}) }}\n"
        ),
    );
    let certificates = fronts.iter().map(TlsFront::certificate);
    let bundles = [PathBuf::from("/etc/ssl/certs/ca-certificates.crt")].into_iter().chain(certificates);
    let bundle: String = bundles.map(|path| fs::read_to_string(path).expect("it is there")).collect();
    project.write("bundle.pem", bundle);
    let build = || {
        let mut build = build(&project);
        let login = base64_of(&format!("x-access-token:{header}"));
        build.command.env("TOKEN", token).env("HEADER", format!("Basic {login}"));
        let build = build.args(["--secret", "id=dalec.ca-bundle,src=bundle.pem"]);
        build.arg("--ssh").arg(format!("modules={}", ssh.agent().display()))
    };
    let with_token = ["--secret", "id=MODULES_TOKEN,env=TOKEN"];
    build().args(with_token).fails(1).says(&["MODULES_HEADER"]);
    let wrong = ["--secret", "id=MODULES_HEADER,env=TOKEN"];
    build().args(with_token).args(wrong).fails(1).says(&["- gomod:", "the header is not a type"]);
    let right = ["--secret", "id=MODULES_HEADER,env=HEADER"];
    let ran = build().args(with_token).args(right).args(["--metadata-file", "metadata.json"]).succeeds();
    project.output(suffix);
    let kept = match engine {
        Engine::Embedded => kept_state(Who::Me),
        Engine::Inside | Engine::Against => Buildkit::shared().folder().to_path_buf(),
    };
    for canary in [token, header] {
        assert!(!ran.stderr.contains(canary) && !ran.stdout.contains(canary), "{}", ran.stderr);
        for folder in [kept.as_path(), &project.path("")] {
            assert_eq!(files_with(canary, folder, &project.path("spec.yml")), Vec::<String>::new());
        }
    }
}

fn base64_of(text: &str) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(text)
}
