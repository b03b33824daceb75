//! The routes beside the package: source package, worker and containers.

use std::fs;

use dalec_e2e::run::{Project, Who};

use crate::specs::{hello, script};

/// DEB-013
#[test]
fn dsc_gives_the_source_package_alone() {
    let project = hello();
    project.build("trixie/dsc").succeeds();
    let outputs = project.outputs();
    for suffix in [".dsc", ".orig.tar.gz", ".debian.tar.xz", "_source.changes", "_source.buildinfo"] {
        assert!(outputs.iter().any(|name| name.ends_with(suffix)), "{suffix} is missing in {outputs:?}");
    }
    assert!(!outputs.iter().any(|name| name.ends_with(".deb")), "{outputs:?}");
    let dsc = fs::read_to_string(project.output(".dsc")).unwrap();
    assert!(dsc.contains("Version: 1.0.0-debian13u1"), "{dsc}");
}

/// DEB-012: what dpkg-source unpacks is the build root, with the sources side by side.
#[test]
fn the_source_package_unpacks_to_the_build_root() {
    for (more, expected) in [
        ("", vec!["debian", "tree"]),
        ("  note: {inline: {file: {contents: hi}}}\n", vec!["debian", "note", "tree"]),
    ] {
        let spec = script("tree", "").replace("artifacts:", &format!("{more}artifacts:"));
        let project = Project::new(&spec);
        project.build("bookworm/dsc").succeeds();
        let unpacked = project.path("unpacked");
        let mut command = std::process::Command::new("dpkg-source");
        let output =
            command.args(["--no-check", "-x"]).arg(project.output(".dsc")).arg(&unpacked).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let names =
            fs::read_dir(&unpacked).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        // dpkg-source notes there which patches it applied.
        let mut names: Vec<String> = names.filter(|name| name != ".pc").collect();
        names.sort();
        assert_eq!(names, expected);
    }
}

/// TGT-007
#[test]
fn the_worker_has_the_packaging_tools() {
    let project = hello();
    project.build("bookworm/worker").succeeds();
    let out = project.path("out");
    for tool in ["usr/bin/dpkg-buildpackage", "usr/bin/debuild", "usr/bin/gcc", "usr/bin/git"] {
        assert!(fs::symlink_metadata(out.join(tool)).is_ok(), "{tool} is missing");
    }
}

/// TGT-015: no apt, no dpkg, but the package database says what is there.
#[test]
fn the_container_is_minimal() {
    let project = hello();
    project.build("bookworm/container").succeeds();
    let out = project.path("out");
    assert!(out.join("usr/bin/hello").exists());
    for tool in ["usr/bin/apt-get", "usr/bin/dpkg", "etc/apt", "usr/share/doc"] {
        assert!(fs::symlink_metadata(out.join(tool)).is_err(), "{tool} should be gone");
    }
    let status = fs::read_to_string(out.join("var/lib/dpkg/status")).unwrap();
    assert!(status.contains("Package: hello-dalec\nStatus: install ok installed"), "{status}");
    assert!(status.contains("Package: libc6\n"));
}

/// TGT-014
#[test]
fn the_testing_container_is_the_stock_image_with_the_package() {
    let project = hello();
    project.build_as(Who::Ordinary, "bookworm/testing/container").succeeds();
    let out = project.path("out");
    for path in ["usr/bin/hello", "usr/bin/apt-get", "usr/bin/dpkg", "etc/ssl/certs/ca-certificates.crt"] {
        assert!(fs::symlink_metadata(out.join(path)).is_ok(), "{path} is missing");
    }
}

/// TGT-002: the bare target key builds packages.
#[test]
fn the_bare_target_builds_packages() {
    let project = Project::new(&script("bare", ""));
    project.build("bookworm").succeeds();
    assert_eq!(project.output(".deb").file_name().unwrap(), "bare_1.0.0-debian12u1_all.deb");
}

/// `dir` is where the steps of a test start; otherwise that is the image's working directory.
#[test]
fn tests_start_where_they_say() {
    let tests = "tests:\n  - name: dir\n    dir: /usr/share\n    steps:\n      - command: pwd\n        stdout:\n          \
                 equals: \"/usr/share\\n\"\n  - name: no dir\n    steps:\n      - command: pwd\n        stdout:\n          \
                 equals: \"/\\n\"\n";
    Project::new(&script("directories", tests)).build("bookworm/deb").succeeds();
}

/// SRC-017, BLD-002, TEST-018; files are called what they are called.
#[test]
fn several_sources_patches_and_overrides_come_together() {
    let spec = script(
        "together",
        "  docs:\n    text/notés.txt: {}\n\
         patches:\n  text:\n    - source: fix.patch\n\
         build:\n  env:\n    GREETING: good day\n  steps:\n    - command: |\n        test \"$GREETING\" = 'good day'\n        \
         grep -q patched text/notés.txt\n\
         targets:\n  bookworm:\n    dependencies:\n      runtime:\n        mawk: {}\n    tests:\n      - name: of bookworm\n        \
         steps:\n          - command: together\n            stdout:\n              equals: \"I am together\\n\"\n",
    );
    let spec = spec.replace(
        "artifacts:",
        "  text:\n    inline:\n      dir:\n        files:\n          notés.txt:\n            contents: |\n              \
         plain\n  fix.patch:\n    inline:\n      file:\n        contents: |\n          --- a/notés.txt\n          \
         +++ b/notés.txt\n          @@ -1 +1 @@\n          -plain\n          +patched\nartifacts:",
    );
    let project = Project::new(&spec);
    project.build("bookworm/deb").succeeds();
    let deb = dalec_e2e::deb::Deb::read(&project.output(".deb"));
    assert!(deb.field("Depends").contains("mawk"));
    assert_eq!(deb.files["/usr/share/doc/together/notés.txt"].content, b"patched\n");
}
