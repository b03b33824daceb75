//! Results as images: what layers they have, what they say of themselves, and that the same result is the same image.

use std::collections::BTreeMap;
use std::path::Path;

use dalec_engine::export::oci::Flavor;
use dalec_engine::oci::{Compression, Reference};
use dalec_engine::tarball::Times;
use dalec_engine::{Engine, ImageOptions};
use dalec_gateway::{FrontendResult, GatewayError};
use serde_json::Value;

use crate::graph::{mkdir, mkfile, rm};
use crate::images::layout;
use crate::world::{Built, Case, World, cases};

pub const CASES: &[(&str, Case)] = cases![
    layers_of_the_base_stay_as_they_are,
    layers_of_the_base_are_compressed_anew_on_demand,
    the_same_result_is_the_same_image_everywhere,
    several_platforms_are_one_index,
    a_result_that_misdescribes_itself_is_refused,
];

pub fn options() -> ImageOptions {
    ImageOptions {
        flavor: Flavor::Oci,
        names: vec!["example.org/tool:1".parse::<Reference>().unwrap()],
        compression: Compression::Gzip,
        level: None,
        force_compression: false,
        times: Times::Keep,
        annotations: BTreeMap::new(),
        index_annotations: BTreeMap::new(),
    }
}

pub fn result(built: &Built, platforms: &[&str]) -> FrontendResult {
    let refs = platforms.iter().map(|platform| ((*platform).to_owned(), Some(built.reference.clone())));
    FrontendResult { refs: refs.collect(), metadata: BTreeMap::new() }
}

/// A document of a layout, by its descriptor.
fn document(dir: &Path, descriptor: &Value) -> Value {
    let hex = descriptor["digest"].as_str().unwrap().trim_start_matches("sha256:");
    serde_json::from_slice(&std::fs::read(dir.join("blobs/sha256").join(hex)).unwrap()).unwrap()
}

fn index(dir: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(dir.join("index.json")).unwrap()).unwrap()
}

fn digests(manifest: &Value) -> Vec<String> {
    let layers = manifest["layers"].as_array().unwrap();
    layers.iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
}

/// Builds on an image of a layout: a file deleted, another one made.
fn on_a_base(world: &World) -> Built {
    let layers: [&[(&str, &str)]; 2] = [&[("etc/one", "1"), ("etc/gone", "x")], &[("etc/two", "2")]];
    layout(&world.path("layout"), &layers);
    let mut options = world.options();
    options.oci_layouts.insert("ctx".into(), world.path("layout"));
    let engine = Engine::new(options).unwrap();
    Built::new(engine, |graph| {
        let base = graph.source("oci-layout://ctx:v1", &[]);
        let node = graph.file(Some(&base), None, vec![rm("/etc/gone", false)]);
        graph.file(Some(&node), None, vec![mkfile("/etc/three", 0o640, "3")])
    })
    .unwrap()
}

fn layers_of_the_base_stay_as_they_are(world: &World) {
    let built = on_a_base(world);
    let image = built.engine.image(&result(&built, &["linux/amd64"]), &options()).unwrap();
    let out = world.path("out");
    image.write_layout(&out).unwrap();
    let manifest = document(&out, &index(&out)["manifests"][0]);
    let given = document(&world.path("layout"), &index(&world.path("layout"))["manifests"][0]);
    let (ours, theirs) = (digests(&manifest), digests(&given));
    assert_eq!((ours.len(), &ours[..2]), (4, &theirs[..]));
    let config = document(&out, &manifest["config"]);
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 4);
    assert_eq!(image.facts()["containerimage.config.digest"], manifest["config"]["digest"]);
    assert_eq!(image.facts()["image.name"], "example.org/tool:1");
    // What is written can be built on.
    let mut again = world.options();
    again.oci_layouts.insert("ctx".into(), out);
    let source = |graph: &mut crate::graph::Graph| graph.source("oci-layout://ctx:1", &[]);
    let read = Built::new(Engine::new(again).unwrap(), source).unwrap();
    assert_eq!(read.names("/etc"), ["one", "three", "two"]);
    assert_eq!((read.read("/etc/three").as_str(), read.mode("/etc/three")), ("3", 0o640));
}

fn layers_of_the_base_are_compressed_anew_on_demand(world: &World) {
    let built = on_a_base(world);
    let forced =
        ImageOptions { compression: Compression::Zstd, force_compression: true, level: Some(1), ..options() };
    let out = world.path("out");
    let image = built.engine.image(&result(&built, &["linux/amd64"]), &forced).unwrap();
    image.write_layout(&out).unwrap();
    let manifest = document(&out, &index(&out)["manifests"][0]);
    for layer in manifest["layers"].as_array().unwrap() {
        assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
    }
    let given = document(&world.path("layout"), &index(&world.path("layout"))["manifests"][0]);
    let base = document(&world.path("layout"), &given["config"]);
    let config = document(&out, &manifest["config"]);
    assert_eq!(config["rootfs"]["diff_ids"][0], base["rootfs"]["diff_ids"][0]);
    let again = built.engine.image(&result(&built, &["linux/amd64"]), &forced).unwrap();
    assert_eq!(again.digest(), image.digest());
}

/// For root and for an ordinary user, on this machine and on others. Another version of the compressor may change the
/// digest, which changes those of everybody's images: reason enough to see it here.
fn the_same_result_is_the_same_image_everywhere(world: &World) {
    let build = || {
        let built = world.build(|graph| {
            let node = graph.file(None, None, vec![mkdir("/d", 0o755), mkfile("/d/f", 0o4755, "text")]);
            graph.file(Some(&node), None, vec![mkfile("/g", 0o600, "more")])
        });
        let options = ImageOptions { times: Times::Clamp(1), ..options() };
        built.engine.image(&result(&built, &["linux/amd64"]), &options).unwrap().digest().to_string()
    };
    let first = build();
    assert_eq!(first, "sha256:6366b06e459edd6702ece3bc807d5af9a1e1ca68e654282a7e342fa0ab7aba6c");
    std::fs::rename(world.path("state"), world.path("other")).unwrap();
    assert_eq!(first, build());
}

fn several_platforms_are_one_index(world: &World) {
    let built = world.build(|graph| graph.file(None, None, vec![mkfile("/f", 0o644, "x")]));
    let mut result = result(&built, &["windows/amd64", "linux/arm64"]);
    let config = br#"{"os.version":"10.0.1","config":{"User":"a"}}"#;
    result.metadata.insert("containerimage.config/windows/amd64".into(), config.to_vec());
    let annotated =
        ImageOptions { index_annotations: [("k".to_owned(), "v".to_owned())].into(), ..options() };
    let image = built.engine.image(&result, &annotated).unwrap();
    assert!(!image.facts().contains_key("containerimage.config.digest"));
    let out = world.path("out");
    image.write_layout(&out).unwrap();
    let several = document(&out, &index(&out)["manifests"][0]);
    assert_eq!(several["annotations"]["k"], "v");
    let platforms: Vec<_> =
        several["manifests"].as_array().unwrap().iter().map(|entry| entry["platform"].to_string()).collect();
    assert_eq!(
        platforms,
        [
            r#"{"architecture":"amd64","os":"windows","os.version":"10.0.1"}"#,
            r#"{"architecture":"arm64","os":"linux"}"#
        ]
    );
    let manifest = document(&out, &several["manifests"][0]);
    assert_eq!(document(&out, &manifest["config"])["config"]["User"], "a");
}

fn a_result_that_misdescribes_itself_is_refused(world: &World) {
    let built = world.build(|graph| graph.file(None, None, vec![mkfile("/f", 0o644, "x")]));
    let refused = |key: &str, value: &[u8]| {
        let mut result = result(&built, &["linux/amd64"]);
        result.metadata.insert(key.into(), value.to_vec());
        built.engine.image(&result, &options()).unwrap_err()
    };
    assert!(matches!(refused("refs.platforms", b"{}"), GatewayError::Request { .. }));
    let error = refused("containerimage.config", b"no JSON").to_string();
    assert!(error.contains("the image configuration for linux/amd64 is not usable"), "{error}");
    let docker = ImageOptions { flavor: Flavor::Docker, ..options() };
    let two = result(&built, &["linux/amd64", "linux/arm64"]);
    assert!(matches!(built.engine.image(&two, &docker), Err(GatewayError::Request { .. })));
}
