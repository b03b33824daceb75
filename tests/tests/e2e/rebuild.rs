//! What runs again and what does not.

use dalec_e2e::progress::{Vertices, vertices};
use dalec_e2e::run::Project;

use crate::specs::{hello, script};

fn build(project: &Project) -> Vertices {
    vertices(&project.build("bookworm/deb").args(["--progress", "json"]).succeeds())
}

#[test]
fn nothing_changed_runs_nothing() {
    let project = hello();
    project.build("bookworm/deb").succeeds();
    let again = build(&project);
    assert_eq!(again.processes(), Vec::<&String>::new());
    assert!(!again.cached.is_empty());
}

/// Results lie beside the sources more often than not.
#[test]
fn results_are_no_sources() {
    let spec =
        script("results", "build:\n  steps:\n    - command: test ! -e src/out && test ! -e src/meta.json\n");
    let project = Project::new(&spec.replace("sources:\n", "sources:\n  src:\n    context: {}\n"));
    let build = || project.build("bookworm/deb").args(["--metadata-file", "meta.json", "--progress", "json"]);
    build().succeeds();
    for _ in 0..2 {
        assert_eq!(vertices(&build().succeeds()).processes(), Vec::<&String>::new());
    }
    let several = || build().args(["--target", "bookworm/dsc", "-o", "."]);
    several().succeeds();
    assert_eq!(vertices(&several().succeeds()).processes(), Vec::<&String>::new());
    assert!(project.path("bookworm_dsc").is_dir());
    let deeper = || build().args(["-o", "build/results"]);
    deeper().succeeds();
    assert_eq!(vertices(&deeper().succeeds()).processes(), Vec::<&String>::new());
    let ran = project.build("bookworm/deb").args(["--metadata-file", "meta.json"]).succeeds();
    ran.says(&["out is left out of the sources: results go there"]);
}

/// A destination with sources in it is no place of results alone.
#[test]
fn a_destination_with_sources_in_it_is_read() {
    let steps = "build:\n  steps:\n    - command: test -e src/packaging/notes/read\n";
    let sources = "sources:\n  src:\n    context: {}\n  notes:\n    context: {name: notes}\n";
    let project = Project::new(&script("nested", steps).replace("sources:\n", sources));
    project.write("packaging/notes/read", "");
    let build = project.build("bookworm/deb");
    build.args(["--build-context", "notes=packaging/notes", "-o", "packaging"]).succeeds();
    assert!(project.path("packaging/nested_1.0.0-debian12u1_all.deb").exists());
}

#[test]
fn a_file_that_no_source_takes_changes_nothing() {
    let project = hello();
    project.build("bookworm/deb").succeeds();
    project.write("notes.txt", "not part of any source\n");
    assert_eq!(build(&project).processes(), Vec::<&String>::new());
}

#[test]
fn a_changed_line_runs_only_what_reads_it() {
    let project = hello();
    project.build("bookworm/deb").succeeds();
    let source = std::fs::read_to_string(project.path("hello.c")).unwrap();
    let unique = format!("    puts(\"Hello, world!\"); /* {} */", project.path("").display());
    project.write("hello.c", source.replace("    puts(\"Hello, world!\");", &unique));
    let again = build(&project);
    let ran = again.processes();
    assert!(!ran.is_empty());
    let untouched = ["Install", "dist-upgrade", "worker"];
    for name in &ran {
        let lower = name.to_lowercase();
        let base = untouched.iter().any(|word| lower.contains(&word.to_lowercase()))
            && !lower.contains("hello-dalec");
        assert!(!base, "{name:?} does not read the source, but ran again: {ran:?}");
    }
}
