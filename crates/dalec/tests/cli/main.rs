//! The command as its users meet it: help, exit codes, words. Real builds are tested elsewhere; nothing here needs an
//! engine.

mod explain;
mod held;
mod help;
mod key;
mod lint;
mod programs;
mod refusals;
#[path = "../../../dalec-signer/src/pe/sample.rs"]
mod sample;
mod sign;
mod spec_commands;

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A spec without anything to complain about.
const HELLO: &str = "\
name: hello
version: ${VERSION}
revision: 1
description: Says hello
website: https://example.org/hello
license: MIT
packager: Hello Maintainers <hello@example.org>

args:
  VERSION: 1.0.0

sources:
  src:
    inline:
      file:
        contents: |
          #!/bin/sh
          echo hello

artifacts:
  binaries:
    src: {}

targets:
  trixie:
    dependencies:
      runtime:
        bash: {}

tests:
  - name: it greets
    steps:
      - command: src
        stdout:
          equals: \"hello\\n\"
";

/// What a run of the command left behind.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// An empty directory in which the command runs.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn with(name: &str, text: &str) -> Self {
        let place = Self::new();
        place.write(name, text);
        place
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, &[], "")
    }

    fn run_with(&self, args: &[&str], variables: &[(&str, &str)], stdin: &str) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dalec"))
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("COLUMNS", "100")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input may be gone by now.
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("dalec writes UTF-8");
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}
