//! Real Rust crates, served on loopback as a registry would: by an index in git, which every cargo knows, old ones too.

use crate::http::{Response, Server};
use crate::repositories::{HttpServer, Repository};
use crate::run::Project;
use crate::specs::head;
use crate::upstream::{Archive, rust_crate};

/// What the programs of [`Registry::project`] need: crates that need nothing themselves, and what the index says of them
/// besides their sums.
const CRATES: [(&str, &str, &str, &str); 2] = [
    ("hex", "0.4.3", "3/h/hex", r#"{"alloc":[],"default":["std"],"std":["alloc"]}"#),
    ("itoa", "1.0.5", "it/oa/itoa", "{}"),
];

/// The spec, but for its head.
const SPEC: &str = r#"
sources:
  src:
    context: {}
    includes: [.cargo, Cargo.lock, Cargo.toml, src, tool]
    generate:
      - cargohome: {paths: [., tool]}
  fixes:
    context: {}
    includes: [fix.patch]
patches:
  src: [{source: fixes, path: fix.patch}]
dependencies:
  build: [cargo]
build:
  steps:
    - command: |
        cd src && cargo build --release && cargo build --release --manifest-path tool/Cargo.toml
artifacts:
  binaries: {src/target/release/spelled: {}, src/tool/target/release/counted: {}}
tests:
  - name: both programs say something
    steps:
      - command: spelled
        stdout: {equals: "48656c6c6f\n"}
      - command: counted
        stdout: {equals: "42\n"}
"#;

const FIX: &str = "\
--- a/Cargo.toml
+++ b/Cargo.toml
@@ -2,3 +2,6 @@ [package]
 name = \"spelled\"
 version = \"1.0.0\"
 edition = \"2021\"
+
+[dependencies]
+hex = \"0.4.3\"
";

/// A registry with a few crates; it stops when dropped.
#[derive(Debug)]
pub struct Registry {
    index: HttpServer,
    _crates: Server,
    _repository: Repository,
    archives: Vec<Archive>,
}

impl Registry {
    /// Serves the crates, fetched once from where this machine gets its crates.
    ///
    /// # Panics
    /// When they cannot be had.
    pub fn start() -> Self {
        let archives: Vec<Archive> =
            CRATES.iter().map(|(name, version, ..)| rust_crate(name, version)).collect();
        let served = archives.clone();
        let crates = Server::start(move |path| {
            let name = path.trim_start_matches('/');
            match served.iter().find(|archive| archive.name == name) {
                Some(archive) => Response::ok(archive.content.clone()),
                None => Response::not_found(),
            }
        });
        let config = format!("{{\"dl\": \"{}\"}}\n", crates.url("{crate}-{version}.crate"));
        let entries: Vec<String> = CRATES
            .iter()
            .zip(&archives)
            .map(|((name, version, _, features), archive)| {
                format!(
                    "{{\"name\":\"{name}\",\"vers\":\"{version}\",\"deps\":[],\"cksum\":\"{}\",\
                     \"features\":{features},\"yanked\":false}}\n",
                    sum(archive)
                )
            })
            .collect();
        let files = CRATES.iter().zip(&entries).map(|((_, _, path, _), entry)| (*path, entry.as_str()));
        let files: Vec<(&str, &str)> = files.chain([("config.json", config.as_str())]).collect();
        let repository = Repository::new(&files);
        Self { index: repository.over_http(None), _crates: crates, _repository: repository, archives }
    }

    /// Returns how often the index was asked for.
    pub fn requests(&self) -> usize {
        self.index.requests()
    }

    /// Returns a project with two Rust programs in one source, and a patch without which one of them needs nothing.
    pub fn project(&self) -> Project {
        let project = Project::new(&(head("spelled", "Two programs in one source") + SPEC));
        let manifest =
            |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\n");
        let [hex, itoa] = [0, 1].map(|index| self.locked(index));
        project.write("Cargo.toml", manifest("spelled"));
        project.write("Cargo.lock", lock(&[hex, own("spelled", "hex")]));
        project.write("src/main.rs", "fn main() {\n    println!(\"{}\", hex::encode(\"Hello\"));\n}\n");
        project.write("fix.patch", FIX);
        project.write("tool/Cargo.toml", manifest("counted") + "\n[dependencies]\nitoa = \"1.0.5\"\n");
        project.write("tool/Cargo.lock", lock(&[own("counted", "itoa"), itoa]));
        let main = "fn main() {\n    println!(\"{}\", itoa::Buffer::new().format(42));\n}\n";
        project.write("tool/src/main.rs", main);
        let config = format!(
            "[source.crates-io]\nreplace-with = \"loopback\"\n\n[source.loopback]\nregistry = \"{}\"\n",
            self.index.url()
        );
        project.write(".cargo/config.toml", config);
        project
    }

    /// Returns what `Cargo.lock` says of a crate.
    fn locked(&self, index: usize) -> String {
        let (name, version, ..) = CRATES[index];
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\
             source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{}\"\n",
            sum(&self.archives[index])
        )
    }
}

/// Returns the sum of an archive as indexes write it.
fn sum(archive: &Archive) -> String {
    archive.digest().trim_start_matches("sha256:").to_owned()
}

/// Returns what `Cargo.lock` says of a program that needs the crate `needed`.
fn own(name: &str, needed: &str) -> String {
    format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\ndependencies = [\n \"{needed}\",\n]\n")
}

/// Returns a `Cargo.lock` of `packages`, which are sorted.
fn lock(packages: &[String]) -> String {
    format!("version = 3\n\n{}", packages.join("\n"))
}
