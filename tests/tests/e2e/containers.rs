//! What is in the containers of Debian's family, read out of the images that they become.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use dalec_e2e::run::{Invocation, Project};

use crate::specs::script;

/// A member of a container: what it is, who owns it, and where it leads or what it holds.
#[derive(Debug, Default)]
struct File {
    owner: (u64, u64),
    link: String,
    text: String,
}

/// Builds the container and reads all of it.
fn container(build: Invocation, project: &Project) -> BTreeMap<String, File> {
    build.args(["-o", "type=tar,dest=files.tar"]).succeeds();
    let mut archive = tar::Archive::new(fs::File::open(project.path("files.tar")).expect("it was written"));
    let mut files = BTreeMap::new();
    for member in archive.entries().expect("it is an archive") {
        let mut member = member.expect("members can be read");
        let header = member.header();
        let owner = (header.uid().unwrap(), header.gid().unwrap());
        let path = member.path().expect("members have names").display().to_string();
        let link = member.link_name().expect("links lead somewhere");
        let link = link.map(|link| link.display().to_string()).unwrap_or_default();
        let mut content = Vec::new();
        member.read_to_end(&mut content).expect("members can be read");
        let text = String::from_utf8_lossy(&content).into_owned();
        files.insert(path.trim_end_matches('/').to_owned(), File { owner, link, text });
    }
    files
}

/// TGT-017, TGT-019: documentation stays when the spec has some; links have their targets and owners, made by file ops or by
/// a script.
#[test]
fn documentation_and_links_are_those_of_the_spec() {
    let links = "paths: [/also, /opt/deep/er]\n        user: \"65534\"\n        group: \"7\"\n";
    let image = format!("image:\n  post:\n    symlinks:\n      /usr/bin/documented:\n        {links}");
    let more = format!("  docs:\n    notes: {{}}\n{image}");
    let spec = script("documented", &more)
        .replace("artifacts:", "  notes:\n    inline:\n      file:\n        contents: text\nartifacts:");
    let by_name = spec.replace("user: \"65534\"", "user: nobody");
    for (spec, flags) in
        [(&spec, &[][..]), (&spec, &["--build-arg", "DALEC_DISABLE_SYMLINK=1"]), (&by_name, &[])]
    {
        let project = Project::new(spec);
        let files = container(project.build("bookworm/container").args(flags), &project);
        assert_eq!(files["usr/share/doc/documented/notes"].text, "text");
        assert!(files.contains_key("usr/share/doc/libc6/copyright"), "wholesale");
        for path in ["also", "opt/deep/er"] {
            assert_eq!((files[path].link.as_str(), files[path].owner), ("/usr/bin/documented", (65534, 7)));
        }
    }
}

/// TGT-016: alternatives and providers of what is needed stay, with all they need; the rest goes.
#[test]
fn what_is_needed_stays_with_all_that_it_needs() {
    let needs = "dependencies:\n  runtime:\n    mawk: {}\n    adduser: {}\n";
    let project = Project::new(&script("needy", needs));
    let files = container(project.build("bookworm/container"), &project);
    for path in ["usr/bin/mawk", "etc/alternatives/awk", "usr/sbin/adduser", "usr/sbin/useradd"] {
        assert!(files.contains_key(path), "{path} is missing");
    }
    assert_eq!(files["etc/alternatives/awk"].link, "/usr/bin/mawk");
    for path in ["usr/bin/apt-get", "usr/bin/dpkg", "etc/apt", "usr/share/doc"] {
        assert!(!files.contains_key(path), "{path} should be gone");
    }
    let status = &files["var/lib/dpkg/status"].text;
    assert!(status.contains("Package: adduser\n") && !status.contains("Package: apt\n"), "{status}");
}

/// TGT-016: a version that there is not.
#[test]
fn what_cannot_be_had_fails_the_container() {
    let needs = "dependencies:\n  runtime:\n    mawk:\n      version: [\">= 99\"]\n";
    let ran = Project::new(&script("impossible", needs)).build("bookworm/container").fails(1);
    ran.says(&["mawk", "99"]);
}

/// TGT-022: nothing to build, only something to install.
#[test]
fn a_spec_of_dependencies_alone_is_a_container() {
    let spec = "\
name: virtual
version: 1.0.0
revision: 1
description: Nothing of its own
website: https://example.org
license: MIT
packager: Test Maintainers <test@example.org>
dependencies:
  runtime:
    mawk: {}
tests:
  - name: awk is there
    files:
      /usr/bin/mawk: {}
";
    let project = Project::new(spec);
    let files = container(project.build("bookworm/container"), &project);
    assert!(files.contains_key("usr/bin/mawk"));
    assert!(files["var/lib/dpkg/status"].text.contains("Package: virtual\n"));
}

/// TGT-021: packages that were built before are taken as they are, and tested.
#[test]
fn packages_of_a_context_are_not_built_again() {
    let project = Project::new(&script("prebuilt", ""));
    project.build("bookworm/deb").succeeds();
    let spec = fs::read_to_string(project.path("spec.yml")).expect("it is there");
    project.write("spec.yml", spec.replace("echo I am prebuilt", "echo I am not"));
    let context = format!("bookworm-pkg={}", project.path("out").display());
    let build = project.build("bookworm/container").args(["--build-context", &context]);
    let files = container(build, &project);
    assert!(files["usr/bin/prebuilt"].text.contains("echo I am prebuilt"));
}
