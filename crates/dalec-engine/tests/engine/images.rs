//! Images: from layouts, and assembled by another room.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dalec_engine::{Engine, ResolvedRoot, RootCommand, RootError, RootRequest, RootSource};
use dalec_gateway::{BuildOptions, Gateway, GatewayError, ResolveImage, SolveRequest};
use sha2::{Digest, Sha256};

use crate::world::{Built, Case, World, cases, definition};

pub const CASES: &[(&str, Case)] = cases![
    an_image_of_a_layout_is_unpacked,
    what_no_registry_has_is_assembled,
    an_assembly_that_fails_says_why,
    an_image_that_is_nowhere_is_said_so,
];

fn an_image_of_a_layout_is_unpacked(world: &World) {
    let layers: [&[(&str, &str)]; 2] = [
        &[("etc/one", "1"), ("etc/gone", "x"), ("dir/hidden", "x")],
        &[("etc/.wh.gone", ""), ("dir/.wh..wh..opq", ""), ("dir/two", "2")],
    ];
    let digest = layout(&world.path("layout"), &layers);
    let engine = || {
        let mut options = world.options();
        options.oci_layouts.insert("ctx".into(), world.path("layout"));
        Engine::new(options).unwrap()
    };
    let session = engine().session(BuildOptions::default());
    let asked = ResolveImage { reference: "oci-layout://ctx:v1".into(), ..ResolveImage::default() };
    let found = session.resolve_image(&asked).unwrap();
    assert_eq!(
        (found.reference, found.digest.as_str()),
        (format!("oci-layout://ctx@{digest}"), digest.as_str())
    );
    let config: serde_json::Value = serde_json::from_slice(&found.config).unwrap();
    assert_eq!(config["config"]["Env"][0], "A=b");
    for (reference, run) in [("oci-layout://ctx:v1", 1), (&*format!("oci-layout://ctx@{digest}"), 0)] {
        let built = Built::new(engine(), |graph| graph.source(reference, &[])).unwrap();
        assert_eq!((built.names("/etc"), built.names("/dir")), (vec!["one".into()], vec!["two".into()]));
        assert_eq!(built.stats().ops_run, run);
    }
}

/// Writes an OCI layout with one image called `v1` and returns the digest of its manifest.
pub fn layout(dir: &Path, layers: &[&[(&str, &str)]]) -> String {
    std::fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
    let put = |data: &[u8]| {
        let hex = hex::encode(Sha256::digest(data));
        std::fs::write(dir.join("blobs/sha256").join(&hex), data).unwrap();
        (format!("sha256:{hex}"), data.len())
    };
    let blobs: Vec<_> = layers.iter().map(|files| put(&archive(files))).collect();
    let diff_ids: Vec<_> = blobs.iter().map(|(digest, _)| digest.clone()).collect();
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = serde_json::json!({
        "architecture": architecture, "os": "linux", "config": { "Env": ["A=b"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let (config, size) = put(config.to_string().as_bytes());
    let descriptor = |kind: &str, digest: &str, size: usize| serde_json::json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest, "size": size });
    let layers: Vec<_> =
        blobs.iter().map(|(digest, size)| descriptor("layer.v1.tar", digest, *size)).collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", &config, size), "layers": layers,
    });
    let (digest, size) = put(manifest.to_string().as_bytes());
    let mut entry = descriptor("manifest.v1+json", &digest, size);
    entry["annotations"] = serde_json::json!({ "org.opencontainers.image.ref.name": "v1" });
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [entry] });
    std::fs::write(dir.join("index.json"), index.to_string()).unwrap();
    std::fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    digest
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Assembles roots out of the test program, and counts how often it is asked.
#[derive(Default)]
struct Roots {
    resolved: AtomicUsize,
    made: AtomicUsize,
    asked: Mutex<Vec<RootRequest>>,
    command: Vec<String>,
}

impl RootSource for Roots {
    fn resolve(&self, request: &RootRequest) -> Result<Option<ResolvedRoot>, RootError> {
        self.resolved.fetch_add(1, Ordering::SeqCst);
        self.asked.lock().unwrap().push(request.clone());
        if !request.reference.contains("/debian:") {
            return Ok(None);
        }
        Ok(Some(ResolvedRoot {
            recipe: format!("recipe of {}", request.packages.join(" ")).into_bytes(),
            config: br#"{"config":{"Env":["PATH=/bin"]}}"#.to_vec(),
            origin: "assembled by a test".into(),
        }))
    }

    fn materialize(
        &self,
        recipe: &[u8],
        root: &Path,
        run: &mut dyn FnMut(&RootCommand) -> Result<(), RootError>,
        progress: &(dyn Fn(&str, u64, u64) + Sync),
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), RootError> {
        self.made.fetch_add(1, Ordering::SeqCst);
        assert!(!cancelled());
        progress("package", 5, 10);
        std::fs::create_dir(root.join("bin")).unwrap();
        std::fs::copy("/proc/self/exe", root.join("bin/probe")).unwrap();
        std::fs::write(root.join("recipe"), recipe).unwrap();
        let args =
            ["/bin/probe", "probe"].map(str::to_owned).into_iter().chain(self.command.clone()).collect();
        run(&RootCommand { args, env: vec![("NAME".into(), "value".into())] })
    }
}

/// Nobody listens there, so a registry of that name cannot be reached.
const REFERENCE: &str = "127.0.0.1:1/library/debian:test";

fn with_roots(world: &World, roots: &Arc<Roots>) -> Engine {
    let mut options = world.options();
    options.root_source = Some(roots.clone());
    Engine::new(options).unwrap()
}

fn asked(packages: &[&str], mode: &str) -> ResolveImage {
    ResolveImage {
        reference: REFERENCE.into(),
        mode: mode.into(),
        packages: packages.iter().map(|name| (*name).to_owned()).collect(),
        ..ResolveImage::default()
    }
}

fn what_no_registry_has_is_assembled(world: &World) {
    let command = ["env=NAME=/name", "write=/configured=yes"].map(str::to_owned).to_vec();
    let roots = Arc::new(Roots { command, ..Roots::default() });
    let engine = with_roots(world, &roots);
    let session = engine.session(BuildOptions::default());
    let found = session.resolve_image(&asked(&["gcc"], "")).unwrap();
    assert_eq!((found.origin.as_str(), found.has_packages), ("assembled by a test", true));
    assert_eq!(found.reference, format!("{REFERENCE}@{}", found.digest));
    let graph = |graph: &mut crate::graph::Graph| {
        let root = graph.source(&format!("docker-image://{}", found.reference), &[]);
        graph.run(&root, &["copy=/recipe=/copied"])
    };
    let reference =
        session.solve(SolveRequest { definition: definition(graph), evaluate: true }).unwrap().unwrap();
    let read = |path: &str| String::from_utf8(session.read_file(&reference, path, None).unwrap()).unwrap();
    assert_eq!(
        (read("/copied").as_str(), read("/name").as_str(), read("/configured").as_str()),
        ("recipe of gcc", "value", "yes")
    );
    assert!(world.events.statuses().contains(&"assembled by a test".to_owned()));
    // Another engine remembers both, and asks nobody.
    let engine = with_roots(world, &roots);
    let session = engine.session(BuildOptions::default());
    assert_eq!(session.resolve_image(&asked(&["gcc"], "")).unwrap(), found);
    assert!(session.solve(SolveRequest { definition: definition(graph), evaluate: true }).is_ok());
    assert_eq!((roots.resolved.load(Ordering::SeqCst), roots.made.load(Ordering::SeqCst)), (1, 1));
    assert_eq!(engine.stats().processes_started, 0);
    // Until it is told to look again.
    assert_eq!(session.resolve_image(&asked(&["gcc"], "pull")).unwrap(), found);
    assert!(roots.asked.lock().unwrap().last().unwrap().refresh);
    let other = session.resolve_image(&asked(&[], "")).unwrap();
    assert!(!other.has_packages && other.digest != found.digest);
    // Without the digest, the op finds the same.
    let built = Built::new(with_roots(world, &roots), |graph| {
        graph.source(&format!("docker-image://{REFERENCE}"), &[])
    });
    assert_eq!(built.unwrap().read("/recipe"), "recipe of ");
}

fn an_assembly_that_fails_says_why(world: &World) {
    let command = ["say=about to fail", "exit=4"].map(str::to_owned).to_vec();
    let roots = Arc::new(Roots { command, ..Roots::default() });
    let error = Built::new(with_roots(world, &roots), |graph| {
        graph.source(&format!("docker-image://{REFERENCE}"), &[])
    });
    match error.err().unwrap() {
        GatewayError::Solve(failure) => {
            assert_eq!(failure.message, "/bin/probe probe say=about to fail exit=4 failed: exit code 4");
            assert_eq!(failure.log, ["about to fail"]);
        }
        other => panic!("{other:?}"),
    }
    assert!(world.unfinished().is_empty());
    let _ = BTreeMap::<String, String>::new();
}

fn an_image_that_is_nowhere_is_said_so(world: &World) {
    let roots = Arc::new(Roots::default());
    let session = with_roots(world, &roots).session(BuildOptions::default());
    let asked = ResolveImage { reference: "127.0.0.1:1/no/such:image".into(), ..ResolveImage::default() };
    // Nobody else has it, so the registry is asked each time.
    for attempt in 1..=2 {
        match session.resolve_image(&asked).unwrap_err() {
            GatewayError::Image { reference, source, .. } => {
                let cause = source.map(|cause| cause.to_string()).unwrap_or_default();
                assert_eq!(reference, asked.reference);
                assert!(cause.contains("127.0.0.1:1"), "{attempt}: {cause}");
            }
            other => panic!("{other:?}"),
        }
    }
}
