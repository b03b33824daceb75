//! What the spans in a resolved spec cover: the text that a failing build shows.

use dalec_spec::span::Span;
use dalec_spec::target_spec::{Artifacts, ImageCommand, OutputCheck, SourceKind, TargetSpec, Test};
use dalec_spec::{SourceText, load};

use crate::{resolved, resolved_with, target};

/// A row of a table: what is meant, how to find its span, the text that it covers.
type Row<T> = (&'static str, fn(&T) -> Span, &'static str);

#[track_caller]
fn check<T>(text: &str, value: &T, rows: &[Row<T>]) {
    let source = SourceText::new("spec.yml", text);
    for (what, span, expected) in rows {
        assert_eq!(source.slice(span(value)), *expected, "{what}");
    }
}

const SOURCES: &str = "\
sources:
  git:
    git:
      url: https://git.example/team/tool.git
      commit: 3f786850e387550fdab836ed7e6dc881de23001b
    path: cmd
  flow: {path: cmd, git: {url: \"git@git.example:tool\", commit: main}}
  http:
    http: {url: \"https://download.example/a\"}
  image:
    path: /out
    image:
      ref: tools.example/base:1
      cmd:
        mounts:
          - dest: /in
            spec: {context: {}}
        steps:
          - command: make
          - env: {A: b}
            command: |
              make install
  context: {context: {}, includes: [x.c], excludes: [a, b]}
  build:
    build: {source: {context: {name: docs}}}
  file: {inline: {file: {contents: a}}}
  dir:
    inline:
      dir:
        files: {}
  generated:
    context: {}
    generate:
      - gomod: {}
      - subpath: cmd
        gomod:
          edits:
            replace:
              - a.example/a => ../a
              - {old: b.example/b, new: ../b}
patches:
  dir:
    - source: file
    - source: context
      path: 0001-fix.patch
";

fn command(spec: &TargetSpec) -> &ImageCommand {
    match &spec.sources["image"].kind {
        SourceKind::Image(image) => image.command.as_ref().expect("commands"),
        other => panic!("{other:?}"),
    }
}

/// SPEC-039, SRC-017, SRC-019, SRC-034: a source is shown by its kind, a patch by its file and a generator by its entry.
#[test]
fn sources_and_patches() {
    check(
        SOURCES,
        &resolved(SOURCES),
        &[
            (
                "git",
                |spec| spec.sources["git"].span,
                "git:\n      url: https://git.example/team/tool.git\n      commit: 3f786850e387550fdab836ed7e6dc881de23001b",
            ),
            (
                "a source on one line",
                |spec| spec.sources["flow"].span,
                "git: {url: \"git@git.example:tool\", commit: main}",
            ),
            ("http", |spec| spec.sources["http"].span, "http: {url: \"https://download.example/a\"}"),
            (
                "image",
                |spec| spec.sources["image"].span,
                "image:\n      ref: tools.example/base:1\n      cmd:\n        mounts:\n          - dest: /in\n            spec: {context: {}}\n        steps:\n          - command: make\n          - env: {A: b}\n            command: |\n              make install",
            ),
            ("a mount", |spec| command(spec).mounts[0].span, "dest: /in\n            spec: {context: {}}"),
            ("what is mounted", |spec| command(spec).mounts[0].source.span, "context: {}"),
            ("a step in an image", |spec| command(spec).steps[0].span, "make"),
            ("a step of more lines", |spec| command(spec).steps[1].span, "make install"),
            ("context", |spec| spec.sources["context"].span, "context: {}"),
            ("build", |spec| spec.sources["build"].span, "build: {source: {context: {name: docs}}}"),
            (
                "source of a build",
                |spec| match &spec.sources["build"].kind {
                    SourceKind::Build(build) => build.source.span,
                    other => panic!("{other:?}"),
                },
                "context: {name: docs}",
            ),
            ("inline file", |spec| spec.sources["file"].span, "inline: {file: {contents: a}}"),
            ("inline directory", |spec| spec.sources["dir"].span, "inline:\n      dir:\n        files: {}"),
            ("a generator", |spec| spec.sources["generated"].generate[0].span, "gomod: {}"),
            (
                "a generator with edits",
                |spec| spec.sources["generated"].generate[1].span,
                "subpath: cmd\n        gomod:\n          edits:\n            replace:\n              - a.example/a => ../a\n              - {old: b.example/b, new: ../b}",
            ),
            ("a replacement", |spec| replacement(spec, 0), "a.example/a => ../a"),
            ("a replacement as mapping", |spec| replacement(spec, 1), "{old: b.example/b, new: ../b}"),
            ("a patch", |spec| spec.patches["dir"][0].span, "source: file"),
            ("a patch with its path", |spec| spec.patches["dir"][1].span, "0001-fix.patch"),
            ("the path of a source", |spec| spec.sources["git"].selectors.path, "cmd"),
            ("what is taken of a source", |spec| spec.sources["context"].selectors.includes[0], "x.c"),
            ("what is left out of it", |spec| spec.sources["context"].selectors.excludes[1], "b"),
        ],
    );
}

fn replacement(spec: &TargetSpec, index: usize) -> Span {
    let gomod = spec.sources["generated"].generate[1].gomod.as_ref().expect("a gomod generator");
    gomod.edits.as_ref().expect("edits").replace[index].span
}

const BUILD: &str = "\
build:
  caches:
    - gobuild: {}
    - dir:
        dest: /root/.cache
        key: tool
  steps:
    - command: make
    - command: >-
        make
        install
    - {command: \"make check\", env: {A: b}}
dependencies:
  build:
    make:
    golang: {version: [\">= 1.22\"]}
    gcc:
      version: [\">= 12\"]
      arch: [amd64]
  runtime: [libc6, \"libssl3\"]
  recommends:
    - bash-completion
  extra_repos:
    - config: {a.list: {context: {}}}
    - data:
        - {dest: /opt/repo, spec: {context: {name: repo}}}
      envs: [test]
provides: {tool-api: {version: [\"= 1\"]}}
package_config:
  signer:
    image: registry.example/signer:1
    args: {A: b}
";

/// BLD-003, DEP-005, SPEC-039: steps are shown by their commands, dependencies by their entries, in both forms.
#[test]
fn build_and_dependencies() {
    check(
        BUILD,
        &resolved(BUILD),
        &[
            ("a cache", |spec| spec.build.caches[0].span, "gobuild: {}"),
            (
                "a cache of more lines",
                |spec| spec.build.caches[1].span,
                "dir:\n        dest: /root/.cache\n        key: tool",
            ),
            ("a step", |spec| spec.build.steps[0].span, "make"),
            ("a folded step", |spec| spec.build.steps[1].span, "make\n        install"),
            ("a step in quotes", |spec| spec.build.steps[2].span, "\"make check\""),
            ("a name alone", |spec| spec.dependencies.build["make"].span, "make"),
            (
                "a constraint on one line",
                |spec| spec.dependencies.build["golang"].span,
                "golang: {version: [\">= 1.22\"]}",
            ),
            (
                "a constraint of more lines",
                |spec| spec.dependencies.build["gcc"].span,
                "gcc:\n      version: [\">= 12\"]\n      arch: [amd64]",
            ),
            ("an entry of a list", |spec| spec.dependencies.runtime["libc6"].span, "libc6"),
            ("an entry in quotes", |spec| spec.dependencies.runtime["libssl3"].span, "\"libssl3\""),
            (
                "an entry of a block list",
                |spec| spec.dependencies.recommends["bash-completion"].span,
                "bash-completion",
            ),
            ("a repository", |spec| spec.dependencies.extra_repos[0].span, "config: {a.list: {context: {}}}"),
            (
                "a configuration file",
                |spec| spec.dependencies.extra_repos[0].config["a.list"].span,
                "context: {}",
            ),
            (
                "a repository of more lines",
                |spec| spec.dependencies.extra_repos[1].span,
                "data:\n        - {dest: /opt/repo, spec: {context: {name: repo}}}\n      envs: [test]",
            ),
            (
                "data of a repository",
                |spec| spec.dependencies.extra_repos[1].data[0].span,
                "{dest: /opt/repo, spec: {context: {name: repo}}}",
            ),
            ("what is provided", |spec| spec.provides["tool-api"].span, "tool-api: {version: [\"= 1\"]}"),
            (
                "the signer",
                |spec| spec.package_config.signer.as_ref().expect("a signer").span,
                "signer:\n    image: registry.example/signer:1\n    args: {A: b}",
            ),
        ],
    );
}

const ARTIFACTS: &str = "\
artifacts:
  binaries:
    bin/tool:
    bin/*: {permissions: 0755}
  createDirectories:
    state:
      tool:
        mode: 0750
  links:
    - source: /usr/bin/tool
      dest: /usr/bin/t
  systemd:
    units: {tool.service: {enable: true}}
    dropins:
      limits.conf:
        unit: tool.service
";

/// SPEC-039, ART-001, ART-005, ART-009, ART-012: artifacts are shown by their entries.
#[test]
fn artifacts() {
    let spec = resolved(ARTIFACTS);
    check::<Artifacts>(
        ARTIFACTS,
        &spec.artifacts,
        &[
            ("an artifact without settings", |all| all.binaries["bin/tool"].span, "bin/tool"),
            ("an artifact", |all| all.binaries["bin/*"].span, "bin/*: {permissions: 0755}"),
            ("a directory", |all| all.directories.state["tool"].span, "tool:\n        mode: 0750"),
            ("a link", |all| all.links[0].span, "source: /usr/bin/tool\n      dest: /usr/bin/t"),
            ("a unit", |all| all.systemd.units["tool.service"].span, "tool.service: {enable: true}"),
            (
                "a drop-in",
                |all| all.systemd.dropins["limits.conf"].span,
                "limits.conf:\n        unit: tool.service",
            ),
        ],
    );
}

const TESTS: &str = "\
tests:
  - name: answers
    mounts:
      - {dest: /input, spec: {inline: {file: {contents: a}}}}
    steps:
      - command: tool --version
        stdout:
          equals: \"1\\n\"
          contains: [first, 'second']
          matches:
            - ^a
            - |
              b$
          starts_with: a
          ends_with: |
            the end
          empty: true
      - {command: 'tool ''quoted''', stderr: {empty: True, equals: ''}}
    files:
      /usr/bin/tool:
        permissions: 0755
        contains: [x, \"y\"]
        matches: [z]
      /lib: {is_dir: true, equals: a, starts_with: b, ends_with: c}
      /gone: {not_exist: true}
      /link:
        no_follow: true
        link_target: /usr/bin/tool
      /empty: {empty: true}
      /there:
";

fn stdout(test: &Test) -> &OutputCheck {
    &test.steps[0].stdout
}

fn content<'t>(test: &'t Test, path: &str) -> &'t OutputCheck {
    &test.files[path].content
}

/// TEST-015, SPEC-039: a step is shown by its command, a check by its own value, the second text by the second entry.
#[test]
fn steps_and_checks() {
    let spec = resolved(TESTS);
    check::<Test>(
        TESTS,
        &spec.tests[0],
        &[
            ("a mount", |test| test.mounts[0].span, "{dest: /input, spec: {inline: {file: {contents: a}}}}"),
            ("a step", |test| test.steps[0].span, "tool --version"),
            ("equals", |test| stdout(test).equals.as_ref().expect("a check").span, "\"1\\n\""),
            ("first of contains", |test| stdout(test).contains[0].span, "first"),
            ("second of contains", |test| stdout(test).contains[1].span, "'second'"),
            ("first of matches", |test| stdout(test).matches[0].span, "^a"),
            ("second of matches", |test| stdout(test).matches[1].span, "b$"),
            ("starts_with", |test| stdout(test).starts_with.as_ref().expect("a check").span, "a"),
            ("ends_with", |test| stdout(test).ends_with.as_ref().expect("a check").span, "the end"),
            ("empty", |test| stdout(test).empty.expect("a check"), "true"),
            ("a step in quotes", |test| test.steps[1].span, "'tool ''quoted'''"),
            ("empty on one line", |test| test.steps[1].stderr.empty.expect("a check"), "True"),
            ("equals nothing", |test| test.steps[1].stderr.equals.as_ref().expect("a check").span, "''"),
            (
                "a file check",
                |test| test.files["/usr/bin/tool"].span,
                "/usr/bin/tool:\n        permissions: 0755\n        contains: [x, \"y\"]\n        matches: [z]",
            ),
            (
                "permissions",
                |test| test.files["/usr/bin/tool"].permissions.as_ref().expect("a check").span,
                "0755",
            ),
            ("second of contains of a file", |test| content(test, "/usr/bin/tool").contains[1].span, "\"y\""),
            ("matches of a file", |test| content(test, "/usr/bin/tool").matches[0].span, "z"),
            ("is_dir", |test| test.files["/lib"].is_dir.span, "true"),
            ("equals of a file", |test| content(test, "/lib").equals.as_ref().expect("a check").span, "a"),
            (
                "starts_with of a file",
                |test| content(test, "/lib").starts_with.as_ref().expect("a check").span,
                "b",
            ),
            (
                "ends_with of a file",
                |test| content(test, "/lib").ends_with.as_ref().expect("a check").span,
                "c",
            ),
            ("not_exist", |test| test.files["/gone"].not_exist.expect("a check"), "true"),
            (
                "link_target",
                |test| test.files["/link"].link_target.as_ref().expect("a check").span,
                "/usr/bin/tool",
            ),
            ("empty of a file", |test| content(test, "/empty").empty.expect("a check"), "true"),
            (
                "is_dir that is not written",
                |test| test.files["/gone"].is_dir.span,
                "/gone: {not_exist: true}",
            ),
            ("a file without checks", |test| test.files["/there"].span, "/there"),
        ],
    );
}

/// SPEC-039: what comes through an alias is shown where it is written, and so is what a target overrides.
#[test]
fn aliases_and_targets() {
    let text = "\
x-step: &step {command: make shared}
x-runtime: &runtime
  libc6: {version: [\">= 2.36\"]}
build: {steps: [*step, {command: make own}]}
dependencies:
  runtime: {<<: *runtime, zlib1g: }
targets:
  t:
    dependencies:
      runtime: *runtime
    tests:
      - steps: [{command: tool --target}]
    package_config: {signer: {image: registry.example/target:1}}
    frontend:
      image: registry.example/frontend:1
";
    check(
        text,
        &resolved(text),
        &[
            ("a step through an alias", |spec| spec.build.steps[0].span, "make shared"),
            ("a step of its own", |spec| spec.build.steps[1].span, "make own"),
            ("a merged entry", |spec| spec.dependencies.runtime["libc6"].span, "{version: [\">= 2.36\"]}"),
            ("an entry beside it", |spec| spec.dependencies.runtime["zlib1g"].span, "zlib1g"),
        ],
    );
    check(
        text,
        &resolved_with(text, &target("t")),
        &[
            (
                "a list of the target",
                |spec| spec.dependencies.runtime["libc6"].span,
                "libc6: {version: [\">= 2.36\"]}",
            ),
            ("a test of the target", |spec| spec.tests[0].steps[0].span, "tool --target"),
            (
                "the target's signer",
                |spec| spec.package_config.signer.as_ref().expect("a signer").span,
                "signer: {image: registry.example/target:1}",
            ),
        ],
    );
    let raw = load(&SourceText::new("spec.yml", text)).raw.expect("a spec");
    let frontend = raw.frontend("t").expect("a frontend");
    assert_eq!(raw.source().slice(frontend.span), "frontend:\n      image: registry.example/frontend:1");
}

/// SPEC-039: byte order marks, carriage returns and letters of several bytes move no span.
#[test]
fn spans_count_bytes() {
    let text = "\u{feff}description: Grüße\r\nbuild:\r\n  steps:\r\n    - command: |\r\n        echo ü\r\n        echo é\r\n    - command: last\r\n";
    check(
        text,
        &resolved(text),
        &[
            ("a block", |spec| spec.build.steps[0].span, "echo ü\r\n        echo é"),
            ("the last", |spec| spec.build.steps[1].span, "last"),
        ],
    );
}

/// What packages are called by is shown where it is written, arguments and all; what is not written has no place.
#[test]
fn names() {
    let source = "name: tool\nargs: {VERSION: \"1.0\"}\nversion: ${VERSION}-x\n";
    check(
        source,
        &resolved(source),
        &[
            ("the name", |spec| spec.places.name, "tool"),
            ("the version", |spec| spec.places.version, "${VERSION}-x"),
            ("no revision", |spec| spec.places.revision, ""),
        ],
    );
}
