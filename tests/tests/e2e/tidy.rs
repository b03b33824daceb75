//! What others look at before they take a package: Debian's own judge of packages, and the times of files.

use std::fs;
use std::process::Command;

use dalec_e2e::deb::Deb;

use crate::specs::hello;

/// The licence is where people and scanners look for it, and no file is older than archives take: upstream archives often
/// have files of 1970.
#[test]
fn debian_finds_no_error_in_a_package() {
    let project = hello();
    let spec = fs::read_to_string(project.path("spec.yml")).unwrap();
    let spec = spec.replacen("  steps:\n", "  steps:\n    - command: touch -d @0 notes\n", 1);
    let spec = spec.replacen("Greets the reader\n", "|\n  Greets the reader\n  In few words.\n", 1);
    project.write("spec.yml", spec.replacen("  binaries:\n", "  docs:\n    notes:\n  binaries:\n", 1));
    project.build("bookworm/deb").succeeds();
    let deb = Deb::read(&project.output(".deb"));
    let copyright = String::from_utf8_lossy(&deb.files["/usr/share/doc/hello-dalec/copyright"].content);
    assert!(copyright.contains("\nLicense: MIT\n"), "{copyright}");
    for (name, file) in &deb.files {
        assert!(file.mtime > 10 * 365 * 24 * 3600, "{name} is of {}", file.mtime);
    }
    for changes in ["_source.changes", "_amd64.changes"] {
        let lintian = Command::new("lintian")
            .args(["--allow-root", "--profile", "debian", "--fail-on", "error"])
            .arg(project.output(changes))
            .output()
            .expect("lintian starts");
        assert!(lintian.status.success(), "{}", String::from_utf8_lossy(&lintian.stdout));
    }
}
