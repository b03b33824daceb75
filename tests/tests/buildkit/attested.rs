//! What a build says of itself through BuildKit: metadata files, provenance, lists of materials.

use std::fs;
use std::process::Command;

use dalec_e2e::engine::Engine;
use dalec_e2e::layout::Layout;
use dalec_e2e::registry::Registry;
use dalec_e2e::run::{Invocation, Project};
use dalec_e2e::signers::frontend_image;
use dalec_e2e::specs::script;
use dalec_e2e::tools::go_program;
use serde_json::Value;

/// What in-toto calls the kinds of statements.
const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
const MATERIALS: &str = "https://spdx.dev/Document";

/// A scanner as BuildKit wants it: it lists the names of files.
fn scanner(registry: &Registry) -> String {
    let program = go_program("scanner");
    let image: Layout = frontend_image(&program, "scanner", &program.with_extension("image"));
    registry.push(&image, "scanner:1")
}

fn json(project: &Project, name: &str) -> Value {
    serde_json::from_slice(&fs::read(project.path(name)).expect("the file is there")).expect("it is JSON")
}

/// Returns a build by our image with all that can be said of it.
fn attested(project: &Project, target: &str, scanner: &str) -> Invocation {
    let sbom = format!("type=sbom,generator={scanner}");
    let build = Engine::Inside.build(project, target).args(["--attest", &sbom]);
    build.args(["--provenance", "mode=max", "--metadata-file", "metadata.json"])
}

/// Checks what a statement about the origin says: which images, by the names that people know them by, and which lines.
fn has_origin(provenance: &Value) {
    let definition = &provenance["buildDefinition"];
    let images: Vec<&str> = definition["resolvedDependencies"]
        .as_array()
        .expect("a build has materials")
        .iter()
        .filter_map(|material| material["uri"].as_str())
        .collect();
    for name in ["pkg:oci/dalec.example/frontend?", "pkg:oci/debian@bookworm?"] {
        assert!(images.iter().any(|image| image.starts_with(name)), "{name} is not in {images:?}");
    }
    assert_eq!(definition["externalParameters"]["configSource"]["path"], "spec.yml");
    let source = &provenance["runDetails"]["metadata"]["buildkit_metadata"]["source"];
    assert_eq!(source["infos"][0]["filename"], "spec.yml", "{source}");
}

/// Packages: statements lie beside them, and are about each of them.
#[test]
fn packages_come_with_statements_about_them() {
    let registry = Registry::open();
    let project = Project::new(&script("attested", ""));
    attested(&project, "bookworm/deb", &scanner(&registry)).succeeds();
    let packages: Vec<String> =
        project.outputs().into_iter().filter(|name| !name.ends_with(".json")).collect();
    for (name, kind) in [("out/provenance.json", PROVENANCE), ("out/sbom.spdx.json", MATERIALS)] {
        let statement = json(&project, name);
        assert_eq!(statement["predicateType"], kind);
        let mut subjects: Vec<&str> = statement["subject"]
            .as_array()
            .expect("it is about something")
            .iter()
            .map(|subject| subject["name"].as_str().expect("a subject has a name"))
            .collect();
        subjects.sort_unstable();
        assert_eq!(subjects, packages, "{name}");
    }
    has_origin(&json(&project, "out/provenance.json")["predicate"]);
    let listed = json(&project, "out/sbom.spdx.json")["predicate"]["files"].to_string();
    assert!(listed.contains("attested_1.0.0-debian12u1_all.deb"), "{listed}");
    let metadata = json(&project, "metadata.json");
    assert!(metadata["buildx.build.ref"].is_string() && metadata["buildx.build.provenance"].is_object());
}

/// Images for several platforms: each is followed by statements about it.
#[test]
fn images_come_with_statements_about_them() {
    let registry = Registry::open();
    let scanner = scanner(&registry);
    let project = Project::new(&script("attested-image", ""));
    let name = registry.reference("attested:1");
    let build = attested(&project, "bookworm/container", &scanner);
    let build = build.args(["--platform", "linux/amd64,linux/386"]);
    build.args(["--output", &format!("type=image,name={name},push=true")]).succeeds();
    let metadata = json(&project, "metadata.json");
    assert_eq!(metadata["image.name"], name.as_str());
    for platform in ["linux/amd64", "linux/386"] {
        assert!(metadata[format!("buildx.build.provenance/{platform}")].is_object(), "{metadata}");
    }
    let blob = |reference: &str| -> Value {
        let raw = Command::new("skopeo")
            .args(["inspect", "--raw", "--tls-verify=false"])
            .arg(format!("docker://{reference}"))
            .output()
            .expect("skopeo starts");
        serde_json::from_slice(&raw.stdout).expect("it is JSON")
    };
    let repository = registry.reference("attested");
    let index = blob(&name);
    let entries = index["manifests"].as_array().expect("it is an index");
    let (statements, images): (Vec<&Value>, Vec<&Value>) =
        entries.iter().partition(|entry| entry["platform"]["os"] == "unknown");
    assert_eq!((images.len(), statements.len()), (2, 2), "{index}");
    for (image, about) in images.into_iter().zip(statements) {
        assert_eq!(about["annotations"]["vnd.docker.reference.digest"], image["digest"]);
        let digest = about["digest"].as_str().expect("it has a digest");
        let layers = blob(&format!("{repository}@{digest}"))["layers"].clone();
        let kinds = layers.as_array().expect("statements are layers").iter();
        let kinds: Vec<&Value> =
            kinds.map(|layer| &layer["annotations"]["in-toto.io/predicate-type"]).collect();
        assert_eq!(kinds, [MATERIALS, PROVENANCE]);
    }
}
