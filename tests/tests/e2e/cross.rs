//! Packages for another processor on a machine that does not run its programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use dalec_e2e::deb::Deb;
use dalec_e2e::emulator::run_arm64;
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::specs::script;

const FOR_ARM: [&str; 2] = ["--platform", "linux/arm64"];

/// A program that is built by `command` with `dependencies` and says hello.
fn program(dependencies: &str, command: &str, more: &str) -> Project {
    Project::new(&format!(
        "\
name: hello
version: 1.0.0
revision: 1
description: A greeting
website: https://example.org
license: MIT
packager: Test Maintainers <test@example.org>
sources:
  hello.c:
    inline:
      file:
        contents: |
          #include <stdio.h>
          int main(void) {{ puts(\"hello from C\"); return 0; }}
  hello.go:
    inline:
      file:
        contents: |
          package main
          import \"os\"
          func main() {{ os.Stdout.WriteString(\"hello from Go\\n\") }}
dependencies:
  build: {{{dependencies}}}
build:
  steps:
    - command: {command}
artifacts:
  binaries:
    hello: {{}}
{more}"
    ))
}

fn for_arm(project: &Project) -> Invocation {
    project.build("bookworm/deb").args(FOR_ARM)
}

/// Returns what the ELF header of `content` says of its processor: 183 is arm64's.
fn processor(content: &[u8]) -> u16 {
    assert!(content.starts_with(b"\x7fELF"));
    u16::from_le_bytes([content[18], content[19]])
}

/// TGT-010: the worker stays the machine's, Go hears what it builds for, and tests that cannot run are said to be left out.
#[test]
fn a_go_program() {
    let test =
        "tests:\n  - name: it greets\n    steps:\n      - command: hello\n        stdout: {contains: [Go]}\n";
    let command = "GOCACHE=$PWD/cache go build -o hello hello.go";
    let project = program("golang-go: {}", command, test);
    for_arm(&project)
        .succeeds()
        .says(&["the spec's tests are not run: nothing here runs programs for linux/arm64"]);
    assert!(project.outputs().contains(&"hello_1.0.0-debian12u1_arm64.changes".to_owned()));
    let deb = Deb::read(&project.path("out/hello_1.0.0-debian12u1_arm64.deb"));
    assert_eq!((deb.field("Architecture"), deb.field("Depends")), ("arm64", ""));
    let content = &deb.files["/usr/bin/hello"].content;
    assert_eq!(processor(content), 183);
    let unpacked = project.path("hello");
    fs::write(&unpacked, content).unwrap();
    fs::set_permissions(&unpacked, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(run_arm64(&unpacked), "hello from Go\n");
}

/// The compiler is the one for the result, and packages depend on libraries by their ordinary names.
#[test]
fn a_c_program() {
    let project = program("", "$CC -O2 -g -o hello hello.c", "");
    for_arm(&project).succeeds();
    let deb = Deb::read(&project.path("out/hello_1.0.0-debian12u1_arm64.deb"));
    assert!(deb.field("Depends").starts_with("libc6 (>= 2."), "{}", deb.field("Depends"));
    assert_eq!(processor(&deb.files["/usr/bin/hello"].content), 183);
    let symbols = Deb::read(&project.path("out/hello-dbgsym_1.0.0-debian12u1_arm64.deb"));
    assert_eq!(symbols.field("Architecture"), "arm64");
}

#[test]
fn a_compiler_that_does_not_heed_it_is_found_out() {
    let project = program("", "gcc -o hello hello.c", "");
    let ran = for_arm(&project).fails(1);
    ran.says(&["/usr/bin/hello is a program for the machine that builds, but the package is for arm64"]);
    ran.says(&["spec.yml:2"]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}

/// What has no processor is the same for all, and two platforms are built side by side.
#[test]
fn a_script_for_both() {
    let project = Project::new(&script("both", ""));
    project.build("bookworm/deb").args(["--platform", "linux/amd64,linux/arm64"]).succeeds();
    let read =
        |folder: &str| fs::read(project.path("out").join(folder).join("both_1.0.0-debian12u1_all.deb"));
    assert_eq!(read("linux_amd64").unwrap(), read("linux_arm64").unwrap());
}

/// What is not for a platform runs nothing of it.
#[test]
fn the_spec_and_its_sources_are_the_same_for_all() {
    let project = Project::new(&script("plain", ""));
    for target in ["debug/resolve", "debug/sources"] {
        project.build(target).args(["--platform", "linux/riscv64"]).succeeds();
    }
}

/// Told before anything is built, or even looked up.
#[test]
fn what_has_to_run_is_refused() {
    for target in
        ["bookworm/container", "bookworm/testing/container", "bookworm/worker", "azlinux3/container"]
    {
        let project = Project::new(&script("refused", ""));
        let ran = project.build(target).args(FOR_ARM).args(["--build-arg", "DALEC_SKIP_TESTS=1"]).fails(3);
        ran.says(&[&format!("{target} cannot be built for linux/arm64 here"), "binfmt_misc"]);
        assert!(!ran.stderr.contains("find docker.io"), "{}", ran.stderr);
    }
    let project = program("", "true", "");
    project.build("bookworm/deb").args(["--platform", "linux/loong64"]).fails(2);
    let ran = project.build("bookworm/deb").args(["--platform", "windows/amd64"]).fails(2);
    ran.says(&["are for Linux, not for windows/amd64"]);
}
