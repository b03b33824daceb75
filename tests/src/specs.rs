//! Specs that several tests build.

use crate::binary::workspace;
use crate::run::Project;

/// Returns the text of an example of the repository.
///
/// # Panics
/// When there is no such example.
pub fn example(name: &str) -> String {
    std::fs::read_to_string(workspace().join("examples").join(name)).expect("the example is there")
}

/// Returns a project with the hello example and its C file.
pub fn hello() -> Project {
    let project = Project::new(&example("hello.yml"));
    project.write("hello.c", example("hello/hello.c"));
    project
}

/// Returns what every spec begins with, of version 1.0.0.
pub fn head(name: &str, description: &str) -> String {
    format!(
        "\
name: {name}
version: 1.0.0
revision: 1
description: {description}
website: https://example.org
license: MIT
packager: Test Maintainers <test@example.org>
"
    )
}

/// Returns a small spec without a compiler: one script, installed as `/usr/bin/NAME`.
///
/// `more` is appended to it.
pub fn script(name: &str, more: &str) -> String {
    format!(
        "\
{head}noarch: true
sources:
  {name}:
    inline:
      file:
        permissions: 0755
        contents: |
          #!/bin/sh
          echo I am {name}
artifacts:
  binaries:
    {name}: {{}}
{more}",
        head = head(name, "A script"),
    )
}
