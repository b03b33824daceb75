//! Real Python packages, served on loopback as a package index would.

use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::binary::kept;
use crate::http::{Response, Server};
use crate::run::Project;
use crate::specs::head;

/// What is downloaded: what one project needs, and what its parts are built with. pip itself builds all of what it takes from
/// sources to find out what else it needs.
const PACKAGES: &[(&str, &str, &str)] = &[
    ("six", "1.16.0", ":all:"),
    ("tomli", "2.0.1", ":all:"),
    ("flit-core", "3.9.0", ":all:"),
    ("flit-core", "3.9.0", ":none:"),
    ("setuptools", "68.2.2", ":none:"),
    ("wheel", "0.41.3", ":none:"),
];

/// The spec, but for its head.
const SPEC: &str = r#"
sources:
  src:
    context: {}
    includes: [app, requirements-dev.txt]
    generate:
      - subpath: app
        pip: {requirements_file: needs.txt, index_url: "INDEX"}
dependencies:
  build: [python3-pip]
build:
  steps:
    - command: |
        test "$(sed 1,2d /proc/net/dev | cut -d: -f1 | tr -d ' ')" = lo
        test -d "$PIP_CACHE_DIR"
        test -d src/app/site-packages
        test ! -e src/app/node_modules/gyp/site-packages
        cd / && python3 -c 'import six, tomli, own; print(six.__version__, own.NAME, six.__file__)' >"$OLDPWD/version"
        sed -i 's, /.*/src/, src/,' "$OLDPWD/version"
artifacts:
  docs: {version: {}}
tests:
  - name: the package was there
    files:
      /usr/share/doc/counted/version: {equals: "1.16.0 own src/app/site-packages/six.py\n"}
"#;

/// Returns a project that needs a package for its build, from the index at `url`; a part of it is a package itself, and it
/// has requirements of which nobody takes notice, nor of a package that came along with one of npm.
pub fn project(url: &str) -> Project {
    let head = head("counted", "Says which version of a package it was built with");
    let project = Project::new(&(head + &SPEC.replace("INDEX", url)));
    project.write("app/needs.txt", "six==1.16.0\ntomli==2.0.1\n");
    project.write("app/own/own.py", "NAME = 'own'\n");
    let setup = "from setuptools import setup\nsetup(name='own', version='1', py_modules=['own'])\n";
    project.write("app/own/setup.py", setup);
    project.write("app/node_modules/gyp/setup.py", setup);
    project.write("requirements-dev.txt", "nobody-has-this==1.0\n");
    project
}

/// Serves what [`project`] needs, fetched once from where this machine gets its packages.
///
/// # Panics
/// When it cannot be had.
pub fn index() -> Server {
    let folder = fetched();
    Server::start(move |path| {
        let name = path.trim_matches('/');
        if let Some(package) = name.strip_prefix("simple/") {
            let links: String = files(&folder)
                .iter()
                .filter(|file| file.replace('_', "-").starts_with(&format!("{package}-")))
                .map(|file| format!("<a href=\"/files/{file}\">{file}</a>\n"))
                .collect();
            return if links.is_empty() { Response::not_found() } else { Response::ok(links) };
        }
        let file = name.strip_prefix("files/").filter(|file| !file.contains('/'));
        match file.map(|file| std::fs::read(folder.join(file))) {
            Some(Ok(content)) => Response::ok(content),
            _ => Response::not_found(),
        }
    })
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it is ours").flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn fetched() -> PathBuf {
    let key = hex::encode(Sha256::digest(format!("{PACKAGES:?}")));
    let folder = kept().join("sources").join(format!("python-{}", &key[..16]));
    if folder.exists() {
        return folder;
    }
    std::fs::create_dir_all(kept().join("sources")).expect("folders can be made");
    let scratch = TempDir::new_in(kept()).expect("folders can be made");
    let half = scratch.path().join("half");
    for (name, version, sources) in PACKAGES {
        let mut pip = Command::new("pip3");
        pip.args(["download", "--no-deps", "--no-binary", sources, "--dest"]).arg(&half);
        let done = pip.arg(format!("{name}=={version}")).output().expect("pip starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    // Another test may have been faster.
    if std::fs::rename(&half, &folder).is_err() {
        assert!(folder.exists());
    }
    folder
}
