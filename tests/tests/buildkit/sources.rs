//! Sources that are made by others than us: files of images, what commands make there, and results of Dockerfiles.

use std::fs;
use std::path::Path;

use dalec_e2e::engine::{Engine, inside};
use dalec_e2e::podman::Podman;
use dalec_e2e::run::{Invocation, Project, Who, kept_state};
use dalec_e2e::signers::dockerfile_frontend;
use dalec_e2e::specs::script;

/// The ways to build that all of these tests take.
const ENGINES: [Engine; 2] = [Engine::Embedded, Engine::Inside];

/// Returns a spec of the script `name` with further `sources`, in the order of a YAML mapping, and `more` at its end.
fn with_sources(name: &str, sources: &str, more: &str) -> String {
    script(name, more).replace("artifacts:", &format!("{sources}artifacts:"))
}

/// SRC-006, SRC-007, SRC-008, SRC-009, SRC-013: files of an image, filtered; commands with environment, directory and
/// mounts, of which only what they write below the path is taken.
#[test]
fn files_of_images_and_what_commands_make_there() {
    let sources = "
  part:
    image: {ref: 'debian:bookworm'}
    path: /etc
    includes: [debian_version, default]
    excludes: [default/useradd]
  made:
    # The image has files there, which are not taken.
    path: /usr/share/base-files/
    includes: ['*.txt']
    image:
      ref: debian:bookworm
      cmd:
        dir: /var/lib
        env: {WHO: all, BOTH: all}
        mounts:
          - {dest: /in, spec: {inline: {dir: {files: {greeting: {contents: hello}}}}}}
        steps:
          - command: |
              set -e
              test -z \"$(ls /usr/share/base-files)\"
              test -f /once/spec.yml
              echo \"$WHO $BOTH $(cat /in/greeting) $PWD\" > /usr/share/base-files/one.txt
              touch /usr/share/base-files/other
              echo lost > /in/lost
              echo kept > /beside
            env: {BOTH: first}
            mounts:
              - {dest: /once, spec: {context: {}}}
          - command: |
              set -e
              test ! -e /once/spec.yml
              test ! -e /in/lost
              echo \"$WHO $BOTH $(cat /beside)\" | cat /usr/share/base-files/one.txt - > /usr/share/base-files/two.txt
";
    let tests = "
  docs:
    part: {}
    made: {}
tests:
  - name: what is taken
    files:
      /usr/share/doc/images/part/debian_version: {starts_with: '12'}
      /usr/share/doc/images/part/default: {is_dir: true}
      /usr/share/doc/images/part/default/useradd: {not_exist: true}
      /usr/share/doc/images/part/passwd: {not_exist: true}
      /usr/share/doc/images/made/two.txt: {equals: \"all first hello /var/lib\\nall all kept\\n\"}
      /usr/share/doc/images/made/other: {not_exist: true}
      /usr/share/doc/images/made/base-files: {not_exist: true}
";
    let spec = with_sources("images", sources.trim_start_matches('\n'), tests.trim_start_matches('\n'));
    let packages = ENGINES.map(|engine| {
        let project = Project::new(&spec);
        engine.build(&project, "bookworm/deb").succeeds();
        fs::read(project.output(".deb")).expect("the package can be read")
    });
    assert!(packages[0] == packages[1], "the packages differ");
}

/// SRC-014, SRC-017: files of an image as a patch, and as what a test sees: a directory as a whole, or a part of it.
#[test]
fn files_of_images_are_mounted_and_patch() {
    let sources = "
  text: {inline: {dir: {files: {notes: {contents: \"plain\\n\"}}}}}
  patches:
    path: /out
    image:
      ref: debian:bookworm
      cmd:
        steps:
          - command: printf -- '--- a/notes\\n+++ b/notes\\n@@ -1 +1 @@\\n-plain\\n+patched\\n' > /out/fix.patch
";
    let more = "
  docs:
    text/notes: {}
patches:
  text:
    - {source: patches, path: fix.patch}
tests:
  - name: mounts
    mounts:
      - {dest: /whole, spec: {image: {ref: 'debian:bookworm'}, path: /}}
      - {dest: /part, spec: {image: {ref: 'debian:bookworm'}, path: /etc, includes: [debian_version]}}
      - {dest: /made, spec: {path: /out, image: {ref: 'debian:bookworm', cmd: {steps: [{command: echo made > /out/it}]}}}}
      - {dest: /file, spec: {inline: {file: {contents: text}}}}
    files:
      /usr/share/doc/mounted/notes: {equals: \"patched\\n\"}
      /whole/etc/debian_version: {starts_with: '12'}
      /part/debian_version: {starts_with: '12'}
      /part/passwd: {not_exist: true}
      /made/it: {equals: \"made\\n\"}
      /file: {equals: text}
";
    let spec = with_sources("mounted", sources.trim_start_matches('\n'), more.trim_start_matches('\n'));
    for engine in ENGINES {
        engine.build(&Project::new(&spec), "bookworm/deb").succeeds();
    }
}

/// A base image that is changed by commands, of which a part is taken, with a program that the container has to run.
const CHANGED: &str = "
dependencies:
  runtime:
    dash: {}
image:
  entrypoint: /usr/bin/changed
  bases:
    - rootfs:
        path: /
        excludes: [usr/share/doc]
        image:
          ref: debian:bookworm
          cmd:
            steps:
              - command: echo changed > /etc/changed
              - command: echo again >> /etc/changed
tests:
  - name: the base
    files:
      /etc/changed: {equals: \"changed\\nagain\\n\"}
      /usr/share/doc/base-files: {not_exist: true}
";

/// SRC-006, TGT-014, TGT-015: containers start from what the commands leave of a base image, and run.
#[test]
fn base_images_are_changed_first() {
    let spec = script("changed", CHANGED.trim_start_matches('\n'));
    let spec = spec.replace("echo I am changed", "read -r line </etc/changed; echo \"I am $line\"");
    for (engine, target) in ENGINES.into_iter().flat_map(|engine| {
        ["bookworm/container", "bookworm/testing/container"].map(|target| (engine, target))
    }) {
        let project = Project::new(&spec);
        let build = match engine {
            Engine::Embedded => project.build(target),
            _ => inside(&project).args(["-f", "spec.yml", "--target", target, "."]),
        };
        build.args(["-o", "type=docker,dest=image.tar", "-t", "example.org/changed:1"]).succeeds();
        let podman = Podman::new();
        podman.command().args(["load", "--quiet", "--input"]).arg(project.path("image.tar")).succeeds();
        let ran = podman.run("example.org/changed:1").succeeds();
        assert_eq!(ran.stdout, "I am changed\n", "{engine:?} {target}");
    }
}

/// Gives the frontend for Dockerfiles to a build on `engine`: to BuildKit, which has one built in, under another name alone.
fn with_dockerfiles(engine: Engine, build: Invocation) -> Invocation {
    let context = dockerfile_frontend().context();
    let build = build.arg(format!("--build-context=frontends.example/docker:1={context}"));
    match engine {
        Engine::Embedded => build.arg(format!("--build-context=docker/dockerfile:1={context}")),
        _ => build,
    }
}

/// SRC-010, SRC-011, SRC-012: Dockerfiles are built by the frontend that they name or by the usual one, with the stage and the
/// arguments of the spec and what the client says; one may stand in the spec.
#[test]
fn results_of_dockerfiles() {
    let sources = "
  built:
    path: made
    build:
      source: {context: {}, path: docker}
      dockerfile_path: sub/Containerfile
      target: artifacts
      args: {FLAVOR: spicy}
  version:
    build:
      source: {inline: {file: {contents: \"FROM scratch\\nCOPY --from=debian:bookworm /etc/debian_version /\\n\"}}}
  named:
    includes: [two]
    build:
      source:
        inline:
          file:
            contents: |
              # syntax=frontends.example/docker:1
              FROM debian:bookworm AS one
              RUN echo two > /two && touch /three
              FROM scratch
              COPY --from=one /two /three /
";
    let more = "
  docs:
    built: {}
    version: {}
    named: {}
args:
  CLIENT: nobody
tests:
  - name: what was built
    files:
      /usr/share/doc/dockerfiles/built/out: {equals: \"spicy input somebody\\n\"}
      /usr/share/doc/dockerfiles/built/last: {not_exist: true}
      /usr/share/doc/dockerfiles/version/debian_version: {starts_with: '12'}
      /usr/share/doc/dockerfiles/named/two: {equals: \"two\\n\"}
      /usr/share/doc/dockerfiles/named/three: {not_exist: true}
";
    let dockerfile = "\
FROM debian:bookworm AS made
ARG FLAVOR=plain CLIENT=unknown
WORKDIR /made
COPY input .
RUN --mount=type=cache,id=kept,target=/cache touch /cache/used && echo \"$FLAVOR $(cat input) $CLIENT\" > out
FROM scratch AS artifacts
COPY --from=made /made /made
FROM artifacts
COPY input /made/last
";
    let spec = with_sources("dockerfiles", sources.trim_start_matches('\n'), more.trim_start_matches('\n'));
    let packages = ENGINES.map(|engine| {
        let project = Project::new(&spec);
        project.write("docker/sub/Containerfile", dockerfile);
        project.write("docker/input", "input");
        let build = engine.build(&project, "bookworm/deb").args(["--build-arg", "CLIENT=somebody"]);
        with_dockerfiles(engine, build).succeeds();
        fs::read(project.output(".deb")).expect("the package can be read")
    });
    assert!(packages[0] == packages[1], "the packages differ");
    // What the Dockerfile keeps is kept apart from what others do.
    let caches = Invocation::new(Who::Me, Path::new("/")).args(["cache", "ls", "--state-dir"]);
    let listed = caches.arg(kept_state(Who::Me)).succeeds().stdout;
    let names: Vec<&str> = listed.split_whitespace().filter(|word| word.ends_with("/kept")).collect();
    assert_eq!(names, ["dalec-dockerfile-dockerfiles/kept"], "{listed}");
}

/// SRC-015, SRC-016: what one build leaves out of all sources that are directories.
#[test]
fn what_one_build_leaves_out() {
    let sources = "
  dir: {inline: {dir: {files: {kept: {contents: a}, notes.test: {contents: b}}}}}
  local: {context: {}, path: local}
  one.test: {inline: {file: {contents: c}}}
";
    let more = "
  docs:
    dir: {}
    local: {}
    one.test: {}
tests:
  - name: what is left
    mounts:
      - {dest: /mounted, spec: {context: {}, path: local}}
    files:
      /usr/share/doc/filtered/dir/kept: {}
      /usr/share/doc/filtered/dir/notes.test: {not_exist: true}
      /usr/share/doc/filtered/local/sub/kept: {}
      /usr/share/doc/filtered/local/sub/notes.test: {not_exist: true}
      /usr/share/doc/filtered/one.test: {equals: c}
      /mounted/sub/notes.test: {not_exist: true}
";
    let spec = with_sources("filtered", sources.trim_start_matches('\n'), more.trim_start_matches('\n'));
    for engine in ENGINES {
        let project = Project::new(&spec);
        for (name, content) in [
            ("local/sub/kept", ""),
            ("local/sub/notes.test", ""),
            ("options/filter.yml", "global_excludes: ['**/*.test']\n"),
        ] {
            project.write(name, content);
        }
        let build = engine.build(&project, "bookworm/deb");
        let build = build.args(["--build-arg", "DALEC_SOURCE_FILTER_CONFIG_PATH=filter.yml"]);
        build.args(["--build-context", "dalec-source-options=options"]).succeeds();
    }
}
