//! `docker buildx bake`: several targets of one spec, described in a file.

use dalec_e2e::bases;
use dalec_e2e::buildkit::Buildkit;
use dalec_e2e::engine::frontend;
use dalec_e2e::run::Project;
use dalec_e2e::specs::script;
use serde_json::Value;

/// What is built: packages with a named context, an argument and a secret, and an image for two platforms.
const FILE: &str = r#"
variable "FRONTEND" {}
variable "BASE" {}
variable "WORKER" {}

group "default" {
  targets = ["packages", "image"]
}

target "common" {
  dockerfile = "spec.yml"
  args = {
    BUILDKIT_SYNTAX = "dalec.example/frontend"
    VERSION = "2.5.0"
  }
  contexts = {
    "dalec.example/frontend" = FRONTEND
    "docker.io/library/debian:bookworm" = BASE
    "dalec-bookworm-worker" = WORKER
    notes = "notes"
  }
  secret = ["id=GIT_AUTH_TOKEN,env=TOKEN"]
}

target "packages" {
  inherits = ["common"]
  target = "bookworm/deb"
  output = ["type=local,dest=out"]
}

target "image" {
  inherits = ["common"]
  target = "bookworm/container"
  platforms = ["linux/amd64", "linux/386"]
  output = ["type=oci,dest=image.tar"]
}
"#;

#[test]
fn a_file_says_what_is_built() {
    let sources = "sources:\n  notes:\n    context:\n      name: notes\n";
    let spec = script("baking", "args:\n  VERSION: 1.0.0\n").replace("sources:\n", sources);
    let spec = spec.replace("version: 1.0.0", "version: ${VERSION}");
    let project = Project::new(&spec);
    project.write("notes/note", "hello\n");
    project.write("docker-bake.hcl", FILE);
    let mut bake = Buildkit::shared().bare_buildx(&project.path(""));
    let images = [
        ("FRONTEND", frontend().context()),
        ("BASE", bases::base("bookworm").context()),
        ("WORKER", bases::worker("bookworm").context()),
    ];
    bake.command.envs(images).env("TOKEN", "word");
    let bake = bake.args(["bake", "--progress", "plain", "--allow", "fs=*"]);
    bake.args(["--metadata-file", "metadata.json"]).succeeds();
    project.output("baking_2.5.0-debian12u1_all.deb");
    let metadata = std::fs::read(project.path("metadata.json")).unwrap();
    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    assert!(metadata["packages"]["buildx.build.ref"].is_string(), "{metadata}");
    let kind = &metadata["image"]["containerimage.descriptor"]["mediaType"];
    assert_eq!(*kind, "application/vnd.oci.image.index.v1+json");
    assert!(project.path("image.tar").exists());
}
