//! What is said of sources whose paths and patterns name nothing.

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::run::Project;

on_both_engines!(what_names_nothing_is_told);

const HEAD: &str = "\
name: tool
version: 1.0.0
revision: 1
description: A tool
license: MIT
website: https://example.org/tool
packager: T <t@example.org>
artifacts:
  binaries:
    tool/tool: {}
sources:
";

fn project(sources: &str) -> Project {
    let project = Project::new(&format!("{HEAD}{sources}"));
    project.write("tool", "#!/bin/sh\n");
    project
}

/// One after the other: BuildKit cannot go on with an image from a directory when a failing build has stopped its loading.
fn what_names_nothing_is_told(engine: Engine) {
    patterns_that_match_nothing_are_told(engine);
    a_missing_path_is_shown(engine);
    a_missing_patch_is_shown(engine);
}

/// SRC-013: the build goes on, and a typing error in a pattern is told with its place.
fn patterns_that_match_nothing_are_told(engine: Engine) {
    let project = project(
        "  tool: {context: {}, includes: [tool, \"dok/**\"], excludes: [target]}\n  \
           data: {inline: {dir: {files: {a: {contents: a}}}}, excludes: [\"*.bak\", a]}\n",
    );
    let ran = engine.build(&project, "bookworm/dsc").succeeds();
    ran.says(&[
        "`dok/**` matches nothing that is taken from source `tool`",
        "`*.bak` matches nothing that is in source `data`",
    ]);
    if engine == Engine::Embedded {
        ran.says(&["spec.yml:12:40", "spec.yml:13:65"]);
    }
    for fine in ["`tool` matches", "`target` matches", "`a` matches"] {
        assert!(!ran.stderr.contains(fine), "{}", ran.stderr);
    }
}

/// SRC-019: the place is the path, not the kind of the source.
fn a_missing_path_is_shown(engine: Engine) {
    let project = project("  tool:\n    context: {}\n    path: no/where\n");
    let ran = engine.build(&project, "bookworm/dsc").fails(1);
    ran.says(&["no/where", "spec.yml:14"]);
}

/// SRC-017: the place is the path of the patch.
fn a_missing_patch_is_shown(engine: Engine) {
    let sources = "  tool: {context: {}}\n  fixes: {inline: {dir: {files: {a: {contents: a}}}}}\n";
    let patches = "patches:\n  tool:\n    - source: fixes\n      path: no.patch\n";
    let ran = engine.build(&project(&format!("{sources}{patches}")), "bookworm/dsc").fails(1);
    ran.says(&["there is no patch \"fixes/no.patch\"", "spec.yml:17"]);
}
