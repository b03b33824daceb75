//! Sources that are made by others than us: files of images, what commands make there, and results of Dockerfiles.

use std::fs;

use dalec_e2e::engine::Engine;
use dalec_e2e::run::Project;
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
