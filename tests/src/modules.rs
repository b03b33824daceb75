//! Real Go modules, served on loopback as a module proxy would.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::binary::kept;
use crate::http::{Response, Server};
use crate::run::Project;
use crate::specs::head;
use crate::tools;

/// What [`project`] needs: a module that says something in the language of its user, and what that needs.
const REQUIRED: &str = "
require rsc.io/quote v1.5.2

require (
\tgolang.org/x/text v0.0.0-20170915032832-14c0d48ead0c // indirect
\trsc.io/sampler v1.3.0 // indirect
)
";

const SUMS: &str = "\
golang.org/x/text v0.0.0-20170915032832-14c0d48ead0c h1:qgOY6WgZOaTkIIMiVjBQcw93ERBE4m30iBm00nkL0i8=
golang.org/x/text v0.0.0-20170915032832-14c0d48ead0c/go.mod h1:NqM8EUOU14njkJ3fqMW+pc6Ldnwhi/IjpwHt7yyuwOQ=
rsc.io/quote v1.5.2 h1:w5fcysjrx7yqtD/aO+QwRjYZOKnaM9Uh2b40tElTs3Y=
rsc.io/quote v1.5.2/go.mod h1:LzX7hefJvL54yjefDEDHNONDjII0t9xZLPXsUe+TKr0=
rsc.io/sampler v1.3.0 h1:7uVkIFmeBqHfdjD+gZwtXXI+RODJ2Wc4O7MPEh/QiW4=
rsc.io/sampler v1.3.0/go.mod h1:T1hPZKmBbMNahiBKFy5HrXp6adAjACjK9JXDnKaTXpA=
";

/// The spec, but for its head.
const SPEC: &str = r#"
sources:
  src:
    context: {}
    includes: [go.mod, go.sum, main.go, tools]
    generate:
      - gomod: {paths: [., tools]}
  fixes:
    context: {}
    includes: [fix.patch]
patches:
  src: [{source: fixes, path: fix.patch}]
dependencies:
  build: [golang-go]
build:
  env: {CGO_ENABLED: "0", GOCACHE: /tmp/go-cache, GOPROXY: "off"}
  steps:
    - command: |
        cd src && go build -o ../bin/quoted .
        cd tools && go build -o ../../bin/tool .
artifacts:
  binaries: {bin/quoted: {}, bin/tool: {}}
tests:
  - name: both programs say something
    steps:
      - command: quoted
        stdout: {contains: ["I can eat glass"]}
      - command: tool
        stdout: {contains: ["Hello, world."]}
"#;

fn spec() -> String {
    head("quoted", "Two programs in one source") + SPEC
}

/// Returns a project with two Go programs in one source, and a patch without which one of them needs nothing.
pub fn project() -> Project {
    let project = Project::new(&spec());
    project.write("go.mod", "module example.org/quoted\n\ngo 1.19\n");
    project.write("go.sum", SUMS);
    let main = |import: &str, say: &str| {
        format!(
            "package main\n\nimport (\n\t\"fmt\"\n\n\t\"{import}\"\n)\n\nfunc main() {{ fmt.Println({say}) }}\n"
        )
    };
    project.write("main.go", main("rsc.io/quote", "quote.Glass()"));
    project.write("tools/go.mod", "module example.org/tool\n\ngo 1.19\n\nrequire rsc.io/sampler v1.3.0\n\nrequire golang.org/x/text v0.0.0-20170915032832-14c0d48ead0c // indirect\n");
    project.write("tools/go.sum", SUMS);
    project.write("tools/main.go", main("rsc.io/sampler", "sampler.Hello()"));
    let added: String = REQUIRED.lines().map(|line| format!("+{line}\n")).collect();
    let head = "--- a/go.mod\n+++ b/go.mod\n@@ -1,3 +1,10 @@\n module example.org/quoted\n \n go 1.19\n";
    project.write("fix.patch", head.to_owned() + &added);
    project
}

/// Sums of what edits lead to.
const EDITED_SUMS: &str = "\
rsc.io/quote v1.5.1 h1:ptSemFtffEBvMed43o25vSUpcTVcqxfXU8Jv0sfFVJs=
rsc.io/quote v1.5.1/go.mod h1:LzX7hefJvL54yjefDEDHNONDjII0t9xZLPXsUe+TKr0=
rsc.io/sampler v1.3.1 h1:F0c3J2nQCdk9ODsNhU3sElnvPIxM/xV1c/qZuAeZmac=
rsc.io/sampler v1.3.1/go.mod h1:T1hPZKmBbMNahiBKFy5HrXp6adAjACjK9JXDnKaTXpA=
";

/// Returns the same with edits without which nothing can be downloaded: one program needs a module that nobody has, and
/// the other one has copies of its modules, which follow. What each build step sees is checked in it.
///
/// # Panics
/// When the copies cannot be made.
pub fn edited_project() -> Project {
    let project = project();
    let edits = "
      - gomod:
          paths: [., tools]
          edits:
            replace: [rsc.io/quote => rsc.io/quote@v1.5.1, {old: rsc.io/sampler, new: rsc.io/sampler@v1.3.1}]
            drop: [example.org/gone]";
    let spec = spec().replace("\n      - gomod: {paths: [., tools]}", edits).replace(
        "        cd src && go build",
        r#"        test "$(sed 1,2d /proc/net/dev | cut -d: -f1 | tr -d ' ')" = lo
        grep 'rsc.io/quote => rsc.io/quote v1.5.1' src/go.mod
        grep 'rsc.io/sampler v1.3.1/go.mod' src/go.sum src/tools/go.sum
        grep 'in a variety of languages' src/tools/vendor/rsc.io/sampler/sampler.go
        cd src && go build"#,
    );
    project.write("spec.yml", spec);
    let cache = fetched();
    let tools = project.path("tools");
    let mut go = Command::new(tools::go().expect("there is a go"));
    go.args(["mod", "vendor"]).current_dir(&tools).env("GOMODCACHE", cache).env("GOFLAGS", "-modcacherw");
    finishes(go.env("GOPROXY", "off"));
    project.write("go.sum", format!("{SUMS}{EDITED_SUMS}"));
    project.write("tools/go.sum", format!("{SUMS}{EDITED_SUMS}"));
    let required: String = REQUIRED.replace("require rsc", "require example.org/gone v1.0.0\n\nrequire rsc");
    let added: String = required.lines().map(|line| format!("+{line}\n")).collect();
    let head = "--- a/go.mod\n+++ b/go.mod\n@@ -1,3 +1,12 @@\n module example.org/quoted\n \n go 1.19\n";
    project.write("fix.patch", head.to_owned() + &added);
    project
}

/// Serves the modules of [`project`], fetched once from where this machine gets its modules.
///
/// # Panics
/// When they cannot be had.
pub fn proxy() -> Server {
    let cache = fetched();
    Server::start(move |path| {
        let inside = path.split('/').all(|part| part != "..");
        let file = cache.join("cache/download").join(path.trim_start_matches('/'));
        match inside.then(|| std::fs::read(file)) {
            Some(Ok(content)) => Response::ok(content),
            _ => Response::not_found(),
        }
    })
}

fn fetched() -> PathBuf {
    let cache = kept().join("go-modules");
    let folder = TempDir::new().expect("there is a place for temporary files");
    let write =
        |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("it is ours");
    write("go.mod", format!("module example.org/quoted\n\ngo 1.19\n{REQUIRED}"));
    write("go.sum", format!("{SUMS}{EDITED_SUMS}"));
    download(folder.path(), &cache);
    let edited = REQUIRED.replace("quote v1.5.2", "quote v1.5.1").replace("sampler v1.3.0", "sampler v1.3.1");
    write("go.mod", format!("module example.org/quoted\n\ngo 1.19\n{edited}"));
    download(folder.path(), &cache);
    cache
}

fn download(folder: &Path, cache: &Path) {
    let mut go = Command::new(tools::go().expect("there is a go"));
    go.args(["mod", "download"]).current_dir(folder).env("GOMODCACHE", cache).env("GOFLAGS", "-modcacherw");
    finishes(&mut go);
}

fn finishes(go: &mut Command) {
    let output = go.output().expect("go starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
