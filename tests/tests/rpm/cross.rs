//! Packages for another processor on a machine that does not run its programs.

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::rpm::Rpm;
use dalec_e2e::rpm_world;
use dalec_e2e::run::Project;
use dalec_e2e::specs::script;

use crate::specs::{build, package};
use crate::upstream::TOOLCHAINS;

on_both_engines!(root: a_go_program, a_script_with_dependencies, a_compiler_that_does_not_heed_it_is_found_out);

/// Built as on a machine without an emulator, whether it has one or not.
pub const FOR_ARM: [&str; 4] = ["--platform", "linux/arm64", "--build-arg", "DALEC_DISABLE_EMULATION=1"];

/// A program that `command` makes, whose spec ends with `more`.
fn program(command: &str, more: &str) -> Project {
    Project::new(&format!(
        "\
name: hello
version: 1.0.0
revision: 1
description: A greeting
website: https://example.org
license: MIT
sources:
  hello.go:
    inline:
      file:
        contents: |
          package main
          func main() {{ println(\"hello\") }}
build:
  steps:
    - command: {command}
artifacts:
  binaries:
    hello: {{}}
{more}"
    ))
}

/// TGT-010: what rpm finds in the program is what the package is for.
fn a_go_program(engine: Engine) {
    let repositories = format!("  extra_repos: {}", TOOLCHAINS.replace("\n        ", "\n    "));
    let dependencies = format!("dependencies:\n  build:\n    golang: {{}}\n{repositories}\n");
    let project = program("CGO_ENABLED=0 GOCACHE=$PWD/cache go build -o hello hello.go", &dependencies);
    let build = build(engine, &project, "azlinux3/rpm").args(FOR_ARM);
    build.arg(format!("--build-context=toolchains={}", rpm_world::toolchains().display())).succeeds();
    let expected = ["RPMS/aarch64/hello-1.0.0-1.azl3.aarch64.rpm", "SRPMS/hello-1.0.0-1.azl3.src.rpm"];
    assert_eq!(project.outputs(), expected);
    let rpm = package(&project);
    assert_eq!(rpm.tag("ARCH"), "aarch64");
    let classes = rpm.query(&["--qf", "[%{FILENAMES} %{FILECLASS}\n]"]);
    assert!(classes.contains("/usr/bin/hello ELF 64-bit LSB executable, ARM aarch64"), "{classes}");
}

/// DEP-004: dependencies of some architectures are those of the package's.
fn a_script_with_dependencies(engine: Engine) {
    let dependencies = "dependencies:\n  runtime:\n    bash: {arch: [arm64]}\n    zlib: {arch: [amd64]}\n  build:\n    no-such-package: {arch: [amd64]}\n";
    let spec = script("elsewhere", dependencies).replace("noarch: true\n", "");
    let project = Project::new(&spec);
    build(engine, &project, "azlinux3/rpm").args(FOR_ARM).succeeds();
    let requires = package(&project).list("--requires");
    assert!(requires.contains(&"bash".to_owned()) && !requires.contains(&"zlib".to_owned()), "{requires:?}");
    let source = Rpm::at(&project.output(".src.rpm"));
    assert_eq!(source.tag("ARCH"), "aarch64");
}

fn a_compiler_that_does_not_heed_it_is_found_out(engine: Engine) {
    let project = program("echo 'int main(void) { return 0; }' | gcc -o hello -x c -", "");
    let ran = build(engine, &project, "azlinux3/rpm").args(FOR_ARM).fails(1);
    ran.says(&["/usr/bin/hello is a program for the machine that builds, but the package is for aarch64"]);
    assert_eq!(project.outputs(), Vec::<String>::new());
}
