//! `windowscross/zip`.

use std::fs;

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::windows::{headers, names_in, unpacked};

use crate::greet::{build, file, greet, greeting};

on_both_engines!(
    root: a_program_with_its_library,
    artifacts_go_where_the_spec_says,
    sources_are_patched,
);
on_the_embedded_engine!(
    the_same_sources_give_the_same_bytes,
    a_changed_line_builds_the_programs_and_the_zip_again
);

const ZIP: &str = "greet_1.2.0-3_amd64.zip";

/// WIN-001, WIN-002, WIN-003; BLD-001: the second step goes on where the first one ended.
pub fn a_program_with_its_library(engine: Engine) {
    let project = greet();
    build(engine, &project, "windowscross/zip").succeeds();
    assert_eq!(project.outputs(), [ZIP]);
    let zip = project.output(".zip");
    assert_eq!(names_in(&zip), ["greet.exe", "greeting.dll"]);
    let folder = unpacked(&zip);
    let program = headers(&folder.join("greet.exe"));
    assert!(program.contains("pei-x86-64") && program.contains("DLL Name: greeting.dll"), "{program}");
    assert!(program.contains(".rsrc"), "no resources: {program}");
    assert!(headers(&folder.join("greeting.dll")).contains("greeting"));
    // The day of the changelog: nothing tells when it was built.
    let modified = fs::metadata(folder.join("greet.exe")).unwrap().modified().unwrap();
    let day = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_769_904_000);
    let apart = modified.duration_since(day).unwrap_or_else(|error| error.duration());
    assert!(apart.as_secs() <= 14 * 3600, "{modified:?} is not that day, wherever");
}

/// ART-001, ART-013, and BLD-002 for steps.
fn artifacts_go_where_the_spec_says(engine: Engine) {
    let binaries =
        "{tool.exe: {name: renamed.exe, subpath: bin, permissions: 0750}, 'out/*': {subpath: lib}, '-': {}}";
    let step = "mkdir out; touch \"out/$NAME a.dll\" out/b.dll out/-rf; printf of >-";
    let steps = format!("build:\n  steps:\n    - command: '{step}'\n      env: {{NAME: it is}}\n");
    let project = file(binaries, &steps);
    build(engine, &project, "windowscross/zip").succeeds();
    let zip = project.output(".zip");
    assert_eq!(names_in(&zip), ["-", "bin/renamed.exe", "lib/-rf", "lib/b.dll", "lib/it is a.dll"]);
    assert_eq!(fs::read_to_string(unpacked(&zip).join("-")).unwrap(), "of");
    let mode =
        std::os::unix::fs::MetadataExt::mode(&fs::metadata(unpacked(&zip).join("bin/renamed.exe")).unwrap());
    assert_eq!(mode & 0o777, 0o750);
}

fn sources_are_patched(engine: Engine) {
    let patch = "  fix.patch:
    inline:
      file:
        contents: |
          --- a/notes.exe
          +++ b/notes.exe
          @@ -1 +1 @@
          -plain
          +patched
  text:
    inline:
      dir:
        files:
          notes.exe:
            contents: |
              plain
patches:
  text:
    - source: fix.patch
artifacts:";
    let project = file("{text/notes.exe: {}}", "");
    let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
    project.write("spec.yml", spec.replace("artifacts:", patch));
    build(engine, &project, "windowscross/zip").succeeds();
    let notes = fs::read_to_string(unpacked(&project.output(".zip")).join("notes.exe")).unwrap();
    assert_eq!(notes, "patched\n");
}

/// In another folder, at another time.
fn the_same_sources_give_the_same_bytes() {
    let (first, second) = (greet(), greet());
    build(Engine::Embedded, &first, "windowscross/zip").succeeds();
    let ran = build(Engine::Embedded, &second, "windowscross/zip").arg("--no-cache").succeeds();
    assert!(ran.stderr.contains("-o out/greet.exe"), "nothing was built again: {}", ran.stderr);
    assert!(fs::read(first.output(".zip")).unwrap() == fs::read(second.output(".zip")).unwrap());
}

fn a_changed_line_builds_the_programs_and_the_zip_again() {
    let project = greet();
    let build = || build(Engine::Embedded, &project, "windowscross/zip").succeeds();
    build();
    build().says(&["nothing has changed"]);
    let before = fs::read(project.output(".zip")).unwrap();
    let other = format!("Hello from {}!", project.path("").display());
    greeting(&project, &other);
    let ran = build();
    for step in ["Build programs of greet", &format!("Make {ZIP}")] {
        assert!(ran.stderr.contains(step), "{step} did not run: {}", ran.stderr);
    }
    ran.says(&["4 steps run"]);
    assert!(fs::read(project.output(".zip")).unwrap() != before);
}

mod same {
    mod buildkit {
        use super::super::*;

        #[test]
        fn both_engines_make_the_same_bytes() {
            let (here, there) = (greet(), greet());
            build(Engine::Embedded, &here, "windowscross/zip").succeeds();
            build(Engine::Inside, &there, "windowscross/zip").succeeds();
            assert!(fs::read(here.output(".zip")).unwrap() == fs::read(there.output(".zip")).unwrap());
        }
    }
}
