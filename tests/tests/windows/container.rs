//! `windowscross/container`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use dalec_e2e::engine::Engine;
use dalec_e2e::on_both_engines;
use dalec_e2e::run::{Invocation, Project, Who};
use dalec_e2e::windows::{VERSIONS, bases};
use serde_json::Value;

use crate::greet::{BASES, build, greet_with};

on_both_engines!(root: files_are_where_windows_looks, an_image_for_each_version, one_image_stays_one);
on_the_embedded_engine!(a_base_is_the_same_after_a_prune);

/// Returns the project with a container that starts from the first `bases` images, and TEST-001: with a test that fails where
/// it is run.
fn greet_on(bases: usize) -> Project {
    let bases =
        BASES[..bases].iter().map(|base| format!("    - rootfs:\n        image:\n          ref: {base}\n"));
    greet_with(&format!(
        "image:\n  entrypoint: C:/Windows/System32/greet.exe\n  env:\n    - GREETING=hello\n  bases:\n{}  post:\n    symlinks:\n      \
         /Windows/System32/greet.exe:\n        paths: [/tools/greet.exe, /hello.exe]\n\
         tests:\n  - name: never\n    steps: [{{command: 'false'}}]\n",
        bases.collect::<String>()
    ))
}

/// WIN-004, WIN-008
pub fn files_are_where_windows_looks(engine: Engine) {
    let project = greet_on(1);
    build(engine, &project, "windowscross/container").succeeds();
    let read = |name: &str| {
        fs::read(project.path("out").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let program = read("Windows/System32/greet.exe");
    assert!(program.starts_with(b"MZ"));
    assert!(read("tools/greet.exe") == program && read("hello.exe") == program, "links are copies");
    assert!(read("Windows/System32/greeting.dll").starts_with(b"MZ"));
    assert_eq!(read("Windows/System32/version.txt"), VERSIONS[0].as_bytes());
    assert_eq!(read("License.txt"), b"Read this.\n");
    assert!(!project.path("out/Hives").exists() && !project.path("out/Files").exists());
}

/// WIN-005
fn an_image_for_each_version(engine: Engine) {
    let project = greet_on(2);
    build(engine, &project, "windowscross/container")
        .args(["-o", "type=oci,dest=image,tar=false"])
        .succeeds();
    let image = Image { folder: project.path("image") };
    let index = image.index();
    let manifests: Vec<&Value> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["platform"]["os"] == "windows")
        .collect();
    let versions: Vec<&Value> = manifests.iter().map(|one| &one["platform"]["os.version"]).collect();
    assert_eq!(versions, VERSIONS, "{index}");
    for (manifest, version) in manifests.into_iter().zip(VERSIONS) {
        assert_eq!(manifest["platform"]["architecture"], "amd64");
        check(&image, &image.json(&manifest["digest"]), version);
    }
}

fn one_image_stays_one(engine: Engine) {
    let project = greet_on(1);
    build(engine, &project, "windowscross").args(["-o", "type=oci,dest=image,tar=false"]).succeeds();
    let image = Image { folder: project.path("image") };
    let manifest = image.index();
    assert!(manifest["manifests"].is_null(), "{manifest}");
    check(&image, &manifest, VERSIONS[0]);
}

/// A layer whose blob is gone, or not known any more, would be packed anew and be another one.
fn a_base_is_the_same_after_a_prune() {
    let project = greet_on(1);
    let state = project.path("state").display().to_string();
    let cache = |arguments: &[&str]| {
        let cache = Invocation::new(Who::Me, &project.path("")).arg("cache").args(arguments);
        cache.args(["--state-dir", &state]).succeeds().stdout
    };
    let image = Image { folder: project.path("image") };
    let make = || {
        build(Engine::Embedded, &project, "windowscross")
            .args(["-o", "type=oci,dest=image,tar=false", "--state-dir", &state])
            .succeeds();
        check(&image, &image.index(), VERSIONS[0]);
        fs::remove_dir_all(&image.folder).unwrap();
    };
    make();
    for percent in [99, 60, 20] {
        let listed: Value = serde_json::from_str(&cache(&["ls", "--format", "json"])).unwrap();
        let keep = listed["size"].as_u64().unwrap() / 1000 * percent / 100;
        cache(&["prune", "--all", "--force", "--keep-storage", &format!("{keep}kB")]);
        make();
    }
}

/// Checks the image with this manifest for `version` of Windows.
fn check(image: &Image, manifest: &Value, version: &str) {
    let config = image.json(&manifest["config"]["digest"]);
    assert_eq!((&config["os"], &config["architecture"]), (&"windows".into(), &"amd64".into()), "{config}");
    assert_eq!(config["os.version"], version);
    let settings = &config["config"];
    assert_eq!(settings["Entrypoint"], serde_json::json!(["C:/Windows/System32/greet.exe"]));
    assert_eq!(settings["Env"], serde_json::json!(["TEMP=C:\\Temp", "GREETING=hello"]));
    assert_eq!((&settings["WorkingDir"], &settings["User"]), (&"C:\\".into(), &"ContainerUser".into()));
    assert!(settings["Cmd"].is_null(), "the base's command was made for another entrypoint");
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), config["rootfs"]["diff_ids"].as_array().unwrap().len());
    let base = bases().iter().zip(VERSIONS).find(|(_, known)| *known == version).unwrap().0;
    let base = Image { folder: base.folder().to_path_buf() };
    let base_layer = &base.index()["layers"][0];
    // As it was pulled: with the registry, which no build on Linux sees. BuildKit has to compress it to write it out.
    assert_eq!(image.members(&layers[0]), base.members(base_layer));
    let mut own = BTreeMap::new();
    layers[1..].iter().for_each(|layer| own.extend(image.members(layer)));
    let names: Vec<&str> = own.keys().map(String::as_str).collect();
    for name in
        ["Files/", "Hives/", "Files/Windows/System32/greet.exe", "Files/hello.exe", "Files/tools/greet.exe"]
    {
        assert!(names.contains(&name), "{name} is missing in {names:?}");
    }
    assert!(names.iter().all(|name| name.starts_with("Files/") || *name == "Hives/"), "{names:?}");
    for (name, said) in &own {
        let (attributes, security) = match name.ends_with('/') {
            true => ("16", "AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgCoAAcAAAAA"),
            false => ("32", "AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgBMAAMAAAAA"),
        };
        assert_eq!(said["MSWINDOWS.fileattr"], attributes, "{name}");
        // The two directories at the top are never made: nothing is said about who may do what with them.
        if name.matches('/').count() > 1 || !name.ends_with('/') {
            assert!(said["MSWINDOWS.rawsd"].starts_with(security), "{name}: {said:?}");
        }
    }
}

/// An OCI layout that was written.
struct Image {
    folder: std::path::PathBuf,
}

impl Image {
    /// Returns what the layout is about: a manifest or an index.
    fn index(&self) -> Value {
        let index = fs::read(self.folder.join("index.json")).expect("there is a layout");
        let index: Value = serde_json::from_slice(&index).unwrap();
        self.json(&index["manifests"][0]["digest"])
    }

    fn json(&self, digest: &Value) -> Value {
        serde_json::from_slice(&fs::read(self.blob(digest)).unwrap()).unwrap()
    }

    fn blob(&self, digest: &Value) -> std::path::PathBuf {
        let hash = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
        Path::new(&self.folder).join("blobs/sha256").join(hash)
    }

    /// Returns the members of a layer with what is said of them in extended records, by name; directories end in `/`.
    fn members(&self, layer: &Value) -> BTreeMap<String, BTreeMap<String, String>> {
        let file = File::open(self.blob(&layer["digest"])).unwrap();
        let plain: Box<dyn std::io::Read> = match layer["mediaType"].as_str().unwrap().ends_with("gzip") {
            true => Box::new(flate2::read::GzDecoder::new(file)),
            false => Box::new(file),
        };
        let mut members = BTreeMap::new();
        for entry in tar::Archive::new(plain).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut said = BTreeMap::new();
            for record in entry.pax_extensions().unwrap().into_iter().flatten().flatten() {
                said.insert(record.key().unwrap().to_owned(), record.value().unwrap().to_owned());
            }
            let name = entry.path().unwrap().display().to_string();
            let slash = if entry.header().entry_type().is_dir() { "/" } else { "" };
            members.insert(format!("{}{slash}", name.trim_end_matches('/')), said);
        }
        members
    }
}
