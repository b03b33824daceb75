//! Go modules, downloaded for builds that have no network.

use std::process::Command;

use dalec_e2e::modules::{edited_project, project, proxy};
use dalec_e2e::tools;
use tempfile::TempDir;

/// SRC-020, SRC-021, SRC-022, SRC-033: the build steps have what two programs need, one of them because of a patch, and
/// the proxy that is named is where it comes from, once.
#[test]
fn programs_are_built_from_downloaded_modules() {
    let server = proxy();
    let project = project();
    let build = || {
        let proxy = format!("DALEC_GOMOD_PROXY={}", server.url(""));
        project.build("bookworm/deb").args(["--build-arg", &proxy])
    };
    // The cache of downloads outlives this test, so its server may have nothing to do.
    build().succeeds();
    let asked = server.requests();
    build().succeeds().says(&["nothing has changed"]);
    assert_eq!(server.requests(), asked);
    project.output(".deb");
}

/// SRC-034.
#[test]
fn a_failing_download_is_shown_in_the_spec() {
    let project = project();
    project.write("tools/go.mod", "this is no module\n");
    let failed = project.build("bookworm/deb").fails(1);
    failed.says(&["- gomod: {paths: [., tools]}", "errors parsing go.mod"]);
}

/// SRC-025, SRC-033: two modules of a source are edited, which changes their sums and the copies of one of them; the
/// source package says so in one patch.
#[test]
fn edited_modules_are_built() {
    let server = proxy();
    let project = edited_project();
    let proxy = format!("DALEC_GOMOD_PROXY={}", server.url(""));
    project.build("bookworm/deb").args(["--build-arg", &proxy]).succeeds();
    let packaging = Command::new("tar").arg("-tf").arg(project.output(".debian.tar.xz")).output();
    let packaging = String::from_utf8(packaging.expect("tar starts").stdout).expect("names of files");
    let name = "debian/dalec/patches/src/02-__gomod_patch_src\n";
    assert!(packaging.contains(name), "{packaging}");
}

/// Edits that the go command refuses are shown in the spec.
#[test]
fn a_failing_edit_is_shown_in_the_spec() {
    let project = edited_project();
    project.write("main.go", "package main\n\nimport _ \"nowhere.invalid/x\"\n\nfunc main() {}\n");
    let failed = project.build("bookworm/deb").args(["--build-arg", "DALEC_GOMOD_PROXY=off"]).fails(1);
    failed.says(&["- gomod:", "cannot edit /go.mod", "nowhere.invalid/x"]);
}

/// SRC-025: what wants newer versions of go is in a workspace, whose go.work and vendor follow; files without content are
/// files, too. The go of distributions is often too old for any of this, so this is the script alone.
#[test]
fn a_workspace_follows_its_modules() {
    let folder = TempDir::with_prefix("dalec-edits-").expect("there is a place for temporary files");
    let path = |name: &str| folder.path().join(name);
    for (name, content) in [
        ("go.mod", "module example.org/w\n\ngo 1.21\n\nrequire example.org/lib v1.0.0\n"),
        ("main.go", "package main\n\nimport _ \"example.org/lib\"\n\nfunc main() {}\n"),
        ("go.work", "go 1.21\n\nuse .\n"),
        ("lib/go.mod", "module example.org/lib\n\ngo 1.23\n"),
        ("lib/lib.go", "package lib\n"),
        ("lib/empty file.s", ""),
        ("vendor/modules.txt", "# nothing\n"),
        ("vendor/gone.s", ""),
    ] {
        for side in ["b", "c"] {
            let file = path(side).join(name);
            std::fs::create_dir_all(file.parent().expect("it is below")).expect("folders can be made");
            std::fs::write(file, content).expect("files can be written");
        }
    }
    std::fs::create_dir(path("patch")).expect("folders can be made");
    let script = [
        include_str!("../../../crates/dalec-targets/src/generators/go.sh"),
        include_str!("../../../crates/dalec-targets/src/generators/edits.sh"),
        "edit mark: '' -replace=example.org/lib=./lib\nfinish\n",
    ];
    let script = script.concat().replace("/work", &folder.path().display().to_string());
    let go = tools::go().expect("there is a go");
    let search = format!("{}:/usr/bin:/bin", go.parent().expect("it is in a folder").display());
    let run = |command: &mut Command| {
        let output = command.env("PATH", &search).output().expect("it starts");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
        String::from_utf8_lossy(&said).into_owned()
    };
    run(Command::new("sh").args(["-c", &script]).env("GOPROXY", "off").env("GOTOOLCHAIN", "local"));
    let patch = std::fs::File::open(path("patch/edits.patch")).expect("it is written");
    run(Command::new("patch").args(["-s", "-f", "-p1", "-d"]).arg(path("c")).stdin(patch));
    assert_eq!(run(Command::new("diff").arg("-r").arg(path("b")).arg(path("c"))), "");
    let read = |name: &str| std::fs::read_to_string(path("c").join(name)).expect(name);
    assert_eq!(read("go.work"), "go 1.23\n\nuse .\n");
    assert_eq!(read("vendor/example.org/lib/empty file.s"), "");
    assert!(read("vendor/modules.txt").contains("=> ./lib"));
    assert!(!path("c/vendor/gone.s").exists());
}
