//! Real npm packages, served on loopback as a registry would.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha512};
use tempfile::TempDir;

use crate::binary::kept;
use crate::http::{Response, Server};
use crate::run::Project;
use crate::specs::head;

/// What is downloaded: a package that needs nothing.
const PACKAGE: (&str, &str) = ("is-number", "7.0.0");

/// The spec, but for its head.
const SPEC: &str = r#"
sources:
  src:
    context: {}
    includes: [web]
    generate:
      - subpath: web
        nodemod: {registry: "REGISTRY"}
  fixes:
    context: {}
    includes: [fix.patch]
patches:
  src: [{source: fixes, path: fix.patch}]
dependencies:
  build: [npm]
build:
  steps:
    - command: |
        test "$(sed 1,2d /proc/net/dev | cut -d: -f1 | tr -d ' ')" = lo
        cd src/web && node main.js >../../answer
artifacts:
  docs: {answer: {}}
tests:
  - name: the package was there
    files:
      /usr/share/doc/numbered/answer: {equals: "true\n"}
"#;

const FIX: &str = "\
--- a/web/package.json
+++ b/web/package.json
@@ -1 +1 @@
-{\"name\": \"web\", \"version\": \"1.0.0\"}
+{\"name\": \"web\", \"version\": \"1.0.0\", \"dependencies\": {\"is-number\": \"7.0.0\"}}
";

/// Returns a project that needs a package for its build, from the registry at `url`, and a patch without which it needs
/// nothing.
pub fn project(url: &str) -> Project {
    let project = Project::new(&(head("numbered", "Says what is a number") + &SPEC.replace("REGISTRY", url)));
    project.write("web/package.json", "{\"name\": \"web\", \"version\": \"1.0.0\"}\n");
    project.write("web/main.js", "console.log(require('is-number')('42'))\n");
    project.write("fix.patch", FIX);
    project
}

/// Serves what [`project`] needs, fetched once from where this machine gets its packages.
///
/// # Panics
/// When it cannot be had.
pub fn registry() -> Server {
    let archive = std::fs::read(fetched()).expect("it is ours");
    let (name, version) = PACKAGE;
    let integrity = format!("sha512-{}", BASE64_STANDARD.encode(Sha512::digest(&archive)));
    let own = Arc::new(OnceLock::new());
    let address: Arc<OnceLock<String>> = own.clone();
    let server = Server::start(move |path| match path.trim_matches('/') {
        path if path == name => {
            let tarball = address.get();
            let known = serde_json::json!({
                "name": name,
                "dist-tags": {"latest": version},
                "versions": {
                    version: {
                        "name": name,
                        "version": version,
                        "dist": {"tarball": tarball, "integrity": integrity},
                    },
                },
            });
            Response::ok(known.to_string())
        }
        "archive.tgz" => Response::ok(archive.clone()),
        _ => Response::not_found(),
    });
    own.set(server.url("archive.tgz")).expect("nobody else sets it");
    server
}

fn fetched() -> PathBuf {
    let (name, version) = PACKAGE;
    let file = format!("{name}-{version}.tgz");
    let archive = kept().join("sources").join(&file);
    if !archive.exists() {
        std::fs::create_dir_all(kept().join("sources")).expect("folders can be made");
        let scratch = TempDir::new_in(kept()).expect("folders can be made");
        let mut npm = Command::new("npm");
        let done = npm.args(["pack", &format!("{name}@{version}")]).current_dir(&scratch).output();
        let done = done.expect("npm starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        std::fs::rename(scratch.path().join(file), &archive).expect("it can be renamed");
    }
    archive
}
